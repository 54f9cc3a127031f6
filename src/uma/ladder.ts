/**
 * The slow half of the ladder: what happens when a thread's loaded bucket is empty, or full.
 *
 *   1 loaded bucket   2 other bucket (swap)   3 full bucket of the zone   4 slabs of the keg   5 pages
 *
 * A miss refills the level above by a whole bucket. While somebody waits for the zone, nothing is
 * cached: what is freed goes to the head of the line.
 *
 * Locks: the zone's lock guards its two bucket lists, its accounts and its line of waiters. It is never
 * held while a keg is asked or a hook runs; a bucket in between is named by the cache's `inFlight`.
 */

import { LockRank } from '../check/index.js';
import type { UmaContext } from './context.js';
import { HookErrors, How, runHook } from './hooks.js';
import { BUCKET_KEG, type Kegs } from './kegs.js';
import { BUCKET_MASK, CACHE_WORDS, GRANULE_SHIFT, Intent, ThreadCache, Zone } from './records.js';
import { Lack, type ZoneState } from './zone-state.js';

/** Gift to a waiter that is no item: "one unit of the limit is yours, fetch an item with it". */
export const GIFT_UNIT = -1;

/** What a waiter lacks. */
export const WaitFor = { UNIT: 0, MEMORY: 1 } as const;

export interface Ladder {
  /** An item with its owner set, or 0: then `lack()` says why. Counts the request. */
  allocItem(zone: ZoneState, how: How): number;
  /** Whether the loaded bucket holds items now; else `lack()` says why. */
  refillCache(zone: ZoneState, how: How): boolean;
  /** Takes back an item that is owned and has been through `dtor`. */
  freeItem(zone: ZoneState, item: number): void;
  /** One item from the keg, on a unit of the limit that is reserved already; 0 gives the unit back. */
  takeReserved(zone: ZoneState, how: How): number;
  /** Marks a fresh item as this thread's and counts the request. */
  own(zone: ZoneState, item: number): void;
  lack(): Lack;
  countFailure(zone: ZoneState): void;
  /** Under the zone's lock: hands to the waiters what there is, first come, first served. */
  serveWaiters(zone: ZoneState): void;
  /** Under the zone's lock: from now on every thread's frees take the slow way. */
  closeCaches(zone: ZoneState): void;
  /** Puts this thread's buckets into the zone's lists. */
  drainCache(zone: ZoneState): void;
  /** Gives cached items back to the keg until `keep` are left; how many. */
  drainBuckets(zone: ZoneState, keep: number): number;
  /** Moves one item in use from the accounts of a secondary zone to those of its primary. */
  forgetItem(zone: ZoneState): void;
  /** Visits every cached item. The zone must be quiet. */
  eachCached(zone: ZoneState, visit: (item: number) => void): void;
}

