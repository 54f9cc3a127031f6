/**
 * Kegs over memory that is not ours: a buffer of the user's, the heap of a WebAssembly module. Items are
 * named by addresses there. Nothing is written there, and nothing is known of it but the runs that it has
 * given.
 *
 *   ForeignKeg --runs--> header -> header -> 0      all runs; a store puts one in, or takes one out
 *              --root--> tree of the same headers    from any address to its run: header-tree.ts
 *              --partial-> header <-> header         those with an item free
 *
 * Truth after a death are the list of all runs and the bitmaps: tree, counts and partial list are made anew.
 * A hand names the header of a run that is in no list yet, or no more.
 *
 * Locks: the keg's own guards all three and the bitmaps. None is held while memory is asked for or given
 * back.
 */

import { damaged, describeValue, hex, LockRank, MbumaError } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import { countBitmap, fillBitmap, lowestBit } from '../record/index.js';
import type { UmaContext } from './context.js';
import type { CheckedForeignOptions } from './foreign-options.js';
import { FOREIGN_KEGS_MAX, FOREIGN_RUN_WORDS, ForeignKegRecord, ForeignRun } from './foreign-records.js';
import type { ForeignRegistry, OpenForeignKeg } from './foreign-registry.js';
import { createHeaderTree } from './header-tree.js';
import { How } from './hooks.js';
import type { Kegs } from './kegs.js';
import type { UmaReaper } from './reaper.js';

/** What a foreign keg does for its handle; runs are named by their headers. All throw ZONE_CLOSED. */
export interface ForeignKegs {
  /** As many free items as there are, up to the index `n`, from `at` on; the index after the last. */
  take(keg: OpenForeignKeg, out: Int32Array, at: number, n: number): number;
  /** One more run. False: there is none, or no header. */
  grow(keg: OpenForeignKeg): boolean;
  /** Gives back `items[0..n-1]`. On a bad one it throws; those before it are back. */
  give(keg: OpenForeignKeg, items: Int32Array, n: number): void;
  /** First byte of the item that the address lies in; 0: in none that this keg has. */
  find(keg: OpenForeignKeg, address: number): number;
  /** Takes an empty run out of the keg and gives it back. False: there is none. */
  drainOne(keg: OpenForeignKeg): boolean;
}

/** More runs than the memory has room for headers. */
const HEADERS_PER_PAGE = 64;

