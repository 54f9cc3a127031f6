/** Which allocations of guarded zones get pages of their own. */

import type { UmaContext } from './context.js';

/** Frequencies are parts of this. */
const WHOLE = 100_000;

/**
 * True for so many of 100,000 calls as the setting `guardFrequency` says: the same ones whenever a thread of
 * this slot starts from the same `guardSeed`.
 */
export function createGuardChoice({ machine, settings, threads }: UmaContext): () => boolean {
  let seed = -1;
  let random = 0;
  machine.onRewind(() => {
    seed = -1;
  });

  return () => {
    const frequency = settings.read('guardFrequency');
    if (frequency === 0 || frequency >= WHOLE) return frequency !== 0;
    const wanted = settings.read('guardSeed');
    if (wanted !== seed) {
      seed = wanted;
      random = Math.imul((seed ^ 0x9e3779b9) + threads.slot, 0x85ebca6b) | 1;
    }
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return (random >>> 0) % WHOLE < frequency;
  };
}
