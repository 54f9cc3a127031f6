/** Waiting for room under the limit of a type: blocking and asynchronous calls stand in one line. */

import { MbumaError } from '../check/index.js';
import { ThreadSlot, type WaiterRef } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import type { MallocContext } from './context.js';
import type { TypeRef } from './records.js';

/** How often an asynchronous call that found no free waiter tries again. */
const RETRY_MS = 5;

/** What is done with the room that a waiter was granted. */
export type Redeem<Result> = (waiter: WaiterRef) => Result;

export interface Waits {
  /** Blocks until there is room, and says what `redeem` answers; null: the time is up. */
  forRoom<Result>(
    type: TypeRef,
    granules: number,
    timeoutMs: number,
    what: string,
    redeem: Redeem<Result>,
  ): Result | null;
  /** The same without blocking. Rejects with the signal's reason, or DETACHED. */
  forRoomAsync<Result>(
    type: TypeRef,
    granules: number,
    signal: AbortSignal | undefined,
    what: string,
    redeem: Redeem<Result>,
  ): Promise<Result>;
  /** This thread detaches: its asynchronous calls leave their lines, and end with DETACHED. */
  leave(): void;
}

interface Call {
  readonly type: TypeRef;
  waiter: WaiterRef | 0;
  inLine: boolean;
  wake: () => void;
}

export function createWaits(context: MallocContext, accounts: Accounts): Waits {
  const { machine, waiting, threads } = context;
  const { now } = machine;
  const { notify } = machine.atomics;
  const homeWord = threads.self + ThreadSlot.home;
  const calls = new Set<Call>();
  let left = false;
  machine.onRewind(() => {
    calls.clear();
    left = false;
  });

  function assertAttached(): void {
    if (left) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
  }

  function forRoom<Result>(
    type: TypeRef,
    granules: number,
    timeoutMs: number,
    what: string,
    redeem: Redeem<Result>,
  ): Result | null {
    assertAttached();
    waiting.assertMayBlock(what, 'OUT_OF_MEMORY');
    const waiter = waiting.blockingWaiter;
    if (waiting.isInLine(waiter))
      throw new MbumaError('WOULD_BLOCK', `${what} would block, and this thread waits already`);
    const deadline = now() + timeoutMs;
    accounts.enter(type, granules, waiter);
    try {
      while (!waiting.isGranted(waiter)) {
        const rest = deadline - now();
        if (rest <= 0) break;
        waiting.sleepSlice(waiter, rest);
      }
      return waiting.isGranted(waiter) ? redeem(waiter) : null;
    } finally {
      if (waiting.isInLine(waiter) || waiting.isGranted(waiter)) accounts.abandon(type, waiter);
    }
  }

  async function takeWaiter(call: Call, check: () => void): Promise<WaiterRef> {
    for (;;) {
      check();
      const waiter = waiting.takeWaiter();
      if (waiter !== 0) return waiter;
      call.wake = () => void notify(homeWord, calls.size);
      await machine.waitAsync(homeWord, 0, RETRY_MS);
    }
  }

  return {
    forRoom,
    async forRoomAsync(type, granules, signal, what, redeem) {
      const check = (): void => {
        assertAttached();
        signal?.throwIfAborted();
      };
      check();
      waiting.assertMayAwait(what, 'OUT_OF_MEMORY');
      const call: Call = { type, waiter: 0, inLine: false, wake: () => {} };
      const wake = (): void => call.wake();
      signal?.addEventListener('abort', wake);
      calls.add(call);
      try {
        const waiter = waiting.takeWaiter() || (await takeWaiter(call, check));
        call.waiter = waiter;
        call.wake = () => void notify(waiter, 1);
        accounts.enter(type, granules, waiter);
        call.inLine = true;
        while (!waiting.isGranted(waiter)) {
          await waiting.sleepSliceAsync(waiter, Number.POSITIVE_INFINITY);
          check();
        }
        call.inLine = false;
        return redeem(waiter);
      } finally {
        signal?.removeEventListener('abort', wake);
        calls.delete(call);
        if (call.inLine) accounts.abandon(type, call.waiter as WaiterRef);
        if (call.waiter !== 0) waiting.returnWaiter(call.waiter);
      }
    },
    leave() {
      left = true;
      for (const call of calls) {
        if (call.inLine) accounts.abandon(call.type, call.waiter as WaiterRef);
        call.inLine = false;
        call.wake();
      }
    },
  };
}
