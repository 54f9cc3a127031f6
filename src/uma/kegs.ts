/**
 * Kegs: rungs 4 and 5 of the ladder. Items come from partial slabs, then empty ones, then a new slab
 * cut from pages. The lock of a keg is held for list and bitmap work only, never while pages are
 * fetched or a hook runs.
 */

import { CheckLevel, damaged, LockRank, MbumaError, trashFill } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { PageState } from '../phys/index.js';
import { BUCKET_KEG, INTERNAL_KEGS, type UmaContext } from './context.js';
import { chooseGeometry, type Shape } from './geometry.js';
import { type Hook, HookErrors, How, runHook } from './hooks.js';
import { createKegRepair } from './keg-repair.js';
import { HEADER_SIZES, HeaderKind, type KegState, readKeg, writeKeg } from './keg-state.js';
import {
  BUCKET_WORDS,
  KEG_WORDS,
  Keg,
  KegFlag,
  SLAB_HEADER_WORDS,
  Slab,
  SlabList,
  UmaState,
} from './records.js';
import { createSlabs } from './slabs.js';

export interface Kegs {
  /** Makes a keg. The caller holds the registry lock, or is alone. */
  create(name: string, shape: Shape, flags: number): KegState;
  /** The keg of this number. */
  byNumber(number: number): KegState;
  count(): number;
  /** Moves up to `want` items into the slots from `slot` on. How many; fewer when pages run out. */
  takeItems(keg: KegState, slot: number, want: number, how: How): number;
  /** Puts back the items in the `count` slots from `slot` on, and clears the slots. Slots may be 0. */
  giveItems(keg: KegState, slot: number, count: number): void;
  /**
   * One item, no owner set; 0 when there is none. `held`: word of a hand of this thread that names it then.
   */
  takeItem(keg: KegState, held: number, how: How): number;
  /** Puts an item back. `held`: word of a hand that names it; 0 from the moment when it is back. */
  giveItem(keg: KegState, item: number, held: number): void;
  /**
   * Fills an item with trash, where free items are (check level TRASH). For a secondary zone whose `init`
   * has written to an item that goes back to the keg.
   */
  trash(keg: KegState, item: number): void;
  /** Gives back the pages of all empty slabs; how many pages. */
  drain(keg: KegState): number;
  /** How often this thread found no pages for a slab: tells that from a hook that lacks memory. */
  shortages(): number;
  /** The slab that the address lies in; 0 when it lies in none. */
  slabOf(address: number): number;
  /**
   * Unmakes the slab that a hand holds: `fini` of the items that `init` has seen, then header and pages go
   * back.
   */
  unmakeSlab(keg: KegState, hand: number, errors: HookErrors): void;
}

