/**
 * Giving memory back: one zone on request, all zones when pages run out, this thread's caches when
 * another thread asks, everything of this thread when it detaches.
 */

import { LockRank } from '../check/index.js';
import { Attention } from '../machine/index.js';
import type { UmaContext } from './context.js';
import { BUCKET_KEG, INTERNAL_KEGS } from './context.js';
import type { Drains } from './drains.js';
import type { Guard } from './guard.js';
import { HookErrors } from './hooks.js';
import type { Kegs } from './kegs.js';
import { CACHE_WORDS, OWNER_MEMORY, ThreadCache, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';
import { requestsOf } from './zone-stats.js';

export interface Reclaimer {
  /** Zones that this thread has opened; only these can it drain, for it may lack the hooks of others. */
  register(zone: ZoneState): void;
  /** Gives back what the zone caches beyond its working set; how many items. */
  trim(zone: ZoneState): number;
  /** Gives back all that the zone caches; how many items. */
  drain(zone: ZoneState): number;
  /**
   * Pages are lacking: drains every zone, and asks the other threads to. True when pages or items came free.
   */
  reclaimPages(): boolean;
  /** Ends the quarantine of guarded items, and gives back the empty slabs of buckets and slab headers. */
  drainInternal(): void;
  /** Does what other threads have asked for. */
  answerAttention(): void;
  /** Adds the counts of a thread's cache to the zone's, so that they outlive it. */
  retireCounts(zone: ZoneState, cache: number): void;
  /**
   * This thread detaches: ends its waiting calls, empties every cache of it, and makes the items it still
   * owns the memory's.
   */
  leave(): void;
}

export function createReclaimer(
  context: UmaContext,
  kegs: Kegs,
  drains: Drains,
  guard: Guard,
  owners: Uint8Array,
): Reclaimer {
  const { machine, threads, locks, pages } = context;
  const { words, floats } = machine;
  const {
    cachedMax: CACHED_MAX,
    cachedMin: CACHED_MIN,
    workingSet: WORKING_SET,
    cachedItems: CACHED_ITEMS,
  } = Zone;
  const { compareExchangeByte } = machine.atomics;
  const ownersAddress = machine.area('owners') << 2;
  const zones: ZoneState[] = [];
  let reclaiming = false;
  machine.onRewind(() => {
    reclaiming = false;
  });

  function drain(zone: ZoneState): number {
    drains.drainCache(zone);
    const freed = drains.drainBuckets(zone, 0);
    kegs.drain(zone.kegState);
    return freed;
  }

  /** Headers and buckets come last: draining the others frees them, and ending the quarantine. */
  function drainInternal(): void {
    const errors = new HookErrors();
    guard.drain(errors);
    for (let number = BUCKET_KEG; number <= INTERNAL_KEGS; number++) kegs.drain(kegs.byNumber(number));
    errors.throwFirst();
  }

  /** How many items went back to their kegs. */
  function drainAll(): number {
    let freed = 0;
    for (const zone of zones) freed += drain(zone);
    drainInternal();
    return freed;
  }

  function addTo(sum: number, count: number): void {
    floats[sum >> 1] = (floats[sum >> 1] as number) + (floats[count >> 1] as number);
  }

  function retireCounts(zone: ZoneState, cache: number): void {
    const requests = (zone.record + Zone.retiredRequests) >> 1;
    const failures = (zone.record + Zone.retiredFailures) >> 1;
    locks.acquire(zone.record, LockRank.ZONE);
    floats[requests] = (floats[requests] as number) + requestsOf(words, cache);
    floats[failures] = (floats[failures] as number) + (floats[(cache + ThreadCache.failures) >> 1] as number);
    addTo(zone.record + Zone.retiredChecked, cache + ThreadCache.checked);
    addTo(zone.record + Zone.retiredSkipped, cache + ThreadCache.skipped);
    locks.release(zone.record);
    words.fill(0, cache + ThreadCache.requests, cache + CACHE_WORDS);
  }

  /**
   * An item of this thread becomes the memory's, unless another thread frees it at this moment: its 0 must
   * stand.
   */
  function disown(granule: number): void {
    compareExchangeByte(ownersAddress + granule, threads.slot, OWNER_MEMORY);
  }

  /** Estimates anew what the zone wants cached, and begins to count anew. */
  function beginPeriod({ record }: ZoneState): number {
    const read = (offset: number): number => words[record + offset] as number;
    locks.acquire(record, LockRank.ZONE);
    // Only what allocations have drawn since the last trim is demand: a great free is none.
    const workingSet = Math.max(Math.floor(read(WORKING_SET) * 0.75), read(CACHED_MAX) - read(CACHED_MIN));
    const kept = Math.min(read(CACHED_ITEMS), workingSet);
    words[record + WORKING_SET] = workingSet;
    words[record + CACHED_MAX] = kept;
    words[record + CACHED_MIN] = kept;
    locks.release(record);
    return workingSet;
  }

  return {
    register(zone) {
      zones.push(zone);
    },
    trim(zone) {
      const freed = drains.drainBuckets(zone, beginPeriod(zone));
      kegs.drain(zone.kegState);
      return freed;
    },
    drain,
    drainInternal,
    retireCounts,
    reclaimPages() {
      if (reclaiming) return false;
      reclaiming = true;
      try {
        const before = pages.freePages();
        const items = drainAll();
        if (pages.freePages() > before) return true;
        for (let slot = 1; slot <= threads.maxThreads; slot++) {
          if (slot !== threads.slot && threads.isLive(slot)) threads.ask(slot, Attention.RECLAIM);
        }
        // Items of a keg may have gone back to it from another of its zones.
        return items > 0;
      } finally {
        reclaiming = false;
      }
    },
    answerAttention() {
      const asked = threads.takeAttention();
      if ((asked & Attention.RECLAIM) !== 0) {
        drainAll();
      } else if ((asked & Attention.DRAIN) !== 0) {
        for (const zone of zones) drains.drainCache(zone);
      }
    },
    leave() {
      for (const zone of zones) {
        drains.drainCache(zone);
        retireCounts(zone, zone.realCache);
      }
      for (let at = owners.indexOf(threads.slot); at >= 0; at = owners.indexOf(threads.slot, at + 1)) {
        disown(at);
      }
    },
  };
}