export function createLadder(context: UmaContext, kegs: Kegs, owners: Uint8Array, dead: number): Ladder {
  const { machine, threads, locks, waiting } = context;
  const { words, floats } = machine;
  const { slot } = threads;
  const bucketSite = machine.failpoints.site('uma.bucket');
  const limitSite = machine.failpoints.site('uma.limit');
  const { spare: SPARE, freeLimit: FREE_LIMIT, inFlight: IN_FLIGHT } = ThreadCache;
  const { requests: REQUESTS, failures: FAILURES } = ThreadCache;
  const { fullTop: FULL_TOP, fullCount: FULL_COUNT, cachedItems: CACHED_ITEMS } = Zone;
  const { emptyTop: EMPTY_TOP, emptyCount: EMPTY_COUNT, itemsOut: ITEMS_OUT, limit: LIMIT } = Zone;
  const { bucketCapacity: CAPACITY, cachedMax: CACHED_MAX, cachedMin: CACHED_MIN } = Zone;
  const { waitHead: QUEUE, waitCount: WAIT_COUNT } = Zone;
  const { maxThreads, maxZones } = machine.layout.parameters;
  const cachesArea = machine.area('thread caches');
  let lacking: Lack = Lack.NONE;

  // --- accounts and lists of a zone, under its lock ---

  /** A bucket may not hoard: under a limit, all buckets of all threads together hold half of it. */
  function capacityOf(zone: ZoneState): number {
    const { record } = zone;
    const capacity = words[record + CAPACITY] as number;
    const limit = words[record + LIMIT] as number;
    if (limit === 0) return capacity;
    return Math.min(capacity, Math.floor(limit / (4 * Math.max(1, threads.attachedCount()))));
  }

  function pushFull(zone: ZoneState, top: number): void {
    const { record } = zone;
    words[top & ~BUCKET_MASK] = words[record + FULL_TOP] as number;
    words[record + FULL_TOP] = top;
    words[record + FULL_COUNT] = (words[record + FULL_COUNT] as number) + 1;
    const cached = (words[record + CACHED_ITEMS] as number) + (top & BUCKET_MASK);
    words[record + CACHED_ITEMS] = cached;
    if (cached > (words[record + CACHED_MAX] as number)) words[record + CACHED_MAX] = cached;
  }

  function popFull(zone: ZoneState): number {
    const { record } = zone;
    const top = words[record + FULL_TOP] as number;
    if (top === 0) return 0;
    const bucket = top & ~BUCKET_MASK;
    words[zone.realCache + IN_FLIGHT] = bucket;
    words[record + FULL_TOP] = words[bucket] as number;
    words[bucket] = 0;
    words[record + FULL_COUNT] = (words[record + FULL_COUNT] as number) - 1;
    const cached = (words[record + CACHED_ITEMS] as number) - (top & BUCKET_MASK);
    words[record + CACHED_ITEMS] = cached;
    if (cached < (words[record + CACHED_MIN] as number)) words[record + CACHED_MIN] = cached;
    return top;
  }

  function pushEmpty(zone: ZoneState, bucket: number): void {
    const { record } = zone;
    words[bucket] = words[record + EMPTY_TOP] as number;
    words[record + EMPTY_TOP] = bucket;
    words[record + EMPTY_COUNT] = (words[record + EMPTY_COUNT] as number) + 1;
  }

  function popEmpty(zone: ZoneState): number {
    const { record } = zone;
    const bucket = words[record + EMPTY_TOP] as number;
    if (bucket === 0) return 0;
    words[zone.realCache + IN_FLIGHT] = bucket;
    words[record + EMPTY_TOP] = words[bucket] as number;
    words[bucket] = 0;
    words[record + EMPTY_COUNT] = (words[record + EMPTY_COUNT] as number) - 1;
    return bucket;
  }

  function handOver(zone: ZoneState, waiter: ReturnType<typeof waiting.first>, item: number): void {
    if (waiter === 0) return;
    threads.armIntent(Intent.HAND_OVER, zone.number, waiter, item);
    owners[item >>> GRANULE_SHIFT] = waiting.slotOf(waiter);
    waiting.grant(zone.record + QUEUE, waiter, item);
    threads.disarmIntent();
  }

  function serveWaiters(zone: ZoneState): void {
    const { record } = zone;
    const queue = record + QUEUE;
    for (;;) {
      const waiter = waiting.first(queue);
      if (waiter === 0) return;
      const top = popFull(zone);
      if (top !== 0) {
        const item = words[top] as number;
        handOver(zone, waiter, item);
        words[top] = 0;
        if (((top - 1) & BUCKET_MASK) === 0) pushEmpty(zone, top - 1);
        else pushFull(zone, top - 1);
        words[zone.realCache + IN_FLIGHT] = 0;
        continue;
      }
      const limit = words[record + LIMIT] as number;
      const out = words[record + ITEMS_OUT] as number;
      if (waiting.requestOf(waiter) !== WaitFor.UNIT || (limit !== 0 && out >= limit)) return;
      words[record + ITEMS_OUT] = out + 1;
      waiting.grant(queue, waiter, GIFT_UNIT);
    }
  }

  function cacheOf(other: number, number: number): number {
    return cachesArea + (other * (maxZones + 1) + number) * CACHE_WORDS;
  }

  function closeCaches(zone: ZoneState): void {
    for (let other = 1; other <= maxThreads; other++) {
      words[cacheOf(other, zone.number) + FREE_LIMIT] = 0;
    }
  }

  function returnUnits(zone: ZoneState, units: number): void {
    locks.acquire(zone.record, LockRank.ZONE);
    words[zone.record + ITEMS_OUT] = (words[zone.record + ITEMS_OUT] as number) - units;
    serveWaiters(zone);
    locks.release(zone.record);
  }

  // --- items from the keg, and back ---

  /** Runs `init` over the items in a bucket; how many are well. The others are back in the keg. */
  function importItems(zone: ZoneState, first: number, count: number, how: How): number {
    const { init } = zone.hooks;
    if (init === null) return count;
    let index = 0;
    try {
      while (index < count && runHook(init, 'init', zone.name, words[first + index] as number, how) === 0) index++;
    } catch (error) {
      kegs.giveItems(zone.kegState, first + index, count - index);
      // What is ready is kept; the error comes again with the next attempt.
      if (index === 0) throw error;
      return index;
    }
    if (index < count) kegs.giveItems(zone.kegState, first + index, count - index);
    return index;
  }

  function takeReserved(zone: ZoneState, how: How): number {
    const { init } = zone.hooks;
    let item = 0;
    try {
      item = kegs.takeItem(zone.kegState, how);
      if (item !== 0 && init !== null && runHook(init, 'init', zone.name, item, how) !== 0) {
        kegs.giveItem(zone.kegState, item);
        item = 0;
      }
    } catch (error) {
      if (item !== 0) kegs.giveItem(zone.kegState, item);
      returnUnits(zone, 1);
      throw error;
    }
    if (item === 0) returnUnits(zone, 1);
    return item;
  }

  /** Gives one uncached item back to the keg. Its unit of the limit has been returned. */
  function releaseItem(zone: ZoneState, item: number): void {
    const { fini } = zone.hooks;
    const errors = fini === null ? null : new HookErrors();
    errors?.run(fini, 'fini', zone.name, item, How.NOWAIT);
    owners[item >>> GRANULE_SHIFT] = 0;
    kegs.giveItem(zone.kegState, item);
    errors?.throwFirst();
  }

  function allocEmptyBucket(): number {
    return bucketSite.fails() ? 0 : kegs.takeItem(kegs.byNumber(BUCKET_KEG), How.NOWAIT) >>> 2;
  }

  // --- rung 2: the thread's other bucket ---

  function swapBuckets(cache: number): void {
    const top = words[cache] as number;
    words[cache + IN_FLIGHT] = top & ~BUCKET_MASK;
    words[cache] = words[cache + SPARE] as number;
    words[cache + SPARE] = top;
    words[cache + IN_FLIGHT] = 0;
  }

  // --- rung 3: a full bucket of the zone; rungs 4 and 5: a bucket filled from the keg ---

  function refillCache(zone: ZoneState, how: How): boolean {
    const { record, realCache: cache } = zone;
    for (;;) {
      if (((words[cache] as number) & BUCKET_MASK) !== 0) return true;
      if (((words[cache + SPARE] as number) & BUCKET_MASK) !== 0) {
        swapBuckets(cache);
        continue;
      }
      locks.acquire(record, LockRank.ZONE);
      if (words[record + WAIT_COUNT] !== 0) {
        locks.release(record);
        lacking = Lack.LIMIT;
        return false;
      }
      const top = popFull(zone);
      if (top !== 0) {
        const spare = words[cache + SPARE] as number;
        words[cache + SPARE] = words[cache] as number;
        words[cache] = top;
        if (spare !== dead) pushEmpty(zone, spare);
        words[cache + FREE_LIMIT] = capacityOf(zone);
        words[cache + IN_FLIGHT] = 0;
        locks.release(record);
        return true;
      }
      return fillFromKegLocked(zone, how);
    }
  }

  /** Enters with the zone's lock and leaves without. */
  function fillFromKegLocked(zone: ZoneState, how: How): boolean {
    const { record, realCache: cache } = zone;
    const grown = Math.min(zone.capacityMax, (words[record + CAPACITY] as number) + 1);
    words[record + CAPACITY] = grown;
    const capacity = capacityOf(zone);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    let want = Math.max(1, capacity);
    if (limit !== 0) want = Math.min(want, limit - out);
    if (want <= 0 || limitSite.fails()) {
      locks.release(record);
      lacking = Lack.LIMIT;
      return false;
    }
    let bucket = words[cache] as number;
    if (bucket === dead) {
      bucket = popEmpty(zone);
    } else {
      words[cache + IN_FLIGHT] = bucket;
      words[cache] = dead;
    }
    words[cache + FREE_LIMIT] = 0;
    words[record + ITEMS_OUT] = out + want;
    locks.release(record);
    if (bucket === 0) bucket = allocEmptyBucket();
    if (bucket === 0) {
      returnUnits(zone, want);
      lacking = Lack.MEMORY;
      return false;
    }
    return fillBucket(zone, bucket, want, how);
  }

  /** Fills an empty bucket that is in nobody's hands, on `want` reserved units, and loads it. */
  function fillBucket(zone: ZoneState, bucket: number, want: number, how: How): boolean {
    const { record, realCache: cache } = zone;
    let got = 0;
    words[cache + IN_FLIGHT] = bucket;
    threads.armIntent(Intent.MOVE_BUCKET, zone.number, bucket, want);
    try {
      got = kegs.takeItems(zone.kegState, bucket + 1, want, how);
      got = importItems(zone, bucket + 1, got, how);
    } finally {
      locks.acquire(record, LockRank.ZONE);
      words[record + ITEMS_OUT] = (words[record + ITEMS_OUT] as number) - (want - got);
      if (words[cache] === dead) {
        words[cache] = bucket + got;
        if (words[record + WAIT_COUNT] === 0) words[cache + FREE_LIMIT] = capacityOf(zone);
      } else if (got === 0) {
        pushEmpty(zone, bucket);
      } else {
        // A hook has allocated from this very zone and loaded a bucket meanwhile.
        pushFull(zone, bucket + got);
      }
      words[cache + IN_FLIGHT] = 0;
      threads.disarmIntent();
      serveWaiters(zone);
      locks.release(record);
    }
    if (got === 0) lacking = Lack.MEMORY;
    return got !== 0;
  }

  // --- single items ---

  function own(zone: ZoneState, item: number): void {
    owners[item >>> GRANULE_SHIFT] = slot;
    const index = (zone.realCache + REQUESTS) >> 1;
    floats[index] = (floats[index] as number) + 1;
  }

  function takeUncached(zone: ZoneState, how: How): number {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    const refused = words[record + WAIT_COUNT] !== 0 || (limit !== 0 && out >= limit);
    if (!refused) words[record + ITEMS_OUT] = out + 1;
    locks.release(record);
    if (refused) {
      lacking = Lack.LIMIT;
      return 0;
    }
    const item = takeReserved(zone, how);
    if (item === 0) lacking = Lack.MEMORY;
    else own(zone, item);
    return item;
  }

  function allocItem(zone: ZoneState, how: How): number {
    const cache = zone.realCache;
    threads.beat();
    if (!refillCache(zone, how)) {
      // Without a bucket there may still be an item: UMA must work with no bucket at all.
      return lacking === Lack.MEMORY ? takeUncached(zone, how) : 0;
    }
    const top = words[cache] as number;
    const item = words[top] as number;
    own(zone, item);
    words[cache] = top - 1;
    words[top] = 0;
    return item;
  }

  function freeItem(zone: ZoneState, item: number): void {
    const { record, realCache: cache } = zone;
    for (;;) {
      const top = words[cache] as number;
      if ((top & BUCKET_MASK) < (words[cache + FREE_LIMIT] as number)) {
        words[top + 1] = item;
        words[cache] = top + 1;
        owners[item >>> GRANULE_SHIFT] = 0;
        return;
      }
      locks.acquire(record, LockRank.ZONE);
      const waiter = waiting.first(record + QUEUE);
      if (waiter !== 0) {
        handOver(zone, waiter, item);
        locks.release(record);
        return;
      }
      const roomy = makeRoomLocked(zone);
      if (!roomy) words[record + ITEMS_OUT] = (words[record + ITEMS_OUT] as number) - 1;
      locks.release(record);
      if (!roomy) {
        releaseItem(zone, item);
        return;
      }
    }
  }

  /** Loads a bucket with room. False: nothing may be cached, or there is no bucket. Keeps the lock. */
  function makeRoomLocked(zone: ZoneState): boolean {
    const { record, realCache: cache } = zone;
    const capacity = capacityOf(zone);
    if (capacity === 0) return false;
    const top = words[cache] as number;
    const spare = words[cache + SPARE] as number;
    if (top === dead || (top & BUCKET_MASK) >= capacity) {
      if (spare !== dead && (spare & BUCKET_MASK) < capacity) {
        swapBuckets(cache);
      } else {
        const bucket = popEmpty(zone) || allocEmptyBucketLocked(zone);
        if (bucket === 0) return false;
        if (top !== dead) {
          if (spare !== dead) pushFull(zone, spare);
          words[cache + SPARE] = top;
        }
        words[cache] = bucket;
        words[cache + IN_FLIGHT] = 0;
      }
    }
    // The lock may have been let go above: whoever waits since then comes first.
    words[cache + FREE_LIMIT] = words[record + WAIT_COUNT] === 0 ? capacity : 0;
    return true;
  }

  /** Lets the zone's lock go while the keg of buckets is asked. */
  function allocEmptyBucketLocked(zone: ZoneState): number {
    locks.release(zone.record);
    const bucket = allocEmptyBucket();
    words[zone.realCache + IN_FLIGHT] = bucket;
    locks.acquire(zone.record, LockRank.ZONE);
    return bucket;
  }

  // --- giving back ---

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
    locks.release(record);
  }

  function drainBuckets(zone: ZoneState, keep: number): number {
    const { record, realCache: cache } = zone;
    const { fini } = zone.hooks;
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
        errors?.run(fini, 'fini', zone.name, words[bucket + at] as number, How.NOWAIT);
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
    for (let top = words[zone.record + FULL_TOP] as number; top !== 0; top = words[top & ~BUCKET_MASK] as number) {
      visitBucket(top);
    }
    for (let other = 1; other <= maxThreads; other++) {
      const cache = cacheOf(other, zone.number);
      visitBucket(words[cache] as number);
      visitBucket(words[cache + SPARE] as number);
    }
  }

  return {
    allocItem,
    refillCache,
    freeItem,
    takeReserved,
    own,
    lack: () => lacking,
    countFailure(zone) {
      const index = (zone.realCache + FAILURES) >> 1;
      floats[index] = (floats[index] as number) + 1;
    },
    serveWaiters,
    closeCaches,
    drainCache,
    drainBuckets,
    forgetItem,
    eachCached,
  };
}
