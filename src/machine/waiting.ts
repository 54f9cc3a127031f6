/**
 * Waiting: FIFO queues of waiters, blocking and asynchronous in the same line.
 *
 * A waiter is put into a queue under the lock of the structure it waits for, sleeps without any lock,
 * and is *granted*: whoever has something to give takes the head of the queue, under
 * the same lock, writes the gift into the waiter and wakes it. So nobody barges, one gift wakes one
 * waiter, and none is lost. A waiter that gives up takes the lock and looks: granted meanwhile, it has
 * the gift; else it leaves the queue.
 *
 * Sleeps last at most SLICE_MS; between slices the thread polls, so that what is asked of it gets done.
 */

import { CheckLevel, damaged, type ErrorCode, MbumaError } from '../check/index.js';
import { asRef, type Ref } from '../record/index.js';
import type { Locks } from './locks.js';
import type { Machine } from './machine.js';
import {
  ASYNC_WAITERS,
  Attention,
  Superblock,
  ThreadSlot,
  Waiter,
  WaiterState,
  WaitQueue,
} from './records.js';
import type { Threads } from './threads.js';
import { createSettings } from './tunables.js';

/** Longest sleep at a stretch. */
export const SLICE_MS = 100;

export type WaiterRef = Ref<'waiter'>;

export interface Waiting {
  /** This thread's waiter for blocking calls. */
  readonly blockingWaiter: WaiterRef;
  /**
   * The same, for a call that is about to block. Throws WOULD_BLOCK when it stands in a line: a hook, or what
   * another thread has asked for, is run while its caller waits, and there is one such waiter a thread.
   */
  idleWaiter(what: string): WaiterRef;
  /** A waiter for an asynchronous call, or 0 when all are in use. Give it back with `returnWaiter`. */
  takeWaiter(): WaiterRef | 0;
  returnWaiter(waiter: WaiterRef): void;
  /** Under the queue's lock: stands in line. `request` is for the one who grants. */
  enqueue(queue: number, waiter: WaiterRef, request: number): void;
  /** The same before one who waits; 0: at the end. For who has waited, and could not use what it got. */
  enqueueBefore(queue: number, waiter: WaiterRef, request: number, next: WaiterRef | 0): void;
  /** Under the queue's lock: leaves the line without a grant. */
  remove(queue: number, waiter: WaiterRef): void;
  /** The same for all waiters of a slot. */
  removeAllOf(queue: number, slot: number): void;
  /** Under the queue's lock: the longest waiting, or 0. */
  first(queue: number): WaiterRef | 0;
  /** Under the queue's lock: the one behind this one, or 0. */
  next(waiter: WaiterRef): WaiterRef | 0;
  /** Whether the waiter is the first: exact under the lock, a hint without it. */
  isFirst(queue: number, waiter: WaiterRef): boolean;
  /** Waiters in the queue: exact under the lock, a hint without it. */
  count(queue: number): number;
  /**
   * Under the queue's lock: takes the waiter out of the line and hands it `gift`. It is woken by `unlock`:
   * a wake is a system call, and whoever is woken wants the lock. Should this thread die before, the end of
   * its slice wakes the waiter.
   */
  grant(queue: number, waiter: WaiterRef, gift: number): void;
  /** Releases a lock under which waiters may have been granted something, and wakes them. */
  unlock(locks: Locks, lock: number): void;
  /**
   * Under the queue's lock, taken over from a dead thread: the chain of `next` from the head is the truth
   * of a line. Writes the rest of it anew.
   */
  rebuildLine(queue: number): void;
  /** Whether the waiter stands in a line. */
  isInLine(waiter: WaiterRef): boolean;
  requestOf(waiter: WaiterRef): number;
  slotOf(waiter: WaiterRef): number;
  isGranted(waiter: WaiterRef): boolean;
  /** The gift of a waiter that is granted. */
  giftOf(waiter: WaiterRef): number;
  /** The gift; the waiter is idle again. */
  takeGrant(waiter: WaiterRef): number;
  /** Throws READ_SECTION in a read section: nobody could reuse anything while this thread waits. */
  assertOutside(what: string): void;
  /** Throws WOULD_BLOCK where this thread must not block, or not now. */
  assertCanBlock(what: string): void;
  /** `reason` says why this thread must not block now, or '': layers above know that. */
  forbidBlocking(reason: () => string): void;
  /**
   * Throws WOULD_BLOCK where this thread must not block; READ_SECTION. While it holds a lock: SLEEP_WITH_LOCK
   * where locks are witnessed; or `refusal`, where the setting `noSleepWithLocks` says that such a call does
   * not sleep instead.
   */
  assertMayBlock(what: string, refusal?: ErrorCode): void;
  /** The same for a call that awaits, and does not block. */
  assertMayAwait(what: string, refusal?: ErrorCode): void;
  /** Whether a call must do what its form does that never sleeps: a lock is held, and the setting says so. */
  mustStayAwake(awaits: boolean): boolean;
  /** Throws SLEEP_WITH_LOCK at once, whether or not the call will sleep; not where it would not. */
  assertMaySleep(what: string, awaits: boolean): void;
  /**
   * Sleeps until granted (true), or until it hears a ring, for `timeoutMs` or one slice, whichever is the
   * shortest (maybe false).
   */
  sleepSlice(waiter: WaiterRef, timeoutMs: number): boolean;
  /** The same without blocking. Keeps the process alive meanwhile. */
  sleepSliceAsync(waiter: WaiterRef, timeoutMs: number): Promise<boolean>;
  /** Wakes who stands in a line, without a grant: what it waits for may be there. */
  ring(waiter: WaiterRef): void;
  /**
   * Wakes everybody who stands in a line, without a grant: something came free that may be what he lacks.
   * Other threads find it asked of them: Attention.PAGES.
   */
  ringAll(): void;
  /** Times that this thread has heard a ring, while it blocked or polled, or has rung itself. */
  rings(): number;
  /** Attention.PAGES was asked of this thread. */
  hearRing(): void;
  /** What to do between slices. Registered by the layers above. */
  onPoll(callback: () => void): void;
  /** Runs what is registered with `onPoll`. */
  poll(): void;
}

