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

import { CheckLevel, requireFunction, requireObject, requireSignal, requireTimeout } from '../check/index.js';
import { askAllToDrain, PAGE_SHIFT } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import type { UmaContext } from './context.js';
import { diagnoseFree, type Maps } from './diagnose.js';
import type { Drains } from './drains.js';
import { How } from './hooks.js';
import { DEBUG_FLAGS } from './item-checks.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import type { Reclaimer } from './reclaim.js';
import { BUCKET_MASK, GRANULE_SHIFT, ThreadCache, ZoneFlag, Zone as ZoneRecord } from './records.js';
import type { AsyncOptions, Sleepers } from './sleepers.js';
import type { Zone } from './zone-api.js';
import { createBulk } from './zone-bulk.js';
import type { ZoneEnd } from './zone-end.js';
import { type FlagName, flagNames } from './zone-flags.js';
import type { ZoneSlow } from './zone-slow.js';
import type { ZoneState } from './zone-state.js';
import { type ZoneStats, zoneStats } from './zone-stats.js';
import type { ZoneTuning } from './zone-tuning.js';

/** What the fast path and its slow half need, made once for each attachment. */
export interface ZoneParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly ladder: Ladder;
  readonly drains: Drains;
  readonly sleepers: Sleepers;
  readonly maps: Maps;
  readonly reclaimer: Reclaimer;
  readonly slow: ZoneSlow;
  readonly tuning: ZoneTuning;
  /** Made after the zones' classes. */
  readonly end: () => ZoneEnd;
}

/** A zone whose front cache can be changed: it goes with that of its state. */
export type OpenZone = Zone & { cache: number };
export type MakeZone = (state: ZoneState, frontCache?: number) => OpenZone;

