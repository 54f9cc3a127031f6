/**
 * The order of locks. A thread may only take a lock of a higher rank than any it holds; so no two
 * threads can wait for each other. Ranks are few and stand here, in the order of taking.
 */

import { MbumaError } from './errors.js';

/** Lock ranks, outermost first. */
export const LockRank = {
  /** Names of zones, kegs and rings. */
  REGISTRY: 10,
  /** One end of a ring. */
  RING: 15,
  /** A zone: its buckets, its limit, its sleepers. */
  ZONE: 20,
  /** A keg: its slabs. */
  KEG: 30,
  /** The keg of slab headers, taken while a slab of another keg is made. */
  KEG_INTERNAL: 35,
  /** A backend: how many pages its kegs have. */
  BACKEND: 38,
  /** Page records and free runs. */
  PAGES: 40,
} as const;

export type LockRank = (typeof LockRank)[keyof typeof LockRank];

/** The locks that this thread holds, in the order of taking. */
export interface Witness {
  acquire(lock: number, rank: LockRank): void;
  release(lock: number): void;
  /** Throws SLEEP_WITH_LOCK when any lock is held. */
  assertMaySleep(what: string): void;
  /** How many locks are held. */
  held(): number;
  /** Holds none: see `Fabric.onRewind`. */
  reset(): void;
}

export function createWitness(): Witness {
  const locks: number[] = [];
  const ranks: number[] = [];
  return {
    acquire(lock, rank) {
      const top = ranks[ranks.length - 1];
      if (top !== undefined && rank <= top) {
        throw new MbumaError(
          'LOCK_ORDER',
          `lock ${lock} of rank ${rank} taken while lock ${locks[locks.length - 1]} of rank ${top} is held`,
        );
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
    assertMaySleep(what) {
      if (locks.length > 0) {
        throw new MbumaError(
          'SLEEP_WITH_LOCK',
          `${what} may sleep, and lock ${locks[locks.length - 1]} is held`,
        );
      }
    },
    held: () => locks.length,
    reset() {
      locks.length = 0;
      ranks.length = 0;
    },
  };
}
