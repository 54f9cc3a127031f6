/**
 * Asynchronous calls of one thread that stand in a line: each takes a waiter, waits for its grant or for
 * what it finds itself, and gives the waiter back.
 */

import { MbumaError } from '../check/index.js';
import { createAsyncWaiters } from './async-waiters.js';
import type { Attachment } from './attachment.js';
import type { WaiterRef } from './waiting.js';

/** A line as one call sees it. */
export interface AsyncLine<Result> {
  /** What the call is called in errors. */
  readonly what: string;
  enter(waiter: WaiterRef): void;
  /** Leaves the line; what was granted meanwhile goes to the next. */
  abandon(waiter: WaiterRef): void;
  /**
   * Makes an answer of what the waiter was granted. It stands in no line any more; null: it does again, for
   * the grant was not enough.
   */
  redeem(waiter: WaiterRef): Result | null;
  /** What the call finds without a grant, standing in line; null: nothing yet. */
  look?(waiter: WaiterRef): Result | null;
  /** How long it sleeps at most before it looks again. */
  sliceMs?(): number;
  /** Whose line it is, for `callsOf`. */
  readonly of?: object;
}

export interface AsyncLines {
  /**
   * Stands in line until there is an answer. Rejects with the signal's reason, DETACHED, or what the line
   * throws.
   */
  stand<Result>(line: AsyncLine<Result>, signal: AbortSignal | undefined): Promise<Result>;
  /** Calls that stand in a line of `of`, or want to. */
  callsOf(of: object): number;
  /** Throws DETACHED after `leave`. */
  assertAttached(): void;
  /** This thread detaches: its calls leave their lines, and end with DETACHED. */
  leave(): void;
}

interface Call {
  readonly line: AsyncLine<unknown>;
  waiter: WaiterRef | 0;
  inLine: boolean;
  wake: () => void;
}

export function createAsyncLines(attachment: Attachment): AsyncLines {
  const { machine, waiting } = attachment;
  const { notify } = machine.atomics;
  const waiters = createAsyncWaiters(attachment);
  const calls = new Set<Call>();
  let left = false;
  machine.onRewind(() => {
    calls.clear();
    left = false;
  });

  function assertAttached(): void {
    if (left) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
  }

  async function standIn<Result>(call: Call, line: AsyncLine<Result>, check: () => void): Promise<Result> {
    // Who finds a waiter stands in line before this call returns: its place is that of its arrival.
    const waiter = waiters.tryTake() || (await waiters.take(call, check));
    call.waiter = waiter;
    call.wake = () => void notify(waiter, 1);
    check();
    for (line.enter(waiter); ; ) {
      call.inLine = true;
      check();
      while (!waiting.isGranted(waiter)) {
        const found = line.look?.(waiter) ?? null;
        if (found !== null) return found;
        await waiting.sleepSliceAsync(waiter, line.sliceMs?.() ?? Number.POSITIVE_INFINITY);
        // An abort wins over a grant: nobody looks at what an aborted call answers.
        check();
      }
      call.inLine = false;
      const answer = line.redeem(waiter);
      if (answer !== null) return answer;
    }
  }

  return {
    assertAttached,
    callsOf: (of) => [...calls].filter(({ line }) => line.of === of).length,
    async stand(line, signal) {
      const check = (): void => {
        assertAttached();
        signal?.throwIfAborted();
      };
      check();
      waiting.assertMayAwait(line.what, 'OUT_OF_MEMORY');
      const call: Call = { line, waiter: 0, inLine: false, wake: () => {} };
      const wake = (): void => call.wake();
      signal?.addEventListener('abort', wake);
      calls.add(call);
      try {
        return await standIn(call, line, check);
      } finally {
        signal?.removeEventListener('abort', wake);
        calls.delete(call);
        try {
          if (call.inLine) line.abandon(call.waiter as WaiterRef);
        } finally {
          if (call.waiter !== 0) waiters.giveBack(call.waiter);
        }
      }
    },
    leave() {
      left = true;
      for (const call of calls) {
        if (call.inLine) call.line.abandon(call.waiter as WaiterRef);
        call.inLine = false;
        call.wake();
      }
    },
  };
}
