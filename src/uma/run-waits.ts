/** Waiting for a run of pages: blocking and asynchronous calls stand in the line of the page layer. */

import { MbumaError } from '../check/index.js';
import { createAsyncLines, SLICE_MS, type WaiterRef } from '../machine/index.js';
import type { UmaContext } from './context.js';
import type { Reclaimer } from './reclaim.js';
import { inClassOf, USES_RESERVE } from './request-class.js';
import { BELL_MS, type Shortage, type Shortages, type WaitKind } from './shortage.js';

/** A call that waits for a run. */
export interface RunWait<Result> {
  /** What it is called in errors and reports. */
  readonly what: string;
  readonly flags: number;
  /** Looks for a run, and reclaims; null: there are no pages, so it waits on. In the class of its flags. */
  readonly attempt: () => Result | null;
}

export interface RunWaits {
  /** Blocks until an attempt answers something; null: the time is up. @throws what `attempt` and shortage.ts do */
  wait<Result>(call: RunWait<Result>, timeoutMs: number): Result | null;
  /** The same without blocking. Rejects with the signal's reason too, and with DETACHED. */
  waitAsync<Result>(call: RunWait<Result>, signal: AbortSignal | undefined): Promise<Result>;
  /** This thread detaches: its asynchronous calls end with DETACHED. */
  leave(): void;
}

export function createRunWaits(context: UmaContext, reclaimer: Reclaimer, shortages: Shortages): RunWaits {
  const { machine, waiting, pages } = context;
  const { now } = machine;
  const lines = createAsyncLines(context);

  /** One look of who stands in line; null: nothing, or it is not his turn. */
  function look<Result>(call: RunWait<Result>, waiter: WaiterRef, shortage: Shortage): Result | null {
    // Who may take the reserves may take what the first cannot.
    if ((call.flags & USES_RESERVE) === 0 && !pages.line.isFirst(waiter)) return null;
    return inClassOf(pages, call.flags, () => {
      shortage.beforeLook();
      const found = call.attempt();
      if (found === null) shortage.foundNothing();
      return found;
    });
  }

  function waitBlocking<Result>(call: RunWait<Result>, timeoutMs: number, shortage: Shortage): Result | null {
    const waiter = waiting.blockingWaiter;
    const deadline = now() + timeoutMs;
    let lookAt = 0;
    for (;;) {
      const bells = reclaimer.bells();
      if (now() >= lookAt) {
        const found = look(call, waiter, shortage);
        if (found !== null) return found;
        lookAt = now() + SLICE_MS;
      }
      const time = now();
      if (time >= deadline) return null;
      shortage.beforeSleep();
      waiting.sleepSlice(waiter, Math.min(deadline - time, lookAt - time));
      if (reclaimer.bells() !== bells) lookAt = Math.min(lookAt, now() + BELL_MS);
    }
  }

  return {
    wait(call, timeoutMs) {
      lines.assertAttached();
      waiting.assertMayBlock(call.what, 'OUT_OF_MEMORY');
      const waiter = waiting.idleWaiter(call.what);
      const kind: WaitKind = timeoutMs === Number.POSITIVE_INFINITY ? 'blocks for good' : 'blocks';
      const shortage = shortages.begin(call.what, call.flags, kind);
      pages.line.enter(waiter);
      try {
        return waitBlocking(call, timeoutMs, shortage);
      } finally {
        shortage.end();
        pages.line.leave(waiter);
      }
    },
    waitAsync<Result>(call: RunWait<Result>, signal: AbortSignal | undefined) {
      const shortage = shortages.begin(call.what, call.flags, 'awaits');
      let lookAt = 0;
      let hasLooked = false;
      return lines.stand<Result>(
        {
          what: call.what,
          enter: pages.line.enter,
          abandon: pages.line.leave,
          redeem: () => {
            throw new MbumaError('MEMORY_DAMAGED', `${call.what} was granted what nobody grants`);
          },
          look(waiter) {
            hasLooked = now() >= lookAt;
            if (!hasLooked) return null;
            const found = look(call, waiter, shortage);
            lookAt = now() + BELL_MS;
            return found;
          },
          // Woken before its time, it sleeps for the rest of that.
          sliceMs: () => (hasLooked ? SLICE_MS : Math.max(1, lookAt - now())),
        },
        signal,
      );
    },
    leave: lines.leave,
  };
}
