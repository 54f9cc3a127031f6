/** What can be said of any record without knowing what it is for. */

import { layoutOf, type PlacedField } from './struct.js';

/** A count that no thread will ever reach. */
const COUNT_MAX = 2 ** 53;

/** Whether all words from `from` up to `to` are 0. */
export function isZero(words: Int32Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) if (words[index] !== 0) return false;
  return true;
}

/** Printable ASCII, at least one character, then zero bytes to the end. */
export function isText(words: Int32Array, index: number, wordCount: number): boolean {
  let ended = false;
  for (let at = 0; at < wordCount * 4; at++) {
    const code = ((words[index + (at >> 2)] as number) >>> ((at & 3) * 8)) & 0xff;
    if (ended ? code !== 0 : code !== 0 && (code < 0x20 || code > 0x7e)) return false;
    ended ||= code === 0;
  }
  return words[index] !== 0;
}

function isCount(value: number): boolean {
  return value >= 0 && value < COUNT_MAX && Math.floor(value) === value;
}

/**
 * Names of the fields that cannot be as they are: spare words that are not 0, text that is none,
 * counters that are no whole number.
 */
export function unsoundFields(
  words: Int32Array,
  floats: Float64Array,
  declared: object,
  record: number,
): string[] {
  const isSound = ({ name, kind, guard, offset, words: count }: PlacedField): boolean => {
    const at = record + offset;
    if (guard === 'const' && /^(spare|reserved)/.test(name)) return isZero(words, at, at + count);
    if (kind === 'text') return isText(words, at, count);
    return kind !== 'f64' || isCount(floats[at >> 1] as number);
  };
  return layoutOf(declared)
    .fields.filter((field) => !isSound(field))
    .map(({ name }) => name);
}
