/**
 * Giving memory back: one zone on request, all zones when pages run out, this thread's caches when
 * another thread asks, everything of this thread when it detaches.
 */

import { Attention, askAllToDrain } from '../machine/index.js';
import type { UmaContext } from './context.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import { BUCKET_KEG } from './kegs.js';
import { INTERNAL_KEGS } from './context.js';
import { OWNER_MEMORY, ThreadCache, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

export interface Reclaimer {
  /** Zones that this thread has opened; only these can it drain, for it may lack the hooks of others. */
  register(zone: ZoneState): void;
  /** Gives back what the zone caches beyond its working set; how many items. */
  trim(zone: ZoneState): number;
  /** Gives back all that the zone caches; how many items. */
  drain(zone: ZoneState): number;
  /** Pages are lacking: drains every zone. True when pages came free. */
  reclaimPages(): boolean;
  /** Gives back the empty slabs of buckets and slab headers. */
  drainInternal(): void;
  /** Does what other threads have asked for. */
  answerAttention(): void;
  /** Empties every cache of this thread, and makes the items it still owns the memory's. */
  leave(): void;
}

export function createReclaimer(context: UmaContext, kegs: Kegs, ladder: Ladder, owners: Uint8Array): Reclaimer {
  const { machine, threads, pages } = context;
  const { words, floats } = machine;
  const { cachedMax: CACHED_MAX, cachedMin: CACHED_MIN, workingSet: WORKING_SET, cachedItems: CACHED_ITEMS } = Zone;
  const zones: ZoneState[] = [];
  let reclaiming = false;

  function drain(zone: ZoneState): number {
    ladder.drainCache(zone);
    const freed = ladder.drainBuckets(zone, 0);
    kegs.drain(zone.kegState);
    return freed;
  }

  /** Headers and buckets come last: draining the others frees them. */
  function drainInternal(): void {
    for (let number = BUCKET_KEG; number <= INTERNAL_KEGS; number++) kegs.drain(kegs.byNumber(number));
  }

  function retire(zone: ZoneState, counter: number, total: number): void {
    const from = (zone.realCache + counter) >> 1;
    const to = (zone.record + total) >> 1;
    floats[to] = (floats[to] as number) + (floats[from] as number);
    floats[from] = 0;
  }

  return {
    register(zone) {
      zones.push(zone);
    },
    trim(zone) {
      const { record } = zone;
      const read = (offset: number): number => words[record + offset] as number;
      // Only what allocations have drawn since the last trim is demand: a great free is none.
      const workingSet = Math.max(Math.floor(read(WORKING_SET) * 0.75), read(CACHED_MAX) - read(CACHED_MIN));
      const freed = ladder.drainBuckets(zone, workingSet);
      words[record + WORKING_SET] = workingSet;
      words[record + CACHED_MAX] = read(CACHED_ITEMS);
      words[record + CACHED_MIN] = read(CACHED_ITEMS);
      kegs.drain(zone.kegState);
      return freed;
    },
    drain,
    drainInternal,
    reclaimPages() {
      if (reclaiming) return false;
      reclaiming = true;
      try {
        const before = pages.freePages();
        for (const zone of zones) drain(zone);
        drainInternal();
        if (pages.freePages() > before) return true;
        askAllToDrain(threads);
        return false;
      } finally {
        reclaiming = false;
      }
    },
    answerAttention() {
      if ((threads.takeAttention() & Attention.DRAIN) === 0) return;
      for (const zone of zones) ladder.drainCache(zone);
    },
    leave() {
      for (const zone of zones) {
        ladder.drainCache(zone);
        retire(zone, ThreadCache.requests, Zone.retiredRequests);
        retire(zone, ThreadCache.failures, Zone.retiredFailures);
      }
      for (let at = owners.indexOf(threads.slot); at >= 0; at = owners.indexOf(threads.slot, at + 1)) {
        owners[at] = OWNER_MEMORY;
      }
    },
  };
}
