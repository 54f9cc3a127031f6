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

import { damaged, LockRank } from '../check/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import { type Hook, HookErrors, How, runHook } from './hooks.js';
import { BUCKET_KEG, type Kegs } from './kegs.js';
import { BUCKET_MASK, GRANULE_SHIFT, Intent, ThreadCache, Zone } from './records.js';
import { Lack, type ZoneState } from './zone-state.js';

export interface Ladder {
  /** An item with its owner set, or 0: then `zone.lack` says why. Counts the request. */
  allocItem(zone: ZoneState, how: How): number;
  /** Whether the loaded bucket holds items now; else `zone.lack` says why. */
  refillCache(zone: ZoneState, how: How): boolean;
  /** Takes back an item that is owned and has been through `dtor`. */
  freeItem(zone: ZoneState, item: number): void;
  /** One item from the keg, on a unit of the limit that is reserved already; 0 gives the unit back. */
  takeReserved(zone: ZoneState, how: How): number;
  /** Marks a fresh item as this thread's and counts the request. */
  own(zone: ZoneState, item: number): void;
  countFailure(zone: ZoneState): void;
}

/** More than others can spoil in a row, by emptying or closing a cache between two looks at it. */
const ROUNDS_MAX = 10_000;

export function createLadder(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  owners: Uint8Array,
  dead: number,
): Ladder {
  const { capacityOf, excessOf, pushFull, popFull, pushEmpty, popEmpty, handOver } = accounts;
  const { serveWaiters, returnUnits } = accounts;
  const { machine, threads, locks, waiting } = context;
  const { words, floats } = machine;
  const { slot } = threads;
  const bucketSite = machine.failpoints.site('uma.bucket', 'an empty bucket for a zone');
  const limitSite = machine.failpoints.site('uma.limit', 'the limit of a zone: as if it were reached');
  const lockSite = machine.failpoints.site('uma.lock', 'the lock of a zone, for a call that must not sleep');
  const initSite = machine.failpoints.site('uma.init');
  const { spare: SPARE, freeLimit: FREE_LIMIT, inFlight: IN_FLIGHT } = ThreadCache;
  const { requests: REQUESTS, requestsHigh: REQUESTS_HIGH, failures: FAILURES } = ThreadCache;
  const { itemsOut: ITEMS_OUT, limit: LIMIT, bucketCapacity: CAPACITY } = Zone;
  const { waitHead: QUEUE, waitCount: WAIT_COUNT } = Zone;

  // --- items from the keg, and back ---

  /** False: it lacks memory. */
  function initItem(zone: ZoneState, init: Hook, item: number, how: How): boolean {
    return !initSite.fails(zone.name) && runHook(init, 'init', zone.name, item, how) === 0;
  }

  /** Runs `init` over the items in a bucket; how many are well. The others are back in the keg. */
  function importItems(zone: ZoneState, first: number, count: number, how: How): number {
    const { init } = zone.hooks;
    if (init === null) return count;
    let index = 0;
    try {
      while (index < count && initItem(zone, init, words[first + index] as number, how)) index++;
    } catch (error) {
      kegs.trash(zone.kegState, words[first + index] as number);
      kegs.giveItems(zone.kegState, first + index, count - index);
      // What is ready is kept; the error comes again with the next attempt.
      if (index === 0) throw error;
      return index;
    }
    if (index < count) {
      kegs.trash(zone.kegState, words[first + index] as number);
      kegs.giveItems(zone.kegState, first + index, count - index);
    }
    return index;
  }

  function takeReserved(zone: ZoneState, how: How): number {
    const { init } = zone.hooks;
    let item = 0;
    try {
      item = kegs.takeItem(zone.kegState, how);
      if (item !== 0 && init !== null && !initItem(zone, init, item, how)) {
        kegs.trash(zone.kegState, item);
        kegs.giveItem(zone.kegState, item);
        item = 0;
      }
    } catch (error) {
      if (item !== 0) {
        kegs.trash(zone.kegState, item);
        kegs.giveItem(zone.kegState, item);
      }
      returnUnits(zone, 1);
      throw error;
    }
    if (item !== 0) return item;
    zone.lack = Lack.MEMORY;
    returnUnits(zone, 1);
    return 0;
  }

  /** Gives one uncached item back to the keg. Its unit of the limit has been returned. */
  function releaseItem(zone: ZoneState, item: number): void {
    const { init, fini } = zone.hooks;
    const errors = fini === null ? null : new HookErrors();
    errors?.run(fini, 'fini', zone.name, item, How.NOWAIT);
    if (init !== null) kegs.trash(zone.kegState, item);
    owners[item >>> GRANULE_SHIFT] = 0;
    kegs.giveItem(zone.kegState, item);
    errors?.throwFirst();
  }

  function allocEmptyBucket(zone: ZoneState): number {
    return bucketSite.fails(zone.name) ? 0 : kegs.takeItem(kegs.byNumber(BUCKET_KEG), How.NOWAIT) >>> 2;
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
    for (let round = 0; ; round++) {
      if (round > ROUNDS_MAX)
        throw damaged(`the cache of zone ${zone.name} cannot be filled`, { zone: zone.name });
      if (((words[cache] as number) & BUCKET_MASK) !== 0) return true;
      if (((words[cache + SPARE] as number) & BUCKET_MASK) !== 0) {
        swapBuckets(cache);
        continue;
      }
      if (how === How.NOWAIT && lockSite.fails(zone.name)) {
        zone.lack = Lack.LIMIT;
        return false;
      }
      locks.acquire(record, LockRank.ZONE);
      if (words[record + WAIT_COUNT] !== 0) {
        locks.release(record);
        zone.lack = Lack.LIMIT;
        return false;
      }
      const top = popFull(zone);
      if (top !== 0) {
        const spare = words[cache + SPARE] as number;
        words[cache + SPARE] = words[cache] as number;
        words[cache] = top;
        if (spare !== dead) pushEmpty(zone, spare);
        growBuckets(zone);
        words[cache + FREE_LIMIT] = capacityOf(zone);
        words[cache + IN_FLIGHT] = 0;
        locks.release(record);
        return true;
      }
      if (!fillFromKegLocked(zone, how)) return false;
      // Not done yet: a hook that allocates from this very zone may have emptied what was loaded.
    }
  }

  /** Each miss makes the zone's buckets one item larger, so that a busy zone misses less often. */
  function growBuckets(zone: ZoneState): void {
    const { record, capacityMax } = zone;
    words[record + CAPACITY] = Math.min(capacityMax, (words[record + CAPACITY] as number) + 1);
  }

  /** Enters with the zone's lock and leaves without. */
  function fillFromKegLocked(zone: ZoneState, how: How): boolean {
    const { record, realCache: cache } = zone;
    growBuckets(zone);
    const capacity = capacityOf(zone);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    let want = Math.max(1, capacity);
    if (limit !== 0) want = Math.min(want, limit - out);
    if (want <= 0 || limitSite.fails(zone.name)) {
      locks.release(record);
      zone.lack = Lack.LIMIT;
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
    if (bucket === 0) bucket = allocEmptyBucket(zone);
    if (bucket === 0) {
      returnUnits(zone, want);
      zone.lack = Lack.MEMORY;
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
      const taken = kegs.takeItems(zone.kegState, bucket + 1, want, how);
      got = importItems(zone, bucket + 1, taken, how);
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
      shareLoaded(zone);
      serveWaiters(zone);
      locks.release(record);
    }
    if (got === 0) zone.lack = Lack.MEMORY;
    return got !== 0;
  }

  /** Who came while the bucket was filled gets what is in it; one item stays for the caller. */
  function shareLoaded(zone: ZoneState): void {
    const { record, realCache: cache } = zone;
    for (;;) {
      const top = words[cache] as number;
      const waiter = waiting.first(record + QUEUE);
      if (waiter === 0 || (top & BUCKET_MASK) < 2 || excessOf(zone) > 0) return;
      handOver(zone, waiter, words[top] as number);
      words[cache] = top - 1;
      words[top] = 0;
    }
  }

  // --- single items ---

  function own(zone: ZoneState, item: number): void {
    owners[item >>> GRANULE_SHIFT] = slot;
    const { realCache: cache } = zone;
    const requests = ((words[cache + REQUESTS] as number) + 1) | 0;
    words[cache + REQUESTS] = requests;
    if (requests === 0) words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
  }

  function takeUncached(zone: ZoneState, how: How): number {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    const full = (limit !== 0 && out >= limit) || limitSite.fails(zone.name);
    const refused = full || words[record + WAIT_COUNT] !== 0;
    if (!refused) words[record + ITEMS_OUT] = out + 1;
    locks.release(record);
    if (refused) {
      zone.lack = Lack.LIMIT;
      return 0;
    }
    const item = takeReserved(zone, how);
    if (item !== 0) own(zone, item);
    return item;
  }

  function allocItem(zone: ZoneState, how: How): number {
    const cache = zone.realCache;
    threads.beat();
    if (!refillCache(zone, how)) {
      // Without a bucket there may still be an item: UMA must work with no bucket at all.
      return zone.lack === Lack.MEMORY ? takeUncached(zone, how) : 0;
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
    for (let round = 0; ; round++) {
      if (round > ROUNDS_MAX)
        throw damaged(`the cache of zone ${zone.name} takes nothing`, { zone: zone.name });
      const top = words[cache] as number;
      if ((top & BUCKET_MASK) < (words[cache + FREE_LIMIT] as number)) {
        words[top + 1] = item;
        words[cache] = top + 1;
        owners[item >>> GRANULE_SHIFT] = 0;
        return;
      }
      locks.acquire(record, LockRank.ZONE);
      if (handToFirst(zone, item)) {
        locks.release(record);
        return;
      }
      const roomy = makeRoomLocked(zone);
      // The lock may have been let go there: who has come since then would not be seen again.
      const handed = !roomy && handToFirst(zone, item);
      if (!roomy && !handed) words[record + ITEMS_OUT] = (words[record + ITEMS_OUT] as number) - 1;
      locks.release(record);
      if (roomy) continue;
      if (!handed) releaseItem(zone, item);
      return;
    }
  }

  /** Gives a freed item to the first in line. False: nobody waits, or the limit has been lowered below it. */
  function handToFirst(zone: ZoneState, item: number): boolean {
    const waiter = waiting.first(zone.record + QUEUE);
    if (waiter === 0 || excessOf(zone) > 0) return false;
    handOver(zone, waiter, item);
    return true;
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
    // The lock may have been let go above: somebody may wait since then, or the limit be another.
    words[cache + FREE_LIMIT] = words[record + WAIT_COUNT] === 0 ? capacityOf(zone) : 0;
    return true;
  }

  /** Lets the zone's lock go while the keg of buckets is asked. */
  function allocEmptyBucketLocked(zone: ZoneState): number {
    locks.release(zone.record);
    const bucket = allocEmptyBucket(zone);
    words[zone.realCache + IN_FLIGHT] = bucket;
    locks.acquire(zone.record, LockRank.ZONE);
    return bucket;
  }

  return {
    allocItem,
    refillCache,
    freeItem,
    takeReserved,
    own,
    countFailure(zone) {
      const index = (zone.realCache + FAILURES) >> 1;
      floats[index] = (floats[index] as number) + 1;
    },
  };
}
