/**
 * Who has a mutex: taking it, giving it to the next, and what becomes of it after its owner's end.
 *
 * The owner word is the one truth. While anybody stands in line the mutex is never free: it is handed over,
 * by one intent that names the next owner and grants its waiter. So nobody barges, and whoever dies in the
 * middle leaves a mutex that has one owner or the other.
 *
 * An owner that has ended without unlocking leaves the mark `abandoned`. It stays until a later owner has
 * unlocked: who was granted the mutex, and gave it on unseen because it had given up, does not clear it.
 */

import { LockRank } from '../check/index.js';
import { generationOf, type WaiterRef } from '../machine/index.js';
import type { MutexContext } from './context.js';
import { MUTEX_WORDS, Mutex, type MutexRef } from './records.js';
import type { Registry } from './registry.js';

/** What a waiter is granted: the mutex itself. */
const GIFT_MUTEX = 1;

const SLOT_BITS = 8;
const SLOT_MASK = 0xff;

/** Slot in an owner word. */
export const slotOfOwner = (owner: number): number => owner & SLOT_MASK;

/** Generation in an owner word. */
export const generationOfOwner = (owner: number): number => owner >>> SLOT_BITS;

export interface HandOver {
  /** The owner word that names this thread. */
  readonly mine: number;
  /** The owner word: a hint, unless it names this thread. */
  ownerOf(mutex: MutexRef): number;
  /** Takes the mutex if it is free, also of an owner that has ended. */
  tryTake(mutex: MutexRef): boolean;
  /** Takes the mutex, or stands in line for it. True: it was taken. */
  takeOrEnter(mutex: MutexRef, waiter: WaiterRef): boolean;
  /** Serves the line, should the owner have ended. */
  serve(mutex: MutexRef): void;
  /** Gives up waiting. True: the mutex was granted meanwhile, and is this thread's. The waiter is idle. */
  leave(mutex: MutexRef, waiter: WaiterRef): boolean;
  /** Whether the owner before ended without unlocking. For the owner. */
  isAbandoned(mutex: MutexRef): boolean;
  /**
   * Gives the mutex to the next in line, or frees it. The mark `abandoned` becomes what is said, or stays.
   * False: it is not this thread's.
   */
  release(mutex: MutexRef, abandoned: boolean | 'as it was'): boolean;
  /** After a thread's death: its waiters leave all lines, what it had goes on. */
  reap(slot: number): void;
}

export function createHandOver(context: MutexContext, registry: Registry): HandOver {
  const { machine, locks, threads, waiting, intents } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const { lock: LOCK, owner: OWNER, abandoned: ABANDONED, site: SITE, waiters: WAITERS } = Mutex;
  const { slot, slotRef } = threads;
  const mine = (threads.generation << SLOT_BITS) | slot;

  const livesOwner = (owner: number): boolean => threads.lives(slotOfOwner(owner), generationOfOwner(owner));

  /** The owner word of the thread that now has a slot. */
  const wordOf = (ofSlot: number): number => (generationOf(load(slotRef(ofSlot))) << SLOT_BITS) | ofSlot;

  /** The longest waiting whose thread lives; those before it leave. */
  function firstAlive(mutex: MutexRef): WaiterRef | 0 {
    const queue = mutex + WAITERS;
    for (let waiter = waiting.first(queue); waiter !== 0; waiter = waiting.first(queue)) {
      if (threads.isLive(waiting.slotOf(waiter))) return waiter;
      waiting.remove(queue, waiter);
    }
    return 0;
  }

  /** The mutex has no owner that could have a say any more. */
  function passOn(mutex: MutexRef, abandoned: number): void {
    const waiter = firstAlive(mutex);
    if (waiter === 0) {
      words[mutex + ABANDONED] = abandoned;
      store(mutex + SITE, 0);
      store(mutex + OWNER, 0);
      return;
    }
    intents.begin(mutex + LOCK);
    intents.set(mutex + ABANDONED, abandoned);
    intents.set(mutex + SITE, 0);
    intents.set(mutex + OWNER, wordOf(waiting.slotOf(waiter)));
    intents.commitGrant(mutex + WAITERS, waiter, GIFT_MUTEX, 0);
  }

  /** Whether the mutex has an owner that lives; else it is passed on, and may have one then. */
  function settle(mutex: MutexRef): void {
    for (let owner = load(mutex + OWNER); owner !== 0; owner = load(mutex + OWNER)) {
      if (livesOwner(owner)) return;
      passOn(mutex, 1);
    }
  }

  function takeLocked(mutex: MutexRef): boolean {
    settle(mutex);
    if (load(mutex + OWNER) !== 0) return false;
    store(mutex + OWNER, mine);
    return true;
  }

  function tryTake(mutex: MutexRef): boolean {
    locks.acquire(mutex + LOCK, LockRank.MUTEX);
    const taken = takeLocked(mutex);
    waiting.unlock(locks, mutex + LOCK);
    return taken;
  }

  function serve(mutex: MutexRef): void {
    locks.acquire(mutex + LOCK, LockRank.MUTEX);
    settle(mutex);
    waiting.unlock(locks, mutex + LOCK);
  }

  /** The inner lock has been taken over: a hand-over is finished, the line is written anew. */
  function repair(lock: number): void {
    const mutex = registry.at(Math.floor((lock - registry.at(0)) / MUTEX_WORDS));
    intents.finishOfDead(lock);
    waiting.rebuildLine(mutex + WAITERS);
    settle(mutex);
  }
  locks.onTakeOver(registry.at(0), registry.at(registry.most), LockRank.MUTEX, repair);

  return {
    mine,
    ownerOf: (mutex) => load(mutex + OWNER),
    tryTake,
    takeOrEnter(mutex, waiter) {
      locks.acquire(mutex + LOCK, LockRank.MUTEX);
      const taken = takeLocked(mutex);
      if (!taken) waiting.enqueue(mutex + WAITERS, waiter, 0);
      waiting.unlock(locks, mutex + LOCK);
      return taken;
    },
    serve,
    leave(mutex, waiter) {
      if (waiting.isGranted(waiter)) {
        waiting.takeGrant(waiter);
        return true;
      }
      locks.acquire(mutex + LOCK, LockRank.MUTEX);
      const granted = waiting.isGranted(waiter);
      if (granted) waiting.takeGrant(waiter);
      else waiting.remove(mutex + WAITERS, waiter);
      waiting.unlock(locks, mutex + LOCK);
      return granted;
    },
    isAbandoned: (mutex) => words[mutex + ABANDONED] !== 0,
    release(mutex, abandoned) {
      locks.acquire(mutex + LOCK, LockRank.MUTEX);
      const isMine = load(mutex + OWNER) === mine;
      if (isMine)
        passOn(mutex, abandoned === 'as it was' ? (words[mutex + ABANDONED] as number) : Number(abandoned));
      waiting.unlock(locks, mutex + LOCK);
      return isMine;
    },
    reap(dead) {
      for (let index = 0; index < registry.count(); index++) {
        const mutex = registry.at(index);
        locks.acquire(mutex + LOCK, LockRank.MUTEX);
        waiting.removeAllOf(mutex + WAITERS, dead);
        settle(mutex);
        waiting.unlock(locks, mutex + LOCK);
      }
    },
  };
}
