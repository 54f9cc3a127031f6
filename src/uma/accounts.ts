/**
 * A zone's accounts: its two lists of buckets, how many items it has out, who waits, and what the waiters
 * get. All of it runs under the zone's lock, but for `returnUnits`, which takes it.
 *
 * What must change together (a list and a cache, the items out and a hand) is one commit of `intents`. The
 * functions `plan...` add their words to the commit that has been begun; what can be counted anew, such as
 * the lengths of the lists, is written plainly.
 */

import { damaged, hex, LockRank } from '../check/index.js';
import { Hand, PAGE_SHIFT, PAGE_WORDS, type WaiterRef } from '../machine/index.js';
import type { UmaContext } from './context.js';
import {
  BUCKET_MASK,
  BUCKET_WORDS,
  CACHE_WORDS,
  GRANULE_SHIFT,
  ThreadCache,
  Zone,
  ZoneFlag,
} from './records.js';
import { createWorkingSets } from './working-set.js';
import type { ZoneState } from './zone-state.js';

/** Gift to a waiter that is no item: "one unit of the limit is yours, fetch an item with it". */
export const GIFT_UNIT = -1;

/** What a waiter lacks: the lowest bit of its request. Above it stands how many came to the line before. */
export const WaitFor = { UNIT: 0, MEMORY: 1 } as const;
const ARRIVAL_SHIFT = 1;

/** What the accounts of a zone need of it: there are those of zones that this thread has not opened, too. */
export type ZoneAccount = Pick<ZoneState, 'record' | 'number'>;

export interface Accounts {
  /** Items that a bucket of this zone may hold now; 0: nothing may be cached. */
  capacityOf(zone: ZoneState): number;
  /** Items that an empty bucket is filled with; 0: only what is asked for. */
  fillOf(zone: ZoneState): number;
  /** Most items in the zone's full buckets, so that `maxCached` holds for them and all threads' together. */
  mostInFull(zone: ZoneState): number;
  /** Items out beyond the limit, which has been lowered; else 0. */
  excessOf(zone: ZoneAccount): number;
  /**
   * Puts a bucket with items on the full list, with the commit that is being written. `top` names bucket and
   * count.
   */
  planPushFull(zone: ZoneState, top: number): void;
  /** Takes the newest bucket off the full list; the list must have one. Its top. */
  planPopFull(zone: ZoneState): number;
  /** The same, of a bucket that is to be given back: that is no demand. */
  planReclaimFull(zone: ZoneState): number;
  planPushEmpty(zone: ZoneState, bucket: number): void;
  planPopEmpty(zone: ZoneState): number;
  /** Puts a bucket, of whatever count, on the list where it belongs. */
  planPush(zone: ZoneState, top: number): void;
  /** Gives an item, of whatever owner, to the first in line, with the commit that is being written. */
  commitItem(zone: ZoneState, waiter: WaiterRef, item: number): void;
  /** Stands in line. */
  lineUp(zone: ZoneState, waiter: WaiterRef, wants: number): void;
  /** Whether the waiter lacks memory, and not only a unit. */
  lacksMemory(waiter: WaiterRef): boolean;
  /** Hands to the waiters what there is, first come, first served. */
  serveWaiters(zone: ZoneAccount): void;
  /** From now on every thread's frees take the slow way. */
  closeCaches(zone: ZoneAccount): void;
  /**
   * Takes the lock itself: gives back the units of a hand, which is closed, and serves who waits for one. A
   * `waiter` that could not use its unit stands where it stood before anybody else gets it.
   */
  returnUnits(zone: ZoneState, hand: number, waiter?: WaiterRef | 0): void;
  /**
   * How many buckets a list has that begins with this top, and how many items they hold. Throws DAMAGED when
   * there are more than the memory has room for.
   */
  countBuckets(first: number): { buckets: number; items: number };
  /** The lock has been taken over from a dead thread: makes whole what it guards. */
  repair(record: number): void;
  /** Word index of a thread's cache for a zone. */
  cacheOf(slot: number, number: number): number;
}

/**
 * A frugal zone fills a bucket with a quarter of what it has out. With an eighth a program of many sizes goes
 * to the keg so often that its calls take a third longer, and saves two hundredths of the bytes.
 */
const FRUGAL_SHIFT = 2;

