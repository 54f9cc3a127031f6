/**
 * After a death: what the thread had in hand, in its caches, in line, and in use.
 *
 * Its locks have been taken over before, each with the repair of what it guards; its slot is this thread's
 * alone. Everything here may be cut short by the death of the reaper, and done again by the next: what is
 * moved is moved by commits, and each hand is emptied through its own words.
 */

import { LockRank } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT, Waiter, WaiterState } from '../machine/index.js';
import { type Accounts, GIFT_UNIT } from './accounts.js';
import type { UmaContext } from './context.js';
import type { Counters } from './counters.js';
import type { Deferral } from './deferral.js';
import type { Drains } from './drains.js';
import type { Guard } from './guard.js';
import { createGuardReaper, mergeOwned } from './guard-reaper.js';
import { type HookErrors, type Hooks, How } from './hooks.js';
import type { Items } from './items.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import { createOwnedReaper, type OwnedItems, type Taker } from './reaper-owned.js';
import {
  BUCKET_ITEMS,
  BUCKET_MASK,
  GRANULE_SHIFT,
  Slab,
  SlabList,
  ThreadCache,
  ZONE_WORDS,
  Zone,
} from './records.js';
import type { Registry } from './registry.js';
import { Lack, readZone, type ZoneState } from './zone-state.js';

export interface UmaReaper {
  /**
   * Cleans up after a thread whose slot this one has claimed.
   *
   * @param inTransit items by keg that are on their way to somebody: those become the memory's
   */
  reap(slot: number, errors: HookErrors, inTransit: ReadonlyMap<number, ReadonlySet<number>>): OwnedItems[];
  /**
   * Says who frees the items of a keg that has several zones, or of which accounts are kept: `free` knows
   * whose an item is. Such kegs come before the others.
   */
  onOwned(keg: number, taker: Taker): void;
  /** Says how to settle what a dead thread owned that is no item: after all items. */
  onRest(settle: (slot: number, errors: HookErrors) => OwnedItems[]): void;
  /** Visits the item, and those that go where it goes; nothing, for what is no item of the keg in use. */
  eachWith(keg: number, item: number, visit: (item: number) => void): void;
  /**
   * Says how to undo, or finish, what a dead thread has begun with its own words. It comes before all else.
   */
  onSettle(settle: (slot: number) => void): void;
  /** Calls `act` if the address lies in a slab of a keg, which stays the keg's meanwhile. */
  holdSlab(address: number, act: () => void): void;
  /** A zone by its number; without hooks when this thread has not opened it. */
  stateOf(number: number): ZoneState;
  /** Says how to empty the hands of a kind that is another layer's. */
  onHand(kind: number, empty: (hand: number, slot: number, errors: HookErrors) => void): void;
}

export interface ReaperParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly accounts: Accounts;
  readonly ladder: Ladder;
  readonly drains: Drains;
  readonly guard: Guard;
  readonly items: Items;
  readonly counters: Counters;
  readonly deferral: Deferral;
  readonly owners: Uint8Array;
  readonly pageKegs: Uint16Array;
  /** Word index of the dead bucket. */
  readonly dead: number;
  readonly registry: Registry;
  /** A zone that this thread has opened, by its number. */
  readonly openedByNumber: (number: number) => ZoneState | undefined;
  /** Frees an item as its user would have. */
  readonly freeOwned: (zone: ZoneState, item: number) => void;
  /** Makes all caches of a slot as they are when a thread attaches. */
  readonly resetCaches: (slot: number) => void;
  readonly freeOwnedMany: (zone: ZoneState, items: Int32Array, count: number) => void;
  /** Adds the counts of a thread's cache to the zone's. */
  readonly retireCounts: (zone: ZoneState, cache: number) => void;
}

const NO_HOOKS: Hooks = { ctor: null, dtor: null, init: null, fini: null };

