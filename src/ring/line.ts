/**
 * Standing in line at one end of a ring, for blocking and asynchronous calls alike.
 *
 * The line is the end's wait queue. A call that enters it publishes the count of waiters first and
 * looks at the ring afterwards (`hand-over.ts` says why). A call that gives up takes the lock and looks:
 * granted meanwhile, it has its gift; else it leaves. Between the slices of a sleep the line is served
 * once more: should the thread that ought to have served it have died, it costs a slice and no more.
 */

import { LockRank } from '../check/index.js';
import { type WaiterRef, WaitQueue } from '../machine/index.js';
import type { Carrying } from './carrying.js';
import type { RingContext } from './context.js';
import type { End, HandOver } from './hand-over.js';
import type { RingRef } from './records.js';

/** Gives up without a gift. Gifts are 32-bit integers. */
export const NO_GIFT: number = 2 ** 32;

export interface Line {
  /** Enters the line, and serves it. */
  enter(end: End, ring: RingRef, waiter: WaiterRef, request: number): void;
  /** Takes the gift of a waiter that is granted. The waiter is idle again. */
  receive(end: End, ring: RingRef, waiter: WaiterRef): number;
  /** Leaves the line: the gift, or NO_GIFT. The waiter is idle again. */
  leave(end: End, ring: RingRef, waiter: WaiterRef): number;
  /** Serves the line. */
  serve(end: End, ring: RingRef): void;
  /**
   * Blocks this thread in the line until its gift is there or the time is up (NO_GIFT).
   *
   * @throws WOULD_BLOCK, SLEEP_WITH_LOCK
   */
  wait(end: End, ring: RingRef, request: number, timeoutMs: number, what: string): number;
}

export function createLine(context: RingContext, { unlock }: HandOver, carrying: Carrying): Line {
  const { locks, waiting, machine } = context;
  const { words, now } = machine;
  const { store } = machine.atomics;
  const { count: COUNT } = WaitQueue;

  function enter(end: End, ring: RingRef, waiter: WaiterRef, request: number): void {
    const queue = ring + end.queue;
    locks.acquire(ring + end.lock, LockRank.RING);
    waiting.enqueue(queue, waiter, request);
    store(ring + end.waiting, words[queue + COUNT] as number);
    const served = end.serveLocked(ring);
    unlock(ring + end.lock);
    if (served !== 0) end.settle(ring);
  }

  function serve(end: End, ring: RingRef): void {
    locks.acquire(ring + end.lock, LockRank.RING);
    const served = end.serveLocked(ring);
    unlock(ring + end.lock);
    if (served !== 0) end.settle(ring);
  }

  function receive(end: End, ring: RingRef, waiter: WaiterRef): number {
    return end.gives ? carrying.receive(ring, waiter) : waiting.takeGrant(waiter);
  }

  function leave(end: End, ring: RingRef, waiter: WaiterRef): number {
    if (waiting.isGranted(waiter)) return receive(end, ring, waiter);
    const queue = ring + end.queue;
    locks.acquire(ring + end.lock, LockRank.RING);
    const granted = waiting.isGranted(waiter);
    if (!granted) {
      waiting.remove(queue, waiter);
      store(ring + end.waiting, words[queue + COUNT] as number);
    }
    unlock(ring + end.lock);
    return granted ? receive(end, ring, waiter) : NO_GIFT;
  }

  function wait(end: End, ring: RingRef, request: number, timeoutMs: number, what: string): number {
    waiting.assertMayBlock(what);
    const waiter = waiting.blockingWaiter;
    const deadline = now() + timeoutMs;
    enter(end, ring, waiter, request);
    try {
      while (!waiting.isGranted(waiter)) {
        const left = deadline - now();
        if (left <= 0) break;
        if (!waiting.sleepSlice(waiter, left)) serve(end, ring);
      }
    } catch (error) {
      // A poll failed, or a lock's owner died. A word that has been handed over must not be lost.
      const gift = leave(end, ring, waiter);
      if (gift === NO_GIFT) throw error;
      return gift;
    }
    return leave(end, ring, waiter);
  }

  return { enter, receive, leave, serve, wait };
}
