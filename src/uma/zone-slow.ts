/**
 * The slow half of `tryAlloc` and `free`: flags, hooks, trash, and the attempts that follow a miss.
 */

import { CheckLevel, hex, MbumaError, requireInteger, trashFill, trashFindDamage } from '../check/index.js';
import type { UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import { diagnoseFree, type Maps } from './diagnose.js';
import { HookErrors, How, runHook } from './hooks.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import type { Reclaimer } from './reclaim.js';
import { GRANULE_SHIFT } from './records.js';
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
  /** Does to an item that was granted what an allocation does. Throws OUT_OF_MEMORY for its constructor. */
  finishAlloc(zone: ZoneState, item: number, flags: number, how: How): number;
  /** Throws OUT_OF_MEMORY where sleeping cannot help, or CANFAIL asks for it. */
  refuseIfCanFail(zone: ZoneState, flags: number): void;
  /** Checks, destructs and takes back. */
  freeSlow(zone: ZoneState, item: unknown): void;
}

export function createZoneSlow(
  context: UmaContext,
  kegs: Kegs,
  ladder: Ladder,
  deferral: Deferral,
  reclaimer: Reclaimer,
  maps: Maps,
): ZoneSlow {
  const { words } = maps;
  const { failpoints } = context.machine;
  const allocSite = failpoints.site(ALLOC_SITE, 'an allocation from a zone, whatever is cached');
  const ctorSite = failpoints.site('uma.ctor', 'a `ctor` hook: as if it lacked memory');
  const trashing = context.machine.checkLevel >= CheckLevel.TRASH;

  /** Items that `init` has set up keep their state while they are free: those are not trashed. */
  function isTrashed(zone: ZoneState): boolean {
    return trashing && zone.kegState.init === null && zone.hooks.init === null;
  }

  function allocSlow(zone: ZoneState, flags: number, how: How): number {
    context.threads.assertHere();
    if (flags !== 0) requireInteger(flags, 'flags', 0, ALL_FLAGS);
    reclaimer.answerAttention();
    let item = 0;
    try {
      item = findItem(zone, how);
    } catch (error) {
      ladder.countFailure(zone);
      throw error;
    }
    if (item === 0) {
      if (how === How.NOWAIT) ladder.countFailure(zone);
      return 0;
    }
    return constructItem(zone, item, flags, how);
  }

  function findItem(zone: ZoneState, how: How): number {
    if (allocSite.fails(zone.name)) {
      zone.lack = Lack.MEMORY;
      return 0;
    }
    const shortages = kegs.shortages();
    let item = ladder.allocItem(zone, how);
    if (item === 0 && zone.onExhausted?.() === true) item = ladder.allocItem(zone, how);
    // A hook that lacks memory, such as a packet's when the clusters' limit is reached, is no lack of pages.
    const shortOfPages = zone.lack === Lack.MEMORY && kegs.shortages() !== shortages;
    if (item === 0 && shortOfPages && reclaimer.reclaimPages()) item = ladder.allocItem(zone, how);
    return item;
  }

  function finishAlloc(zone: ZoneState, item: number, flags: number, how: How): number {
    if (constructItem(zone, item, flags, how) === 0) refuseIfCanFail(zone, flags);
    return item;
  }

  /**
   * Checks the trash, zeroes, constructs. An item whose constructor fails goes back without `dtor`.
   * 0: the constructor lacks memory.
   */
  function constructItem(zone: ZoneState, item: number, flags: number, how: How): number {
    const { kegState, hooks } = zone;
    if (isTrashed(zone)) checkTrash(zone, item);
    if ((flags & ZERO) !== 0) context.machine.fillBytes(item, 0, kegState.itemSize);
    if (hooks.ctor === null) return item;
    try {
      if (!ctorSite.fails(zone.name) && runHook(hooks.ctor, 'ctor', zone.name, item, how) === 0) return item;
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

  function returnUnconstructed(zone: ZoneState, item: number): void {
    if (isTrashed(zone)) trashFill(words, item, zone.kegState.itemSize);
    try {
      ladder.freeItem(zone, item);
    } catch {
      // A `fini` failed. The item is back in its keg, and the failure of the constructor came first.
    }
  }

  function checkTrash(zone: ZoneState, item: number): void {
    const { kegState: keg } = zone;
    const damaged = trashFindDamage(words, item, keg.itemSize);
    if (damaged === 0) return;
    const value = hex(words[damaged >>> 2] as number);
    trashFill(words, item, keg.itemSize);
    ladder.freeItem(zone, item);
    throw new MbumaError(
      'MODIFIED_AFTER_FREE',
      `Memory modified after free ${hex(item)}(${keg.size}) val=${value} @ ${hex(damaged)} (zone ${zone.name})`,
      { address: damaged, zone: zone.name },
    );
  }

  function refuseIfCanFail(zone: ZoneState, flags: number): void {
    if (zone.lack === Lack.CTOR)
      throw new MbumaError('OUT_OF_MEMORY', `ctor of zone ${zone.name} lacks memory`, { zone: zone.name });
    if ((flags & CANFAIL) === 0 || zone.lack !== Lack.MEMORY) return;
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
    maps.owners[address >>> GRANULE_SHIFT] = context.threads.slot;
    if (zone.epoch) {
      // Readers may still look at it: `dtor` and trash wait with the item.
      deferral.freeItem(zone, address);
      reclaimer.answerAttention();
      return;
    }
    const errors: HookErrors | null = hooks.dtor === null ? null : new HookErrors();
    errors?.run(hooks.dtor, 'dtor', zone.name, address, How.NOWAIT);
    if (isTrashed(zone)) trashFill(words, address, kegState.itemSize);
    ladder.freeItem(zone, address);
    errors?.throwFirst();
    reclaimer.answerAttention();
  }

  return { allocSlow, finishAlloc, refuseIfCanFail, freeSlow };
}
