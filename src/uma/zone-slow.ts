/**
 * The slow half of `tryAlloc` and `free`: flags, hooks, checks, and the attempts that follow a miss.
 */

import { type ErrorCode, hex, MbumaError, requireInteger } from '../check/index.js';
import type { Alarms } from './alarms.js';
import type { UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import { diagnoseFree, type Maps } from './diagnose.js';
import type { Guard } from './guard.js';
import { HookErrors, How, runHook } from './hooks.js';
import type { ItemChecks } from './item-checks.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import type { Reclaimer } from './reclaim.js';
import { GRANULE_SHIFT, KegFlag } from './records.js';
import { inClassOf, USES_RESERVE } from './request-class.js';
import type { Shortages } from './shortage.js';
import { ALL_FLAGS, CANFAIL, ZERO } from './zone-api.js';
import { Lack, type ZoneState } from './zone-state.js';

/**
 * The failpoint of whole allocations. While it is armed for a zone, that shows its fast path a dead cache,
 * so that each call comes here.
 */
export const ALLOC_SITE = 'uma.alloc';

export interface ZoneSlow {
  /** An item, constructed; 0 when there is none. `how` says whether hooks may sleep; this never does. */
  allocSlow(zone: ZoneState, flags: number, how: How): number;
  /**
   * Does to an item that was granted what an allocation does. Throws OUT_OF_MEMORY for its constructor.
   *
   * @param site of the call, where sites are kept
   */
  finishAlloc(zone: ZoneState, item: number, flags: number, how: How, site: number): number;
  /** Throws OUT_OF_MEMORY where sleeping cannot help: a constructor lacks memory, or there is no hope (CANFAIL). */
  refuseToSleep(zone: ZoneState, flags: number): void;
  /** Checks, destructs and takes back. */
  freeSlow(zone: ZoneState, item: unknown): void;
}

export function createZoneSlow(
  context: UmaContext,
  kegs: Kegs,
  ladder: Ladder,
  deferral: Deferral,
  reclaimer: Reclaimer,
  shortages: Shortages,
  alarms: Alarms,
  maps: Maps,
  checks: ItemChecks,
  guard: Guard,
): ZoneSlow {
  const { items } = maps;
  const { failpoints } = context.machine;
  const allocSite = failpoints.site(ALLOC_SITE, 'an allocation from a zone, whatever is cached');
  const ctorSite = failpoints.site('uma.ctor', 'a `ctor` hook: as if it lacked memory');
  const { slot } = context.threads;

  /** Whether this thread still has the item: a hook may have freed it. */
  const isOurs = (item: number): boolean => maps.owners[item >>> GRANULE_SHIFT] === slot;

  function allocSlow(zone: ZoneState, flags: number, how: How): number {
    context.threads.assertHere();
    if (flags !== 0) checkFlags(zone, flags);
    reclaimer.answerAttention();
    if ((flags & USES_RESERVE) === 0) return allocInClass(zone, flags, how);
    return inClassOf(context.pages, flags, () => allocInClass(zone, flags, how));
  }

  function allocInClass(zone: ZoneState, flags: number, how: How): number {
    let item = 0;
    try {
      item = findItem(zone, how, (flags & USES_RESERVE) !== 0);
    } catch (error) {
      ladder.countFailure(zone);
      throw error;
    }
    if (item === 0) {
      if (how === How.NOWAIT) ladder.countFailure(zone);
      if (zone.lack === Lack.LIMIT) alarms.limitMet(zone);
      return 0;
    }
    return constructItem(zone, item, flags, how, items.siteHere(zone, allocSlow));
  }

  function checkFlags(zone: ZoneState, flags: number): void {
    requireInteger(flags, 'flags', 0, ALL_FLAGS);
    if ((flags & ZERO) === 0 || (zone.kegState.flags & KegFlag.NO_TOUCH) === 0) return;
    throw new MbumaError('BAD_ARGUMENT', `zone ${zone.name} is noTouch: its items cannot be zeroed`, {
      zone: zone.name,
    });
  }

  function findItem(zone: ZoneState, how: How, usesReserve: boolean): number {
    if (allocSite.fails(zone.name)) {
      zone.lack = Lack.MEMORY;
      return 0;
    }
    if ((zone.kegState.flags & KegFlag.GUARDED) !== 0) {
      const guarded = guard.tryAlloc(zone, how);
      if (guarded !== 0) return guarded;
    }
    const shortages = kegs.shortages();
    let item = ladder.allocItem(zone, how, usesReserve);
    if (item === 0 && zone.onExhausted?.() === true) item = ladder.allocItem(zone, how, usesReserve);
    // A hook that lacks memory, such as a packet's when the clusters' limit is reached, is no lack of pages.
    const shortOfPages = zone.lack === Lack.MEMORY && kegs.shortages() !== shortages;
    return item === 0 && shortOfPages ? obtainItem(zone, how, usesReserve) : item;
  }

  /** A function of its own: the attempt is a closure, which a call that finds an item does not pay for. */
  function obtainItem(zone: ZoneState, how: How, usesReserve: boolean): number {
    const { kegState } = zone;
    const found = reclaimer.obtain(kegState.pagesPerSlab, kegState, () => {
      // What came free may be a single page: it is not for a bucket.
      const item = ladder.takeUncached(zone, how, usesReserve) || ladder.allocItem(zone, how, usesReserve);
      return item === 0 && zone.lack === Lack.MEMORY ? null : item;
    });
    return found ?? 0;
  }

  function finishAlloc(zone: ZoneState, item: number, flags: number, how: How, site: number): number {
    const made = inClassOf(context.pages, flags, () => constructItem(zone, item, flags, how, site));
    if (made === 0) refuseForCtor(zone);
    return item;
  }

  /**
   * Checks what was free, zeroes, constructs. An item whose constructor fails goes back without `dtor`.
   * 0: the constructor lacks memory.
   */
  function constructItem(zone: ZoneState, item: number, flags: number, how: How, site: number): number {
    const { kegState, hooks } = zone;
    const guarded = checks.concerns(zone) && items.guardedAt(item) !== 0;
    if (checks.concerns(zone)) {
      if (!guarded) checkFree(zone, item);
      items.noteAlloc(zone, item, site);
    }
    // The zone's flag is the call's, given once and for all.
    if (((flags | zone.flags) & ZERO) !== 0)
      context.machine.fillBytes(item, 0, guarded ? kegState.extent : kegState.fillBytes);
    if (hooks.ctor === null) return item;
    try {
      if (!ctorSite.fails(zone.name) && runHook(hooks.ctor, 'ctor', zone.name, item, how) === 0) {
        if (isOurs(item)) return item;
        throw freedBy('ctor', 'HOOK_FAILED', zone, item);
      }
    } catch (error) {
      ladder.countFailure(zone);
      returnUnconstructed(zone, item);
      throw error;
    }
    ladder.countFailure(zone);
    returnUnconstructed(zone, item);
    zone.lack = Lack.CTOR;
    return 0;
  }

  function freedBy(hook: string, code: ErrorCode, zone: ZoneState, item: number): MbumaError {
    const text = `${hook} of zone ${zone.name} has freed the item that it was called for, ${hex(item)}`;
    return new MbumaError(code, text, { zone: zone.name, address: item });
  }

  function returnUnconstructed(zone: ZoneState, item: number): void {
    if (!isOurs(item)) return;
    try {
      takeBack(zone, item);
    } catch {
      // A `fini` failed. The item is back in its keg, and the failure of the constructor came first.
    }
  }

  function checkFree(zone: ZoneState, item: number): void {
    const error = checks.whileFree(zone, item);
    if (error === null) return;
    takeBack(zone, item);
    throw error;
  }

  /** An item that this thread owns, and that nobody uses any more, goes back to where free items are. */
  function takeBack(zone: ZoneState, item: number): void {
    const checked = checks.concerns(zone);
    if (checked && items.guardedAt(item) !== 0) {
      guard.free(zone, item);
    } else {
      if (checked) checks.trash(zone, item);
      ladder.freeItem(zone, item);
    }
  }

  function refuseForCtor({ name }: ZoneState): never {
    throw new MbumaError('OUT_OF_MEMORY', `ctor of zone ${name} lacks memory`, { zone: name });
  }

  function refuseToSleep(zone: ZoneState, flags: number): void {
    if (zone.lack === Lack.CTOR) refuseForCtor(zone);
    if (
      (flags & CANFAIL) === 0 ||
      zone.lack !== Lack.MEMORY ||
      !shortages.isHopeless(zone.kegState.pagesPerSlab)
    )
      return;
    ladder.countFailure(zone);
    throw new MbumaError('OUT_OF_MEMORY', `zone ${zone.name}: there are no pages left`, { zone: zone.name });
  }

  function freeSlow(zone: ZoneState, item: unknown): void {
    if (item === 0) return;
    context.threads.assertHere();
    const { kegState, hooks } = zone;
    const error = diagnoseFree(maps, kegs, kegState, zone.name, item);
    if (error !== null) throw error;
    const address = item as number;
    // Whoever had it: from here on it is this thread's, for `dtor` and trash change it.
    maps.owners[address >>> GRANULE_SHIFT] = slot;
    const damage = checks.concerns(zone) ? checkFreed(zone, address) : null;
    if (zone.epoch) {
      // Readers may still look at it: `dtor` and trash wait with the item.
      deferral.freeItem(zone, address);
      if (damage !== null) throw damage;
      reclaimer.answerAttention();
      return;
    }
    const errors: HookErrors | null = hooks.dtor === null ? null : new HookErrors();
    errors?.run(hooks.dtor, 'dtor', zone.name, address, How.NOWAIT);
    if (errors !== null && !isOurs(address)) throw freedBy('dtor', 'FREE_TWICE', zone, address);
    takeBack(zone, address);
    if (damage !== null) throw damage;
    errors?.throwFirst();
    reclaimer.answerAttention();
  }

  /** Before `dtor`: what was done around the item. Throws when another thread frees it at this moment. */
  function checkFreed(zone: ZoneState, item: number): MbumaError | null {
    const site = items.siteHere(zone, freeSlow);
    if (items.guardedAt(item) === 0) {
      items.noteFree(zone, item, site);
      return checks.aroundFreed(zone, item);
    }
    guard.begin(zone, item);
    items.noteFree(zone, item, site);
    return guard.aroundFreed(zone, item);
  }

  return { allocSlow, finishAlloc, refuseToSleep, freeSlow };
}
