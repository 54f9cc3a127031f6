/**
 * The race detector: vector clocks, as in FastTrack, on every byte that an access begins at.
 *
 * Two accesses to one place race when one of them writes, not both are atomic, and neither is ordered
 * before the other by: program order, an atomic read of what an atomic write has written, `notify` and the
 * wait that it ends, the death of a thread and the news of it.
 *
 * Clocks never go back, not even from one schedule to the next: what earlier schedules left in the
 * tables is older than everything in this one, so nothing is ever cleared.
 */

const CLOCK_MAX = 2 ** 30;

/**
 * Widths with which a word has been touched: an access looks at the other widths only where there were any.
 */
const WIDTH_BITS = 15;

export class RaceDetector {
  private readonly shift: number;
  private readonly count: number;
  private readonly plainReads: Int32Array;
  private readonly plainWrites: Int32Array;
  private readonly atomicReads: Int32Array;
  private readonly atomicWrites: Int32Array;
  /** What each word's atomic writes have published. */
  private readonly published: Int32Array;
  private readonly clocks: Int32Array;
  private readonly widths: Uint8Array;
  private highest = 1;
  /** The thread that the last access found to race with. */
  rival = 0;

  /** @param threads how many, the world outside included */
  constructor(byteLength: number, threads: number) {
    this.count = threads;
    this.shift = threads <= 1 ? 0 : 32 - Math.clz32(threads - 1);
    const places = byteLength << this.shift;
    this.plainReads = new Int32Array(places);
    this.plainWrites = new Int32Array(places);
    this.atomicReads = new Int32Array(places);
    this.atomicWrites = new Int32Array(places);
    this.published = new Int32Array(places >> 2);
    this.clocks = new Int32Array(threads << this.shift);
    this.widths = new Uint8Array(byteLength >> 2);
  }

  /** A new schedule: all threads begin after everything that has been. */
  begin(): void {
    if (this.highest > CLOCK_MAX) {
      for (const table of [this.plainReads, this.plainWrites, this.atomicReads, this.atomicWrites])
        table.fill(0);
      this.published.fill(0);
      this.highest = 1;
    }
    this.clocks.fill(this.highest);
    this.highest++;
    for (let thread = 0; thread < this.count; thread++)
      this.clocks[(thread << this.shift) + thread] = this.highest;
  }

  /** Notes an access; true when it races with one of `rival`. `width` in bytes. */
  access(thread: number, address: number, width: number, writes: boolean, atomic: boolean): boolean {
    const at = address << this.shift;
    const table = writes
      ? atomic
        ? this.atomicWrites
        : this.plainWrites
      : atomic
        ? this.atomicReads
        : this.plainReads;
    table[at + thread] = this.clocks[(thread << this.shift) + thread] as number;
    const word = address >> 2;
    const widths = (this.widths[word] as number) | width;
    if (this.widths[word] !== widths) this.noteWidth(word, width);
    if (this.unordered(thread, address, writes, atomic)) return true;
    if ((widths & WIDTH_BITS) === width) return false;
    return this.overlapsUnordered(thread, address, width, widths, writes);
  }

  private noteWidth(word: number, width: number): void {
    this.widths[word] = (this.widths[word] as number) | width;
    if (width === 8) this.widths[word + 1] = (this.widths[word + 1] as number) | width;
  }

  private unordered(thread: number, address: number, writes: boolean, atomic: boolean): boolean {
    const { plainReads, plainWrites, atomicReads, atomicWrites, clocks, count } = this;
    const at = address << this.shift;
    const mine = thread << this.shift;
    for (let other = 0; other < count; other++) {
      if (other === thread) continue;
      const seen = clocks[mine + other] as number;
      if (
        (plainWrites[at + other] as number) > seen ||
        (writes && (plainReads[at + other] as number) > seen) ||
        (!atomic &&
          ((atomicWrites[at + other] as number) > seen ||
            (writes && (atomicReads[at + other] as number) > seen)))
      ) {
        this.rival = other;
        return true;
      }
    }
    return false;
  }

  /** Accesses of another width to the same bytes: even two atomic ones race then. */
  private overlapsUnordered(
    thread: number,
    address: number,
    width: number,
    widths: number,
    writes: boolean,
  ): boolean {
    for (let other = 1; other <= 8; other *= 2) {
      if (other === width || (widths & other) === 0) continue;
      const first = address & -other;
      for (let place = first; place < address + width; place += other) {
        if (place !== address && this.unordered(thread, place, writes, false)) return true;
      }
    }
    return false;
  }

  /** An atomic read: the thread knows what the writers of the word knew. */
  acquire(thread: number, word: number): void {
    this.joinFrom(thread, this.published, word << this.shift);
  }

  /** An atomic write. `adds` when it was a read as well: then what was published before still is. */
  release(thread: number, word: number, adds: boolean): void {
    const { clocks, published, shift, count } = this;
    const mine = thread << shift;
    const at = word << shift;
    for (let other = 0; other < count; other++) {
      const known = clocks[mine + other] as number;
      if (!adds || known > (published[at + other] as number)) published[at + other] = known;
    }
    this.tick(thread);
  }

  /** `from` has made `to` go on: by notify, or by the news of its death. */
  pass(from: number, to: number): void {
    this.joinFrom(to, this.clocks, from << this.shift);
    this.tick(from);
  }

  private joinFrom(thread: number, table: Int32Array, at: number): void {
    const { clocks, count } = this;
    const mine = thread << this.shift;
    for (let other = 0; other < count; other++) {
      const known = table[at + other] as number;
      if (known > (clocks[mine + other] as number)) clocks[mine + other] = known;
    }
  }

  private tick(thread: number): void {
    const at = (thread << this.shift) + thread;
    const clock = (this.clocks[at] as number) + 1;
    this.clocks[at] = clock;
    if (clock > this.highest) this.highest = clock;
  }
}
