/**
 * A zone's accounts: its two lists of buckets, how many items it has out, who waits, and what the waiters
 * get. All of it runs under the zone's lock, but for `returnUnits`, which takes it.
 *
 * A bucket that has been taken off a list and stands in no cache yet is named by the cache's `inFlight`.
 */

import { LockRank } from '../check/index.js';
import type { WaiterRef } from '../machine/index.js';
import type { UmaContext } from './context.js';
import { BUCKET_MASK, CACHE_WORDS, GRANULE_SHIFT, Intent, ThreadCache, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

/** Gift to a waiter that is no item: "one unit of the limit is yours, fetch an item with it". */
export const GIFT_UNIT = -1;

/** What a waiter lacks. */
export const WaitFor = { UNIT: 0, MEMORY: 1 } as const;

export interface Accounts {
  /** Items that a bucket of this zone may hold now; 0: nothing may be cached. */
  capacityOf(zone: ZoneState): number;
  /** Items out beyond the limit, which has been lowered; else 0. */
  excessOf(zone: ZoneState): number;
  /** Puts a bucket with items on the full list. `top` names bucket and count. */
  pushFull(zone: ZoneState, top: number): void;
  /** Takes the newest bucket off the full list; 0 when there is none. */
  popFull(zone: ZoneState): number;
  pushEmpty(zone: ZoneState, bucket: number): void;
  popEmpty(zone: ZoneState): number;
  /** Gives an item, of whatever owner, to the first in line. */
  handOver(zone: ZoneState, waiter: WaiterRef, item: number): void;
  /** Hands to the waiters what there is, first come, first served. */
  serveWaiters(zone: ZoneState): void;
  /** From now on every thread's frees take the slow way. */
  closeCaches(zone: ZoneState): void;
  /** Takes the lock itself: gives back units of the limit, and serves who waits for one. */
  returnUnits(zone: ZoneState, units: number): void;
  /** Word index of a thread's cache for a zone. */
  cacheOf(slot: number, number: number): number;
}

export function createAccounts(context: UmaContext, owners: Uint8Array): Accounts {
  const { machine, threads, locks, waiting } = context;
  const { words } = machine;
  const { freeLimit: FREE_LIMIT, inFlight: IN_FLIGHT } = ThreadCache;
  const { fullTop: FULL_TOP, fullCount: FULL_COUNT, cachedItems: CACHED_ITEMS } = Zone;
  const { emptyTop: EMPTY_TOP, emptyCount: EMPTY_COUNT, itemsOut: ITEMS_OUT, limit: LIMIT } = Zone;
  const { bucketCapacity: CAPACITY, cachedMax: CACHED_MAX, cachedMin: CACHED_MIN, waitHead: QUEUE } = Zone;
  const { maxThreads, maxZones } = machine.layout.parameters;
  const cachesArea = machine.area('thread caches');

  function excessOf({ record }: ZoneState): number {
    const limit = words[record + LIMIT] as number;
    return limit === 0 ? 0 : Math.max(0, (words[record + ITEMS_OUT] as number) - limit);
  }

  /** A bucket may not hoard: under a limit, all buckets of all threads together hold half of it. */
  function capacityOf(zone: ZoneState): number {
    const { record } = zone;
    const capacity = words[record + CAPACITY] as number;
    const limit = words[record + LIMIT] as number;
    if (limit === 0) return capacity;
    if (excessOf(zone) > 0) return 0;
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

  function handOver(zone: ZoneState, waiter: WaiterRef, item: number): void {
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
      if (waiter === 0 || excessOf(zone) > 0) return;
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

  return {
    capacityOf,
    excessOf,
    pushFull,
    popFull,
    pushEmpty,
    popEmpty,
    handOver,
    serveWaiters,
    closeCaches,
    returnUnits,
    cacheOf,
  };
}