export function createUmaReaper(parts: ReaperParts): UmaReaper {
  const { context, kegs, registry, accounts, ladder, drains, deferral, owners, pageKegs, dead } = parts;
  const { machine, threads, locks, waiting, intents, hands, pages } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const zonesArea = machine.area('zones');
  const { spare: SPARE, freeLimit: FREE_LIMIT } = ThreadCache;
  const { HELD, THIRD: WAITER } = Hand;
  const settlers: ((slot: number) => void)[] = [];
  const restSettlers: ((slot: number, errors: HookErrors) => OwnedItems[])[] = [];
  const emptiers = new Map<number, (hand: number, slot: number, errors: HookErrors) => void>();

  function stateOf(number: number): ZoneState {
    const opened = parts.openedByNumber(number);
    if (opened !== undefined) return opened;
    const keg = words[zonesArea + number * ZONE_WORDS + Zone.keg] as number;
    const cache = accounts.cacheOf(threads.slot, number);
    return {
      ...readZone(words, zonesArea, number, kegs.byNumber(keg)),
      cache,
      inBatches: false,
      realCache: cache,
      hooks: NO_HOOKS,
      imports: null,
      finiIsSafe: false,
      onExhausted: null,
      warning: null,
      maxAction: null,
      actionIsDue: false,
      lack: Lack.NONE,
    };
  }

  const guarded = createGuardReaper({
    ...parts,
    zoneOf: stateOf,
    isOpen: (number) => parts.openedByNumber(number) !== undefined,
    takerOf: (keg) => owned.takerOf(keg),
  });
  const owned = createOwnedReaper(parts, () => registry.locked(() => registry.numbers().map(stateOf)));

  // --- hands ---

  /** An item between keg and user: owned already, it is in use; else it goes back. */
  function emptyItemHand(hand: number, slot: number, errors: HookErrors): void {
    const zone = stateOf(hands.numberOf(hand));
    const item = words[hand + HELD] as number;
    const goesBack = hands.kindOf(hand) === HandKind.BACK;
    const waiter = words[hand + WAITER] as number;
    if (!goesBack && waiter !== 0 && load(waiter + Waiter.state) === WaiterState.GRANTED) {
      // The unit is still the waiter's.
      words[hand] = 0;
      return;
    }
    if (item !== 0 && !goesBack && owners[item >>> GRANULE_SHIFT] === slot) {
      words[hand] = 0;
      return;
    }
    if (item !== 0) {
      if (zone.finiIsSafe) errors.run(zone.hooks.fini, 'fini', zone.name, item, How.NOWAIT);
      if (zone.hooks.init !== null || zone.epoch) kegs.trash(zone.kegState, item);
      owners[item >>> GRANULE_SHIFT] = 0;
      kegs.giveItem(zone.kegState, item, hand + HELD);
    }
    accounts.returnUnits(zone, hand);
  }

  function emptyHands(slot: number, errors: HookErrors): void {
    for (const hand of hands.ofSlot(slot)) {
      const kind = hands.kindOf(hand);
      const emptier = emptiers.get(kind);
      if (kind === HandKind.GUARD) guarded.emptyHand(hand, errors);
      else if (emptier !== undefined) emptier(hand, slot, errors);
      else if (kind === HandKind.BUCKET) drains.emptyHand(stateOf(hands.numberOf(hand)), hand, errors);
      else if (kind === HandKind.DEFERRED) deferral.returnHand(stateOf(hands.numberOf(hand)), hand);
      else if (kind === HandKind.SLAB) kegs.unmakeSlab(kegs.byNumber(hands.numberOf(hand)), hand, errors);
      else emptyItemHand(hand, slot, errors);
    }
  }

  // --- zones ---

  function isOpen(number: number, slot: number): boolean {
    const inRange = number >= 1 && number <= machine.layout.parameters.maxZones;
    return inRange && load(accounts.cacheOf(slot, number) + ThreadCache.open) !== 0;
  }

  // --- lines ---

  /** What a waiter was granted and has not taken goes back to its zone. */
  function returnGift(waiter: number, slot: number): void {
    const number = Math.floor(((words[waiter + Waiter.queue] as number) - zonesArea) / ZONE_WORDS);
    if (!isOpen(number, slot)) return;
    const zone = stateOf(number);
    const gift = words[waiter + Waiter.grant] as number;
    if (gift === GIFT_UNIT) {
      const hand = hands.open(HandKind.ITEM, number, 0, 1, waiter);
      store(waiter + Waiter.state, WaiterState.IDLE);
      accounts.returnUnits(zone, hand);
    } else {
      owners[gift >>> GRANULE_SHIFT] = threads.slot;
      store(waiter + Waiter.state, WaiterState.IDLE);
      ladder.releaseItem(zone, gift);
    }
  }

  function leaveLine(zone: ZoneState, slot: number): void {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    waiting.removeAllOf(record + Zone.waitHead, slot);
    accounts.serveWaiters(zone);
    waiting.unlock(locks, record);
  }

  // --- caches ---

  /**
   * Makes a bucket of a dead thread's cache well again: items at the bottom, none of them owned. Above the
   * top stands what was on its way out and is owned by the thread (it is in use), or was on its way in.
   */
  function compact(top: number, slot: number): number {
    const bucket = top & ~BUCKET_MASK;
    const seen = new Set<number>();
    let count = 0;
    for (let at = bucket + 1; at <= bucket + BUCKET_ITEMS; at++) {
      const item = words[at] as number;
      if (item === 0) continue;
      const inUse = at > top && owners[item >>> GRANULE_SHIFT] === slot;
      if (!inUse && !seen.has(item)) {
        seen.add(item);
        owners[item >>> GRANULE_SHIFT] = 0;
        count++;
        if (bucket + count === at) continue;
        words[bucket + count] = item;
      }
      words[at] = 0;
    }
    return bucket + count;
  }

  function drainCache(zone: ZoneState, slot: number): void {
    const { record } = zone;
    const cache = accounts.cacheOf(slot, zone.number);
    for (const word of [cache, cache + SPARE]) {
      const top = words[word] as number;
      // 0 where the thread died before it had reset the caches of its slot.
      if (top === dead || top === 0) continue;
      words[word] = compact(top, slot);
      locks.acquire(record, LockRank.ZONE);
      words[cache + FREE_LIMIT] = 0;
      intents.begin(record);
      deferral.planPutAway(zone, word - cache, words[word] as number);
      intents.set(word, dead);
      intents.commit();
      accounts.serveWaiters(zone);
      waiting.unlock(locks, record);
    }
    parts.retireCounts(zone, cache);
  }

  return {
    reap(slot, errors, inTransit) {
      intents.finish(slot, 0);
      for (const settle of settlers) settle(slot);
      emptyHands(slot, errors);
      for (let index = 0; index < threads.waitersPerSlot; index++) {
        const waiter = threads.waiterRef(slot, index);
        if (load(waiter + Waiter.state) === WaiterState.GRANTED) returnGift(waiter, slot);
      }
      registry.forgetDestroyer(slot);
      for (const number of registry.numbers()) {
        // Nobody can destroy a zone that the dead one has open; of others it has nothing cached.
        if (!isOpen(number, slot)) continue;
        const zone = stateOf(number);
        if (words[zone.record + Zone.waitCount] !== 0) leaveLine(zone, slot);
        drainCache(zone, slot);
        if (zone.epoch) deferral.settleParked(zone, slot);
      }
      parts.resetCaches(slot);
      const settled = mergeOwned(owned.settle(slot, errors, inTransit), guarded.settle(slot, errors));
      return restSettlers.reduce((all, settle) => mergeOwned(all, settle(slot, errors)), settled);
    },
    stateOf,
    eachWith: owned.eachWith,
    onOwned: owned.onOwned,
    onRest(settle) {
      restSettlers.push(settle);
    },
    onSettle(settle) {
      settlers.push(settle);
    },
    holdSlab(address, act) {
      const page = address >>> PAGE_SHIFT;
      const number = pageKegs[page] as number;
      if (number === 0) return;
      const { record, lockRank } = kegs.byNumber(number);
      locks.acquire(record, lockRank);
      const slab = pageKegs[page] === number ? pages.objectOf(page) : 0;
      const isSlab =
        slab !== 0 && words[slab + Slab.keg] === record && words[slab + Slab.list] !== SlabList.NONE;
      if (isSlab) act();
      locks.release(record);
    },
    onHand(kind, empty) {
      emptiers.set(kind, empty);
    },
  };
}