export function createWaiting(machine: Machine, threads: Threads): Waiting {
  const { words, witness, mayBlock, floats, wait, waitAsync } = machine;
  const { atomics } = machine;
  const { superblock } = machine.layout;
  const { load, store, notify } = atomics;
  const { state: STATE, grant: GRANT, next: NEXT, previous: PREVIOUS, queue: QUEUE } = Waiter;
  const { request: REQUEST, slot: SLOT, ticket: TICKET } = Waiter;
  const { head: HEAD, tail: TAIL, count: COUNT, sleeps: SLEEPS } = WaitQueue;
  const { sleepingOn: SLEEPING_ON, section: SECTION } = ThreadSlot;
  const settings = createSettings(machine);
  const witnessed = machine.checkLevel >= CheckLevel.WITNESS;
  const sleepsIndex = (threads.self + ThreadSlot.sleeps) >> 1;
  const { IDLE, WAITING, GRANTED } = WaiterState;
  const attention = threads.self + ThreadSlot.attention;
  const blockingWaiter = threads.waiterRef(threads.slot, 0);
  /** Waiters that there are: no line is longer. */
  const most = threads.maxThreads * threads.waitersPerSlot;
  const freeWaiters: WaiterRef[] = [];
  function resetWaiters(): void {
    freeWaiters.length = 0;
    for (let index = ASYNC_WAITERS; index >= 1; index--)
      freeWaiters.push(threads.waiterRef(threads.slot, index));
  }
  resetWaiters();
  machine.onRewind(resetWaiters);
  const polls: (() => void)[] = [];
  let rings = 0;
  machine.onRewind(() => {
    rings = 0;
  });

  function poll(): void {
    threads.beat();
    for (const each of polls) each();
  }

  function unlink(queue: number, waiter: WaiterRef): void {
    const next = words[waiter + NEXT] as number;
    const previous = words[waiter + PREVIOUS] as number;
    if (previous === 0) words[queue + HEAD] = next;
    else words[previous + NEXT] = next;
    if (next === 0) words[queue + TAIL] = previous;
    else words[next + PREVIOUS] = previous;
    words[queue + COUNT] = (words[queue + COUNT] as number) - 1;
    words[waiter + NEXT] = 0;
    words[waiter + PREVIOUS] = 0;
  }

  /** Waiters that have been granted something and are to be woken when the lock is released. */
  const granted: WaiterRef[] = [];
  machine.onRewind(() => {
    granted.length = 0;
  });

  /** An asynchronous call is woken where it waits; a thread that blocks, by what it is asked. */
  function wake(waiter: WaiterRef, attention: number): void {
    // The waiter may be gone by now, with its thread: who cleans up writes its words.
    const slot = threads.slotOfWaiter(waiter);
    if (waiter !== threads.waiterRef(slot, 0)) notify(waiter + STATE, 1);
    else if (slot !== threads.slot) threads.ask(slot, attention);
  }

  function ring(waiter: WaiterRef): void {
    // What this thread gives back may be what it waits for itself.
    if (waiter === blockingWaiter) rings++;
    else wake(waiter, Attention.PAGES);
  }

  function wakeGranted(): void {
    for (const waiter of granted) wake(waiter, Attention.GRANT);
    granted.length = 0;
  }

  /** In a line, or taken out of it by a grant that is not complete. */
  function isLinked(queue: number, waiter: WaiterRef): boolean {
    for (let at = words[queue + HEAD] as number; at !== 0; at = words[at + NEXT] as number) {
      if (at === waiter) return true;
    }
    return false;
  }

  function enqueueBefore(queue: number, waiter: WaiterRef, request: number, next: number): void {
    const previous = words[next === 0 ? queue + TAIL : next + PREVIOUS] as number;
    words[waiter + TICKET] = ((words[waiter + TICKET] as number) + 1) | 0;
    words[waiter + GRANT] = 0;
    words[waiter + REQUEST] = request;
    words[waiter + NEXT] = next;
    words[waiter + PREVIOUS] = previous;
    words[waiter + QUEUE] = queue;
    store(waiter + STATE, WAITING);
    if (previous === 0) words[queue + HEAD] = waiter;
    else words[previous + NEXT] = waiter;
    if (next === 0) words[queue + TAIL] = waiter;
    else words[next + PREVIOUS] = waiter;
    words[queue + COUNT] = (words[queue + COUNT] as number) + 1;
    words[queue + SLEEPS] = (words[queue + SLEEPS] as number) + 1;
  }

  function remove(queue: number, waiter: WaiterRef): void {
    unlink(queue, waiter);
    words[waiter + QUEUE] = 0;
    store(waiter + STATE, IDLE);
  }

  const forbidders: (() => string)[] = [];

  function assertCanBlock(what: string): void {
    for (const each of forbidders) {
      const reason = each();
      if (reason !== '') throw new MbumaError('WOULD_BLOCK', `${what} would block, and ${reason}`);
    }
    if (mayBlock) return;
    throw new MbumaError('WOULD_BLOCK', `${what} would block, and this thread must not: use the async form`);
  }

  function mustStayAwake(awaits: boolean): boolean {
    return witness.isHeld(awaits) && settings.read('noSleepWithLocks') === 1;
  }

  function assertMaySleep(what: string, awaits: boolean): void {
    if (witnessed && !mustStayAwake(awaits)) witness.assertMaySleep(what, awaits);
  }

  /** The call has found that it must sleep. */
  function assertSleeps(what: string, awaits: boolean, refusal: ErrorCode): void {
    assertMaySleep(what, awaits);
    if (!mustStayAwake(awaits)) return;
    atomics.add(superblock + Superblock.sleepsRefused, 1);
    throw new MbumaError(
      refusal,
      `${what} would sleep, and does not while ${witness.describeHeld(awaits)} is held: see debug.nosleepwithlocks`,
    );
  }

  function assertOutside(what: string): void {
    if (words[threads.self + SECTION] === 0) return;
    throw new MbumaError('READ_SECTION', `${what} would wait, and this thread is in a read section`);
  }

  return {
    blockingWaiter,
    idleWaiter(what) {
      if (load(blockingWaiter + STATE) !== WAITING) return blockingWaiter;
      throw new MbumaError('WOULD_BLOCK', `${what} would block, and this thread waits already`);
    },
    assertOutside,
    takeWaiter: () => freeWaiters.pop() ?? 0,
    returnWaiter(waiter) {
      freeWaiters.push(waiter);
    },
    enqueue: (queue, waiter, request) => enqueueBefore(queue, waiter, request, 0),
    enqueueBefore,
    remove,
    removeAllOf(queue, slot) {
      for (let waiter = words[queue + HEAD] as number; waiter !== 0; ) {
        const next = words[waiter + NEXT] as number;
        if (words[waiter + SLOT] === slot) remove(queue, asRef<'waiter'>(waiter));
        waiter = next;
      }
    },
    first(queue) {
      const head = words[queue + HEAD] as number;
      if (head !== 0 && words[head + QUEUE] !== queue)
        throw damaged(`a line begins at ${head}, no waiter of it`);
      return asRef<'waiter'>(head);
    },
    next: (waiter) => asRef<'waiter'>(words[waiter + NEXT] as number),
    isFirst: (queue, waiter) => words[queue + HEAD] === waiter,
    count: (queue) => words[queue + COUNT] as number,
    grant(queue, waiter, gift) {
      // Only a grant that a dead thread has begun finds the waiter taken out already.
      const head = words[queue + HEAD] as number;
      if (head === waiter || isLinked(queue, waiter)) unlink(queue, waiter);
      else {
        // That thread may have died before it had cleared these.
        words[waiter + NEXT] = 0;
        words[waiter + PREVIOUS] = 0;
      }
      words[waiter + GRANT] = gift;
      store(waiter + STATE, GRANTED);
      granted.push(waiter);
    },
    unlock(locks, lock) {
      locks.release(lock);
      if (granted.length !== 0) wakeGranted();
    },
    rebuildLine(queue) {
      let previous = 0;
      let count = 0;
      for (let at = words[queue + HEAD] as number; at !== 0; at = words[at + NEXT] as number) {
        if (++count > most) throw damaged('a line of waiters runs in a circle');
        words[at + PREVIOUS] = previous;
        previous = at;
      }
      words[queue + TAIL] = previous;
      words[queue + COUNT] = count;
    },
    isInLine: (waiter) => load(waiter + STATE) === WAITING,
    requestOf: (waiter) => words[waiter + REQUEST] as number,
    slotOf: (waiter) => words[waiter + SLOT] as number,
    isGranted: (waiter) => load(waiter + STATE) === GRANTED,
    giftOf: (waiter) => words[waiter + GRANT] as number,
    takeGrant(waiter) {
      const gift = words[waiter + GRANT] as number;
      store(waiter + STATE, IDLE);
      words[waiter + QUEUE] = 0;
      return gift;
    },
    assertCanBlock,
    forbidBlocking(reason) {
      forbidders.push(reason);
    },
    assertMayBlock(what, refusal = 'WOULD_BLOCK') {
      assertCanBlock(what);
      assertSleeps(what, false, refusal);
      assertOutside(what);
    },
    assertMayAwait(what, refusal = 'WOULD_BLOCK') {
      assertOutside(what);
      assertSleeps(what, true, refusal);
    },
    mustStayAwake,
    assertMaySleep,
    sleepSlice(waiter, timeoutMs) {
      floats[sleepsIndex] = (floats[sleepsIndex] as number) + 1;
      store(threads.self + SLEEPING_ON, attention);
      const before = rings;
      poll();
      // Nothing is asked of this thread any more; what is from now on, a grant too, ends the sleep before it
      // has begun.
      const isAwaited = load(waiter + STATE) === WAITING && rings === before;
      if (isAwaited) wait(attention, 0, Math.min(timeoutMs, SLICE_MS));
      store(threads.self + SLEEPING_ON, 0);
      return load(waiter + STATE) === GRANTED;
    },
    async sleepSliceAsync(waiter, timeoutMs) {
      poll();
      await waitAsync(waiter + STATE, WAITING, Math.min(timeoutMs, SLICE_MS));
      return load(waiter + STATE) === GRANTED;
    },
    ring,
    ringAll() {
      for (let slot = 1; slot <= threads.maxThreads; slot++) {
        if (!threads.isLive(slot)) continue;
        for (let index = 0; index < threads.waitersPerSlot; index++) {
          const waiter = threads.waiterRef(slot, index);
          if (load(waiter + STATE) === WAITING) ring(waiter);
        }
      }
    },
    rings: () => rings,
    hearRing() {
      rings++;
    },
    onPoll(callback) {
      polls.push(callback);
    },
    poll,
  };
}