export function createForeignKegs(
  context: UmaContext,
  kegs: Kegs,
  registry: ForeignRegistry,
  reaper: UmaReaper,
): ForeignKegs {
  const { machine, locks, hands } = context;
  const { words } = machine;
  const { acquire, nameOf, recordOf, indexOf } = registry;
  const tree = createHeaderTree(words);
  const runsMax = machine.layout.parameters.pageCount * HEADERS_PER_PAGE;
  const { HELD, SECOND: HEADER_KEG } = Hand;
  const { root: ROOT, runs: RUNS, partial: PARTIAL, runCount: RUN_COUNT, freeItems: FREE } = ForeignKegRecord;
  const { itemSize: SIZE, itemsPerRun: PER_RUN } = ForeignKegRecord;
  const { next: NEXT, freeCount: FREE_COUNT, partialNext: AFTER, partialPrevious: BEFORE } = ForeignRun;
  const BITMAP = FOREIGN_RUN_WORDS;
  const read = (index: number): number => words[index] as number;

  // --- the list of runs with items free ---

  function pushPartial(record: number, run: number): void {
    const first = read(record + PARTIAL);
    words[run + AFTER] = first;
    words[run + BEFORE] = 0;
    if (first !== 0) words[first + BEFORE] = run;
    words[record + PARTIAL] = run;
  }

  function removePartial(record: number, run: number): void {
    const after = read(run + AFTER);
    const before = read(run + BEFORE);
    if (before === 0) words[record + PARTIAL] = after;
    else words[before + AFTER] = after;
    if (after !== 0) words[after + BEFORE] = before;
    words[run + AFTER] = 0;
    words[run + BEFORE] = 0;
  }

  // --- items ---

  function takeOfRun(record: number, run: number, out: Int32Array, from: number, n: number): number {
    let at = from;
    const base = read(run + ForeignRun.base);
    const size = read(record + SIZE);
    const bitmapWords = (read(record + PER_RUN) + 31) >>> 5;
    for (let word = 0; word < bitmapWords && at < n; word++) {
      let bits = read(run + BITMAP + word);
      while (bits !== 0 && at < n) {
        out[at++] = base + (word * 32 + lowestBit(bits)) * size;
        bits &= bits - 1;
      }
      words[run + BITMAP + word] = bits;
    }
    const left = read(run + FREE_COUNT) - (at - from);
    words[run + FREE_COUNT] = left;
    words[record + FREE] = read(record + FREE) - (at - from);
    if (left === 0) removePartial(record, run);
    return at;
  }

  function take(keg: OpenForeignKeg, out: Int32Array, from: number, n: number): number {
    const { record } = keg;
    let at = from;
    acquire(keg);
    for (let run = read(record + PARTIAL); run !== 0 && at < n; run = read(record + PARTIAL)) {
      const before = at;
      at = takeOfRun(record, run, out, at, n);
      if (at === before) {
        locks.release(record);
        throw damaged(`run ${run} of foreign keg ${nameOf(record)} has no item free, and is listed so`);
      }
    }
    locks.release(record);
    return at;
  }

  /** First byte of the item of a run that the address, which lies in the run, lies in; 0: behind the last. */
  function startIn(record: number, run: number, address: number): number {
    const base = read(run + ForeignRun.base) >>> 0;
    const index = Math.floor((address - base) / read(record + SIZE));
    return index < read(record + PER_RUN) ? base + index * read(record + SIZE) : 0;
  }

  /** Under the lock: puts one item back; what is wrong with it, or null. */
  function giveLocked(record: number, item: number): MbumaError | null {
    const run = tree.find(record + ROOT, item);
    const place = { address: item, zone: nameOf(record) };
    const start = run === 0 ? 0 : startIn(record, run, item);
    if (start === 0) {
      const text = `foreign keg ${place.zone}: ${hex(item)} lies in none of its runs`;
      return new MbumaError('FREE_FOREIGN', text, place);
    }
    if (start !== item) {
      const text = `foreign keg ${place.zone}: ${hex(item)} lies inside item ${hex(start)}`;
      return new MbumaError('FREE_UNALIGNED', text, place);
    }
    const index = (item - (read(run + ForeignRun.base) >>> 0)) / read(record + SIZE);
    const word = run + BITMAP + (index >>> 5);
    const bit = 1 << (index & 31);
    if ((read(word) & bit) !== 0)
      return new MbumaError('FREE_TWICE', `foreign keg ${place.zone}: ${hex(item)} is free already`, place);
    words[word] = read(word) | bit;
    words[run + FREE_COUNT] = read(run + FREE_COUNT) + 1;
    words[record + FREE] = read(record + FREE) + 1;
    if (read(run + FREE_COUNT) === 1) pushPartial(record, run);
    return null;
  }

  function give(keg: OpenForeignKeg, items: Int32Array, n: number): void {
    const { record } = keg;
    let error: MbumaError | null = null;
    acquire(keg);
    try {
      for (let at = 0; at < n && error === null; at++)
        error = giveLocked(record, (items[at] as number) >>> 0);
    } finally {
      locks.release(record);
    }
    if (error !== null) throw error;
  }

  function find(keg: OpenForeignKeg, address: number): number {
    const { record } = keg;
    acquire(keg);
    try {
      const run = tree.find(record + ROOT, address);
      return run === 0 ? 0 : startIn(record, run, address);
    } finally {
      locks.release(record);
    }
  }

  // --- runs ---

  /** Without the keg's lock: reads nothing of its record, which may be another one's by now. */
  function writeHeader({ record, options }: OpenForeignKeg, run: number, base: number): void {
    const { itemsPerRun: items, runBytes } = options;
    words.fill(0, run, run + FOREIGN_RUN_WORDS);
    words[run + ForeignRun.base] = base;
    words[run + ForeignRun.length] = runBytes;
    words[run + ForeignRun.keg] = record;
    words[run + FREE_COUNT] = items;
    fillBitmap(words, run + BITMAP, items);
  }

  function insertLocked(record: number, run: number): void {
    words[run + NEXT] = read(record + RUNS);
    // From here on it is the keg's, whoever dies.
    words[record + RUNS] = run;
    words[record + RUN_COUNT] = read(record + RUN_COUNT) + 1;
    words[record + FREE] = read(record + FREE) + read(run + FREE_COUNT);
    pushPartial(record, run);
  }

  /** A run of the other memory; 0: there is none. @throws HOOK_FAILED for what cannot be one */
  function allocRun({ name, align, runBytes, allocRun: ask }: CheckedForeignOptions): number {
    const base = ask(runBytes) as unknown;
    if (base === 0) return 0;
    const fits = typeof base === 'number' && Number.isInteger(base) && base > 0 && base + runBytes <= 2 ** 32;
    if (!fits || base % align !== 0)
      throw new MbumaError('HOOK_FAILED', `allocRun of foreign keg ${name} answered ${describeValue(base)}`, {
        zone: name,
      });
    return base;
  }

  /** Puts a run into the keg, and closes the hand that had it. False: the keg has it already. */
  function insert(keg: OpenForeignKeg, run: number, hand: number): boolean {
    const { record } = keg;
    acquire(keg);
    try {
      if (!tree.insert(record + ROOT, run)) return false;
      insertLocked(record, run);
      hands.close(hand);
      return true;
    } finally {
      locks.release(record);
    }
  }

  /** The same; whose keg is gone meanwhile gets back what he gave. */
  function insertOrGiveBack(keg: OpenForeignKeg, run: number, base: number, hand: number): boolean {
    try {
      return insert(keg, run, hand);
    } catch (error) {
      keg.options.freeRun(base, keg.options.runBytes);
      throw error;
    }
  }

  function grow(keg: OpenForeignKeg): boolean {
    const { record, options } = keg;
    const headers = kegs.byNumber(options.headerKeg);
    const hand = hands.open(HandKind.FOREIGN, indexOf(record), 0, headers.number, 0);
    const header = kegs.takeItem(headers, hand + HELD, How.NOWAIT);
    if (header === 0) {
      hands.close(hand);
      return false;
    }
    const run = header >>> 2;
    let inserted = false;
    try {
      const base = allocRun(options);
      if (base === 0) return false;
      writeHeader(keg, run, base);
      inserted = insertOrGiveBack(keg, run, base, hand);
      if (inserted) return true;
      const text = `allocRun of foreign keg ${options.name} gave ${base}, which it has already`;
      throw new MbumaError('HOOK_FAILED', text, { zone: options.name });
    } finally {
      if (!inserted) {
        kegs.giveItem(headers, header, hand + HELD);
        hands.close(hand);
      }
    }
  }

  function findEmpty(record: number): number {
    const items = read(record + PER_RUN);
    let seen = 0;
    for (let run = read(record + PARTIAL); run !== 0; run = read(run + AFTER)) {
      if (read(run + FREE_COUNT) === items) return run;
      if (++seen > runsMax) throw damaged(`the runs of foreign keg ${nameOf(record)} run in a circle`);
    }
    return 0;
  }

  /** Takes a run out of the list of all; the hand has it from the store on. */
  function unlinkLocked(record: number, run: number): void {
    let link = record + RUNS;
    for (let seen = 0; read(link) !== run; link = read(link) + NEXT)
      if (read(link) === 0 || ++seen > runsMax)
        throw damaged(`run ${run} of foreign keg ${nameOf(record)} is not listed`);
    words[link] = read(run + NEXT);
    tree.remove(record + ROOT, run);
    removePartial(record, run);
    words[record + RUN_COUNT] = read(record + RUN_COUNT) - 1;
    words[record + FREE] = read(record + FREE) - read(run + FREE_COUNT);
  }

  function drainOne(keg: OpenForeignKeg): boolean {
    const { record, options } = keg;
    const headers = kegs.byNumber(options.headerKeg);
    let hand = 0;
    let run = 0;
    acquire(keg);
    try {
      run = findEmpty(record);
      if (run === 0) return false;
      hand = hands.open(HandKind.FOREIGN, indexOf(record), run << 2, headers.number, 0);
      unlinkLocked(record, run);
    } finally {
      locks.release(record);
    }
    const base = read(run + ForeignRun.base) >>> 0;
    kegs.giveItem(headers, run << 2, hand + HELD);
    hands.close(hand);
    options.freeRun(base, options.runBytes);
    return true;
  }

  // --- deaths ---

  function runsOf(record: number): number[] {
    const found: number[] = [];
    for (let run = read(record + RUNS); run !== 0; run = read(run + NEXT)) {
      if (found.length > runsMax || run < 0 || run + BITMAP >= words.length)
        throw damaged(`the runs of foreign keg ${nameOf(record)} run astray`);
      found.push(run);
    }
    return found;
  }

  function repair(record: number): void {
    const runs = runsOf(record);
    const known = new Set(runs);
    hands.eachOfDead((hand) => {
      const isForeign = hands.kindOf(hand) === HandKind.FOREIGN;
      if (isForeign && known.has(read(hand + HELD) >>> 2)) words[hand] = 0;
    });
    tree.rebuild(record + ROOT, runs);
    words[record + PARTIAL] = 0;
    words[record + FREE] = 0;
    words[record + RUN_COUNT] = runs.length;
    for (const run of runs) {
      const free = countBitmap(words, run + BITMAP, read(record + PER_RUN));
      words[run + FREE_COUNT] = free;
      words[run + AFTER] = 0;
      words[run + BEFORE] = 0;
      words[record + FREE] = read(record + FREE) + free;
      if (free !== 0) pushPartial(record, run);
    }
  }

  locks.onTakeOver(recordOf(0), recordOf(FOREIGN_KEGS_MAX), LockRank.KEG, repair);
  reaper.onHand(HandKind.FOREIGN, (hand) => {
    const header = read(hand + HELD);
    if (header !== 0) kegs.giveItem(kegs.byNumber(read(hand + HEADER_KEG)), header, hand + HELD);
    words[hand] = 0;
  });

  return { take, grow, give, find, drainOne };
}
