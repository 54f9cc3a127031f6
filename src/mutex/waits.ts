/**
 * Waiting for a mutex, blocking and asynchronous in one line.
 *
 * Between slices of a sleep a waiter looks whether the owner has ended: should nobody else clean up, it
 * costs a slice and no more. A call that gives up and has been granted the mutex meanwhile takes it (its
 * time was up), or gives it on unseen (its signal has aborted, or something failed).
 */

import { MbumaError } from '../check/index.js';
import { createAsyncWaiters, Waiter, type WaiterRef } from '../machine/index.js';
import type { MutexContext } from './context.js';
import { generationOfOwner, type HandOver, slotOfOwner } from './hand-over.js';
import type { MutexRef } from './records.js';

export interface Waits {
  /** Takes the mutex, or blocks this thread until it has it (true) or the time is up (false). */
  takeBlocking(mutex: MutexRef, timeoutMs: number, what: string): boolean;
  /**
   * Takes the mutex, waiting for it if need be. Rejects with the signal's reason, or DETACHED.
   *
   * @param taken runs at the moment when the mutex is had: nothing of this thread comes in between
   */
  takeAsync<Result>(
    mutex: MutexRef,
    what: string,
    signal: AbortSignal | undefined,
    taken: () => Result,
  ): Promise<Result>;
  /** This thread detaches: its asynchronous calls leave their lines, and end with DETACHED. */
  leave(): void;
}

/** An asynchronous call. */
interface Call {
  readonly mutex: MutexRef;
  waiter: WaiterRef | 0;
  inLine: boolean;
  wake: () => void;
}

export function createWaits(context: MutexContext, handOver: HandOver): Waits {
  const { machine, waiting, threads } = context;
  const { now } = machine;
  const { notify } = machine.atomics;
  const { state: STATE } = Waiter;
  const waiters = createAsyncWaiters(context);
  const noWaiter = machine.failpoints.site(
    'mutex.waiter',
    'a place in line for an asynchronous call: it looks now and then instead',
  );
  const calls = new Set<Call>();
  let left = false;
  machine.onRewind(() => {
    calls.clear();
    left = false;
  });

  function assertAttached(): void {
    if (left) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
  }

  /** Says that the owner has ended if the operating system knows: the one that would be told may sleep here. */
  function look(mutex: MutexRef): void {
    const owner = handOver.ownerOf(mutex);
    if (owner !== 0) threads.suspect(slotOfOwner(owner), generationOfOwner(owner));
    handOver.serve(mutex);
  }

  /** Leaves the line; the mutex goes to the next if it was granted. */
  function abandon(mutex: MutexRef, waiter: WaiterRef): void {
    if (handOver.leave(mutex, waiter)) handOver.release(mutex, 'as it was');
  }

  function takeBlocking(mutex: MutexRef, timeoutMs: number, what: string): boolean {
    if (handOver.tryTake(mutex)) return true;
    if (timeoutMs <= 0) return false;
    waiting.assertCanBlock(what);
    waiting.assertOutside(what);
    const waiter = waiting.idleWaiter(what);
    const deadline = now() + timeoutMs;
    if (handOver.takeOrEnter(mutex, waiter)) return true;
    try {
      while (!waiting.isGranted(waiter)) {
        const rest = deadline - now();
        if (rest <= 0) break;
        if (!waiting.sleepSlice(waiter, rest)) look(mutex);
      }
    } catch (error) {
      // A poll failed, or this thread was given up.
      abandon(mutex, waiter);
      throw error;
    }
    return handOver.leave(mutex, waiter);
  }

  async function takeInLine<Result>(
    call: Call,
    what: string,
    check: () => void,
    taken: () => Result,
  ): Promise<Result> {
    const { mutex } = call;
    if (!noWaiter.fails()) call.waiter = waiters.tryTake();
    if (call.waiter === 0) {
      waiting.assertOutside(what);
      call.waiter = await waiters.take(call, check);
    }
    const { waiter } = call;
    call.wake = () => notify(waiter + STATE, 1);
    if (handOver.takeOrEnter(mutex, waiter)) return taken();
    call.inLine = true;
    waiting.assertOutside(what);
    while (!waiting.isGranted(waiter)) {
      if (!(await waiting.sleepSliceAsync(waiter, Number.POSITIVE_INFINITY))) {
        check();
        look(mutex);
      }
    }
    // An abort wins over a grant: nobody looks at what an aborted call answers.
    check();
    call.inLine = false;
    handOver.leave(mutex, waiter);
    return taken();
  }

  return {
    takeBlocking,
    async takeAsync(mutex, what, signal, taken) {
      const check = (): void => {
        assertAttached();
        signal?.throwIfAborted();
      };
      check();
      const call: Call = { mutex, waiter: 0, inLine: false, wake: () => {} };
      const wake = (): void => call.wake();
      signal?.addEventListener('abort', wake);
      calls.add(call);
      try {
        return await takeInLine(call, what, check, taken);
      } finally {
        signal?.removeEventListener('abort', wake);
        calls.delete(call);
        if (call.inLine) abandon(mutex, call.waiter as WaiterRef);
        if (call.waiter !== 0) waiters.giveBack(call.waiter);
      }
    },
    leave() {
      left = true;
      for (const call of calls) {
        if (call.inLine) abandon(call.mutex, call.waiter as WaiterRef);
        call.inLine = false;
        call.wake();
      }
    },
  };
}
