/**
 * Guarded items: each alone on pages of its own, after memguard(9) of FreeBSD.
 *
 *   page              page              page
 *   | B B B B B B B B | B B B item item | B B B B B B B B |      B = redzone byte 0x42
 *     only if the item      its end: the      always
 *     begins a page         end of a page
 *
 * There is no hardware here that traps a write. So what lies around the item is a pattern that is looked at
 * when it is freed; and a freed run is filled with trash and stands in quarantine, where it is looked at when
 * it leaves. The oldest leaves when more than a share of the pages stand there, or pages are lacking.
 *
 * The page map says GUARDED_PAGE of such pages, so that no fast path takes the item for one of a slab. Their
 * object is the record, an item of a header keg. It says what is being done, and by whom:
 *
 *   BUILDING --tryAlloc--> IN_USE --begin--> FREEING --free--> QUARANTINED --evict--> LEAVING --> gone
 *
 * A hand holds the run (HELD), the unit of the limit (SECOND) and the record (THIRD) in all states but IN_USE
 * and QUARANTINED: see guard-reaper.ts.
 *
 * Locks: the guard's lock guards the quarantine, and what the page map says of guarded pages: a record that
 * is found by the map under that lock is whole and stays so. No other lock is taken under it, and no hook
 * runs.
 */

