/**
 * The slow half of the ladder: what happens when a thread's loaded bucket is empty, or full.
 *
 *   1 loaded bucket   2 other bucket (swap)   3 full bucket of the zone   4 slabs of the keg   5 pages
 *
 * A miss refills the level above by a whole bucket. While somebody waits for the zone, nothing is
 * cached: what is freed goes to the head of the line.
 *
 * Locks: the zone's lock guards its two bucket lists, its accounts and its line of waiters. It is never
 * held while a keg is asked or a hook runs; what is in between is named by a hand, with its units.
 */

import { CheckLevel, damaged, LockRank } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import type { Drains } from './drains.js';
import { createEmptyBuckets } from './empty-buckets.js';
import { How } from './hooks.js';
import { createKegItems, type Duplicate, type KegItems } from './keg-items.js';
import type { Kegs } from './kegs.js';
import { BUCKET_MASK, GRANULE_SHIFT, ThreadCache, Zone, ZoneFlag } from './records.js';
import { Lack, type ZoneState } from './zone-state.js';

export interface Ladder extends Omit<KegItems, 'importItems'> {
  /** An item with its owner set, or 0: then `zone.lack` says why. Counts the request. */
  allocItem(zone: ZoneState, how: How, usesReserve: boolean): number;
  /** The same without a bucket, which may take the last page: one item from the keg. */
  takeUncached(zone: ZoneState, how: How, usesReserve: boolean): number;
  /** Whether the loaded bucket holds items now; else `zone.lack` says why. */
  refillCache(zone: ZoneState, how: How): boolean;
  /**
   * For a zone that caches nothing: loads a bucket with up to `want` items of the keg, all of which the
   * caller takes at once. False: there is none, and `zone.lack` says why.
   */
  loadBatch(zone: ZoneState, want: number, how: How): boolean;
  /** Loads an empty bucket for freed items. False: there is none, or somebody waits for them one by one. */
  openBatch(zone: ZoneState): boolean;
  /**
   * Takes back an item that is owned and has been through `dtor`; of an epoch zone, one that no reader knows.
   */
  freeItem(zone: ZoneState, item: number): void;
  countFailure(zone: ZoneState): void;
}

/** More than others can spoil in a row, by emptying or closing a cache between two looks at it. */
const ROUNDS_MAX = 10_000;

const NO_BOUND: number = Number.POSITIVE_INFINITY;