export function createZoneClass(parts: ZoneParts): MakeZone {
  const { context, kegs, drains, sleepers, maps, reclaimer, tuning } = parts;
  const { allocSlow, finishAlloc, refuseToSleep, freeSlow } = parts.slow;
  const { words, owners, pageKegs } = maps;
  const { slot } = context.threads;
  const { compareExchangeByte } = context.machine.atomics;
  const ownersAddress = context.machine.area('owners') << 2;
  const { freeLimit: FREE_LIMIT } = ThreadCache;
  // Rebound here: an import is loaded at each use, a constant of this function is folded.
  const COUNT = BUCKET_MASK;
  const GRANULE = GRANULE_SHIFT;
  const PAGE = PAGE_SHIFT;
  const { requests: REQUESTS, requestsHigh: REQUESTS_HIGH } = ThreadCache;
  const { checkLevel } = context.machine;
  const { waiting } = context;
  const bulk = createBulk(parts);

  class CachedZone implements OpenZone {
    readonly name: string;
    readonly size: number;
    readonly index: number;
    readonly keg: number;
    readonly sleepersIndex: number;
    cache: number;
    readonly state: ZoneState;

    constructor(state: ZoneState, cache: number) {
      this.name = state.name;
      this.size = state.kegState.size;
      this.index = state.number;
      this.keg = state.kegState.number;
      this.sleepersIndex = state.record + ZoneRecord.waitCount;
      // Not written after: V8 folds a field that no zone has ever changed, which a nanosecond hangs on.
      this.cache = cache;
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
      const requests = ((words[cache + REQUESTS] as number) + 1) | 0;
      words[cache + REQUESTS] = requests;
      if (requests === 0) countCarry(cache);
      return item as Addr;
    }

    free(item: Addr | 0): void {
      if (
        typeof item !== 'number' ||
        (item & -16) !== item ||
        !((owners[item >>> GRANULE] as number) > 0) ||
        pageKegs[item >>> PAGE] !== this.keg
      ) {
        freeSlow(this.state, item);
        return;
      }
      const cache = this.cache;
      const top = words[cache] as number;
      if ((top & COUNT) >= (words[cache + FREE_LIMIT] as number)) {
        freeSlow(this.state, item);
        return;
      }
      words[top + 1] = item;
      words[cache] = top + 1;
      owners[item >>> GRANULE] = 0;
    }

    alloc(flags = 0, timeoutMs?: number): Addr {
      const timeout = requireTimeout(timeoutMs);
      if (checkLevel >= CheckLevel.WITNESS) waiting.assertMaySleep(`alloc of zone ${this.name}`, false);
      if (flags === 0 && ((words[this.cache] as number) & COUNT) !== 0) return this.tryAlloc() as Addr;
      const how = waiting.mustStayAwake(false) ? How.NOWAIT : How.WAITOK;
      const item = allocSlow(this.state, flags, how);
      if (item !== 0) return item as Addr;
      refuseToSleep(this.state, flags);
      const waited = sleepers.allocBlocking(this.state, flags, timeout);
      const site = maps.items.siteHere(this.state, this.alloc);
      return finishAlloc(this.state, waited, flags, How.WAITOK, site) as Addr;
    }

    async allocAsync(flags = 0, options: AsyncOptions = {}): Promise<Addr> {
      requireObject(options, 'options');
      requireSignal(options.signal);
      options.signal?.throwIfAborted();
      if (checkLevel >= CheckLevel.WITNESS) waiting.assertMaySleep(`allocAsync of zone ${this.name}`, true);
      const item = allocSlow(this.state, flags, How.NOWAIT);
      if (item !== 0) return item as Addr;
      refuseToSleep(this.state, flags);
      // Behind the wait nobody can tell who called.
      const site = maps.items.siteHere(this.state, this.allocAsync);
      const waited = await sleepers.allocWaiting(this.state, flags, options);
      return finishAlloc(this.state, waited, flags, How.NOWAIT, site) as Addr;
    }

    tryAllocMany(out: Int32Array, n: number): number {
      return bulk.takeMany(this, out, n);
    }

    freeMany(items: Int32Array, n: number): void {
      bulk.giveMany(this, items, n);
    }

    get max(): number {
      return words[this.state.record + ZoneRecord.limit] as number;
    }

    set max(limit: number) {
      tuning.setLimit(this.state, limit);
    }

    get maxCached(): number {
      return words[this.state.record + ZoneRecord.maxCached] as number;
    }

    set maxCached(most: number) {
      tuning.setMaxCached(this.state, most);
    }

    get reserve(): number {
      return tuning.markOf(this.state, 'reserve');
    }

    set reserve(items: number) {
      tuning.setMark(this.state, 'reserve', items);
    }

    get lowWater(): number {
      return tuning.markOf(this.state, 'lowWater');
    }

    set lowWater(items: number) {
      tuning.setMark(this.state, 'lowWater', items);
    }

    get highWater(): number {
      return tuning.markOf(this.state, 'highWater');
    }

    set highWater(items: number) {
      tuning.setMark(this.state, 'highWater', items);
    }

    get flags(): readonly FlagName[] {
      return flagNames(this.state.kegState.flags, this.state.flags);
    }

    preallocate(items: number): number {
      return tuning.preallocate(this.state, items);
    }

    copyOf(item: Addr, thread: number = slot): Addr {
      return tuning.copyOf(this.state, this.checkItem(item), thread) as Addr;
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
      const freed = this.drainHere();
      askAllToDrain(context.threads);
      return freed;
    }

    drainHere(): number {
      return reclaimer.drain(this.state);
    }

    /** Throws for what is no item in use of this zone's keg. */
    private checkItem(item: unknown): number {
      const error = diagnoseFree(maps, kegs, this.state.kegState, this.name, item, false);
      if (error !== null) throw error;
      return item as number;
    }

    claim(item: Addr): boolean {
      context.threads.assertHere();
      const error = diagnoseFree(maps, kegs, this.state.kegState, this.name, item, false);
      if (error !== null && error.code !== 'FREE_TWICE') throw error;
      const granule = item >>> GRANULE;
      for (let owner = owners[granule] as number; owner !== 0; owner = owners[granule] as number) {
        if (compareExchangeByte(ownersAddress + granule, owner, slot) === owner) return true;
      }
      return false;
    }

    forget(item: Addr, index = 0, value = 0): void {
      this.checkItem(item);
      drains.forgetItem(this.state, index, value);
    }

    close(): void {
      parts.end().close(this.state);
    }

    destroy(): void {
      parts.end().destroy(this.state);
    }

    eachCached(visit: (item: Addr) => void): void {
      requireFunction(visit, 'visit');
      drains.eachCached(this.state, visit as (item: number) => void);
    }
  }

  function countCarry(cache: number): void {
    words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
  }

  return (state, cache = state.cache) => new CachedZone(state, cache);
}

/** A zone has work to do on each item: its front cache is a dead one. */
export function needsSlowPath({ hooks, flags, kegState }: ZoneState, checkLevel: CheckLevel): boolean {
  const isSlow = (flags & ZoneFlag.ZERO) !== 0;
  const checksItems = checkLevel >= CheckLevel.TRASH || (kegState.flags & DEBUG_FLAGS) !== 0;
  return isSlow || hooks.ctor !== null || hooks.dtor !== null || checksItems;
}
