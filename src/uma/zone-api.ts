/** What a zone offers to users, and the flags of its calls. */

import type { Addr } from '../record/index.js';
import type { BackendStats } from './backends.js';
import type { AsyncOptions } from './sleepers.js';
import type { FlagName } from './zone-flags.js';
import type { ZoneStats } from './zone-stats.js';

/** Fills the item with zeros before it is constructed. */
export const ZERO = 1;
/**
 * Ends a call that waits for pages with OUT_OF_MEMORY when nobody can give any back; half a second after
 * threads have been asked that do not answer. UVM_KMF_CANFAIL of NetBSD.
 */
export const CANFAIL = 2;
/**
 * May take the items that the keg's `reserve` keeps back from others, and free pages that others leave, but
 * for the last: for calls that free more than they take.
 */
export const USE_RESERVE = 4;
/**
 * The same, down to the very last page. With USE_RESERVE, a call that waits ends with an item or
 * MEMORY_DEADLOCK.
 */
export const USE_INTERRUPT_RESERVE = 8;
/** Every flag that a call may carry. */
export const ALL_FLAGS = 15;

/** Highest limit of a zone, in items. */
export const LIMIT_MAX = 0x7fffffff;

/** Who gives pages to kegs that share it. */
export interface Backend {
  readonly name: string;
  /** Most pages that its kegs may have together; 0: no bound. May be changed at any time. */
  max: number;
  stats(): BackendStats;
}

/**
 * A zone with `referenceCounted`: each item has a counter, and goes back with its last reference.
 *
 * `alloc` gives an item with one reference, which the allocating thread owns. Who has a reference may make
 * more of them (`hold`), hand them over, and give them up (`drop`); who has none must not touch the item. In
 * `hold`, `drop` and `references` an item is named by any address inside of it.
 *
 * **After a death** the reference that the thread owned is given up, or becomes the memory's, as
 * `onOwnerDeath` says; the item is freed if it was the last. A thread owns at most one reference of an item:
 * the one that `alloc`, `claim`, or a ring that carries the zone's items gave it. It gives that one up
 * first. All other references of a dead thread stay, for a count does not say whose they are: the item is
 * never freed too early, and may stay for good. See docs/decisions/0020.
 */
export interface CountedZone extends Zone {
  /**
   * One more reference. The caller has one; the new one may be handed to another thread, in any way that
   * orders memory. About 3 ns for who has the only reference, else one atomic operation.
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_ZONE; ITEM_FREE, TOO_MANY_REFERENCES: nothing has changed
   */
  hold(item: Addr): void;
  /**
   * Gives up a reference of the caller; with the last one the item is freed as by `free`. Whether it was the
   * last. About as fast as `free` for who has the only reference, else one atomic operation.
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_ZONE, FREE_TWICE: nothing has changed. The error of
   *   `dtor`: the
   *   item is free
   */
  drop(item: Addr): boolean;
  /**
   * References that there are now; 0: the item is free. Right for good only while it says 1 to who has it.
   */
  references(item: Addr): number;
  /**
   * Gives back an item of which the caller has the only reference. `free(0)` does nothing.
   * @throws STILL_REFERENCED when there are others: nothing has changed; and what `free` of any zone throws
   */
  free(item: Addr | 0): void;
}

/**
 * A zone: equal items, a cache per thread in front. Semantics after uma(9) of FreeBSD.
 *
 * An item belongs to the caller from `alloc` to `free`; any thread may free it.
 */
