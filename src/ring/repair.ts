/**
 * After a death.
 *
 * The words of a ring are those from head to tail, and the line of an end is the chain of `next` from
 * its first waiter: each changes by one store. All else (links back, counts, limits) follows from these,
 * and is written anew. Only a hand-over changes two truths, a counter and a waiter; that is an intent.
 *
 * What the dead had taken is gone with it; what it had been handed while it slept is, too.
 */

import { LockRank } from '../check/index.js';
import type { RingContext } from './context.js';
import type { End, HandOver } from './hand-over.js';
import { RING_WORDS, RINGS_MAX, Ring, type RingRef } from './records.js';
import type { Registry } from './registry.js';

export interface Repair {
  /** Takes the waiters of a dead thread out of all lines. Harmless when there are none. */
  leaveLines(slot: number): void;
}

export function createRepair(context: RingContext, registry: Registry, handOver: HandOver): Repair {
  const { locks, waiting, intents } = context;
  const { putEnd, takeEnd, unlock } = handOver;
  const ends = [putEnd, takeEnd];
  const first = registry.at(0);

  /** The lock has been taken over: makes the end whole. The waiters of the dead leave when it is served. */
  function repairEnd(lock: number): void {
    const index = Math.floor((lock - first) / RING_WORDS);
    const ring = registry.at(index);
    const end = lock === ring + Ring.putLock ? putEnd : takeEnd;
    intents.finishOfDead(lock);
    waiting.rebuildLine(ring + end.queue);
    end.serveLocked(ring);
  }

  function leaveLine(end: End, ring: RingRef, slot: number): void {
    locks.acquire(ring + end.lock, LockRank.RING);
    waiting.removeAllOf(ring + end.queue, slot);
    end.serveLocked(ring);
    unlock(ring + end.lock);
  }

  locks.onTakeOver(first, first + RINGS_MAX * RING_WORDS, LockRank.RING, repairEnd);

  return {
    leaveLines(slot) {
      for (let index = 0; index < registry.count(); index++) {
        const ring = registry.at(index);
        for (const end of ends) leaveLine(end, ring, slot);
        for (const end of ends) end.settle(ring);
      }
    },
  };
}
