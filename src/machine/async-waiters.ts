/**
 * Waiters for asynchronous calls of one thread. Calls that find all of them taken come one after the other:
 * the first tries again now and then, for a waiter may come back from anywhere.
 */

import type { Attachment } from './attachment.js';
import { ThreadSlot } from './records.js';
import type { WaiterRef } from './waiting.js';

/** How often the first of the calls that found no free waiter tries again. */
const RETRY_MS = 5;

/** A call that wants a waiter. `wake` is set while it waits for one: it then looks whether it is to end. */
export interface LateCall {
  wake: () => void;
}

export interface AsyncWaiters {
  /** A waiter; 0: all are taken, or others wait for one already. */
  tryTake(): WaiterRef | 0;
  /** Waits for one, behind those who do already. `check` runs whenever it wakes up: rejects with what it throws. */
  take(call: LateCall, check: () => void): Promise<WaiterRef>;
  giveBack(waiter: WaiterRef): void;
}

export function createAsyncWaiters({ machine, threads, waiting }: Attachment): AsyncWaiters {
  const { notify } = machine.atomics;
  const homeWord = threads.self + ThreadSlot.home;
  /** Without a waiter, in the order of their arrival. */
  const latecomers: LateCall[] = [];
  machine.onRewind(() => {
    latecomers.length = 0;
  });

  return {
    tryTake: () => (latecomers.length === 0 ? waiting.takeWaiter() : 0),
    async take(call, check) {
      latecomers.push(call);
      try {
        for (;;) {
          check();
          const isFirst = latecomers[0] === call;
          const waiter = isFirst ? waiting.takeWaiter() : 0;
          if (waiter !== 0) return waiter;
          if (isFirst) {
            call.wake = () => void notify(homeWord, latecomers.length);
            await machine.waitAsync(homeWord, 0, RETRY_MS);
          } else {
            await new Promise<void>((resolve) => {
              call.wake = resolve;
            });
          }
        }
      } finally {
        latecomers.splice(latecomers.indexOf(call), 1);
        latecomers[0]?.wake();
      }
    },
    giveBack(waiter) {
      waiting.returnWaiter(waiter);
      latecomers[0]?.wake();
    },
  };
}
