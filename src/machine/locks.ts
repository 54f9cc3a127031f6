/**
 * Locks that know their owner.
 *
 * A lock is one word: 0, or the owner's slot and generation and the bit "somebody sleeps here". Taking
 * one is written down first (the slot's pending word) and afterwards (its held list). Who finds that the
 * owner is dead takes the lock over as it is, repairs what it guards, and goes on. Locks are held for a
 * few hundred instructions, never across a hook, a sleep or I/O; so a taker spins first and sleeps, in
 * slices, only after that.
 */

import { CheckLevel, damaged, type LockRank, MbumaError } from '../check/index.js';
import type { Machine } from './machine.js';
import { HELD_LOCKS_MAX, ThreadSlot } from './records.js';
import type { Threads } from './threads.js';

/** Takes and releases locks for one thread. A lock is named by its word index. */
export interface Locks {
  /**
   * Takes a lock; waits for it. Repairs what it guards when its owner is dead.
   *
   * @throws DETACHED, GIVEN_UP when this thread is attached no more; LOCK_ORDER; OWNER_DIED when nobody has
   *   said how to repair what the lock guards
   */
  acquire(lock: number, rank: LockRank): void;
  release(lock: number): void;
  /** Whether this thread holds any lock. */
  holdsAny(): boolean;
  /**
   * Says how to repair what the locks with words from `first` to below `end` guard. `repair` runs in the
   * thread that took the lock over and holds it now. It makes the structure whole for every dead thread, may
   * itself be cut short and run again, and takes no lock of the same or a lower rank.
   */
  onTakeOver(first: number, end: number, rank: LockRank, repair: (lock: number) => void): void;
  /** Takes over, one after the other, the locks that a dead thread has or wanted; releases them repaired. */
  takeOverAll(slot: number): void;
}

const SLOT_SHIFT = 1;
const SLOT_MASK = 0xff;
const GENERATION_SHIFT = 9;
const CONTENDED = 1;

/** How long a sleep for a lock lasts before the owner's life is looked at again. */
const SLICE_MS = 20;

/** Slices after which it is asked whether the owner has the lock at all. */
const SLICES_PATIENT = 25;

/** Slot in a lock word. */
export function lockOwner(word: number): number {
  return (word >>> SLOT_SHIFT) & SLOT_MASK;
}

interface Repairer {
  readonly first: number;
  readonly end: number;
  readonly rank: LockRank;
  readonly repair: (lock: number) => void;
}

