/** Down the ladder: caches give to the zone, the zone gives to the keg. */

import { LockRank } from '../check/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import { HookErrors, How } from './hooks.js';
import { BUCKET_KEG, type Kegs } from './kegs.js';
import { BUCKET_MASK, Intent, ThreadCache, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

export interface Drains {
  /** Puts this thread's buckets into the zone's lists. What is out beyond the limit goes on to the keg. */
  drainCache(zone: ZoneState): void;
  /** Gives cached items back to the keg until `keep` are left, and all empty buckets; how many items. */
  drainBuckets(zone: ZoneState, keep: number): number;
  /** Moves one item in use from the accounts of a secondary zone to those of its primary. */
  forgetItem(zone: ZoneState): void;
  /** Visits every cached item. The zone must be quiet. */
  eachCached(zone: ZoneState, visit: (item: number) => void): void;
}

export function createDrains(context: UmaContext, kegs: Kegs, accounts: Accounts, dead: number): Drains {
  const { machine, threads, locks } = context;
  const { words } = machine;
  const { excessOf, pushFull, popFull, pushEmpty, popEmpty, serveWaiters, returnUnits, cacheOf } = accounts;
  const { spare: SPARE, freeLimit: FREE_LIMIT, inFlight: IN_FLIGHT } = ThreadCache;
  const { fullTop: FULL_TOP, cachedItems: CACHED_ITEMS, itemsOut: ITEMS_OUT } = Zone;
  const { maxThreads } = machine.layout.parameters;

  function drainCache(zone: ZoneState): void {
    const { record, realCache: cache } = zone;
    locks.acquire(record, LockRank.ZONE);
    words[cache + FREE_LIMIT] = 0;
    for (const word of [cache, cache + SPARE]) {
      const top = words[word] as number;
      if (top === dead) continue;
      words[cache + IN_FLIGHT] = top & ~BUCKET_MASK;
      words[word] = dead;
      if ((top & BUCKET_MASK) === 0) pushEmpty(zone, top);
      else pushFull(zone, top);
      words[cache + IN_FLIGHT] = 0;
    }
    serveWaiters(zone);
    const excess = excessOf(zone);
    const cached = words[record + CACHED_ITEMS] as number;
    locks.release(record);
    if (excess > 0 && cached > 0) drainBuckets(zone, Math.max(0, cached - excess));
  }

  function drainBuckets(zone: ZoneState, keep: number): number {
    const { record, realCache: cache } = zone;
    const { init, fini } = zone.hooks;
    const errors = fini === null ? null : new HookErrors();
    let freed = 0;
    for (;;) {
      locks.acquire(record, LockRank.ZONE);
      const top = (words[record + CACHED_ITEMS] as number) > keep ? popFull(zone) : 0;
      locks.release(record);
      if (top === 0) break;
      const bucket = top & ~BUCKET_MASK;
      const count = top & BUCKET_MASK;
      threads.armIntent(Intent.MOVE_BUCKET, zone.number, bucket, -count);
      for (let at = 1; at <= count; at++) {
        const item = words[bucket + at] as number;
        errors?.run(fini, 'fini', zone.name, item, How.NOWAIT);
        if (init !== null) kegs.trash(zone.kegState, item);
      }
      kegs.giveItems(zone.kegState, bucket + 1, count);
      words[cache + IN_FLIGHT] = 0;
      threads.disarmIntent();
      kegs.giveItem(kegs.byNumber(BUCKET_KEG), bucket << 2);
      returnUnits(zone, count);
      freed += count;
    }
    for (;;) {
      locks.acquire(record, LockRank.ZONE);
      const bucket = popEmpty(zone);
      locks.release(record);
      if (bucket === 0) break;
      words[cache + IN_FLIGHT] = 0;
      kegs.giveItem(kegs.byNumber(BUCKET_KEG), bucket << 2);
    }
    errors?.throwFirst();
    return freed;
  }

  function forgetItem(zone: ZoneState): void {
    if (zone.primaryRecord === 0) return;
    locks.acquire(zone.primaryRecord, LockRank.ZONE);
    words[zone.primaryRecord + ITEMS_OUT] = (words[zone.primaryRecord + ITEMS_OUT] as number) + 1;
    locks.release(zone.primaryRecord);
    returnUnits(zone, 1);
  }

  function eachCached(zone: ZoneState, visit: (item: number) => void): void {
    const visitBucket = (top: number): void => {
      for (let at = top; (at & BUCKET_MASK) !== 0; at--) visit(words[at] as number);
    };
    for (
      let top = words[zone.record + FULL_TOP] as number;
      top !== 0;
      top = words[top & ~BUCKET_MASK] as number
    ) {
      visitBucket(top);
    }
    for (let other = 1; other <= maxThreads; other++) {
      const cache = cacheOf(other, zone.number);
      visitBucket(words[cache] as number);
      visitBucket(words[cache + SPARE] as number);
    }
  }

  return { drainCache, drainBuckets, forgetItem, eachCached };
}
