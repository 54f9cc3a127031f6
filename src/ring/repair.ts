/**
 * After a death.
 *
 * The words of a ring are those from head to tail, and the line of an end is the chain of `next` from
 * its first waiter: each changes by one store. All else (links back, counts, limits) follows from these,
 * and is written anew. Only a hand-over changes two truths, a counter and a waiter; it is written down
 * as an intent first, and finished here.
 *
 * What the dead had taken is gone with it; what it had been handed while it slept is, too.
 */

import { LockRank } from '../check/index.js';
import { lockOwner, ThreadSlot, Waiter, WaiterState, WaitQueue } from '../machine/index.js';
import type { RingContext } from './context.js';
import type { End, HandOver } from './hand-over.js';
import { PutGift, Ring, RingIntent, type RingRef } from './records.js';
import type { Registry } from './registry.js';

export interface Repair {
  /**
   * Takes a dead thread out of all rings. Its locks are still locked in its name, and nobody else
   * repairs. Harmless when there is nothing to do.
   */
  repair(slot: number): void;
}

/** The lowest bit of a lock word: somebody sleeps on it. */
const CONTENDED = 1;

export function createRepair(context: RingContext, registry: Registry, handOver: HandOver): Repair {
  const { machine, threads, locks } = context;
  const { words } = machine;
  const { load, store, exchange, notify } = machine.atomics;
  const { next: NEXT, previous: PREVIOUS, queue: QUEUE, grant: GRANT, state: STATE } = Waiter;
  const { head: FIRST, tail: LAST, count: COUNT } = WaitQueue;
  const { putEnd, takeEnd } = handOver;

  const heldBy = (lock: number, slot: number): boolean => {
    const word = load(lock);
    return word !== 0 && lockOwner(word) === slot;
  };

  /** The word that points to `waiter` in the chain, or 0 when it does not stand in it. */
  function linkTo(queue: number, waiter: number): number {
    let link = queue + FIRST;
    while (words[link] !== 0 && words[link] !== waiter) link = (words[link] as number) + NEXT;
    return words[link] === waiter ? link : 0;
  }

  function finishIntent(end: End, ring: RingRef, slot: number): void {
    const thread = threads.slotRef(slot);
    const intent = words[thread + ThreadSlot.intent] as number;
    const waiter = words[thread + ThreadSlot.operands + 1] as number;
    const number = words[thread + ThreadSlot.operands + 2] as number;
    if (words[thread + ThreadSlot.operands] !== ring + end.lock) return;
    if (intent === RingIntent.HAND_WORD) {
      store(ring + Ring.head, number);
      giveTo(end, ring, waiter, words[waiter + Waiter.request] as number);
    } else if (intent === RingIntent.ACCEPT_WORD) {
      store(ring + Ring.tail, number);
      giveTo(end, ring, waiter, PutGift.ACCEPTED);
    } else if (intent === RingIntent.END_WAIT) {
      giveTo(end, ring, waiter, number);
    } else return;
    words[thread + ThreadSlot.intent] = 0;
  }

  /** Finishes a grant, unless it is complete: then the waiter may wait elsewhere by now. */
  function giveTo(end: End, ring: RingRef, waiter: number, gift: number): void {
    const queue = ring + end.queue;
    const standsIn = words[waiter + QUEUE];
    if (load(waiter + STATE) !== WaiterState.WAITING || (standsIn !== 0 && standsIn !== queue)) return;
    const link = linkTo(queue, waiter);
    if (link !== 0) words[link] = words[waiter + NEXT] as number;
    words[waiter + NEXT] = 0;
    words[waiter + PREVIOUS] = 0;
    words[waiter + QUEUE] = 0;
    words[waiter + GRANT] = gift;
    store(waiter + STATE, WaiterState.GRANTED);
    notify(waiter + STATE, 1);
  }

  /** Writes the line anew from its chain, without the waiters of a thread. */
  function rebuildLine(queue: number, slot: number): void {
    let previous = 0;
    let count = 0;
    let link = queue + FIRST;
    for (let waiter = words[link] as number; waiter !== 0; waiter = words[link] as number) {
      if (words[waiter + Waiter.slot] === slot) {
        words[link] = words[waiter + NEXT] as number;
        continue;
      }
      words[waiter + PREVIOUS] = previous;
      previous = waiter;
      link = waiter + NEXT;
      count++;
    }
    words[queue + LAST] = previous;
    words[queue + COUNT] = count;
  }

  function repairEnd(end: End, ring: RingRef, slot: number): void {
    const lock = ring + end.lock;
    const inherited = heldBy(lock, slot);
    if (!inherited) locks.acquire(lock, LockRank.RING);
    if (inherited) finishIntent(end, ring, slot);
    rebuildLine(ring + end.queue, slot);
    end.serveLocked(ring);
    if (!inherited) handOver.unlock(lock);
    else {
      // The lock is the dead thread's, not ours: it is not on our list of held locks.
      if ((exchange(lock, 0) & CONTENDED) !== 0) notify(lock, 1);
      handOver.wakeGranted();
    }
  }

  return {
    repair(slot) {
      registry.repair(slot);
      for (let index = 0; index < registry.count(); index++) {
        const ring = registry.at(index);
        repairEnd(putEnd, ring, slot);
        repairEnd(takeEnd, ring, slot);
        putEnd.settle(ring);
        takeEnd.settle(ring);
      }
    },
  };
}
