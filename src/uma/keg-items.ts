/**
 * Items between zone and keg, past all buckets: one by one, or a bucketful. A hand names what is on its way,
 * and the unit of the limit that goes with it.
 */

import { CheckLevel, type MbumaError } from '../check/index.js';
import { Hand, HandKind, type WaiterRef } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import { HookErrors, How, runHook } from './hooks.js';
import type { Kegs } from './kegs.js';
import { GRANULE_SHIFT, ThreadCache } from './records.js';
import { Lack, type ZoneState } from './zone-state.js';

/** The error for an item that is in use, and was found where free items are. */
export type Duplicate = (zone: ZoneState, item: number) => MbumaError;

export interface KegItems {
  /** Runs `init` over the items in a hand's bucket; how many are well. The others are back in the keg. */
  importItems(zone: ZoneState, hand: number, count: number, how: How): number;
  /**
   * One item from the keg for this thread, on the unit of the limit that a hand holds, which is closed. 0
   * gives the unit back; `waiter` then stands in the line again, where it stood, and lacks memory.
   */
  takeReserved(
    zone: ZoneState,
    hand: number,
    how: How,
    waiter?: WaiterRef | 0,
    usesReserve?: boolean,
  ): number;
  /** Gives one item that is in use back to the keg, past all caches. */
  releaseItem(zone: ZoneState, item: number): void;
  /** Marks a fresh item as this thread's and counts the request. */
  own(zone: ZoneState, item: number): void;
}

export function createKegItems(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  owners: Uint8Array,
  duplicate: Duplicate,
): KegItems {
  const { machine, threads, hands } = context;
  const { words } = machine;
  const { slot } = threads;
  const { returnUnits } = accounts;
  const initSite = machine.failpoints.site('uma.init');
  const doubting = machine.checkLevel >= CheckLevel.TRASH;
  const { requests: REQUESTS, requestsHigh: REQUESTS_HIGH } = ThreadCache;
  const { HELD, THIRD: INITIALISED } = Hand;

  /** Runs `init` of a secondary zone over an item. False: it lacks memory. */
  function initItem(zone: ZoneState, item: number, how: How): boolean {
    const { init } = zone.hooks;
    if (init === null) return true;
    return !initSite.fails(zone.name) && runHook(init, 'init', zone.name, item, how) === 0;
  }

  /** Readies the items in the slots from `first` on; the hand says how many are. */
  function initSlots(zone: ZoneState, hand: number, first: number, count: number, how: How): void {
    if (zone.imports !== null) {
      if (!initSite.fails(zone.name)) words[hand + INITIALISED] = zone.imports.take(first, count, how);
      return;
    }
    for (let index = 0; index < count && initItem(zone, words[first + index] as number, how); index++)
      words[hand + INITIALISED] = index + 1;
  }

  function importItems(zone: ZoneState, hand: number, count: number, how: How): number {
    if (zone.hooks.init === null) return count;
    const first = ((words[hand + HELD] as number) >>> 2) + 1;
    const errors = new HookErrors();
    errors.attempt(() => initSlots(zone, hand, first, count, how));
    const ready = words[hand + INITIALISED] as number;
    if (ready < count) {
      kegs.trash(zone.kegState, words[first + ready] as number);
      kegs.giveItems(zone.kegState, first + ready, count - ready);
    }
    // What is ready is kept; the error comes again with the next attempt.
    if (ready === 0) errors.throwFirst();
    return ready;
  }

  function takeReserved(
    zone: ZoneState,
    hand: number,
    how: How,
    waiter: WaiterRef | 0 = 0,
    usesReserve = false,
  ): number {
    let item = 0;
    try {
      item = kegs.takeItem(zone.kegState, hand + HELD, how, usesReserve);
      if (item !== 0 && !initItem(zone, item, how)) item = 0;
    } catch (error) {
      giveBack(zone, hand);
      throw error;
    }
    if (item === 0) {
      giveBack(zone, hand, waiter);
      zone.lack = Lack.MEMORY;
      return 0;
    }
    if (doubting && owners[item >>> GRANULE_SHIFT] !== 0) {
      // It stays whose it is; the unit goes back.
      words[hand + HELD] = 0;
      returnUnits(zone, hand);
      throw duplicate(zone, item);
    }
    own(zone, item);
    hands.close(hand);
    return item;
  }

  /** What a hand holds goes to the keg, and its unit to the zone. */
  function giveBack(zone: ZoneState, hand: number, waiter: WaiterRef | 0 = 0): void {
    const item = words[hand + HELD] as number;
    if (item !== 0) {
      if (zone.hooks.init !== null) kegs.trash(zone.kegState, item);
      kegs.giveItem(zone.kegState, item, hand + HELD);
    }
    returnUnits(zone, hand, waiter);
  }

  /** Gives one item that is owned back to the keg, and its unit of the limit to the zone. */
  function releaseItem(zone: ZoneState, item: number): void {
    const { fini } = zone.hooks;
    const hand = hands.open(HandKind.BACK, zone.number, item, 1, 0);
    const errors = fini === null ? null : new HookErrors();
    errors?.run(fini, 'fini', zone.name, item, How.NOWAIT);
    owners[item >>> GRANULE_SHIFT] = 0;
    giveBack(zone, hand);
    errors?.throwFirst();
  }

  function own(zone: ZoneState, item: number): void {
    owners[item >>> GRANULE_SHIFT] = slot;
    const { realCache: cache } = zone;
    const requests = ((words[cache + REQUESTS] as number) + 1) | 0;
    words[cache + REQUESTS] = requests;
    if (requests === 0) words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
  }

  return { importItems, takeReserved, releaseItem, own };
}
