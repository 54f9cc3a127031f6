/**
 * Kegs: rungs 4 and 5 of the ladder. Items come from partial slabs, then empty ones, then a new slab
 * cut from pages. The lock of a keg is held for list and bitmap work only, never while pages are
 * fetched or a hook runs.
 */

import { damaged, LockRank, MbumaError } from '../check/index.js';
import { HandKind, PAGE_SHIFT } from '../machine/index.js';
import type { Backends } from './backends.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import { chooseGeometry, type Shape } from './geometry.js';
import { HookErrors, How } from './hooks.js';
import { createKegRepair } from './keg-repair.js';
import { HEADER_SIZES, type KegState, readKeg, writeKeg } from './keg-state.js';
import { createPatterns, type Patterns } from './patterns.js';
import { BUCKET_WORDS, KEG_WORDS, Keg, KegFlag, OWN_PAGES, Slab, SlabList, UmaState } from './records.js';
import { createSlabMaking } from './slab-making.js';
import { createSlabs } from './slabs.js';

/** How many free items a keg keeps. */
export interface KegMarks {
  /** Only USE_RESERVE may take these; no drain gives them back. */
  readonly reserve: number;
  /** So many should be free at any time: slabs are made ahead, and no drain goes below. */
  readonly lowWater: number;
  /** An empty slab goes back at once when as many are free without it; 0: empty slabs stay until a drain. */
  readonly highWater: number;
}

export interface Kegs {
  /** Makes a keg. The caller holds the registry lock, or is alone. */
  create(name: string, shape: Shape, backend: number): KegState;
  /** Unmakes a keg without slabs. The caller holds the registry lock. */
  erase(number: number): void;
  /** The keg of this number. @throws MEMORY_DAMAGED when there is none */
  byNumber(number: number): KegState;
  /** Numbers of the kegs of zones that this thread has open: their states have its hooks. */
  readonly open: Set<number>;
  /** Highest number of a keg. @throws MEMORY_DAMAGED */
  count(): number;
  /** Whether there is a keg of this number. */
  has(number: number): boolean;
  /**
   * Moves up to `want` items into the slots from `slot` on. How many; fewer when pages run out, or only the
   * reserve is left.
   */
  takeItems(keg: KegState, slot: number, want: number, how: How, usesReserve?: boolean): number;
  /** Puts back the items in the `count` slots from `slot` on, and clears the slots. Slots may be 0. */
  giveItems(keg: KegState, slot: number, count: number): void;
  /**
   * One item, no owner set; 0 when there is none. `held`: word of a hand of this thread that names it then.
   */
  takeItem(keg: KegState, held: number, how: How, usesReserve?: boolean): number;
  /** Puts an item back. `held`: word of a hand that names it; 0 from the moment when it is back. */
  giveItem(keg: KegState, item: number, held: number): void;
  /**
   * Fills an item with trash, where free items are (check level TRASH). For a secondary zone whose `init`
   * has written to an item that goes back to the keg.
   */
  trash(keg: KegState, item: number): void;
  /** Gives back the pages of all empty slabs that no mark keeps, or really `all`; how many pages. */
  drain(keg: KegState, all?: boolean): number;
  /** Makes slabs until so many items are free, as far as there are pages; how many are free then. */
  preallocate(keg: KegState, items: number): number;
  /** Changes marks, and does what they say. */
  setMarks(keg: KegState, marks: Partial<KegMarks>): void;
  /** How often this thread found no pages for a slab: tells that from a hook that lacks memory. */
  shortages(): number;
  readonly patterns: Patterns;
  /** The slab that the address lies in; 0 when it lies in none. */
  slabOf(address: number): number;
  /**
   * Unmakes the slab that a hand holds: `fini` of the items that `init` has seen, then header and pages go
   * back.
   */
  unmakeSlab(keg: KegState, hand: number, errors: HookErrors): void;
}

