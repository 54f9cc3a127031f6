/**
 * Waiting in line without blocking the event loop.
 *
 * A call needs a waiter in shared memory, and a thread has only so many. A call that finds none waits at
 * *home*, in a line of this thread for each end of each ring, and goes on trying now and then, so that
 * a ring whose waiters all sleep does not hold up another. A call that is cancelled, by its signal or
 * because the thread detaches, and has its gift already, keeps it: nothing is lost.
 */

import { ThreadSlot, Waiter, type WaiterRef } from '../machine/index.js';
import type { RingContext } from './context.js';
import type { End } from './hand-over.js';
import { type Line, NO_GIFT } from './line.js';
import type { RingRef } from './records.js';

/** How often the first of those who wait at home tries again. */
const HOME_SLICE_MS = 5;

export interface AsyncLine {
  /**
   * Waits in the line of an end for a gift. Those of this thread who wait at home go first.
   *
   * @param request what the waiter asks for
   * @param what names the call in errors
   * @param attempt tries without waiting: the gift, or NO_GIFT
   * @throws the signal's reason when it aborts before the gift is there
   */
  wait(
    end: End,
    ring: RingRef,
    request: number,
    what: string,
    attempt: () => number,
    signal: AbortSignal | undefined,
  ): Promise<number>;
  /** Ends every wait of this thread with `reason`, at once. */
  cancelAll(reason: unknown): void;
}

interface Call {
  readonly end: End;
  readonly ring: RingRef;
  readonly request: number;
  readonly what: string;
  readonly attempt: () => number;
  /** 0 while it waits at home. */
  waiter: WaiterRef | 0;
  outcome: 'none' | 'gift' | 'failure';
  gift: number;
  reason: unknown;
  /** Ends a pause at home. */
  wake: () => void;
}

export function createAsyncLine(context: RingContext, line: Line): AsyncLine {
  const { waiting, machine, threads } = context;
  const { notify } = machine.atomics;
  const { state: STATE } = Waiter;
  const homeWord = threads.self + ThreadSlot.home;
  const noWaiter = machine.failpoints.site(
    'ring.waiter',
    'a place in line for an asynchronous call: it looks now and then instead',
  );
  const calls = new Set<Call>();
  const homes = new Map<number, Call[]>();
  machine.onRewind(() => {
    calls.clear();
    homes.clear();
  });

  function finish(call: Call, gift: number): void {
    call.outcome = 'gift';
    call.gift = gift;
  }

  /** Takes the call out of its line; a gift that is there already is its outcome all the same. */
  function cancel(call: Call, reason: unknown): void {
    if (call.outcome !== 'none') return;
    call.outcome = 'failure';
    call.reason = reason;
    if (call.waiter !== 0) {
      try {
        const gift = line.leave(call.end, call.ring, call.waiter);
        if (gift !== NO_GIFT) finish(call, gift);
      } catch (error) {
        call.reason = error;
      }
      notify(call.waiter + STATE, 1);
    }
    call.wake();
  }

  function attempt(call: Call): void {
    const gift = call.attempt();
    if (gift !== NO_GIFT) finish(call, gift);
  }

  function takeWaiter(call: Call): void {
    if (noWaiter.fails()) return;
    call.waiter = waiting.takeWaiter();
    if (call.waiter !== 0) line.enter(call.end, call.ring, call.waiter, call.request);
  }

  function settled(call: Call): boolean {
    return call.outcome !== 'none';
  }

  async function waitAtHome(call: Call, home: Call[]): Promise<void> {
    home.push(call);
    try {
      while (!settled(call) && call.waiter === 0) {
        // The first in the line tries again after a while.
        if (home[0] === call) {
          call.wake = () => notify(homeWord, calls.size);
          await machine.waitAsync(homeWord, 0, HOME_SLICE_MS);
        } else {
          await new Promise<void>((resolve) => {
            call.wake = resolve;
          });
        }
        if (settled(call) || home[0] !== call) continue;
        attempt(call);
        if (!settled(call)) takeWaiter(call);
      }
    } finally {
      home.splice(home.indexOf(call), 1);
      const next = home[0];
      if (next === undefined) homes.delete(call.ring + call.end.queue);
      else next.wake();
    }
  }

  async function waitInLine(call: Call, waiter: WaiterRef): Promise<void> {
    while (!settled(call)) {
      if (waiting.isGranted(waiter)) finish(call, line.receive(call.end, call.ring, waiter));
      else if (!(await waiting.sleepSliceAsync(waiter, Number.POSITIVE_INFINITY)) && !settled(call)) {
        line.serve(call.end, call.ring);
      }
    }
    waiting.returnWaiter(waiter);
    homes.get(call.ring + call.end.queue)?.[0]?.wake();
  }

  async function run(call: Call): Promise<void> {
    const queue = call.ring + call.end.queue;
    const home = homes.get(queue);
    if (home === undefined) {
      attempt(call);
      if (settled(call)) return;
      waiting.assertMayAwait(call.what);
      takeWaiter(call);
    }
    if (call.waiter === 0) {
      const line = home ?? [];
      homes.set(queue, line);
      await waitAtHome(call, line);
    }
    if (call.waiter !== 0) await waitInLine(call, call.waiter);
  }

  return {
    async wait(end, ring, request, what, attempt, signal) {
      signal?.throwIfAborted();
      const call: Call = {
        end,
        ring,
        request,
        what,
        attempt,
        waiter: 0,
        outcome: 'none',
        gift: 0,
        reason: undefined,
        wake: () => {},
      };
      const abort = (): void => cancel(call, signal?.reason);
      signal?.addEventListener('abort', abort);
      calls.add(call);
      try {
        await run(call);
      } catch (error) {
        cancel(call, error);
      } finally {
        calls.delete(call);
        signal?.removeEventListener('abort', abort);
      }
      if (call.outcome === 'failure') throw call.reason;
      return call.gift;
    },
    cancelAll(reason) {
      for (const call of calls) cancel(call, reason);
    },
  };
}
