/** Waiting for room under the limit of a type: blocking and asynchronous calls stand in one line. */

import { createAsyncLines, type WaiterRef } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import type { MallocContext } from './context.js';
import type { TypeRef } from './records.js';

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

export function createWaits(context: MallocContext, accounts: Accounts): Waits {
  const { machine, waiting } = context;
  const { now } = machine;
  const { stand, assertAttached, leave } = createAsyncLines(context);

  function forRoom<Result>(
    type: TypeRef,
    granules: number,
    timeoutMs: number,
    what: string,
    redeem: Redeem<Result>,
  ): Result | null {
    assertAttached();
    waiting.assertMayBlock(what, 'OUT_OF_MEMORY');
    const waiter = waiting.idleWaiter(what);
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

  return {
    forRoom,
    forRoomAsync: (type, granules, signal, what, redeem) =>
      stand(
        {
          what,
          enter: (waiter) => accounts.enter(type, granules, waiter),
          abandon: (waiter) => accounts.abandon(type, waiter),
          redeem,
        },
        signal,
      ),
    leave,
  };
}
