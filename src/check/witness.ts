/**
 * What a thread holds. Of the locks inside mbuma it may only take one of a higher rank than any it holds;
 * so no two threads can wait for each other. Ranks are few and stand here, in the order of taking. Locks
 * that users declare come before all of these, and have an order of their own (mutex/order.ts); here stands
 * which of them the thread has, for who is about to sleep.
 */

import { MbumaError } from './errors.js';

/** Lock ranks, outermost first. */
export const LockRank = {
  /** Names of zones, kegs, rings and mutexes. */
  REGISTRY: 10,
  /** The inner lock of a user's mutex: its owner, its line. */
  MUTEX: 12,
  /** One end of a ring. */
  RING: 15,
  /** A malloc type: what it has in use, its limit, who waits. */
  TYPE: 17,
  /** A zone: its buckets, its limit, its sleepers. */
  ZONE: 20,
  /** A keg: its slabs. */
  KEG: 30,
  /** The keg of slab headers, taken while a slab of another keg is made. */
  KEG_INTERNAL: 35,
  /** A backend: how many pages its kegs have. */
  BACKEND: 37,
  /** The quarantine of guarded items. */
  GUARD: 38,
  /** Page records and free runs. */
  PAGES: 40,
  /** The table of call sites: whoever reports something may hold any other lock. */
  SITES: 50,
} as const;

export type LockRank = (typeof LockRank)[keyof typeof LockRank];

/** A lock of a user's that this thread has. */
export interface UserLock {
  readonly name: string;
  /** Where it was taken; '': not known. */
  readonly site: string;
  /** Taken by a call that does not block: it belongs to a task, and others may run meanwhile. */
  readonly isAsync: boolean;
}

/** The locks that this thread holds, in the order of taking. */
export interface Witness {
  acquire(lock: number, rank: LockRank): void;
  release(lock: number): void;
  /** The thread has got a user's lock; it has given it up. Known at every level of checking. */
  hold(lock: UserLock): void;
  drop(lock: UserLock): void;
  /**
   * Whether a lock is held with which a call must not sleep. For a call that blocks the thread that is any
   * lock; for one that only awaits, none that was taken by an asynchronous call: it may be another task's.
   */
  isHeld(awaits: boolean): boolean;
  /** Names those locks, and where they were taken. */
  describeHeld(awaits: boolean): string;
  /** Throws SLEEP_WITH_LOCK when such a lock is held. */
  assertMaySleep(what: string, awaits?: boolean): void;
  /** Says how a lock of this rank is called in messages. */
  describe(rank: LockRank, name: (lock: number) => string): void;
  /** How many locks inside mbuma are held. */
  held(): number;
  /** Holds none: see `Fabric.onRewind`. */
  reset(): void;
}

const RANK_NAMES = new Map<number, string>(
  Object.entries(LockRank).map(([name, rank]) => [rank, name.toLowerCase().replace('_', ' ')]),
);

export function createWitness(): Witness {
  const locks: number[] = [];
  const ranks: LockRank[] = [];
  const users: UserLock[] = [];
  const names = new Map<LockRank, (lock: number) => string>();

  function nameOf(lock: number, rank: LockRank): string {
    const name = names.get(rank)?.(lock) ?? `${RANK_NAMES.get(rank)} lock`;
    return `${name} (word ${lock}, rank ${rank})`;
  }

  const isHeld = (awaits: boolean): boolean =>
    locks.length > 0 || users.some(({ isAsync }) => !(awaits && isAsync));

  function describeHeld(awaits: boolean): string {
    const own = users
      .filter(({ isAsync }) => !(awaits && isAsync))
      .map(({ name, site }) => `mutex ${name}${site === '' ? '' : `, taken at ${site},`}`);
    return [...own, ...locks.map((lock, at) => nameOf(lock, ranks[at] as LockRank))].join(' and ');
  }

  return {
    acquire(lock, rank) {
      const top = ranks[ranks.length - 1];
      if (top !== undefined && rank <= top) {
        const holds = nameOf(locks[locks.length - 1] as number, top);
        throw new MbumaError('LOCK_ORDER', `${nameOf(lock, rank)} taken while ${holds} is held`);
      }
      locks.push(lock);
      ranks.push(rank);
    },
    release(lock) {
      const at = locks.lastIndexOf(lock);
      if (at < 0)
        throw new MbumaError('LOCK_ORDER', `lock ${lock} released by a thread that does not hold it`);
      locks.splice(at, 1);
      ranks.splice(at, 1);
    },
    hold(lock) {
      users.push(lock);
    },
    drop(lock) {
      const at = users.indexOf(lock);
      if (at >= 0) users.splice(at, 1);
    },
    isHeld,
    describeHeld,
    assertMaySleep(what, awaits = false) {
      if (!isHeld(awaits)) return;
      throw new MbumaError('SLEEP_WITH_LOCK', `${what} may sleep, and ${describeHeld(awaits)} is held`);
    },
    describe(rank, name) {
      names.set(rank, name);
    },
    held: () => locks.length,
    reset() {
      locks.length = 0;
      ranks.length = 0;
      users.length = 0;
    },
  };
}
