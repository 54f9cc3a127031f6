/** Figures of a zone, as vmstat -z(8) shows them. Read without locks: exact when nobody works on it. */

import type { UmaContext } from './context.js';
import { BUCKET_MASK, CACHE_WORDS, Keg, ThreadCache, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

export interface ZoneStats {
  readonly name: string;
  /** Bytes of an item as asked for. */
  readonly size: number;
  /** Most items out; 0: no limit. */
  readonly limit: number;
  /** Items that users hold. */
  readonly used: number;
  /** Items in caches and, for a primary zone, in slabs. */
  readonly free: number;
  /** Items in thread caches and buckets. */
  readonly cached: number;
  /** Items of an epoch zone that wait in buckets until no reader knows them; not among `cached` or `free`. */
  readonly deferred: number;
  /** Allocations that succeeded, since the memory was made. */
  readonly requests: number;
  /** Allocations that failed. */
  readonly failures: number;
  /** Allocations that had to wait. */
  readonly sleeps: number;
  /** Items whose trash or redzones were checked when they were handed out. */
  readonly checked: number;
  /** Items that the divisor passed over. */
  readonly skipped: number;
  /** Pages of the keg's slabs; 0 for a secondary zone. */
  readonly pages: number;
  /** Times that no pages were found to keep the low mark; 0 for a secondary zone. */
  readonly lowMisses: number;
  /** Items a bucket is filled with at present. */
  readonly bucketCapacity: number;
}

/** Allocations of one thread from one zone, from the two words of its cache. */
export function requestsOf(words: Int32Array, cache: number): number {
  const high = words[cache + ThreadCache.requestsHigh] as number;
  return high * 0x1_0000_0000 + ((words[cache + ThreadCache.requests] as number) >>> 0);
}

/** The part of a zone that its figures are read from. */
export type StatsSubject = Pick<ZoneState, 'name' | 'record' | 'number' | 'kegState'>;

export function zoneStats({ machine, threads }: UmaContext, zone: StatsSubject): ZoneStats {
  const { words, floats } = machine;
  const { record, kegState } = zone;
  const read = (offset: number): number => words[record + offset] as number;
  const count = (at: number): number => floats[at >> 1] as number;
  const cachesArea = machine.area('thread caches');
  const { maxZones } = machine.layout.parameters;
  let cached = read(Zone.cachedItems);
  const isEpoch = read(Zone.epoch) !== 0;
  let deferred = read(Zone.deferredItems);
  let requests = count(record + Zone.retiredRequests);
  let failures = count(record + Zone.retiredFailures);
  let checked = count(record + Zone.retiredChecked);
  let skipped = count(record + Zone.retiredSkipped);
  for (let slot = 1; slot <= threads.maxThreads; slot++) {
    if (!threads.isLive(slot)) continue;
    const cache = cachesArea + (slot * (maxZones + 1) + zone.number) * CACHE_WORDS;
    const inSpare = (words[cache + ThreadCache.spare] as number) & BUCKET_MASK;
    cached += ((words[cache + ThreadCache.top] as number) & BUCKET_MASK) + (isEpoch ? 0 : inSpare);
    if (isEpoch) deferred += inSpare;
    requests += requestsOf(words, cache);
    failures += count(cache + ThreadCache.failures);
    checked += count(cache + ThreadCache.checked);
    skipped += count(cache + ThreadCache.skipped);
  }
  const primary = read(Zone.primary) === 0;
  return {
    name: zone.name,
    size: kegState.size,
    limit: read(Zone.limit),
    used: Math.max(0, read(Zone.itemsOut) - cached - deferred),
    free: cached + (primary ? (words[kegState.record + Keg.freeItems] as number) : 0),
    cached,
    deferred,
    requests,
    failures,
    sleeps: read(Zone.waitSleeps),
    checked,
    skipped,
    pages: primary ? (words[kegState.record + Keg.slabCount] as number) * kegState.pagesPerSlab : 0,
    lowMisses: primary ? (words[kegState.record + Keg.lowMisses] as number) : 0,
    bucketCapacity: read(Zone.bucketCapacity),
  };
}