import { damaged, hex, LockRank, MbumaError, REDZONE_BYTE, TRASH_WORD } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { PageState } from '../phys/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import { createGuardChoice } from './guard-choice.js';
import { createGuardPatterns, type GuardedShape } from './guard-patterns.js';
import { HookErrors, How, runHook } from './hooks.js';
import { headerKegNumber, type KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import {
  GRANULE_SHIFT,
  GUARDED_ITEM_WORDS,
  GUARDED_PAGE,
  GuardedItem,
  GuardedState,
  GuardState,
  KegFlag,
  ThreadCache,
  Zone,
} from './records.js';
import type { ZoneState } from './zone-state.js';

/** What is told of guarded items. */
export interface GuardStats {
  /** Allocations that got pages of their own. */
  readonly guarded: number;
  /** Allocations of guarded zones that did not, for lack of pages or of a unit. */
  readonly declined: number;
  /** Freed items whose pages are kept out of use. */
  readonly quarantined: number;
  /** Their pages. */
  readonly quarantinedPages: number;
}

export interface Guard {
  /** An item on pages of its own, owned and initialised; 0: the ordinary way is to be taken. Never sleeps. */
  tryAlloc(zone: ZoneState, how: How): number;
  /** This thread frees an item that is in use. FREE_TWICE when another thread does, too. */
  begin(zone: ZoneState, item: number): void;
  /** What has been written around an item of which `begin` was called. */
  aroundFreed(zone: ZoneState, item: number): MbumaError | null;
  /**
   * Takes back an item that has been through `dtor`: into quarantine. What stands there too long leaves.
   *
   * @throws MODIFIED_AFTER_FREE for one that leaves, and an error of `fini`: the item is safe then
   */
  free(zone: ZoneState, item: number): void;
  /** Goes on with a free that has begun and that a hand names. Closes the hand. */
  finishFree(zone: ZoneState, hand: number, errors: HookErrors): void;
  /** Gives back the run and the record that a hand names, and its unit. Closes the hand. */
  unmake(zone: ZoneState, hand: number, errors: HookErrors): void;
  /** Ends the quarantine of all items; how many pages came free. */
  drain(errors: HookErrors): number;
  /** Runs `look` under the guard's lock with the record of the item whose run starts at `page`, if one does. */
  withRecordAt(page: number, look: (record: number) => void): void;
  /** What the pages of an item of the keg look like. */
  shapeOf(keg: KegState): GuardedShape;
  stats(): GuardStats;
  /** Whether the next allocation that may be guarded is to be. */
  isChosen(): boolean;
}

/** A guarded allocation leaves an eighth of the pages free, and as much may stand in quarantine. */
const SHARE_SHIFT = 3;

const STATE_BITS = 8;

export function createGuard(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  { items, owners, pageKegs }: Maps,
  zoneOf: (number: number) => ZoneState,
): Guard {
  const { machine, threads, locks, hands, intents, pages } = context;
  const { words } = machine;
  const { load, store, add, compareExchange } = machine.atomics;
  const { slot } = threads;
  const guard = machine.area('guard');
  const lock = guard + GuardState.lock;
  const share = (pages.pageCount - pages.firstPage) >>> SHARE_SHIFT;
  const runSite = machine.failpoints.site(
    'uma.guard',
    'the pages of a guarded item: the ordinary way is taken',
  );
  const initSite = machine.failpoints.site('uma.init');
  const { HELD, SECOND: UNITS, THIRD: RECORD } = Hand;
  const { shapeOf, aroundFreed, whileQuarantined } = createGuardPatterns(context, items);
  const isChosen = createGuardChoice(context);
  const { state: STATE, next: NEXT, initialised: INITIALISED, item: ITEM, page: FIRST_PAGE } = GuardedItem;
  const { first: FIRST, last: LAST, pages: PAGES, items: ITEMS } = GuardState;
  const read = (index: number): number => words[index] as number;
  const headerKeg = (): KegState => kegs.byNumber(headerKegNumber(GUARDED_ITEM_WORDS * 4));
  const named = (state: number, by: number): number => state | (by << STATE_BITS);

  // --- allocation ---

  /** A unit of the zone's limit into a hand. False: there is none, or others wait for it. */
  function reserveUnit({ record }: ZoneState, hand: number): boolean {
    locks.acquire(record, LockRank.ZONE);
    const limit = read(record + Zone.limit);
    const out = read(record + Zone.itemsOut);
    const refused = (limit !== 0 && out >= limit) || read(record + Zone.waitCount) !== 0;
    if (!refused) {
      intents.begin(record);
      intents.set(record + Zone.itemsOut, out + 1);
      intents.set(hand + UNITS, 1);
      intents.commit();
    }
    locks.release(record);
    return !refused;
  }

  function tryAlloc(zone: ZoneState, how: How): number {
    if (!isChosen()) return 0;
    threads.beat();
    const { pages: count } = shapeOf(zone.kegState);
    const short = runSite.fails(zone.name) || pages.freePages() - count < share;
    if (short) return decline();
    const hand = hands.open(HandKind.GUARD, zone.number, 0, 0, 0);
    if (!reserveUnit(zone, hand)) {
      hands.close(hand);
      return decline();
    }
    const item = build(zone, hand, count, how);
    if (item === 0) return decline();
    owners[item >>> GRANULE_SHIFT] = slot;
    store((read(hand + RECORD) >>> 2) + STATE, GuardedState.IN_USE);
    hands.close(hand);
    add(guard + GuardState.guarded, 1);
    countRequest(zone);
    return item;
  }

  function decline(): 0 {
    add(guard + GuardState.declined, 1);
    return 0;
  }

  function countRequest({ realCache }: ZoneState): void {
    const requests = (read(realCache + ThreadCache.requests) + 1) | 0;
    words[realCache + ThreadCache.requests] = requests;
    if (requests === 0)
      words[realCache + ThreadCache.requestsHigh] = read(realCache + ThreadCache.requestsHigh) + 1;
  }

  /** Pages, record and patterns; `init` has run. 0: there is no memory, and the hand is closed. */
  function build(zone: ZoneState, hand: number, count: number, how: How): number {
    const { kegState: keg } = zone;
    const page = pages.tryAllocRun(count, PageState.RUN, hand + HELD);
    if (page === 0 || kegs.takeItem(headerKeg(), hand + RECORD, How.NOWAIT) === 0) {
      unmake(zone, hand, new HookErrors());
      return 0;
    }
    const record = read(hand + RECORD) >>> 2;
    if (pageKegs[record >>> (PAGE_SHIFT - 2)] !== headerKeg().number)
      throw damaged(`the keg of headers has an item at ${hex(record << 2)}, where it has no slab`);
    const item = (page << PAGE_SHIFT) + shapeOf(keg).offset;
    words.fill(0, record, record + GUARDED_ITEM_WORDS);
    words[record + ITEM] = item;
    words[record + FIRST_PAGE] = page;
    words[record + GuardedItem.zone] = zone.number;
    machine.fillBytes(page << PAGE_SHIFT, REDZONE_BYTE, count << PAGE_SHIFT);
    const zeroed = (keg.flags & KegFlag.ZEROED) !== 0 && !kegs.patterns.isTrashed(keg);
    if (zeroed) machine.fillBytes(item, 0, keg.extent);
    else kegs.patterns.fill(item, keg.extent);
    pages.setObject(page, count, record);
    if (!initItem(zone, hand, record, item, how)) return 0;
    setMap(GUARDED_PAGE, page, count);
    return item;
  }

  function setMap(number: number, page: number, count: number): void {
    locks.acquire(lock, LockRank.GUARD);
    pageKegs.fill(number, page, page + count);
    locks.release(lock);
  }

  function initItem(zone: ZoneState, hand: number, record: number, item: number, how: How): boolean {
    const { init, name } = zone.kegState;
    if (init === null) return true;
    try {
      if (!initSite.fails(name) && runHook(init, 'init', name, item, how) === 0) {
        words[record + INITIALISED] = 1;
        return true;
      }
    } catch (error) {
      unmake(zone, hand, new HookErrors());
      throw error;
    }
    unmake(zone, hand, new HookErrors());
    return false;
  }

  // --- free ---

  function begin(zone: ZoneState, item: number): void {
    const record = items.guardedAt(item);
    const { IN_USE, FREEING } = GuardedState;
    if (record !== 0 && compareExchange(record + STATE, IN_USE, named(FREEING, slot)) === IN_USE) return;
    throw new MbumaError('FREE_TWICE', `MemGuard detected double-free of ${hex(item)}`, {
      address: item,
      zone: zone.name,
      details: items.describe(item, items.find(item)),
    });
  }

  function free(zone: ZoneState, item: number): void {
    const record = items.guardedAt(item);
    // One whose constructor failed comes here straight.
    if (load(record + STATE) === GuardedState.IN_USE) begin(zone, item);
    const hand = hands.open(HandKind.GUARD, zone.number, read(record + FIRST_PAGE), 1, record << 2);
    const errors = new HookErrors();
    finishFree(zone, hand, errors);
    while (evict(errors, share) !== 0);
    errors.throwFirst();
  }

  function finishFree(zone: ZoneState, hand: number, errors: HookErrors): void {
    const record = read(hand + RECORD) >>> 2;
    const page = read(hand + HELD);
    const { kegState: keg } = zone;
    const item = read(record + ITEM);
    const { pages: count } = shapeOf(keg);
    finiItem(keg, record, errors);
    words.fill(TRASH_WORD, (page << PAGE_SHIFT) >>> 2, ((page + count) << PAGE_SHIFT) >>> 2);
    owners[item >>> GRANULE_SHIFT] = 0;
    locks.acquire(lock, LockRank.GUARD);
    const last = read(guard + LAST);
    intents.begin(lock);
    intents.set(record + NEXT, 0);
    intents.set(last === 0 ? guard + FIRST : last + NEXT, record);
    intents.set(guard + LAST, record);
    intents.set(guard + PAGES, read(guard + PAGES) + count);
    intents.set(guard + ITEMS, read(guard + ITEMS) + 1);
    intents.set(record + STATE, GuardedState.QUARANTINED);
    intents.set(hand + HELD, 0);
    intents.set(hand + RECORD, 0);
    intents.commit();
    locks.release(lock);
    accounts.returnUnits(zone, hand);
  }

  function finiItem(keg: KegState, record: number, errors: HookErrors): void {
    if (read(record + INITIALISED) === 0) return;
    words[record + INITIALISED] = 0;
    errors.run(keg.fini, 'fini', keg.name, read(record + ITEM), How.NOWAIT);
  }

  // --- quarantine ---

  /** The oldest leaves; how many pages came free, 0 when no more than `keep` stand there. */
  function evict(errors: HookErrors, keep: number): number {
    hands.assertFree();
    locks.acquire(lock, LockRank.GUARD);
    const record = read(guard + FIRST);
    if (record === 0 || read(guard + PAGES) <= keep) {
      locks.release(lock);
      return 0;
    }
    const zone = zoneOf(read(record + GuardedItem.zone));
    const hand = hands.open(HandKind.GUARD, zone.number, 0, 0, 0);
    const { pages: count } = shapeOf(zone.kegState);
    const next = read(record + NEXT);
    intents.begin(lock);
    intents.set(guard + FIRST, next);
    if (next === 0) intents.set(guard + LAST, 0);
    intents.set(guard + PAGES, read(guard + PAGES) - count);
    intents.set(guard + ITEMS, read(guard + ITEMS) - 1);
    intents.set(record + STATE, named(GuardedState.LEAVING, slot));
    intents.set(hand + HELD, read(record + FIRST_PAGE));
    intents.set(hand + RECORD, record << 2);
    intents.commit();
    locks.release(lock);
    const error = whileQuarantined(zone, record, count);
    unmake(zone, hand, errors);
    if (error !== null) errors.all.push(error);
    return count;
  }

  function unmake(zone: ZoneState, hand: number, errors: HookErrors): void {
    const page = read(hand + HELD);
    const record = read(hand + RECORD) >>> 2;
    const { pages: count } = shapeOf(zone.kegState);
    if (page !== 0) {
      if (record !== 0 && pages.objectOf(page) === record) {
        finiItem(zone.kegState, record, errors);
        owners[read(record + ITEM) >>> GRANULE_SHIFT] = 0;
      }
      setMap(0, page, count);
      pages.setObject(page, count, 0);
    }
    if (record !== 0) kegs.giveItem(headerKeg(), record << 2, hand + RECORD);
    if (page !== 0) pages.freeRun(page, count, hand + HELD);
    accounts.returnUnits(zone, hand);
  }

  locks.onTakeOver(lock, lock + 1, LockRank.GUARD, () => intents.finishOfDead(lock));

  return {
    tryAlloc,
    begin,
    aroundFreed,
    free,
    finishFree,
    unmake,
    withRecordAt(page, look) {
      if (pageKegs[page] !== GUARDED_PAGE) return;
      locks.acquire(lock, LockRank.GUARD);
      try {
        const record = pageKegs[page] === GUARDED_PAGE ? pages.objectOf(page) : 0;
        if (record !== 0 && read(record + FIRST_PAGE) === page) look(record);
      } finally {
        locks.release(lock);
      }
    },
    shapeOf,
    isChosen,
    drain(errors) {
      let freed = 0;
      // Others may fill it meanwhile: once round all pages is enough.
      while (freed < pages.pageCount) {
        const count = evict(errors, 0);
        if (count === 0) break;
        freed += count;
      }
      return freed;
    },
    stats: () => ({
      guarded: load(guard + GuardState.guarded) >>> 0,
      declined: load(guard + GuardState.declined) >>> 0,
      quarantined: read(guard + ITEMS),
      quarantinedPages: read(guard + PAGES),
    }),
  };
}
