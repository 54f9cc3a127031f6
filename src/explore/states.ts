/**
 * States that an exploration has been in, so that none is gone on from twice: hashes of two words of 32 bits.
 */

const scratch = new Float64Array(1);
const halves = new Int32Array(scratch.buffer);

/** A number as a word: integers as they are, others by all their bits. */
export function wordOf(value: number): number {
  const word = value | 0;
  if (word === value && (word !== 0 || 1 / value > 0)) return word;
  scratch[0] = value;
  return Math.imul(halves[0] as number, 0x2c1b3c6d) ^ (halves[1] as number);
}

/** The first word of a hash that goes on with `value`. Order matters. */
export function mixLow(low: number, value: number): number {
  const mixed = Math.imul(low ^ value, 0x85ebca6b);
  return (Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35) + 0x3c6ef372) ^ (mixed >>> 11);
}

/** The second. */
export function mixHigh(high: number, value: number): number {
  const mixed = Math.imul((high + value) ^ (value >>> 17), 0x9e3779b1);
  return (Math.imul(mixed ^ (mixed >>> 13), 0x27d4eb2f) + 0x165667b1) ^ (mixed >>> 16);
}

/** What a word of the memory adds to the hash of the memory: xor puts it in and takes it out. */
export function placeLow(word: number, value: number): number {
  const mixed = mixLow(Math.imul(word, 0x9e3779b1), value);
  return Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d) ^ (mixed >>> 15);
}

export function placeHigh(word: number, value: number): number {
  const mixed = mixHigh(Math.imul(word, 0x846ca68b), value);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ (mixed >>> 17);
}

const FIRST_SLOTS = 1 << 12;
const SPENT_MAX = 0xfffe;

/** A set of states, each with the fewest preemptions that it was come to with. */
export class StateSet {
  /** So many are in it. */
  size = 0;
  private readonly most: number;
  private lows = new Int32Array(FIRST_SLOTS);
  private highs = new Int32Array(FIRST_SLOTS);
  /** One more than the preemptions; 0: the slot is empty. */
  private spents = new Uint16Array(FIRST_SLOTS);

  constructor(most: number) {
    this.most = most;
  }

  has(low: number, high: number): boolean {
    return this.spents[this.find(low, high)] !== 0;
  }

  /** Whether it was there with as few preemptions; from now on it is, unless the set is full. */
  covers(low: number, high: number, preemptions: number): boolean {
    const spent = Math.min(preemptions, SPENT_MAX) + 1;
    const slot = this.find(low, high);
    const known = this.spents[slot] as number;
    if (known !== 0) {
      if (known <= spent) return preemptions < SPENT_MAX;
      this.spents[slot] = spent;
      return false;
    }
    if (this.size >= this.most) return false;
    this.lows[slot] = low;
    this.highs[slot] = high;
    this.spents[slot] = spent;
    if (++this.size * 4 > this.spents.length * 3) this.grow();
    return false;
  }

  /** Where it is, or would be. */
  private find(low: number, high: number): number {
    const { lows, highs, spents } = this;
    const last = spents.length - 1;
    let slot = (low ^ (high >>> 7)) & last;
    while (spents[slot] !== 0 && (lows[slot] !== low || highs[slot] !== high)) slot = (slot + 1) & last;
    return slot;
  }

  private grow(): void {
    const { lows, highs, spents } = this;
    const slots = spents.length * 2;
    this.lows = new Int32Array(slots);
    this.highs = new Int32Array(slots);
    this.spents = new Uint16Array(slots);
    for (let old = 0; old < spents.length; old++) {
      if (spents[old] === 0) continue;
      const slot = this.find(lows[old] as number, highs[old] as number);
      this.lows[slot] = lows[old] as number;
      this.highs[slot] = highs[old] as number;
      this.spents[slot] = spents[old] as number;
    }
  }
}

/** A result whose every part this text tells; null where something could be left out. */
export function textOf(result: unknown): string | null {
  if (result === undefined || result === null || typeof result === 'boolean') return `${result}`;
  if (typeof result === 'number') return Object.is(result, -0) ? '-0' : `${result}`;
  if (typeof result === 'string') return JSON.stringify(result);
  if (!Array.isArray(result)) return null;
  const parts = Array.from(result as unknown[], textOf);
  return parts.includes(null) ? null : `[${parts.join()}]`;
}
