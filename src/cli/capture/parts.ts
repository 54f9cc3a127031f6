/**
 * What a scanner finds in one cluster: the packets that lie in it, and the parts of packets that reach into
 * the next one or come from the one before. Columns of numbers, made once and used for every cluster.
 */

/** This part goes on a packet that began in an earlier cluster. */
export const PART_CONTINUES = 0x100;
/** The packet goes on in the next cluster. */
export const PART_CONTINUED = 0x200;
/** The link shape, in the low bits of a part's marks. */
export const PART_LINK_MASK = 0xff;

export class Parts {
  count = 0;
  /** How many of them have become packets. */
  done = 0;
  /** Address of the first byte. */
  readonly starts: Int32Array;
  /** Captured bytes of this part. */
  readonly lengths: Int32Array;
  /** Captured bytes of the whole packet. */
  readonly totals: Int32Array;
  /** Bytes of the packet on the wire. */
  readonly originals: Int32Array;
  /** Link shape, and `PART_...` bits. */
  readonly marks: Int32Array;

  /** For clusters of `clusterBytes` bytes: no packet record of any format takes less than 16. */
  constructor(clusterBytes: number) {
    const capacity = (clusterBytes >> 4) + 2;
    this.starts = new Int32Array(capacity);
    this.lengths = new Int32Array(capacity);
    this.totals = new Int32Array(capacity);
    this.originals = new Int32Array(capacity);
    this.marks = new Int32Array(capacity);
  }

  clear(): void {
    this.count = 0;
    this.done = 0;
  }

  add(start: number, length: number, total: number, original: number, mark: number): void {
    const index = this.count++;
    this.starts[index] = start;
    this.lengths[index] = length;
    this.totals[index] = total;
    this.originals[index] = original;
    this.marks[index] = mark;
  }
}
