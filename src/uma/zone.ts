/**
 * What users call: rungs 1 and 2 of the ladder, and the doors to the others.
 *
 * The two fast functions are `tryAlloc` and `free`: one test each besides the checks, no lock, no
 * atomic, no object. A thread's cache is touched by nobody else while the thread lives, and a thread is
 * not preempted inside its own synchronous function: that is the whole theory. The order of the stores
 * keeps every prefix readable for whoever finds the thread dead between two of them (DESIGN 8).
 *
 * The class lives inside a factory so that V8 folds views and slot number into its code.
 */

import {
  CheckLevel,
  MbumaError,
  hex,
  requireInt32Array,
  requireInteger,
  requireObject,
  requireTimeout,
  trashFill,
  trashFindDamage,
} from '../check/index.js';
import { askAllToDrain, PAGE_SHIFT } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import type { UmaContext } from './context.js';
import { diagnoseFree, type Maps } from './diagnose.js';
import { HookErrors, type Hooks, How, runHook } from './hooks.js';
import type { KegState, Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import { BUCKET_MASK, GRANULE_SHIFT, ThreadCache, Zone as ZoneRecord } from './records.js';
import type { Reclaimer } from './reclaim.js';
import type { AsyncOptions, Sleepers } from './sleepers.js';
import { Lack, type ZoneState } from './zone-state.js';
import { type ZoneStats, zoneStats } from './zone-stats.js';

/** Fills the item with zeros before it is constructed. */
export const ZERO = 1;
/** Ends a call that would sleep for lack of pages with OUT_OF_MEMORY instead. */
export const CANFAIL = 2;
/** May go below the reserve that is kept for the system. (Reserves come with the page classes.) */
export const USE_RESERVE = 4;
/** May take the very last page. */
export const USE_INTERRUPT_RESERVE = 8;
const ALL_FLAGS = 15;

/** Highest limit of a zone, in items. */
export const LIMIT_MAX = 0x7fffffff;

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
  /** Most items out at one time, cached ones included; 0: no limit. May be changed at any time. */
  max: number;
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
   * @throws WOULD_BLOCK where this thread must not block, SLEEP_WITH_LOCK, OUT_OF_MEMORY with CANFAIL
   */
  alloc(flags?: number, timeoutMs?: number): Addr;
  /** The same without blocking the event loop; keeps the process alive while it waits. */
  allocAsync(flags?: number, options?: AsyncOptions): Promise<Addr>;
  /**
   * Gives an item back. `free(0)` does nothing. About 2 ns.
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_ZONE, FREE_UNALIGNED, FREE_TWICE: nothing has changed then
   */
  free(item: Addr | 0): void;
  /** Up to `n` items into `out[0..]`; how many. Never sleeps. About 1 ns an item. */
  tryAllocMany(out: Int32Array, n: number): number;
  /** Frees `items[0..n-1]`. On a bad one it throws; the items before it have been freed. */
  freeMany(items: Int32Array, n: number): void;
  stats(): ZoneStats;
  /** Gives cached items beyond the working set back to the keg; how many. */
  trim(): number;
  /**
   * Gives all cached items back, this thread's and the zone's, and empty slabs to the pages; asks the
   * other threads to give back theirs, which they do when they next poll. How many items.
   */
  drain(): number;
  /**
   * A secondary zone lets go of an item in use: from now on it is an item in use of the primary zone.
   * Neither `dtor` nor `fini` runs; the owner stays. The caller has undone what `init` did.
   */
  forget(item: Addr): void;
  /** Every item in the zone's buckets and the threads' caches. For audits: nobody may work on the zone. */
  eachCached(visit: (item: Addr) => void): void;
}

/** What the fast path and its slow half need, made once for each attachment. */
export interface ZoneParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly ladder: Ladder;
  readonly sleepers: Sleepers;
  readonly maps: Maps;
  readonly reclaimer: Reclaimer;
}

export type MakeZone = (state: ZoneState) => Zone;

