/**
 * When a call that waits for pages looks for some: at once, when a slice of its sleep is over, and when it
 * hears that some came free. Not each time that it wakes up: others wake it to ask for what it has
 * cached, and if it asked them in turn, two who wait for pages would do nothing else.
 */

import { SLICE_MS, type WaiterRef, type Waiting } from '../machine/index.js';

export interface LookTimes {
  isDue(): boolean;
  /** The call has looked, or it was not its turn: the next look is after a slice. */
  next(): void;
  /** Until the next look. */
  leftMs(): number;
  /** Pages have come free, or it may be its turn: a look is due. */
  hurry(): void;
}

/** Times of one call. */
export function createLookTimes(now: () => number): LookTimes {
  let lookAt = Number.NEGATIVE_INFINITY;
  return {
    isDue: () => now() >= lookAt,
    next() {
      lookAt = now() + SLICE_MS;
    },
    leftMs: () => lookAt - now(),
    hurry() {
      lookAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Blocks until the next look, or for `mostMs` if that is less. A ring makes it hurry. */
export function sleepUntilLook(waiting: Waiting, waiter: WaiterRef, times: LookTimes, mostMs: number): void {
  const rings = waiting.rings();
  waiting.sleepSlice(waiter, Math.min(mostMs, times.leftMs()));
  if (waiting.rings() !== rings) times.hurry();
}
