/**
 * The bytes of a capture file as a scanner meets them: one cluster after the other, each seen once, none
 * copied. A header that straddles two clusters is the exception: its bytes are put together in the *carry*, a
 * small buffer of the same memory.
 *
 *      cluster n                 cluster n+1
 *   [ ...packet|head ]        [ er|packet... ]
 *               └──── carry ────┘
 *
 * A scanner takes what it needs and may be left in the middle of anything: `take` that cannot be served
 * answers 0, keeps what it has, and is asked again with the same number when the next cluster is there.
 */

/** Bytes the carry must hold. */
export const CARRY_BYTES = 64;

export class Feed {
  /** Address of the next byte to look at. */
  position = 0;
  /** Address after the last byte of this cluster. */
  limit = 0;
  /** Offset in the file of the byte at `limit`. */
  private limitOffset = 0;
  private carried = 0;

  constructor(
    readonly bytes: Uint8Array,
    /** Address of `CARRY_BYTES` bytes. */
    private readonly carry: number,
  ) {}

  /** The next `length` bytes of the file stand at `address`. What was there before must be used up. */
  offer(address: number, length: number): void {
    this.position = address;
    this.limit = address + length;
    this.limitOffset += length;
  }

  /** Offset in the file of the next byte that was not taken. */
  get offset(): number {
    return this.limitOffset - (this.limit - this.position);
  }

  /** Whether some bytes wait in the carry for the rest of their header. */
  get carriesBytes(): boolean {
    return this.carried > 0;
  }

  /** Bytes left in this cluster. */
  get available(): number {
    return this.limit - this.position;
  }

  /**
   * Takes `count` bytes (at most `CARRY_BYTES`) and gives their address, or 0 when this cluster does not hold
   * enough of them.
   */
  take(count: number): number {
    const address = this.position;
    if (this.carried === 0 && this.limit - address >= count) {
      this.position = address + count;
      return address;
    }
    return this.takeSlow(count);
  }

  private takeSlow(count: number): number {
    const taken = Math.min(count - this.carried, this.limit - this.position);
    this.bytes.copyWithin(this.carry + this.carried, this.position, this.position + taken);
    this.position += taken;
    this.carried += taken;
    if (this.carried < count) return 0;
    this.carried = 0;
    return this.carry;
  }
}