export interface Zone {
  readonly name: string;
  /** Bytes of an item that the caller may use. */
  readonly size: number;
  /** Number of the zone, from 1. */
  readonly index: number;
  /** Number of its keg in the page map. */
  readonly keg: number;
  /** Its flags, by the names of the options that set them. */
  readonly flags: readonly FlagName[];
  /** Most items out at one time, cached ones included; 0: no limit. May be changed at any time. */
  max: number;
  /**
   * Most items in buckets of zone and threads together; 0: no bound of its own. May be changed at any time.
   */
  maxCached: number;
  /**
   * Free items of the keg that only USE_RESERVE may take, by single calls; no drain gives them back. May be
   * changed at any time; of a secondary zone it is that of the primary. uma_zone_reserve of uma(9).
   */
  reserve: number;
  /** Free items that the keg should have: below that, slabs are made ahead. pool_setlowat of pool(9). */
  lowWater: number;
  /** Free items beyond which an empty slab goes back at once; 0: none does. pool_sethiwat of pool(9). */
  highWater: number;
  /** Calls that wait for an item of this zone now. */
  readonly sleepers: number;
  /** Word index of that count, for layers that look at it in a fast path. */
  readonly sleepersIndex: number;
  /**
   * An item, or 0 when there is none now. Never sleeps. About 2 ns.
   * @throws the error of a constructor or initialiser that fails; BAD_ARGUMENT for unknown flags
   */
  tryAlloc(flags?: number): Addr | 0;
  /**
   * An item; blocks this thread until there is one, first come, first served.
   * @param timeoutMs gives up with TIMED_OUT after so many milliseconds; without it, never
   * @throws WOULD_BLOCK where this thread must not block, SLEEP_WITH_LOCK, OUT_OF_MEMORY with CANFAIL, or
   *   where the setting `noSleepWithLocks` keeps it from sleeping with a lock
   */
  alloc(flags?: number, timeoutMs?: number): Addr;
  /** The same without blocking the event loop; keeps the process alive while it waits. */
  allocAsync(flags?: number, options?: AsyncOptions): Promise<Addr>;
  /**
   * Gives an item back. `free(0)` does nothing. About 2 ns.
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_ZONE, FREE_UNALIGNED, FREE_TWICE: nothing has changed then
   */
  free(item: Addr | 0): void;
  /**
   * Up to `n` items into `out[0..]`; how many. Never sleeps. About 1 ns an item. An error of a hook is thrown
   * when there is no item yet; after that it ends the call, and comes again with the next.
   */
  tryAllocMany(out: Int32Array, n: number): number;
  /** Frees `items[0..n-1]`. On a bad one it throws; the items before it have been freed. */
  freeMany(items: Int32Array, n: number): void;
  /**
   * Makes slabs until so many items are free in the keg: then that many allocations need no pages. May run
   * `init`, which may sleep. uma_prealloc of uma(9), pool_prime of pool(9).
   *
   * @returns free items of the keg afterwards: fewer than wanted when there are no pages
   */
  preallocate(items: number): number;
  /**
   * The copy of a `perThread` item that belongs to a thread.
   *
   * @param thread slot of the thread; by default this one's
   * @throws BAD_ARGUMENT for a zone that is not `perThread`, and a thread that cannot be
   */
  copyOf(item: Addr, thread?: number): Addr;
  stats(): ZoneStats;
  /** Gives cached items beyond the working set back to the keg; how many. */
  trim(): number;
  /**
   * Gives all cached items back, this thread's and the zone's, and empty slabs to the pages; asks the
   * other threads to give back theirs, which they do when they next poll. How many items.
   */
  drain(): number;
  /** The same without asking the others: for who was asked himself. */
  drainHere(): number;
  /**
   * An item that was handed over becomes this thread's: it dies with it from now on. Not needed for what is
   * taken from a ring that carries the zone's items. False: it is free already. Claim while the thread that
   * hands it over lives, for example before you answer it: when that one has died, a zone with
   * `onOwnerDeath: 'free'` may free the item at the same time, and give it to somebody else.
   *
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_ZONE, FREE_UNALIGNED for what is no item of this zone
   */
  claim(item: Addr): boolean;
  /**
   * A secondary zone lets go of an item in use: from now on it is an item in use of the primary zone.
   * Neither `dtor` nor `fini` runs; the owner stays. The caller has undone what `init` did.
   *
   * @param index word that says which of the zones an item belongs to; written in the same step
   * @param value its new value
   */
  forget(item: Addr, index?: number, value?: number): void;
  /**
   * This thread is done with the zone: what it has cached goes to the other threads, and every further call
   * of this object throws ZONE_CLOSED. Items in use stay in use; to free them here, open the zone again by
   * `memory.zone`. The zone itself stays, whoever has it open. After uma_zdestroy of uma(9), of which this is
   * one thread's half.
   *
   * @throws ZONE_BUSY while calls of this thread wait for it, and for a zone that a layer uses, as those of
   *   `memory.mbufs`: nothing has changed
   */
  close(): void;
  /**
   * Ends an empty zone, for the last thread that has it open: all its pages go back, `fini` runs over their
   * items, name and number are free for another zone. The object is closed then. uma_zdestroy of uma(9).
   *
   * @throws ZONE_BUSY while other threads have it open, secondary zones stand on it, calls wait for it, or a
   *   ring carries its items; and for `noFree`: nothing has changed. ZONE_NOT_EMPTY while items are in use:
   *   `details` says whose, caches are empty, and the zone can be used as before. The error of a `fini`: the
   *   zone is gone
   */
  destroy(): void;
  /** Every item in the zone's buckets and the threads' caches. For audits: nobody may work on the zone. */
  eachCached(visit: (item: Addr) => void): void;
}