export function createKegs(context: UmaContext, backends: Backends, initialise: boolean): Kegs {
  const { machine, locks, pages, hands } = context;
  const { words } = machine;
  const slabs = createSlabs(machine);
  const { load, store } = machine.atomics;
  const uma = machine.area('uma');
  const kegsArea = machine.area('kegs');
  const pageKegs = machine.halvesAt(machine.area('page kegs'), machine.layout.parameters.pageCount);
  const patterns = createPatterns(context);
  const itemSite = machine.failpoints.site('uma.item', 'items from the slabs of a keg, one or a bucketful');
  const { partial: PARTIAL, empty: EMPTY, slabCount: SLAB_COUNT, freeItems: FREE_ITEMS } = Keg;
  const { reserve: RESERVE, lowWater: LOW, highWater: HIGH, lowMisses: LOW_MISSES } = Keg;
  const { page: PAGE, list: LIST } = Slab;
  const kegsMax = INTERNAL_KEGS + machine.layout.parameters.maxZones;
  const states: KegState[] = [];
  const open = new Set<number>();
  machine.onRewind(() => {
    // What was made since is not there any more, and another may get its number and serial.
    for (const number of states.keys())
      if (number > INTERNAL_KEGS && !open.has(number)) delete states[number];
  });
  /** Kegs that are being filled up to their low mark: an `init` may allocate from the same one. */
  const filling = new Set<KegState>();
  machine.onRewind(() => filling.clear());
  const { allocSlab, unmakeSlab, slabInHand, shortages } = createSlabMaking(context, backends, patterns, {
    take: (keg, held) => takeItem(byNumber(keg), held, How.NOWAIT),
    give: (keg, header, held) => giveItem(byNumber(keg), header, held),
  });

  function recordOf(number: number): number {
    return kegsArea + number * KEG_WORDS;
  }

  function count(): number {
    const kegCount = load(uma + UmaState.kegCount);
    if (kegCount < 0 || kegCount > kegsMax) throw damaged(`it has ${kegCount} kegs, of ${kegsMax} at most`);
    return kegCount;
  }

  function has(number: number): boolean {
    return number > 0 && number <= kegsMax && load(recordOf(number) + Keg.number) === number;
  }

  function byNumber(number: number): KegState {
    const known = states[number];
    if (known !== undefined && words[known.record + Keg.serial] === known.serial) return known;
    if (!has(number)) throw damaged(`it names keg ${number}, and has none`);
    const state = readKeg(words, recordOf(number));
    states[number] = state;
    return state;
  }

  function create(name: string, shape: Shape, backend: number): KegState {
    const geometry = chooseGeometry(shape);
    if (geometry === null)
      throw new MbumaError(
        'BAD_CONFIGURATION',
        `zone ${name}: items of ${shape.size} bytes do not fit a slab`,
      );
    let number = 1;
    while (words[recordOf(number) + Keg.number] !== 0) number++;
    const record = recordOf(number);
    const serial = ((words[uma + UmaState.kegsMade] as number) + 1) | 0;
    words[uma + UmaState.kegsMade] = serial;
    writeKeg(words, record, serial, name, shape, geometry, backend);
    if (number > count()) store(uma + UmaState.kegCount, number);
    store(record + Keg.number, number);
    return byNumber(number);
  }

  function erase(number: number): void {
    const record = recordOf(number);
    store(record + Keg.number, 0);
    words.fill(0, record, record + KEG_WORDS);
    while (count() > INTERNAL_KEGS && words[recordOf(count()) + Keg.number] === 0)
      store(uma + UmaState.kegCount, count() - 1);
  }

  function slabOf(address: number): number {
    return pages.objectOf(address >>> PAGE_SHIFT);
  }

  /** Under the keg's lock: the slab in hand is the keg's from the moment when it says its list. */
  function addSlabLocked({ record, number, itemsPerSlab, pagesPerSlab }: KegState, slab: number): void {
    const page = words[slab + PAGE] as number;
    // Before the slab is in a list: who repairs the keg finds the slabs of its lists by the map.
    pageKegs.fill(number, page, page + pagesPerSlab);
    slabs.insert(record, slab);
    words[record + SLAB_COUNT] = (words[record + SLAB_COUNT] as number) + 1;
    words[record + FREE_ITEMS] = (words[record + FREE_ITEMS] as number) + itemsPerSlab;
  }

  function removeSlabLocked({ record, itemsPerSlab, pagesPerSlab }: KegState, slab: number): void {
    const page = words[slab + PAGE] as number;
    slabs.remove(record, slab);
    words[slab + LIST] = SlabList.NONE;
    pageKegs.fill(0, page, page + pagesPerSlab);
    words[record + SLAB_COUNT] = (words[record + SLAB_COUNT] as number) - 1;
    words[record + FREE_ITEMS] = (words[record + FREE_ITEMS] as number) - itemsPerSlab;
  }

  /** The error to throw when a slab is not what its keg says; the keg's lock is let go. */
  function damagedLocked(keg: KegState, slab: number): MbumaError {
    locks.release(keg.record);
    return damaged(`slab ${slab} of keg ${keg.name} is not what it should be`, { zone: keg.name });
  }

  function takeItems(keg: KegState, slot: number, want: number, how: How, usesReserve = false): number {
    const taken = takeSome(keg, slot, want, how, usesReserve);
    if (words[keg.record + LOW] !== 0) fillToLowMark(keg);
    return taken;
  }

  /** Items that a request may take from slabs there are: the reserve is for those who may use it. */
  function takeable(record: number, usesReserve: boolean): number {
    const free = words[record + FREE_ITEMS] as number;
    return usesReserve ? free : free - (words[record + RESERVE] as number);
  }

  function takeSome(keg: KegState, slot: number, want: number, how: How, usesReserve: boolean): number {
    const { record } = keg;
    let taken = 0;
    if (itemSite.fails(keg.name)) return 0;
    locks.acquire(record, keg.lockRank);
    while (taken < want) {
      const most = Math.min(want - taken, takeable(record, usesReserve));
      const slab = most > 0 ? (words[record + PARTIAL] as number) || (words[record + EMPTY] as number) : 0;
      if (slab !== 0) {
        const got = slabs.takeItems(record, slab, keg.itemSize, slot + taken, most);
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

  /** Slabs until so many items are free as the low mark says; a lack of pages is counted, and no error. */
  function fillToLowMark(keg: KegState): void {
    const { record } = keg;
    if (filling.has(keg)) return;
    filling.add(keg);
    try {
      while ((words[record + FREE_ITEMS] as number) < (words[record + LOW] as number)) {
        if (addSlab(keg, How.NOWAIT)) continue;
        locks.acquire(record, keg.lockRank);
        words[record + LOW_MISSES] = (words[record + LOW_MISSES] as number) + 1;
        locks.release(record);
        return;
      }
    } catch {
      // An `init` failed: the error comes again to whoever needs the slab.
    } finally {
      filling.delete(keg);
    }
  }

  /** One more slab, empty. False: there are no pages, or `init` lacks memory. */
  function addSlab(keg: KegState, how: How): boolean {
    const hand = allocSlab(keg, how);
    if (hand === 0) return false;
    locks.acquire(keg.record, keg.lockRank);
    addSlabLocked(keg, slabInHand(keg, hand));
    hands.close(hand);
    locks.release(keg.record);
    return true;
  }

  function preallocate(keg: KegState, items: number): number {
    while ((words[keg.record + FREE_ITEMS] as number) < items && addSlab(keg, How.WAITOK));
    return words[keg.record + FREE_ITEMS] as number;
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
    drainToHighMark(keg);
  }

  function takeItem(keg: KegState, held: number, how: How, usesReserve = false): number {
    if (takeItems(keg, held, 1, how, usesReserve) === 0) return 0;
    return words[held] as number;
  }

  function giveItem(keg: KegState, item: number, held: number): void {
    locks.acquire(keg.record, keg.lockRank);
    if (!slabs.giveItem(keg.record, slabOf(item), keg.itemSize, keg.itemsPerSlab, item))
      throw damagedLocked(keg, slabOf(item));
    words[held] = 0;
    locks.release(keg.record);
    drainToHighMark(keg);
  }

  /** Whether this thread may unmake slabs of the keg: it knows `fini`, and pages may go. */
  function mayUnmake({ flags, fini }: KegState): boolean {
    return (flags & KegFlag.NO_FREE) === 0 && ((flags & KegFlag.HAS_FINI) === 0 || fini !== null);
  }

  /** Under the lock: an empty slab without which `keep` items stay free, and the marks unless it is `all`. */
  function spareSlab(keg: KegState, keep: number, all: boolean): number {
    const { record } = keg;
    const slab = words[record + EMPTY] as number;
    if (slab === 0) return 0;
    if (words[slab + Slab.keg] !== record) throw damagedLocked(keg, slab);
    const marks = all ? 0 : Math.max(words[record + LOW] as number, words[record + RESERVE] as number);
    return (words[record + FREE_ITEMS] as number) - keg.itemsPerSlab < Math.max(keep, marks) ? 0 : slab;
  }

  /** Gives back spare slabs, as many as there are now: `fini` may make new ones. How many pages. */
  function drainTo(keg: KegState, keep: number, errors: HookErrors, all = false): number {
    const { record } = keg;
    if (!mayUnmake(keg)) return 0;
    let most = 1;
    for (let count = 0; ; count++) {
      hands.assertFree();
      locks.acquire(record, keg.lockRank);
      if (count === 0) most = words[record + SLAB_COUNT] as number;
      const slab = count < most ? spareSlab(keg, keep, all) : 0;
      if (slab === 0) {
        locks.release(record);
        return count * keg.pagesPerSlab;
      }
      const header = keg.headerKeg === 0 ? 0 : slab << 2;
      const third = keg.itemsPerSlab | backends.markOf(keg);
      const hand = hands.open(HandKind.SLAB, keg.number, words[slab + PAGE] as number, header, third);
      removeSlabLocked(keg, slab);
      locks.release(record);
      unmakeSlab(keg, hand, errors);
    }
  }

  /** After items came back: what stands beyond the high mark goes at once. */
  function drainToHighMark(keg: KegState): void {
    const high = words[keg.record + HIGH] as number;
    // An error of `fini` is dropped: it is none of the one whose item came back.
    if (high !== 0) drainTo(keg, high, new HookErrors());
  }

  function setMarks(keg: KegState, marks: Partial<KegMarks>): void {
    locks.acquire(keg.record, keg.lockRank);
    for (const name of Object.keys(marks) as (keyof KegMarks)[]) {
      words[keg.record + Keg[name]] = marks[name] as number;
    }
    locks.release(keg.record);
    drainToHighMark(keg);
    fillToLowMark(keg);
  }

  const repairKeg = createKegRepair(context, slabs, pageKegs, slabInHand);
  locks.onTakeOver(kegsArea, kegsArea + KEG_WORDS * (INTERNAL_KEGS + 1), LockRank.KEG_INTERNAL, repair);
  locks.onTakeOver(
    kegsArea + KEG_WORDS * (INTERNAL_KEGS + 1),
    kegsArea + KEG_WORDS * (kegsMax + 1),
    LockRank.KEG,
    repair,
  );

  function repair(lock: number): void {
    repairKeg(byNumber((lock - kegsArea) / KEG_WORDS));
  }

  if (initialise) {
    create('bucket', { size: BUCKET_WORDS * 4, align: BUCKET_WORDS * 4, flags: KegFlag.INTERNAL }, OWN_PAGES);
    for (const size of HEADER_SIZES) {
      create(
        `slab header ${size}`,
        { size, align: 64, flags: KegFlag.INTERNAL, inlineOnly: true },
        OWN_PAGES,
      );
    }
    if ((words[uma + UmaState.kegCount] as number) !== INTERNAL_KEGS)
      throw new Error('INTERNAL_KEGS is wrong');
  }
  return {
    create,
    byNumber,
    open,
    count,
    has,
    erase,
    takeItems,
    giveItems,
    takeItem,
    giveItem,
    trash: patterns.trash,
    patterns,
    drain(keg, all = false) {
      const errors = new HookErrors();
      const freed = drainTo(keg, 0, errors, all);
      errors.throwFirst();
      return freed;
    },
    preallocate,
    setMarks,
    shortages,
    slabOf,
    unmakeSlab,
  };
}
