/** Waiting for readers: until every read section that was open has ended. */

import { MbumaError, requireObject, requireSignal, requireTimeout } from '../check/index.js';
import type { Attachment } from './attachment.js';
import { ThreadSlot } from './records.js';

export interface Synchronising {
  /** Throws READ_SECTION, WOULD_BLOCK, SLEEP_WITH_LOCK, TIMED_OUT. */
  synchronize(timeoutMs?: number): void;
  synchronizeAsync(options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** Where accesses are in order there is no tick: then a reader is looked at again so soon. */
const LOOK_EVERY_MS = 1;

export function createSynchronising({ machine, threads, waiting, epochs }: Attachment): Synchronising {
  const { now, wait, waitAsync } = machine;
  const { store } = machine.atomics;
  const home = threads.self + ThreadSlot.home;
  const sleepingOn = threads.self + ThreadSlot.sleepingOn;
  const sliceMs = epochs.tickMs || LOOK_EVERY_MS;

  /** Whether all who read when `tag` was made have left; lets the sequence go on, as far as it can. */
  function isOver(tag: number): boolean {
    for (let before = 0; before !== epochs.sequence(); ) {
      if (epochs.hasPassed(tag)) return true;
      before = epochs.sequence();
      epochs.advance();
    }
    // Who has ended without having left would keep this thread waiting for good.
    for (const { slot, generation } of epochs.overdue()) threads.suspect(slot, generation);
    return false;
  }

  return {
    synchronize(timeoutMs) {
      const timeout = requireTimeout(timeoutMs);
      threads.assertHere();
      waiting.assertMayBlock('synchronize');
      const deadline = now() + timeout;
      for (const tag = epochs.tag(); !isOver(tag); ) {
        const left = deadline - now();
        if (left <= 0)
          throw new MbumaError('TIMED_OUT', `synchronize: a thread still reads after ${timeout} ms`);
        store(sleepingOn, home);
        waiting.poll();
        wait(home, 0, Math.min(left, sliceMs));
        store(sleepingOn, 0);
      }
    },
    async synchronizeAsync(options = {}) {
      requireObject(options, 'options');
      requireSignal(options.signal);
      options.signal?.throwIfAborted();
      threads.assertHere();
      waiting.assertOutside('synchronizeAsync');
      for (const tag = epochs.tag(); !isOver(tag); ) {
        waiting.poll();
        await waitAsync(home, 0, sliceMs);
        options.signal?.throwIfAborted();
        threads.assertHere();
      }
    },
  };
}
