/**
 * Giving memory back: one zone on request, all zones on request or by the timer, the zones of a backend in
 * turn when it has no pages, this thread's caches when another thread asks, everything when it detaches.
 *
 * What is drained are zones that this thread has opened: it may lack the hooks of others.
 */

import { LockRank, MbumaError } from '../check/index.js';
import { Attention, type ThreadName } from '../machine/index.js';
import { createAsking } from './asking.js';
import type { Backends } from './backends.js';
import { BUCKET_KEG, INTERNAL_KEGS, type UmaContext } from './context.js';
import type { Drains } from './drains.js';
import type { Guard } from './guard.js';
import { HookErrors } from './hooks.js';
import type { KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import { createObtaining, type Obtaining } from './obtaining.js';
import { CACHE_WORDS, OWN_PAGES, OWNER_MEMORY, ThreadCache, Zone, ZoneFlag } from './records.js';
import { createWorkingSets } from './working-set.js';
import type { ZoneState } from './zone-state.js';
import { requestsOf } from './zone-stats.js';

/**
 * How much is given back. `trim`: what zones cache beyond their working sets. `drain`: all that zones cache,
 * and what this thread does. `threads`: that, and every other thread is asked for what it caches.
 */
export type ReclaimLevel = 'trim' | 'drain' | 'threads';

/** What a reclaim has given back, and who is still to answer. Plain data. */
export interface Reclaimed {
  /** Cached items that went back to their kegs. */
  readonly items: number;
  /** Pages that went back, of all threads together meanwhile. */
  readonly pages: number;
  /** Threads that were asked. They answer at their next slow path, sleep, `poll`, or run of their timer. */
  readonly asked: readonly ThreadName[];
  /** Threads that have not answered yet what they were asked by an earlier reclaim. */
  readonly overdue: readonly ThreadName[];
}

export interface Reclaimer extends Obtaining {
  register(zone: ZoneState): void;
  /** The zone is not this thread's to drain any more. */
  unregister(zone: ZoneState): void;
  /** Gives back what the zone caches beyond its working set; how many items. */
  trim(zone: ZoneState): number;
  /** Gives back all that the zone caches; how many items. */
  drain(zone: ZoneState): number;
  /** Gives back what all zones cache, but unmanaged ones. */
  reclaim(level: ReclaimLevel): Reclaimed;
  /** Threads that have not answered what this one has asked. */
  overdue(): ThreadName[];
  /**
   * What the periodic timer does: ends a period of every zone, and gives back what was idle for long.
   *
   * @param periodMs zones whose last period has ended less than three quarters of this ago are passed by:
   *   another thread's timer has come first
   */
  tick(periodMs: number): void;
  /**
   * Runs a look of a call that waits for pages: it wakes nobody, but for what has come free. Two who wait and
   * look would wake one another without end, and none would be seen asleep.
   */
  quietly<Result>(look: () => Result): Result;
  /** Asks every other thread for so many pages, counted, unless one still owes an answer. */
  askForPages(pagesWanted: number): void;
  /** Nothing is lacking any more. */
  endAsking(): void;
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
  backends: Backends,
  drains: Drains,
  guard: Guard,
  owners: Uint8Array,
): Reclaimer {
  const { machine, threads, locks, pages, waiting } = context;
  const { words, floats } = machine;
  const { bucketCapacity: CAPACITY } = Zone;
  const { compareExchangeByte } = machine.atomics;
  const ownersAddress = machine.area('owners') << 2;
  const workingSets = createWorkingSets(words);
  const zones: ZoneState[] = [];
  const { askOthers, overdue, sayWanted, wantedByOthers } = createAsking(context);
  let isQuiet = false;
  machine.onRewind(() => {
    isQuiet = false;
  });

  function drain(zone: ZoneState): number {
    drains.drainCache(zone);
    const freed = drains.drainBuckets(zone, 0);
    kegs.drain(zone.kegState);
    return freed;
  }

  /** Ends a period; how many items the zone should keep. Each reclaim makes its buckets a little smaller. */
  function endPeriod({ record }: ZoneState): number {
    locks.acquire(record, LockRank.ZONE);
    workingSets.endPeriod(record);
    words[record + CAPACITY] = Math.max(1, (words[record + CAPACITY] as number) - 1);
    const keep = words[record + Zone.workingSet] as number;
    locks.release(record);
    return keep;
  }

  function trim(zone: ZoneState): number {
    const freed = drains.drainBuckets(zone, endPeriod(zone));
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

  function isManaged({ flags }: ZoneState): boolean {
    return (flags & ZoneFlag.UNMANAGED) === 0;
  }

  /**
   * Drains zones, until nothing comes back any more: what leaves one zone may go to another, as a packet's
   * cluster does. How many items went back to their kegs.
   */
  function drainEach(chosen: readonly ZoneState[], errors: HookErrors): number {
    let items = 0;
    for (let pass = 0, freed = 1; freed > 0 && pass <= chosen.length; pass++) {
      freed = 0;
      for (const zone of chosen) {
        errors.attempt(() => {
          freed += drain(zone);
        });
      }
      items += freed;
    }
    drainInternal();
    return items;
  }

  function reclaim(level: ReclaimLevel): Reclaimed {
    const before = pages.freePages();
    const late = overdue();
    const errors = new HookErrors();
    let items = 0;
    if (level === 'trim') {
      for (const zone of zones) {
        if (!isManaged(zone) || (zone.flags & ZoneFlag.NO_TRIM) !== 0) continue;
        errors.attempt(() => {
          items += trim(zone);
        });
      }
      drainInternal();
    } else {
      items = drainEach(zones.filter(isManaged), errors);
    }
    const asked = level === 'threads' ? askOthers(Attention.RECLAIM) : [];
    errors.throwFirst();
    return { items, pages: Math.max(0, pages.freePages() - before), asked, overdue: late };
  }

  /** Ends a period of a zone, if it has not just been ended; how many cached items are too many. */
  function endPeriodInTime({ record }: ZoneState, periodMs: number): number {
    const now = Date.now() | 0;
    let beyond = 0;
    locks.acquire(record, LockRank.ZONE);
    if (((now - (words[record + Zone.tickedAt] as number)) >>> 0) * 4 >= periodMs * 3) {
      words[record + Zone.tickedAt] = now;
      workingSets.endPeriod(record);
      beyond = (words[record + Zone.cachedItems] as number) - workingSets.idleTarget(record);
    }
    locks.release(record);
    return beyond;
  }

  function tick(periodMs: number): void {
    const errors = new HookErrors();
    for (const zone of zones) {
      if (!isManaged(zone)) continue;
      const beyond = endPeriodInTime(zone, periodMs);
      if (beyond <= 0 || (zone.flags & ZoneFlag.NO_TRIM) !== 0) continue;
      const keep = Math.max(0, (words[zone.record + Zone.cachedItems] as number) - beyond);
      errors.attempt(() => {
        drains.drainBuckets(zone, keep);
        kegs.drain(zone.kegState);
      });
    }
    errors.throwFirst();
  }

  /**
   * Drains one keg, with every zone on it that this thread has opened. Whether pages came back, or items of
   * the keg that `lacking` is.
   */
  function drainKeg(keg: KegState, lacking: KegState, errors: HookErrors): boolean {
    const own = zones.filter((zone) => zone.kegState === keg && isManaged(zone));
    const before = pages.freePages();
    let items = 0;
    let freed = 0;
    // The hook comes first, without any lock: it may free items into the caches that are drained then.
    for (const zone of own) errors.attempt(() => zone.onExhausted?.());
    for (const zone of own) {
      drains.drainCache(zone);
      errors.attempt(() => {
        items += drains.drainBuckets(zone, 0);
      });
    }
    errors.attempt(() => {
      freed = own.length === 0 ? 0 : kegs.drain(keg);
    });
    return freed > 0 || pages.freePages() > before || (keg === lacking && items > 0);
  }

  function userKegs(): KegState[] {
    const found = new Set(zones.map(({ kegState }) => kegState));
    return [...found].sort((one, other) => one.number - other.number);
  }

  /**
   * The kegs of a backend in turn, beginning behind the one that gave last. Whether one has freed
   * something.
   */
  function rotate(lacking: KegState, errors: HookErrors): boolean {
    const { backend } = lacking;
    for (const keg of backends.rotation(backend, userKegs())) {
      if (!drainKeg(keg, lacking, errors)) continue;
      backends.endRotation(backend, keg);
      return true;
    }
    const before = pages.freePages();
    drainInternal();
    const freed = pages.freePages() > before && backend === OWN_PAGES;
    if (!freed) backends.endRotation(backend, null);
    return freed;
  }

  function addTo(sum: number, count: number): void {
    floats[sum >> 1] = (floats[sum >> 1] as number) + (floats[count >> 1] as number);
  }

  function retireCounts(zone: ZoneState, cache: number): void {
    const retired = (zone.record + Zone.retiredRequests) >> 1;
    const failures = (zone.record + Zone.retiredFailures) >> 1;
    locks.acquire(zone.record, LockRank.ZONE);
    floats[retired] = (floats[retired] as number) + requestsOf(words, cache);
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

  /**
   * Gives back what this thread and its zones cache, so that it becomes pages. Errors of hooks are dropped.
   */
  function settle(): void {
    drainEach(zones.filter(isManaged), new HookErrors());
  }

  const obtaining = createObtaining(context, { rotate, settle, isQuiet: () => isQuiet });

  return {
    register(zone) {
      zones.push(zone);
    },
    unregister(zone) {
      zones.splice(zones.indexOf(zone), 1);
    },
    trim,
    drain,
    drainInternal,
    retireCounts,
    reclaim(level) {
      if (!['trim', 'drain', 'threads'].includes(level)) {
        throw new MbumaError('BAD_ARGUMENT', "level must be 'trim', 'drain' or 'threads'");
      }
      return reclaim(level);
    },
    overdue,
    tick,
    obtain: obtaining.obtain,
    gains: obtaining.gains,
    quietly(look) {
      isQuiet = true;
      pages.holdRings();
      try {
        return look();
      } finally {
        isQuiet = false;
        pages.ringForGain();
      }
    },
    askForPages(pagesWanted) {
      sayWanted(pagesWanted);
      if (overdue().length === 0) askOthers(Attention.RECLAIM);
    },
    endAsking: () => sayWanted(0),
    answerAttention() {
      const asked = threads.takeAttention();
      if ((asked & Attention.PAGES) !== 0) waiting.hearRing();
      if ((asked & Attention.RECLAIM) !== 0) {
        // Looked at between taking the bit and doing it: what was counted by now is done then.
        const until = threads.askedUntilNow();
        settle();
        pages.lowMemory.relieve(Math.max(1, wantedByOthers()), settle);
        threads.answered(until);
      } else if ((asked & Attention.DRAIN) !== 0) {
        for (const zone of zones) drains.drainCache(zone);
      }
      pages.lowMemory.poll(settle);
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
