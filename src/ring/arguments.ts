/** Checks of what users pass in. Nothing is coerced, and nothing is touched before all is checked. */

import {
  describeValue,
  MbumaError,
  requireInt32Array,
  requireInteger,
  requireObject,
  requireSignal,
} from '../check/index.js';
import type { RingWaitOptions } from './ring.js';

export function isWord(word: unknown): boolean {
  return typeof word === 'number' && (word | 0) === word && word !== 0;
}

/** Requires a word that a ring can hold. */
export function requireWord(word: unknown): void {
  if (isWord(word)) return;
  throw new MbumaError(
    'BAD_ARGUMENT',
    `word must be a whole number from -2147483648 to 2147483647, but not 0, not ${describeValue(word)}`,
  );
}

/** Requires an array of at least `n` words, and `n` to be `least` or more. Cheap when all is well. */
export function requireWords(words: unknown, n: unknown, name: string, least: number): void {
  if (
    ArrayBuffer.isView(words) &&
    words instanceof Int32Array &&
    typeof n === 'number' &&
    (n | 0) === n &&
    n >= least &&
    n <= words.length
  ) {
    return;
  }
  requireInt32Array(words, name, requireInteger(n, 'n', least, 0x7fffffff));
}

/** The signal of the options, if there is one. */
export function signalOf(options: unknown): AbortSignal | undefined {
  if (options === undefined) return undefined;
  return requireSignal((requireObject(options, 'options') as RingWaitOptions).signal);
}
