/**
 * What blocks are filled with: a number made of the object's id, and counted up from word to word. So a block
 * that overlaps another, was moved, or copied to the wrong place, is found by its contents.
 */

/** Odd, and its bits spread: ids that follow each other give numbers far apart. */
const SPREAD = 0x9e3779b1;

/** Fills the bytes of a block from byte `from` to before `to`. A block begins at a word. */
export function fillPattern(
  words: Int32Array,
  bytes: Uint8Array,
  block: number,
  from: number,
  to: number,
  object: number,
): void {
  const seed = Math.imul(object, SPREAD);
  const first = block >>> 2;
  const whole = to >>> 2;
  // The word that `from` stands in is written again, with what it has already.
  for (let index = from >>> 2; index < whole; index++) words[first + index] = seed + index;
  for (let at = whole * 4; at < to; at++) bytes[block + at] = (seed + whole) >>> ((at & 3) * 8);
}

/** The first of so many bytes of a block that is not as it was filled; -1: all are. */
export function findDamage(
  words: Int32Array,
  bytes: Uint8Array,
  block: number,
  length: number,
  object: number,
): number {
  const seed = Math.imul(object, SPREAD);
  const first = block >>> 2;
  const whole = length >>> 2;
  for (let index = 0; index < whole; index++) {
    if (words[first + index] !== ((seed + index) | 0)) return index * 4;
  }
  for (let at = whole * 4; at < length; at++) {
    if (bytes[block + at] !== (((seed + whole) >>> ((at & 3) * 8)) & 255)) return at;
  }
  return -1;
}

/** The first of so many bytes of a block that is not 0; -1: all are. */
export function findNonZero(words: Int32Array, bytes: Uint8Array, block: number, length: number): number {
  const first = block >>> 2;
  const whole = length >>> 2;
  for (let index = 0; index < whole; index++) if (words[first + index] !== 0) return index * 4;
  for (let at = whole * 4; at < length; at++) if (bytes[block + at] !== 0) return at;
  return -1;
}