export function createAccounts(context: UmaContext): Accounts {
  const { machine, threads, locks, waiting, intents, hands } = context;
  const { words } = machine;
  const { freeLimit: FREE_LIMIT } = ThreadCache;
  const { fullTop: FULL_TOP, fullCount: FULL_COUNT, cachedItems: CACHED_ITEMS } = Zone;
  const { emptyTop: EMPTY_TOP, emptyCount: EMPTY_COUNT, itemsOut: ITEMS_OUT, limit: LIMIT } = Zone;
  const { bucketCapacity: CAPACITY, waitHead: QUEUE } = Zone;
  const workingSets = createWorkingSets(words);
  const { waitSleeps: SLEEPS, maxCached: MAX_CACHED } = Zone;
  const { maxThreads, maxZones, pageCount } = machine.layout.parameters;
  /** Buckets that the memory has room for. */
  const bucketsMax = pageCount * (PAGE_WORDS / BUCKET_WORDS);
  const cachesArea = machine.area('thread caches');
  const ownersAddress = machine.area('owners') << 2;

  function excessOf({ record }: ZoneAccount): number {
    const limit = words[record + LIMIT] as number;
    return limit === 0 ? 0 : Math.max(0, (words[record + ITEMS_OUT] as number) - limit);
  }

  /** A bucket may not hoard: under a limit, all buckets of all threads together hold half of it. */
  function capacityOf(zone: ZoneState): number {
    const { record } = zone;
    const capacity = words[record + CAPACITY] as number;
    const limit = words[record + LIMIT] as number;
    const maxCached = words[record + MAX_CACHED] as number;
    if ((zone.flags & ZoneFlag.NO_BUCKET) !== 0 || excessOf(zone) > 0) return 0;
    const least = limit === 0 ? maxCached : maxCached === 0 ? limit >> 1 : Math.min(limit >> 1, maxCached);
    if (least === 0) return limit === 0 ? capacity : 0;
    return Math.min(capacity, Math.floor(least / (2 * Math.max(1, threads.attachedCount()))));
  }

  function fillOf(zone: ZoneState): number {
    const capacity = capacityOf(zone);
    if ((zone.flags & ZoneFlag.FRUGAL) === 0) return capacity;
    return Math.min(capacity, (words[zone.record + ITEMS_OUT] as number) >>> FRUGAL_SHIFT);
  }

  /** All threads' buckets may be full at once: the zone's own hold what is left of the bound. */
  function mostInFull(zone: ZoneState): number {
    const threadsHold = 2 * Math.max(1, threads.attachedCount()) * capacityOf(zone);
    return Math.max(0, (words[zone.record + MAX_CACHED] as number) - threadsHold);
  }

  function countCached(record: number, buckets: number, items: number): void {
    words[record + FULL_COUNT] = (words[record + FULL_COUNT] as number) + buckets;
    words[record + CACHED_ITEMS] = (words[record + CACHED_ITEMS] as number) + items;
    workingSets.changed(record);
  }

  function planPushFull({ record }: ZoneState, top: number): void {
    intents.set(top & ~BUCKET_MASK, words[record + FULL_TOP] as number);
    intents.set(record + FULL_TOP, top);
    countCached(record, 1, top & BUCKET_MASK);
  }

  function planPopFull({ record }: ZoneState): number {
    const top = words[record + FULL_TOP] as number;
    const bucket = top & ~BUCKET_MASK;
    intents.set(record + FULL_TOP, words[bucket] as number);
    intents.set(bucket, 0);
    countCached(record, -1, -(top & BUCKET_MASK));
    return top;
  }

  function planReclaimFull(zone: ZoneState): number {
    workingSets.reclaimed(zone.record, (words[zone.record + FULL_TOP] as number) & BUCKET_MASK);
    return planPopFull(zone);
  }

  function planPushEmpty({ record }: ZoneAccount, bucket: number): void {
    intents.set(bucket, words[record + EMPTY_TOP] as number);
    intents.set(record + EMPTY_TOP, bucket);
    words[record + EMPTY_COUNT] = (words[record + EMPTY_COUNT] as number) + 1;
  }

  function planPopEmpty({ record }: ZoneState): number {
    const bucket = words[record + EMPTY_TOP] as number;
    intents.set(record + EMPTY_TOP, words[bucket] as number);
    intents.set(bucket, 0);
    words[record + EMPTY_COUNT] = (words[record + EMPTY_COUNT] as number) - 1;
    return bucket;
  }

  function commitItem(zone: ZoneAccount, waiter: WaiterRef, item: number): void {
    if (item >>> PAGE_SHIFT >= pageCount) throw damaged(`a bucket holds ${hex(item)} for an item`);
    intents.commitGrant(zone.record + QUEUE, waiter, item, ownersAddress + (item >>> GRANULE_SHIFT));
  }

  /** Gives the last item of the newest full bucket to a waiter. */
  function grantCached(zone: ZoneAccount, waiter: WaiterRef): void {
    const { record } = zone;
    const top = words[record + FULL_TOP] as number;
    const bucket = top & ~BUCKET_MASK;
    const item = words[top] as number;
    intents.begin(record);
    if (top - 1 === bucket) {
      intents.set(record + FULL_TOP, words[bucket] as number);
      planPushEmpty(zone, bucket);
    } else {
      intents.set(record + FULL_TOP, top - 1);
    }
    countCached(record, top - 1 === bucket ? -1 : 0, -1);
    intents.set(top, 0);
    commitItem(zone, waiter, item);
  }

  function lineUp(zone: ZoneState, waiter: WaiterRef, wants: number): void {
    const queue = zone.record + QUEUE;
    const came = words[zone.record + SLEEPS] as number;
    waiting.enqueue(queue, waiter, (came << ARRIVAL_SHIFT) | wants);
    closeCaches(zone);
  }

  /** Before all who came later: several may have been granted a unit that they could not use. */
  function lineUpAgain(zone: ZoneState, waiter: WaiterRef): void {
    const queue = zone.record + QUEUE;
    const request = waiting.requestOf(waiter) | WaitFor.MEMORY;
    let next = waiting.first(queue);
    // The numbers of arrival are compared as on a circle.
    while (next !== 0 && (((waiting.requestOf(next) | WaitFor.MEMORY) - request) | 0) < 0)
      next = waiting.next(next);
    waiting.enqueueBefore(queue, waiter, request, next);
    closeCaches(zone);
  }

  function lacksMemory(waiter: WaiterRef): boolean {
    return (waiting.requestOf(waiter) & WaitFor.MEMORY) !== 0;
  }

  function serveWaiters(zone: ZoneAccount): void {
    const { record } = zone;
    const queue = record + QUEUE;
    for (;;) {
      const waiter = waiting.first(queue);
      if (waiter === 0 || excessOf(zone) > 0) return;
      if (!threads.isLive(waiting.slotOf(waiter))) {
        waiting.remove(queue, waiter);
      } else if (words[record + FULL_TOP] !== 0) {
        grantCached(zone, waiter);
      } else {
        const limit = words[record + LIMIT] as number;
        const out = words[record + ITEMS_OUT] as number;
        if (lacksMemory(waiter) || (limit !== 0 && out >= limit)) return;
        intents.begin(record);
        intents.set(record + ITEMS_OUT, out + 1);
        intents.commitGrant(queue, waiter, GIFT_UNIT, 0);
      }
    }
  }

  function cacheOf(other: number, number: number): number {
    return cachesArea + (other * (maxZones + 1) + number) * CACHE_WORDS;
  }

  function closeCaches(zone: ZoneAccount): void {
    for (let other = 1; other <= maxThreads; other++) {
      words[cacheOf(other, zone.number) + FREE_LIMIT] = 0;
    }
  }

  function returnUnits(zone: ZoneState, hand: number, waiter: WaiterRef | 0 = 0): void {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    intents.begin(record);
    intents.set(
      record + ITEMS_OUT,
      (words[record + ITEMS_OUT] as number) - (words[hand + Hand.SECOND] as number),
    );
    intents.set(hand, 0);
    intents.commit();
    hands.closed(hand);
    if (waiter !== 0) lineUpAgain(zone, waiter);
    serveWaiters(zone);
    waiting.unlock(locks, record);
  }

  function countBuckets(first: number): { buckets: number; items: number } {
    let buckets = 0;
    let items = 0;
    for (let top = first; top !== 0; top = words[top & ~BUCKET_MASK] as number) {
      if (++buckets > bucketsMax) throw damaged('a list of buckets runs in a circle');
      items += top & BUCKET_MASK;
    }
    return { buckets, items };
  }

  /** Truth are the chains of the lists; their lengths are counted anew. */
  function repair(record: number): void {
    intents.finishOfDead(record);
    const full = countBuckets(words[record + FULL_TOP] as number);
    words[record + FULL_COUNT] = full.buckets;
    words[record + CACHED_ITEMS] = full.items;
    countCached(record, 0, 0);
    words[record + EMPTY_COUNT] = countBuckets(words[record + EMPTY_TOP] as number).buckets;
    waiting.rebuildLine(record + QUEUE);
  }

  return {
    capacityOf,
    fillOf,
    mostInFull,
    excessOf,
    planPushFull,
    planPopFull,
    planReclaimFull,
    planPushEmpty,
    planPopEmpty,
    planPush(zone, top) {
      if ((top & BUCKET_MASK) === 0) planPushEmpty(zone, top);
      else planPushFull(zone, top);
    },
    commitItem,
    lineUp,
    lacksMemory,
    serveWaiters,
    closeCaches,
    returnUnits,
    countBuckets,
    repair,
    cacheOf,
  };
}
