/** Integer arithmetic on powers of two. All arguments are non-negative integers below 2^31. */

/** Smallest multiple of `unit` (a power of two) that is at least `value`. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/** The exponent of the largest power of two that is at most `value` (> 0). */
export function floorLog2(value: number): number {
  return 31 - Math.clz32(value);
}

/** The exponent of the smallest power of two that is at least `value` (> 0). */
export function ceilLog2(value: number): number {
  return value <= 1 ? 0 : 32 - Math.clz32(value - 1);
}

/** Index of the lowest set bit of `word` (not 0). */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** How many bits of a 32-bit word are set. */
export function countBits(word: number): number {
  let rest = word - ((word >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Sets the first `bits` bits of the bitmap that begins at the word `first`, and clears those behind them. */
export function fillBitmap(words: Int32Array, first: number, bits: number): void {
  for (let bit = 0; bit < bits; bit += 32) {
    const count = Math.min(32, bits - bit);
    words[first + (bit >>> 5)] = count === 32 ? -1 : (1 << count) - 1;
  }
}

/** How many of the bits of such a bitmap are set, all of its last word among them. */
export function countBitmap(words: Int32Array, first: number, bits: number): number {
  let set = 0;
  for (let word = first; word < first + ((bits + 31) >>> 5); word++) set += countBits(words[word] as number);
  return set;
}