export function createLocks(machine: Machine, threads: Threads): Locks {
  const { words, witness, mayBlock, wait, spinLoads } = machine;
  const { load, compareExchange, notify } = machine.atomics;
  const { state: STATE, pendingLock: PENDING_LOCK, heldCount: HELD_COUNT, held: HELD } = ThreadSlot;
  const { self, slotRef, assertHere } = threads;
  const mine = (threads.generation << GENERATION_SHIFT) | (threads.slot << SLOT_SHIFT);
  const here = threads.stateHere;
  const witnessed = machine.checkLevel >= CheckLevel.WITNESS;
  const repairers: Repairer[] = [];
  /** Locks that were found with an owner that does not know of them: the next taker need not wait to ask. */
  const astray = new Map<number, number>();

  const repairerOf = (lock: number): Repairer | undefined =>
    repairers.find(({ first, end }) => lock >= first && lock < end);

  /** Undoes what `acquire` wrote down of a lock that it could not take. */
  function giveUp(lock: number): void {
    words[self + PENDING_LOCK] = 0;
    if (witnessed) witness.release(lock);
  }

  function ownerLives(lock: number, word: number): boolean {
    const owner = lockOwner(word);
    if (owner === threads.slot && (word & ~CONTENDED) === mine) {
      giveUp(lock);
      throw new MbumaError('LOCK_ORDER', `lock ${lock} taken twice by thread ${owner}`, { owner });
    }
    return threads.lives(owner, word >>> GENERATION_SHIFT);
  }

  /** The dead thread's word becomes ours. False: somebody else was faster. */
  function takeOver(lock: number, word: number): boolean {
    const repairer = repairerOf(lock);
    if (repairer === undefined) {
      const owner = lockOwner(word);
      if (load(lock) !== word) return false;
      giveUp(lock);
      throw new MbumaError('OWNER_DIED', `thread ${owner} ended while it held lock ${lock}`, { owner });
    }
    // The repair takes other locks, and so the pending word: the held list names this one before.
    const count = words[COUNT] as number;
    words[FIRST + count] = lock;
    if (compareExchange(lock, word, mine | CONTENDED) !== word) return false;
    words[COUNT] = count + 1;
    try {
      repairer.repair(lock);
    } catch (error) {
      // It is as it was: whoever comes next tries to repair it again, and does not wait for this thread.
      words[COUNT] = count;
      compareExchange(lock, mine | CONTENDED, word);
      giveUp(lock);
      throw error;
    }
    return true;
  }

  /** The words in which a slot names locks. Several look at those of a dead one. */
  function namesOf(slot: number): number[] {
    const at = slotRef(slot);
    const names = [at + PENDING_LOCK];
    for (let index = 0; index < HELD_LOCKS_MAX; index++) names.push(at + HELD + index);
    return names;
  }

  /** Who has a lock names it at every instant (M5). If its owner does not, somebody has written into the memory. */
  function assertNamed(lock: number, word: number): void {
    const owner = lockOwner(word);
    const exists = owner > 0 && owner <= threads.maxThreads;
    if ((exists && namesOf(owner).some((name) => load(name) === lock)) || load(lock) !== word) return;
    giveUp(lock);
    astray.set(lock, word);
    throw damaged(`lock ${lock} has the owner ${owner}, who does not know of it`);
  }

  function acquireSlow(lock: number): void {
    for (let spin = 0; spin < spinLoads; spin++) {
      if (load(lock) === 0 && compareExchange(lock, 0, mine) === 0) return;
    }
    for (let seen = 0, slices = 0; ; ) {
      const word = load(lock);
      if (word === 0) {
        // Others may sleep still: whoever slept takes the lock with the bit set, and wakes the next.
        if (compareExchange(lock, 0, mine | CONTENDED) === 0) return;
        continue;
      }
      const contended = word | CONTENDED;
      if (word !== contended && compareExchange(lock, word, contended) !== word) continue;
      if (!ownerLives(lock, contended)) {
        if (takeOver(lock, contended)) return;
        continue;
      }
      if (astray.get(lock) === contended) assertNamed(lock, contended);
      if (mayBlock) wait(lock, contended, SLICE_MS);
      if (++slices > SLICES_PATIENT) assertNamed(lock, contended);
      // Held for so long by the same thread: it may have ended, and this be the one that would be told.
      if (mayBlock && seen === contended)
        threads.suspect(lockOwner(contended), contended >>> GENERATION_SHIFT);
      seen = contended;
      if ((words[self + STATE] as number) !== here) {
        giveUp(lock);
        assertHere();
      }
    }
  }

  // Bound once, and what is rare out of line: `acquire` and `release` then fit V8's budget for
  // inlining, which makes a pair 10 ns cheaper where it is called.
  const PENDING = self + PENDING_LOCK;
  const COUNT = self + HELD_COUNT;
  const FIRST = self + HELD;
  const MY_STATE = self + STATE;
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

  /** Somebody sleeps on the word; or this thread was given up, and the lock is another's: it stays so. */
  function releaseSlow(lock: number): void {
    if (compareExchange(lock, mine | CONTENDED, 0) === (mine | CONTENDED)) notify(lock, 1);
    else assertHere();
  }

  function acquire(lock: number, rank: LockRank): void {
    if ((words[MY_STATE] as number) !== here) assertHere();
    const count = words[COUNT] as number;
    if (count >= MOST) tooMany();
    if (witnessed) witness.acquire(lock, rank);
    words[PENDING] = lock;
    if (compareExchange(lock, 0, mine) !== 0) acquireSlow(lock);
    words[FIRST + count] = lock;
    words[COUNT] = count + 1;
    words[PENDING] = 0;
  }

  function release(lock: number): void {
    if (witnessed) witness.release(lock);
    const last = (words[COUNT] as number) - 1;
    if (compareExchange(lock, mine, 0) !== mine) releaseSlow(lock);
    if (words[FIRST + last] !== lock) closeGap(lock, last);
    words[COUNT] = last;
  }

  return {
    acquire,
    release,
    holdsAny: () => words[COUNT] !== 0,
    onTakeOver(first, end, rank, repair) {
      repairers.push({ first, end, rank, repair });
    },
    takeOverAll(slot) {
      for (const word of namesOf(slot)) {
        const lock = load(word);
        const repairer = repairerOf(lock);
        if (repairer !== undefined) {
          // Whether it is the dead thread's, another's that repairs it, or nobody's: it is whole afterwards.
          acquire(lock, repairer.rank);
          release(lock);
        }
        // The word stays as it is. Who has claimed the slot clears it (`finishReap`); to anybody else it may
        // look dead, and be a new thread's by now, which must not lose the name of a lock that it has.
      }
    },
  };
}
