/**
 * Hand-over: words go from the ring straight to waiting takers, and from waiting putters straight into
 * the ring, in the order of arrival and with one wake for each word.
 *
 * Who publishes a new tail looks at `takersWaiting` afterwards; who wants to wait for a word publishes
 * `takersWaiting` first and looks at the tail afterwards. Both words are sequentially consistent, so at
 * least one of the two sees the other, and no wakeup is lost. The same with head and `puttersWaiting`.
 */

import { LockRank } from '../check/index.js';
import { Waiter, type WaiterRef, WaitQueue } from '../machine/index.js';
import type { RingContext } from './context.js';
import { PutGift, Ring, type RingRef } from './records.js';

/** One of the two ends of every ring, for code that serves both. */
export interface End {
  /** Offset in the record of the end's lock, its wait queue, and its count of waiters. */
  readonly lock: number;
  readonly queue: number;
  readonly waiting: number;
  /** Whether its gifts are words of the ring. */
  readonly gives: boolean;
  /** Under the lock: gives waiters what is there for them, oldest first; says how many. Then `unlock`. */
  serveLocked(ring: RingRef): number;
  /** Without locks, after words were put or taken at this end: serves who waits at the other end for that. */
  settle(ring: RingRef): void;
}

export interface HandOver {
  /** Releases a lock under which waiters were served, and then wakes them. */
  unlock(lock: number): void;
  readonly putEnd: End;
  readonly takeEnd: End;
  /** Accepts no more words; ends the waits that this decides. */
  close(ring: RingRef): void;
}

export function createHandOver(context: RingContext): HandOver {
  const { machine, threads, locks, waiting, intents } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const { acquire } = locks;
  const { putLock: PUT_LOCK, putLimit: PUT_LIMIT, putters: PUTTERS, tail: TAIL } = Ring;
  const { takeLock: TAKE_LOCK, takeLimit: TAKE_LIMIT, takers: TAKERS, head: HEAD } = Ring;
  const { takersWaiting: TAKERS_WAITING, puttersWaiting: PUTTERS_WAITING, closed: CLOSED } = Ring;
  const { capacity: CAPACITY, slots: SLOTS, mask: MASK } = Ring;
  const { count: COUNT } = WaitQueue;
  const { request: REQUEST } = Waiter;

  /** The longest waiting whose thread lives; the dead leave the line. */
  function firstAlive(queue: number): WaiterRef | 0 {
    for (;;) {
      const waiter = waiting.first(queue);
      if (waiter === 0 || threads.isLive(waiting.slotOf(waiter))) return waiter;
      waiting.remove(queue, waiter);
    }
  }

  const unlock = (lock: number): void => waiting.unlock(locks, lock);

  function serveTakersLocked(ring: RingRef): number {
    const queue = ring + TAKERS;
    const slots = words[ring + SLOTS] as number;
    const mask = words[ring + MASK] as number;
    let head = words[ring + HEAD] as number;
    let served = 0;
    // Whoever closes does so after the last word was put: closed is read before the tail.
    const closed = load(ring + CLOSED) !== 0;
    const tail = load(ring + TAIL);
    for (let waiter = firstAlive(queue); waiter !== 0; waiter = firstAlive(queue)) {
      if (head !== tail) {
        const word = words[slots + (head & mask)] as number;
        head = (head + 1) | 0;
        intents.begin(ring + TAKE_LOCK);
        intents.set(ring + HEAD, head);
        intents.commitGrant(queue, waiter, word, 0);
      } else if (closed) {
        intents.begin(ring + TAKE_LOCK);
        intents.commitGrant(queue, waiter, 0, 0);
      } else {
        break;
      }
      served++;
    }
    const count = words[queue + COUNT] as number;
    words[ring + TAKE_LIMIT] = count === 0 ? tail : head;
    if (load(ring + TAKERS_WAITING) !== count) store(ring + TAKERS_WAITING, count);
    return served;
  }

  function servePuttersLocked(ring: RingRef): number {
    const queue = ring + PUTTERS;
    const slots = words[ring + SLOTS] as number;
    const mask = words[ring + MASK] as number;
    let tail = words[ring + TAIL] as number;
    let served = 0;
    const closed = load(ring + CLOSED) !== 0;
    const end = (load(ring + HEAD) + (words[ring + CAPACITY] as number)) | 0;
    for (let waiter = firstAlive(queue); waiter !== 0; waiter = firstAlive(queue)) {
      if (closed) {
        intents.begin(ring + PUT_LOCK);
        intents.commitGrant(queue, waiter, PutGift.CLOSED, 0);
      } else if (tail !== end) {
        words[slots + (tail & mask)] = words[waiter + REQUEST] as number;
        tail = (tail + 1) | 0;
        intents.begin(ring + PUT_LOCK);
        intents.set(ring + TAIL, tail);
        intents.commitGrant(queue, waiter, PutGift.ACCEPTED, 0);
      } else {
        break;
      }
      served++;
    }
    const count = words[queue + COUNT] as number;
    words[ring + PUT_LIMIT] = count === 0 && !closed ? end : tail;
    if (load(ring + PUTTERS_WAITING) !== count) store(ring + PUTTERS_WAITING, count);
    return served;
  }

  /** Serves an end from outside. */
  function serve(ring: RingRef, lock: number, serveLocked: (ring: RingRef) => number): number {
    acquire(ring + lock, LockRank.RING);
    const served = serveLocked(ring);
    unlock(ring + lock);
    return served;
  }

  const serveTakers = (ring: RingRef): number => serve(ring, TAKE_LOCK, serveTakersLocked);
  const servePutters = (ring: RingRef): number => serve(ring, PUT_LOCK, servePuttersLocked);

  // Serving one end moves its counter, which may be what the other end waits for: both go on until
  // one of them has nothing to do. Each round gives a word to a waiter, so it ends.
  function settlePut(ring: RingRef): void {
    for (;;) {
      if (load(ring + TAKERS_WAITING) === 0 || serveTakers(ring) === 0) return;
      if (load(ring + PUTTERS_WAITING) === 0 || servePutters(ring) === 0) return;
    }
  }

  function settleTake(ring: RingRef): void {
    if (load(ring + PUTTERS_WAITING) !== 0 && servePutters(ring) !== 0) settlePut(ring);
  }

  function close(ring: RingRef): void {
    acquire(ring + PUT_LOCK, LockRank.RING);
    store(ring + CLOSED, 1);
    servePuttersLocked(ring);
    unlock(ring + PUT_LOCK);
    serveTakers(ring);
  }

  return {
    unlock,
    putEnd: {
      lock: PUT_LOCK,
      queue: PUTTERS,
      waiting: PUTTERS_WAITING,
      gives: false,
      serveLocked: servePuttersLocked,
      settle: settlePut,
    },
    takeEnd: {
      lock: TAKE_LOCK,
      queue: TAKERS,
      waiting: TAKERS_WAITING,
      gives: true,
      serveLocked: serveTakersLocked,
      settle: settleTake,
    },
    close,
  };
}
