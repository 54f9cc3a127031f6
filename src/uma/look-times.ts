/**
 * When a call that waits for pages looks for some: at once, when a slice of its sleep is over, and when it
 * hears that some came free. Not each time that it wakes up: others wake it to ask for what it has
 * cached, and if it asked them in turn, two who wait for pages would do nothing else.
 */

import { type Attachment, SLICE_MS, type WaiterRef } from '../machine/index.js';

export interface LookTimes {
  /** Whether it is time for a look: then it begins now. */
  start(): boolean;
  /** The call has looked, or it was not its turn: the next look is after a slice. */
  next(): void;
  /** It may be its turn: a look is due. */
  hurry(): void;
  /**
   * Blocks until the next look, or for `mostMs` if that is less. Not at all, if pages have come free since
   * the look began, be it by what this thread gave back in the course of it.
   */
  sleep(waiter: WaiterRef, mostMs: number): void;
}

/** Times of one call. */
export function createLookTimes({ machine, waiting }: Attachment): LookTimes {
  const { now } = machine;
  let lookAt = Number.NEGATIVE_INFINITY;
  /** Rings that had been heard when the last look began. */
  let heard = waiting.rings();
  const isRung = (): boolean => waiting.rings() !== heard;

  return {
    start() {
      const isDue = isRung() || now() >= lookAt;
      if (isDue) heard = waiting.rings();
      return isDue;
    },
    next() {
      lookAt = now() + SLICE_MS;
    },
    hurry() {
      lookAt = Number.NEGATIVE_INFINITY;
    },
    sleep(waiter, mostMs) {
      if (!isRung()) waiting.sleepSlice(waiter, Math.min(mostMs, lookAt - now()));
    },
  };
}
