/**
 * When a call that waits for pages looks for some: at once, when a slice of its sleep is over, and when it
 * hears that some came free. Not each time that it wakes up: others wake it to ask for what it has
 * cached, and if it asked them in turn, two who wait for pages would do nothing else.
 */

import { type Attachment, SLICE_MS, type WaiterRef } from '../machine/index.js';

export interface LookTimes {
  isDue(): boolean;
  /** The call has looked, or it was not its turn: the next look is after a slice. */
  next(): void;
  /** It may be its turn: a look is due. */
  hurry(): void;
  /** Blocks until the next look, or for `mostMs` if that is less. After a ring a look is due. */
  sleep(waiter: WaiterRef, mostMs: number): void;
}

/** Times of one call. */
export function createLookTimes({ machine, waiting }: Attachment): LookTimes {
  const { now } = machine;
  let lookAt = Number.NEGATIVE_INFINITY;

  function hurry(): void {
    lookAt = Number.NEGATIVE_INFINITY;
  }

  return {
    isDue: () => now() >= lookAt,
    next() {
      lookAt = now() + SLICE_MS;
    },
    hurry,
    sleep(waiter, mostMs) {
      const rings = waiting.rings();
      waiting.sleepSlice(waiter, Math.min(mostMs, lookAt - now()));
      if (waiting.rings() !== rings) hurry();
    },
  };
}
