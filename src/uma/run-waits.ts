/** Waiting for a run of pages: blocking and asynchronous calls stand in the line of the page layer. */

import { MbumaError } from '../check/index.js';
import { createAsyncLines, type WaiterRef } from '../machine/index.js';
import type { UmaContext } from './context.js';
import { createLookTimes } from './look-times.js';
import { inClassOf, USES_RESERVE } from './request-class.js';
import type { Shortage, Shortages, WaitKind } from './shortage.js';

/** A call that waits for a run. */
export interface RunWait<Result> {
  /** What it is called in errors and reports. */
  readonly what: string;
  readonly flags: number;
  /** Length of the run. */
  readonly pages: number;
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

export function createRunWaits(context: UmaContext, shortages: Shortages): RunWaits {
  const { machine, waiting, pages } = context;
  const { now } = machine;
  const lines = createAsyncLines(context);

  /** Whether the first in line is at it, or who may take the reserves: that may take what the first cannot. */
  function mayLook({ flags }: RunWait<unknown>, waiter: WaiterRef): boolean {
    return (flags & USES_RESERVE) !== 0 || pages.line.isFirst(waiter);
  }

  /** One look; null: nothing was found, or it is not its turn. */
  function look<Result>(call: RunWait<Result>, waiter: WaiterRef, shortage: Shortage): Result | null {
    if (!mayLook(call, waiter)) return null;
    return inClassOf(pages, call.flags, () => {
      const found = shortage.look(call.attempt);
      if (found === null) shortage.foundNothing();
      return found;
    });
  }

  function waitBlocking<Result>(call: RunWait<Result>, timeoutMs: number, shortage: Shortage): Result | null {
    const waiter = waiting.blockingWaiter;
    const deadline = now() + timeoutMs;
    const times = createLookTimes(context);
    for (;;) {
      if (times.start()) {
        const found = look(call, waiter, shortage);
        if (found !== null) return found;
        times.next();
      }
      const rest = deadline - now();
      if (rest <= 0) return null;
      shortage.beforeSleep();
      times.sleep(waiter, rest);
    }
  }

  return {
    wait(call, timeoutMs) {
      lines.assertAttached();
      waiting.assertMayBlock(call.what, 'OUT_OF_MEMORY');
      const waiter = waiting.idleWaiter(call.what);
      const kind: WaitKind = timeoutMs === Number.POSITIVE_INFINITY ? 'blocks for good' : 'blocks';
      const shortage = shortages.begin(call.what, call.flags, kind, call.pages);
      pages.line.enter(waiter);
      try {
        return waitBlocking(call, timeoutMs, shortage);
      } finally {
        shortage.end();
        pages.line.leave(waiter);
      }
    },
    waitAsync<Result>(call: RunWait<Result>, signal: AbortSignal | undefined) {
      const shortage = shortages.begin(call.what, call.flags, 'awaits', call.pages);
      const waited = lines.stand<Result>(
        {
          what: call.what,
          enter: pages.line.enter,
          abandon: pages.line.leave,
          redeem: () => {
            throw new MbumaError('MEMORY_DAMAGED', `${call.what} was granted what nobody grants`);
          },
          // Whatever wakes it may be pages that came free.
          look: (waiter) => look(call, waiter, shortage),
        },
        signal,
      );
      return waited.finally(() => shortage.end());
    },
    leave: lines.leave,
  };
}