export function createKegs(context: UmaContext, initialise: boolean): Kegs {
  const { machine, locks, pages, hands } = context;
  const { words } = machine;
  const slabs = createSlabs(machine);
  const uma = machine.area('uma');
  const kegsArea = machine.area('kegs');
  const pageKegs = machine.halvesAt(machine.area('page kegs'), machine.layout.parameters.pageCount);
  const trashing = machine.checkLevel >= CheckLevel.TRASH;
  const slabSite = machine.failpoints.site('uma.slab', 'the pages of a new slab, by keg');
  const itemSite = machine.failpoints.site('uma.item', 'items from the slabs of a keg, one or a bucketful');
  const initSite = machine.failpoints.site('uma.init', 'an `init` hook: as if it lacked memory');
  const { partial: PARTIAL, empty: EMPTY, slabCount: SLAB_COUNT, freeItems: FREE_ITEMS } = Keg;
  const { freeCount: FREE_COUNT, data: DATA, page: PAGE, list: LIST } = Slab;
  const states: KegState[] = [];
  let shortages = 0;
  const { HELD, SECOND: HEADER, THIRD: INITIALISED } = Hand;

  function recordOf(number: number): number {
    return kegsArea + number * KEG_WORDS;
  }

  function byNumber(number: number): KegState {
    const known = states[number];
    if (known !== undefined) return known;
    const count = machine.atomics.load(uma + UmaState.kegCount);
    if (!(number > 0 && number <= count)) throw damaged(`it names keg ${number}, and has ${count}`);
    const record = recordOf(number);
    const state = readKeg(words, record);
    states[number] = state;
    return state;
  }

  function create(name: string, shape: Shape, flags: number): KegState {
    const geometry = chooseGeometry(shape);
    if (geometry === null)
      throw new MbumaError(
        'BAD_CONFIGURATION',
        `zone ${name}: items of ${shape.size} bytes do not fit a slab`,
      );
    const number = (words[uma + UmaState.kegCount] as number) + 1;
    const record = recordOf(number);
    writeKeg(words, record, number, name, shape, geometry, flags);
    machine.atomics.store(uma + UmaState.kegCount, number);
    return byNumber(number);
  }

  function slabOf(address: number): number {
    return pages.objectOf(address >>> PAGE_SHIFT);
  }

  /** The header of the slab that a hand holds. */
  function slabInHand(keg: KegState, hand: number): number {
    if (keg.headerKeg !== 0) return (words[hand + HEADER] as number) >>> 2;
    return (((words[hand + HELD] as number) << PAGE_SHIFT) + keg.headerOffset) >>> 2;
  }

  /** Undoes `init` of the items that have been through it, last first. */
  function finiItems(keg: KegState, hand: number, errors: HookErrors): void {
    if (keg.fini === null) return;
    const data = (words[hand + HELD] as number) << PAGE_SHIFT;
    for (let index = (words[hand + INITIALISED] as number) - 1; index >= 0; index--) {
      words[hand + INITIALISED] = index;
      errors.run(keg.fini, 'fini', keg.name, data + index * keg.itemSize, How.NOWAIT);
    }
  }

  function unmakeSlab(keg: KegState, hand: number, errors: HookErrors): void {
    const page = words[hand + HELD] as number;
    if (page !== 0) {
      finiItems(keg, hand, errors);
      // Before the run is anybody else's: who repairs the keg believes the map.
      pageKegs.fill(0, page, page + keg.pagesPerSlab);
      pages.setObject(page, keg.pagesPerSlab, 0);
    }
    const header = words[hand + HEADER] as number;
    if (header !== 0) giveItem(byNumber(keg.headerKeg), header, hand + HEADER);
    if (page !== 0) pages.freeRun(page, keg.pagesPerSlab, hand + HELD);
    hands.close(hand);
  }

  /** A hand with a new slab, every item free and initialised, in no list; 0 when there is no memory. */
  function allocSlab(keg: KegState, how: How): number {
    const hand = hands.open(HandKind.SLAB, keg.number, 0, 0, 0);
    const failed = slabSite.fails(keg.name);
    const page = failed ? 0 : pages.tryAllocRun(keg.pagesPerSlab, PageState.SLAB, hand + HELD);
    if (page === 0) {
      shortages++;
      hands.close(hand);
      return 0;
    }
    const data = page << PAGE_SHIFT;
    if (keg.headerKeg !== 0 && takeItem(byNumber(keg.headerKeg), hand + HEADER, How.NOWAIT) === 0) {
      pages.freeRun(page, keg.pagesPerSlab, hand + HELD);
      hands.close(hand);
      return 0;
    }
    const slab = slabInHand(keg, hand);
    clearBuckets(keg, data);
    writeHeader(keg, slab, page, data);
    pages.setObject(page, keg.pagesPerSlab, slab);
    pageKegs.fill(keg.number, page, page + keg.pagesPerSlab);
    if (keg.init !== null && !initItems(keg, keg.init, hand, data, how)) return 0;
    for (let index = 0; trashing && index < keg.itemsPerSlab; index++)
      trash(keg, data + index * keg.itemSize);
    return hand;
  }

  function trash(keg: KegState, item: number): void {
    if (trashing && keg.init === null && (keg.flags & KegFlag.INTERNAL) === 0)
      trashFill(words, item, keg.itemSize);
  }

  /** Free slots of buckets are 0, and pages come with whatever they held. */
  function clearBuckets(keg: KegState, data: number): void {
    if (keg.number === BUCKET_KEG || (keg.flags & KegFlag.ZEROED) !== 0)
      machine.fillBytes(data, 0, keg.pagesPerSlab << PAGE_SHIFT);
  }

  function writeHeader(keg: KegState, slab: number, page: number, data: number): void {
    words.fill(0, slab, slab + SLAB_HEADER_WORDS);
    words[slab + FREE_COUNT] = keg.itemsPerSlab;
    words[slab + Slab.keg] = keg.record;
    words[slab + DATA] = data;
    words[slab + PAGE] = page;
    for (let first = 0; first < keg.itemsPerSlab; first += 32) {
      const items = Math.min(32, keg.itemsPerSlab - first);
      words[slab + SLAB_HEADER_WORDS + (first >>> 5)] = items === 32 ? -1 : (1 << items) - 1;
    }
    if (keg.header !== HeaderKind.PLAIN) {
      words.fill(0, slab + keg.counterOffset, slab + (words[keg.record + Keg.headerWords] as number));
    }
  }

  /** Runs `init` over a new slab. False (and the slab is gone again) when one lacks memory. */
  function initItems(keg: KegState, init: Hook, hand: number, data: number, how: How): boolean {
    try {
      for (let index = 0; index < keg.itemsPerSlab; index++) {
        const item = data + index * keg.itemSize;
        if (initSite.fails(keg.name) || runHook(init, 'init', keg.name, item, how) !== 0) {
          unmakeSlab(keg, hand, new HookErrors());
          return false;
        }
        words[hand + INITIALISED] = index + 1;
      }
      return true;
    } catch (error) {
      // An error of `fini` is dropped here: that of `init` came first.
      unmakeSlab(keg, hand, new HookErrors());
      throw error;
    }
  }

  /** Under the keg's lock: the slab in hand is the keg's from the moment when it says its list. */
  function addSlabLocked({ record, itemsPerSlab }: KegState, slab: number): void {
    slabs.insert(record, slab);
    words[record + SLAB_COUNT] = (words[record + SLAB_COUNT] as number) + 1;
    words[record + FREE_ITEMS] = (words[record + FREE_ITEMS] as number) + itemsPerSlab;
  }

  function removeSlabLocked({ record, itemsPerSlab }: KegState, slab: number): void {
    slabs.remove(record, slab);
    words[slab + LIST] = SlabList.NONE;
    words[record + SLAB_COUNT] = (words[record + SLAB_COUNT] as number) - 1;
    words[record + FREE_ITEMS] = (words[record + FREE_ITEMS] as number) - itemsPerSlab;
  }

  /** The error to throw when a slab is not what its keg says; the keg's lock is let go. */
  function damagedLocked(keg: KegState, slab: number): MbumaError {
    locks.release(keg.record);
    return damaged(`slab ${slab} of keg ${keg.name} is not what it should be`, { zone: keg.name });
  }

  function takeItems(keg: KegState, slot: number, want: number, how: How): number {
    const { record } = keg;
    let taken = 0;
    if (itemSite.fails(keg.name)) return 0;
    locks.acquire(record, keg.lockRank);
    while (taken < want) {
      const slab = (words[record + PARTIAL] as number) || (words[record + EMPTY] as number);
      if (slab !== 0) {
        const got = slabs.takeItems(record, slab, keg.itemSize, slot + taken, want - taken);
        if (!(got > 0)) throw damagedLocked(keg, slab);
        taken += got;
        continue;
      }
      locks.release(record);
      let hand = 0;
      try {
        // One new slab in hand is enough to go on without sleeping.
        hand = allocSlab(keg, taken === 0 ? how : How.NOWAIT);
      } catch (error) {
        // What is in hand is kept; the error comes again with the next attempt.
        if (taken === 0) throw error;
      }
      if (hand === 0) return taken;
      locks.acquire(record, keg.lockRank);
      addSlabLocked(keg, slabInHand(keg, hand));
      hands.close(hand);
    }
    locks.release(record);
    return taken;
  }

  function giveItems(keg: KegState, slot: number, count: number): void {
    const { record, itemSize, itemsPerSlab } = keg;
    locks.acquire(record, keg.lockRank);
    for (let index = 0; index < count; index++) {
      const item = words[slot + index] as number;
      if (item === 0) continue;
      // The bit comes before the slot goes: what is in both is in the slab.
      if (!slabs.giveItem(record, slabOf(item), itemSize, itemsPerSlab, item))
        throw damagedLocked(keg, slabOf(item));
      words[slot + index] = 0;
    }
    locks.release(record);
  }

  function takeItem(keg: KegState, held: number, how: How): number {
    if (takeItems(keg, held, 1, how) === 0) return 0;
    return words[held] as number;
  }

  function giveItem(keg: KegState, item: number, held: number): void {
    locks.acquire(keg.record, keg.lockRank);
    if (!slabs.giveItem(keg.record, slabOf(item), keg.itemSize, keg.itemsPerSlab, item))
      throw damagedLocked(keg, slabOf(item));
    words[held] = 0;
    locks.release(keg.record);
  }

  function drain(keg: KegState): number {
    const { record } = keg;
    let freed = 0;
    const errors = new HookErrors();
    for (;;) {
      locks.acquire(record, keg.lockRank);
      const slab = words[record + EMPTY] as number;
      if (slab === 0) break;
      if (words[slab + Slab.keg] !== record) throw damagedLocked(keg, slab);
      const header = keg.headerKeg === 0 ? 0 : slab << 2;
      const hand = hands.open(
        HandKind.SLAB,
        keg.number,
        words[slab + PAGE] as number,
        header,
        keg.itemsPerSlab,
      );
      removeSlabLocked(keg, slab);
      locks.release(record);
      unmakeSlab(keg, hand, errors);
      freed += keg.pagesPerSlab;
    }
    locks.release(record);
    errors.throwFirst();
    return freed;
  }

  const repairKeg = createKegRepair(context, slabs, pageKegs, slabInHand);
  locks.onTakeOver(kegsArea, kegsArea + KEG_WORDS * (INTERNAL_KEGS + 1), LockRank.KEG_INTERNAL, repair);
  locks.onTakeOver(
    kegsArea + KEG_WORDS * (INTERNAL_KEGS + 1),
    kegsArea + KEG_WORDS * (INTERNAL_KEGS + 1 + machine.layout.parameters.maxZones),
    LockRank.KEG,
    repair,
  );

  function repair(lock: number): void {
    repairKeg(byNumber((lock - kegsArea) / KEG_WORDS));
  }

  if (initialise) {
    create(
      'bucket',
      { size: BUCKET_WORDS * 4, align: BUCKET_WORDS * 4, referenceCounted: false },
      KegFlag.INTERNAL,
    );
    for (const size of HEADER_SIZES) {
      create(
        `slab header ${size}`,
        { size, align: 64, referenceCounted: false, inlineOnly: true },
        KegFlag.INTERNAL,
      );
    }
    if ((words[uma + UmaState.kegCount] as number) !== INTERNAL_KEGS)
      throw new Error('INTERNAL_KEGS is wrong');
  }
  return {
    create,
    byNumber,
    count: () => machine.atomics.load(uma + UmaState.kegCount),
    takeItems,
    giveItems,
    takeItem,
    giveItem,
    trash,
    drain,
    shortages: () => shortages,
    slabOf,
    unmakeSlab,
  };
}
