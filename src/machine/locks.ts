/**
 * Locks that know their owner.
 *
 * A lock is one word: 0, or the owner's slot and generation and the bit "somebody sleeps here". Taking
 * one is written down first (the slot's pending word) and afterwards (its held list), so that whoever
 * finds a dead owner can tell what it held. Locks are held for a few hundred instructions, never
 * across a hook, a sleep or I/O; so a taker spins first and sleeps, in slices, only after that.
 */

import { CheckLevel, type LockRank, MbumaError } from '../check/index.js';
import type { Machine } from './machine.js';
import { HELD_LOCKS_MAX, ThreadSlot, ThreadState } from './records.js';
import type { Threads } from './threads.js';

/** Takes and releases locks for one thread. A lock is named by its word index. */
export interface Locks {
  acquire(lock: number, rank: LockRank): void;
  release(lock: number): void;
  /** Whether this thread holds any lock. */
  holdsAny(): boolean;
}

const SLOT_SHIFT = 1;
const SLOT_MASK = 0xff;
const GENERATION_SHIFT = 9;
const CONTENDED = 1;

/** How long a sleep for a lock lasts before the owner's life is looked at again. */
const SLICE_MS = 20;

/** Slot in a lock word. */
export function lockOwner(word: number): number {
  return (word >>> SLOT_SHIFT) & SLOT_MASK;
}

export function createLocks(machine: Machine, threads: Threads): Locks {
  const { words, witness, mayBlock, wait, spinLoads } = machine;
  const { load, compareExchange, exchange, notify } = machine.atomics;
  const { pendingLock: PENDING_LOCK, heldCount: HELD_COUNT, held: HELD } = ThreadSlot;
  const { state: STATE, generation: GENERATION } = ThreadSlot;
  const { self, slotRef } = threads;
  const mine = (threads.generation << GENERATION_SHIFT) | (threads.slot << SLOT_SHIFT);
  const witnessed = machine.checkLevel >= CheckLevel.WITNESS;

  /** Undoes what `acquire` wrote down of a lock that it could not take. */
  function giveUp(lock: number): void {
    words[self + PENDING_LOCK] = 0;
    if (witnessed) witness.release(lock);
  }

  function assertOwnerLives(lock: number, word: number): void {
    const owner = lockOwner(word);
    if (owner === threads.slot && (word & ~CONTENDED) === mine) {
      giveUp(lock);
      throw new MbumaError('LOCK_ORDER', `lock ${lock} taken twice by thread ${owner}`, { owner });
    }
    const at = slotRef(owner);
    const alive =
      load(at + STATE) === ThreadState.LIVE && load(at + GENERATION) === word >>> GENERATION_SHIFT;
    if (alive || load(lock) !== word) return;
    giveUp(lock);
    throw new MbumaError('OWNER_DIED', `thread ${owner} ended while it held lock ${lock}`, { owner });
  }

  function acquireSlow(lock: number): void {
    for (let spin = 0; spin < spinLoads; spin++) {
      if (load(lock) === 0 && compareExchange(lock, 0, mine) === 0) return;
    }
    for (;;) {
      const word = load(lock);
      if (word === 0) {
        // Others may sleep still: whoever slept takes the lock with the bit set, and wakes the next.
        if (compareExchange(lock, 0, mine | CONTENDED) === 0) return;
        continue;
      }
      const contended = word | CONTENDED;
      if (word !== contended && compareExchange(lock, word, contended) !== word) continue;
      assertOwnerLives(lock, contended);
      if (mayBlock) wait(lock, contended, SLICE_MS);
    }
  }

  // Bound once, and what is rare out of line: `acquire` and `release` then fit V8's budget for
  // inlining, which makes a pair 10 ns cheaper where it is called.
  const PENDING = self + PENDING_LOCK;
  const COUNT = self + HELD_COUNT;
  const FIRST = self + HELD;
  const MOST = HELD_LOCKS_MAX;

  function tooMany(): never {
    throw new MbumaError('LOCK_ORDER', `more than ${MOST} locks held`);
  }

  /** Locks are released in any order: the last one held takes the place of the one that goes. */
  function closeGap(lock: number, last: number): void {
    for (let index = last; index >= 0; index--) {
      if (words[FIRST + index] !== lock) continue;
      words[FIRST + index] = words[FIRST + last] as number;
      return;
    }
  }

  return {
    acquire(lock, rank) {
      const count = words[COUNT] as number;
      if (count >= MOST) tooMany();
      if (witnessed) witness.acquire(lock, rank);
      words[PENDING] = lock;
      if (compareExchange(lock, 0, mine) !== 0) acquireSlow(lock);
      words[FIRST + count] = lock;
      words[COUNT] = count + 1;
      words[PENDING] = 0;
    },
    release(lock) {
      if (witnessed) witness.release(lock);
      const word = exchange(lock, 0);
      const last = (words[COUNT] as number) - 1;
      if (words[FIRST + last] !== lock) closeGap(lock, last);
      words[COUNT] = last;
      if ((word & CONTENDED) !== 0) notify(lock, 1);
    },
    holdsAny: () => words[COUNT] !== 0,
  };
}