export function createLadder(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  drains: Drains,
  owners: Uint8Array,
  deferral: Deferral,
  dead: number,
  duplicate: Duplicate,
): Ladder {
  const { capacityOf, fillOf, excessOf, planPushFull, planPopFull, planPushEmpty, planPopEmpty, planPush } =
    accounts;
  const { commitItem, serveWaiters, returnUnits } = accounts;
  const { machine, threads, locks, waiting, intents, hands } = context;
  const { words, floats } = machine;
  const { slot } = threads;
  const limitSite = machine.failpoints.site('uma.limit', 'the limit of a zone: as if it were reached');
  const lockSite = machine.failpoints.site('uma.lock', 'the lock of a zone, for a call that must not sleep');
  const { spare: SPARE, freeLimit: FREE_LIMIT } = ThreadCache;
  const { failures: FAILURES } = ThreadCache;
  const { itemsOut: ITEMS_OUT, limit: LIMIT, bucketCapacity: CAPACITY } = Zone;
  const { maxCached: MAX_CACHED, cachedItems: CACHED_ITEMS } = Zone;
  const { waitHead: QUEUE, waitCount: WAIT_COUNT, fullTop: FULL_TOP, emptyTop: EMPTY_TOP } = Zone;
  const { HELD, SECOND: UNITS } = Hand;
  const emptyBuckets = createEmptyBuckets(context, kegs, accounts);
  const keg = createKegItems(context, kegs, accounts, owners, duplicate);
  const { importItems, takeReserved, releaseItem, own } = keg;
  const doubting = machine.checkLevel >= CheckLevel.TRASH;

  // --- rung 2: the thread's other bucket ---

  function swapBuckets(cache: number): void {
    intents.begin(0);
    intents.set(cache, words[cache + SPARE] as number);
    intents.set(cache + SPARE, words[cache] as number);
    intents.commit();
  }

  // --- rung 3: a full bucket of the zone; rungs 4 and 5: a bucket filled from the keg ---

  function refillCache(zone: ZoneState, how: How): boolean {
    const { record, realCache: cache } = zone;
    threads.assertHere();
    for (let round = 0; ; round++) {
      if (round > ROUNDS_MAX)
        throw damaged(`the cache of zone ${zone.name} cannot be filled`, { zone: zone.name });
      if (((words[cache] as number) & BUCKET_MASK) !== 0) return true;
      if (!zone.epoch && ((words[cache + SPARE] as number) & BUCKET_MASK) !== 0) {
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
      if (words[record + FULL_TOP] !== 0) {
        loadFullLocked(zone);
        locks.release(record);
        return true;
      }
      locks.release(record);
      if (deferral.ripen(zone)) continue;
      if (!fillFromKeg(zone, how)) return false;
      // Not done yet: a hook that allocates from this very zone may have emptied what was loaded.
    }
  }

  /** Loads a full bucket of the zone, while both of this cache are empty; one of those goes to the zone. */
  function loadFullLocked(zone: ZoneState): void {
    const { record, realCache: cache } = zone;
    // The spare of an epoch zone is not for allocations.
    const emptied = words[zone.epoch ? cache : cache + SPARE] as number;
    intents.begin(record);
    const top = planPopFull(zone);
    if (emptied !== dead) planPushEmpty(zone, emptied);
    if (!zone.epoch) intents.set(cache + SPARE, words[cache] as number);
    intents.set(cache, top);
    intents.commit();
    growBuckets(zone);
    openForFrees(zone);
  }

  /** The loaded bucket takes frees again, under the lock. Of an epoch zone it never does: see deferral.ts. */
  function openForFrees(zone: ZoneState): void {
    if (!zone.epoch) words[zone.realCache + FREE_LIMIT] = capacityOf(zone);
  }

  /** Each miss makes the zone's buckets one item larger, so that a busy zone misses less often. */
  function growBuckets(zone: ZoneState): void {
    const { record, capacityMax } = zone;
    words[record + CAPACITY] = Math.min(capacityMax, (words[record + CAPACITY] as number) + 1);
  }

  function loadBatch(zone: ZoneState, want: number, how: How): boolean {
    threads.assertHere();
    threads.beat();
    if (how !== How.NOWAIT || !lockSite.fails(zone.name))
      return fillFromKeg(zone, how, Math.min(want, zone.capacityMax));
    zone.lack = Lack.LIMIT;
    return false;
  }

  /** Fills a bucket with items of the keg, as many as are wanted or as it may hold, and loads it. */
  function fillFromKeg(zone: ZoneState, how: How, exactly = 0): boolean {
    const hand = hands.open(HandKind.BUCKET, zone.number, 0, 0, 0);
    const want = reserveUnits(zone, hand, exactly);
    if (want === 0) {
      hands.close(hand);
      zone.lack = Lack.LIMIT;
      return false;
    }
    if (words[hand + HELD] === 0 && !emptyBuckets.take(zone, hand)) {
      returnUnits(zone, hand);
      zone.lack = Lack.MEMORY;
      return false;
    }
    return fillBucket(zone, hand, want, how);
  }

  /**
   * Units for a bucket's worth of items, and an empty bucket if there is one, into a hand. How many; 0: the
   * limit is reached, or somebody waits.
   */
  function reserveUnits(zone: ZoneState, hand: number, exactly: number): number {
    const { record, realCache: cache } = zone;
    locks.acquire(record, LockRank.ZONE);
    growBuckets(zone);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    let want = exactly || Math.max(1, fillOf(zone));
    if (limit !== 0) want = Math.min(want, limit - out);
    if (want <= 0 || words[record + WAIT_COUNT] !== 0 || limitSite.fails(zone.name)) {
      locks.release(record);
      return 0;
    }
    intents.begin(record);
    intents.set(record + ITEMS_OUT, out + want);
    intents.set(hand + UNITS, want);
    if (words[cache] !== dead) {
      intents.set(hand + HELD, (words[cache] as number) << 2);
      intents.set(cache, dead);
    } else if (words[record + EMPTY_TOP] !== 0) {
      intents.set(hand + HELD, planPopEmpty(zone) << 2);
    }
    intents.commit();
    if (!zone.epoch) words[cache + FREE_LIMIT] = 0;
    locks.release(record);
    return want;
  }

  /** Fills the empty bucket of a hand, on `want` reserved units, and loads it. */
  function fillBucket(zone: ZoneState, hand: number, want: number, how: How): boolean {
    const { record, realCache: cache } = zone;
    const bucket = (words[hand + HELD] as number) >>> 2;
    let got = 0;
    try {
      const taken = kegs.takeItems(zone.kegState, bucket + 1, want, how);
      got = importItems(zone, hand, taken, how);
    } finally {
      locks.acquire(record, LockRank.ZONE);
      intents.begin(record);
      intents.set(record + ITEMS_OUT, (words[record + ITEMS_OUT] as number) - (want - got));
      // A hook may have allocated from this very zone, and loaded a bucket meanwhile.
      if (words[cache] === dead) intents.set(cache, bucket + got);
      else planPush(zone, bucket + got);
      intents.set(hand, 0);
      intents.commit();
      hands.closed(hand);
      if (words[record + WAIT_COUNT] === 0) openForFrees(zone);
      shareLoaded(zone);
      serveWaiters(zone);
      waiting.unlock(locks, record);
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
      const item = words[top] as number;
      intents.begin(record);
      intents.set(cache, top - 1);
      intents.set(top, 0);
      commitItem(zone, waiter, item);
    }
  }

  // --- single items ---

  function takeUncached(zone: ZoneState, how: How, usesReserve: boolean): number {
    const { record } = zone;
    const hand = hands.open(HandKind.ITEM, zone.number, 0, 0, 0);
    locks.acquire(record, LockRank.ZONE);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    const full = (limit !== 0 && out >= limit) || limitSite.fails(zone.name);
    // Who waits may wait for what is above the reserve.
    const refused = full || (words[record + WAIT_COUNT] !== 0 && !usesReserve);
    if (!refused) {
      intents.begin(record);
      intents.set(record + ITEMS_OUT, out + 1);
      intents.set(hand + UNITS, 1);
      intents.commit();
    }
    locks.release(record);
    if (!refused) return takeReserved(zone, hand, how, 0, usesReserve);
    hands.close(hand);
    zone.lack = Lack.LIMIT;
    return 0;
  }

  function allocItem(zone: ZoneState, how: How, usesReserve: boolean): number {
    const cache = zone.realCache;
    threads.beat();
    if ((zone.flags & ZoneFlag.NO_BUCKET) !== 0) {
      threads.assertHere();
      return takeUncached(zone, how, usesReserve);
    }
    if (!refillCache(zone, how)) {
      // Without a bucket there may still be an item: UMA must work with no bucket at all. And the reserve.
      return zone.lack === Lack.MEMORY || usesReserve ? takeUncached(zone, how, usesReserve) : 0;
    }
    const top = words[cache] as number;
    const item = words[top] as number;
    if (doubting && owners[item >>> GRANULE_SHIFT] !== 0) {
      // It stays whose it is, and leaves the cache.
      words[cache] = top - 1;
      words[top] = 0;
      throw duplicate(zone, item);
    }
    own(zone, item);
    words[cache] = top - 1;
    words[top] = 0;
    return item;
  }

  function freeItem(zone: ZoneState, item: number): void {
    const bound = putBack(zone, item);
    // Only now that the item is safe: a `fini` may throw.
    if (bound !== NO_BOUND) drains.drainBuckets(zone, bound);
  }

  /** Puts an item into the cache, the line or the slab. How many items the zone may keep, if it has more. */
  function putBack(zone: ZoneState, item: number): number {
    const { record, realCache: cache } = zone;
    threads.assertHere();
    // Whoever had it: from here on it is this thread's to put back, or its reaper's.
    owners[item >>> GRANULE_SHIFT] = slot;
    let keep = NO_BOUND;
    if (zone.epoch) {
      releaseItem(zone, item);
      return keep;
    }
    for (let round = 0; ; round++) {
      if (round > ROUNDS_MAX)
        throw damaged(`the cache of zone ${zone.name} takes nothing`, { zone: zone.name });
      const top = words[cache] as number;
      if ((top & BUCKET_MASK) < (words[cache + FREE_LIMIT] as number)) {
        words[top + 1] = item;
        words[cache] = top + 1;
        owners[item >>> GRANULE_SHIFT] = 0;
        return keep;
      }
      locks.acquire(record, LockRank.ZONE);
      if (handToFirst(zone, item)) {
        waiting.unlock(locks, record);
        return keep;
      }
      const capacity = capacityOf(zone);
      const wanting = capacity !== 0 && !makeRoomLocked(zone, capacity);
      const bound = words[record + MAX_CACHED] === 0 ? NO_BOUND : accounts.mostInFull(zone);
      if ((words[record + CACHED_ITEMS] as number) > bound) keep = bound;
      waiting.unlock(locks, record);
      if (capacity === 0 || (wanting && !emptyBuckets.add(zone))) {
        releaseItem(zone, item);
        return keep;
      }
    }
  }

  /** Gives a freed item to the first in line. False: nobody waits, or the limit has been lowered below it. */
  function handToFirst(zone: ZoneState, item: number): boolean {
    const waiter = waiting.first(zone.record + QUEUE);
    if (waiter === 0 || excessOf(zone) > 0) return false;
    intents.begin(zone.record);
    commitItem(zone, waiter, item);
    return true;
  }

  /** Loads a bucket with room. False: there is no bucket, and one must be got without the lock. */
  function makeRoomLocked(zone: ZoneState, capacity: number): boolean {
    const { record, realCache: cache } = zone;
    const top = words[cache] as number;
    const spare = words[cache + SPARE] as number;
    if (top === dead || (top & BUCKET_MASK) >= capacity) {
      if (spare !== dead && (spare & BUCKET_MASK) < capacity) {
        swapBuckets(cache);
      } else {
        if (words[record + EMPTY_TOP] === 0) return false;
        intents.begin(record);
        planLoad(zone, planPopEmpty(zone));
        intents.commit();
      }
    }
    // While somebody waits, frees take the slow way.
    words[cache + FREE_LIMIT] = words[record + WAIT_COUNT] === 0 ? capacityOf(zone) : 0;
    return true;
  }

  /** Loads an empty bucket: the loaded one becomes the spare, the spare goes to the zone. */
  function planLoad(zone: ZoneState, bucket: number): void {
    const { realCache: cache } = zone;
    const top = words[cache] as number;
    const spare = words[cache + SPARE] as number;
    if (top !== dead) {
      if (spare !== dead) planPushFull(zone, spare);
      intents.set(cache + SPARE, top);
    }
    intents.set(cache, bucket);
  }

  return {
    allocItem,
    takeUncached,
    refillCache,
    loadBatch,
    openBatch: (zone) => emptyBuckets.load(zone, dead),
    freeItem,
    releaseItem,
    takeReserved,
    own,
    countFailure(zone) {
      const index = (zone.realCache + FAILURES) >> 1;
      floats[index] = (floats[index] as number) + 1;
    },
  };
}