export function createZoneClass(parts: ZoneParts): MakeZone {
  const { context, kegs, ladder, sleepers, maps, reclaimer } = parts;
  const { words, owners, pageKegs } = maps;
  const { floats } = context.machine;
  const { slot } = context.threads;
  const { freeLimit: FREE_LIMIT } = ThreadCache;
  // Rebound here: an import is loaded at each use, a constant of this function is folded.
  const COUNT = BUCKET_MASK;
  const GRANULE = GRANULE_SHIFT;
  const PAGE = PAGE_SHIFT;
  const REQUESTS = ThreadCache.requests >> 1;
  const trash = context.machine.checkLevel >= CheckLevel.TRASH;
  const { witness, checkLevel } = context.machine;

  class CachedZone implements Zone {
    readonly name: string;
    readonly size: number;
    readonly index: number;
    readonly keg: number;
    readonly sleepersIndex: number;
    readonly cache: number;
    readonly state: ZoneState;

    constructor(state: ZoneState) {
      this.name = state.name;
      this.size = state.kegState.size;
      this.index = state.number;
      this.keg = state.kegState.number;
      this.sleepersIndex = state.record + ZoneRecord.waitCount;
      this.cache = state.cache;
      this.state = state;
    }

    tryAlloc(flags = 0): Addr | 0 {
      const cache = this.cache;
      const top = words[cache] as number;
      if ((top & COUNT) === 0 || flags !== 0) return allocSlow(this.state, flags, How.NOWAIT) as Addr | 0;
      const item = words[top] as number;
      owners[item >>> GRANULE] = slot;
      words[cache] = top - 1;
      words[top] = 0;
      floats[(cache >> 1) + REQUESTS] = (floats[(cache >> 1) + REQUESTS] as number) + 1;
      return item as Addr;
    }

    free(item: Addr | 0): void {
      if (
        typeof item !== 'number' ||
        (item & -16) !== item ||
        !((owners[item >>> GRANULE] as number) > 0) ||
        pageKegs[item >>> PAGE] !== this.keg
      ) {
        return freeSlow(this.state, item);
      }
      const cache = this.cache;
      const top = words[cache] as number;
      if ((top & COUNT) >= (words[cache + FREE_LIMIT] as number)) return freeSlow(this.state, item);
      words[top + 1] = item;
      words[cache] = top + 1;
      owners[item >>> GRANULE] = 0;
    }

    alloc(flags = 0, timeoutMs?: number): Addr {
      const timeout = requireTimeout(timeoutMs);
      if (checkLevel >= CheckLevel.WITNESS) witness.assertMaySleep(`alloc of zone ${this.name}`);
      const item = allocSlow(this.state, flags, How.WAITOK);
      if (item !== 0) return item as Addr;
      refuseIfCanFail(this.state, flags);
      return finishAlloc(this.state, sleepers.allocBlocking(this.state, timeout), flags, How.WAITOK) as Addr;
    }

    async allocAsync(flags = 0, options: AsyncOptions = {}): Promise<Addr> {
      requireObject(options, 'options');
      options.signal?.throwIfAborted();
      const item = allocSlow(this.state, flags, How.NOWAIT);
      if (item !== 0) return item as Addr;
      refuseIfCanFail(this.state, flags);
      return finishAlloc(this.state, await sleepers.allocWaiting(this.state, options), flags, How.NOWAIT) as Addr;
    }

    tryAllocMany(out: Int32Array, n: number): number {
      requireInteger(n, 'n', 0, LIMIT_MAX);
      requireInt32Array(out, 'out', n);
      const { state, cache } = this;
      if (cache !== state.realCache) return allocManySlow(state, out, n);
      let got = 0;
      while (got < n) {
        let top = words[cache] as number;
        const stop = Math.max(top & ~COUNT, top - (n - got));
        for (; top > stop; top--) {
          const item = words[top] as number;
          owners[item >>> GRANULE] = slot;
          out[got++] = item;
          words[top] = 0;
        }
        words[cache] = top;
        if (got < n && !ladder.refillCache(state, How.NOWAIT)) {
          return got + countRequests(cache, got) + allocManySlow(state, out.subarray(got), n - got);
        }
      }
      countRequests(cache, got);
      return got;
    }

    freeMany(items: Int32Array, n: number): void {
      requireInteger(n, 'n', 0, LIMIT_MAX);
      requireInt32Array(items, 'items', n);
      const { cache, keg } = this;
      let at = 0;
      while (at < n) {
        let top = words[cache] as number;
        const room = (words[cache + FREE_LIMIT] as number) - (top & COUNT);
        const stop = Math.min(n, at + room);
        for (; at < stop; at++) {
          const item = items[at] as number;
          if (
            (item & -16) !== item ||
            !((owners[item >>> GRANULE] as number) > 0) ||
            pageKegs[item >>> PAGE] !== keg
          ) {
            break;
          }
          words[++top] = item;
          owners[item >>> GRANULE] = 0;
        }
        if (room > 0) words[cache] = top;
        if (at < n) freeSlow(this.state, items[at++]);
      }
    }

    get max(): number {
      return words[this.state.record + ZoneRecord.limit] as number;
    }

    set max(limit: number) {
      sleepers.setLimit(this.state, requireInteger(limit, 'max', 0, LIMIT_MAX));
    }

    get sleepers(): number {
      return words[this.sleepersIndex] as number;
    }

    stats(): ZoneStats {
      return zoneStats(context, this.state);
    }

    trim(): number {
      return reclaimer.trim(this.state);
    }

    drain(): number {
      const freed = reclaimer.drain(this.state);
      askAllToDrain(context.threads);
      return freed;
    }

    forget(item: Addr): void {
      const error = diagnoseFree(maps, kegs, this.state.kegState, this.name, item);
      if (error !== null) throw error;
      ladder.forgetItem(this.state);
    }

    eachCached(visit: (item: Addr) => void): void {
      ladder.eachCached(this.state, visit as (item: number) => void);
    }
  }

  function countRequests(cache: number, count: number): 0 {
    floats[(cache >> 1) + REQUESTS] = (floats[(cache >> 1) + REQUESTS] as number) + count;
    return 0;
  }

  function allocSlow(zone: ZoneState, flags: number, how: How): number {
    if (flags !== 0) requireInteger(flags, 'flags', 0, ALL_FLAGS);
    let item = ladder.allocItem(zone, how);
    if (item === 0 && zone.onExhausted?.() === true) item = ladder.allocItem(zone, how);
    if (item === 0 && ladder.lack() === Lack.MEMORY && reclaimer.reclaimPages()) item = ladder.allocItem(zone, how);
    if (item === 0) {
      if (how === How.NOWAIT) ladder.countFailure(zone);
      return 0;
    }
    return finishAlloc(zone, item, flags, how);
  }

  /** Checks the trash, zeroes, constructs. An item whose constructor fails goes back without `dtor`. */
  function finishAlloc(zone: ZoneState, item: number, flags: number, how: How): number {
    const { kegState, hooks } = zone;
    if (trash && kegState.init === null && hooks.init === null) checkTrash(zone, kegState, item);
    if ((flags & ZERO) !== 0) context.machine.fillBytes(item, 0, kegState.itemSize);
    if (hooks.ctor === null) return item;
    try {
      if (runHook(hooks.ctor, 'ctor', zone.name, item, how) === 0) return item;
    } catch (error) {
      ladder.countFailure(zone);
      returnUnconstructed(zone, item);
      throw error;
    }
    ladder.countFailure(zone);
    returnUnconstructed(zone, item);
    if (how === How.WAITOK) {
      throw new MbumaError('OUT_OF_MEMORY', `ctor of zone ${zone.name} lacks memory`, { zone: zone.name });
    }
    return 0;
  }

  function returnUnconstructed(zone: ZoneState, item: number): void {
    if (trash && zone.kegState.init === null && zone.hooks.init === null) trashFill(words, item, zone.kegState.itemSize);
    ladder.freeItem(zone, item);
  }

  function checkTrash(zone: ZoneState, keg: KegState, item: number): void {
    const damaged = trashFindDamage(words, item, keg.itemSize);
    if (damaged === 0) return;
    const value = hex(words[damaged >>> 2] as number);
    trashFill(words, item, keg.itemSize);
    ladder.freeItem(zone, item);
    throw new MbumaError(
      'MODIFIED_AFTER_FREE',
      `Memory modified after free ${hex(item)}(${keg.size}) val=${value} @ ${hex(damaged)} (zone ${zone.name})`,
      { address: damaged, zone: zone.name },
    );
  }

  function refuseIfCanFail(zone: ZoneState, flags: number): void {
    if ((flags & CANFAIL) === 0 || ladder.lack() !== Lack.MEMORY) return;
    ladder.countFailure(zone);
    throw new MbumaError('OUT_OF_MEMORY', `zone ${zone.name}: there are no pages left`, { zone: zone.name });
  }

  function allocManySlow(zone: ZoneState, out: Int32Array, n: number): number {
    for (let got = 0; got < n; got++) {
      const item = allocSlow(zone, 0, How.NOWAIT);
      if (item === 0) return got;
      out[got] = item;
    }
    return n;
  }

  function freeSlow(zone: ZoneState, item: unknown): void {
    if (item === 0) return;
    const { kegState, hooks } = zone;
    const error = diagnoseFree(maps, kegs, kegState, zone.name, item);
    if (error !== null) throw error;
    const address = item as number;
    const errors: HookErrors | null = hooks.dtor === null ? null : new HookErrors();
    errors?.run(hooks.dtor, 'dtor', zone.name, address, How.NOWAIT);
    if (trash && kegState.init === null && hooks.init === null) trashFill(words, address, kegState.itemSize);
    ladder.freeItem(zone, address);
    errors?.throwFirst();
  }

  return (state) => new CachedZone(state);
}

/** A zone needs the slow half for each item: its front cache is a dead one. */
export function needsSlowPath(hooks: Hooks, checkLevel: CheckLevel): boolean {
  return hooks.ctor !== null || hooks.dtor !== null || checkLevel >= CheckLevel.TRASH;
}
