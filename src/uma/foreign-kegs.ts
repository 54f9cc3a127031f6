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

import { damaged, LockRank, MbumaError } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import { countBitmap, fillBitmap, lowestBit, readText, writeText } from '../record/index.js';
import type { UmaContext } from './context.js';
import { type CheckedForeignOptions, type ForeignKegOptions, readForeignOptions } from './foreign-options.js';
import {
  FOREIGN_KEG_WORDS,
  FOREIGN_KEGS_MAX,
  FOREIGN_RUN_WORDS,
  ForeignKegRecord,
  ForeignRun,
} from './foreign-records.js';
import { createHeaderTree } from './header-tree.js';
import { How } from './hooks.js';
import type { Kegs } from './kegs.js';
import type { UmaReaper } from './reaper.js';
import type { Registry } from './registry.js';

/** What a foreign keg does for its handle; kegs are named by their records, runs by their headers. */
export interface ForeignKegs {
  /** The keg of the options' name; made, if there is none. */
  open(given: ForeignKegOptions): { readonly record: number; readonly options: CheckedForeignOptions };
  /** As many free items as there are, up to the index `n`, from `at` on; the index after the last. */
  take(record: number, out: Int32Array, at: number, n: number): number;
  /** One more run. False: there is none, or no header. */
  grow(record: number, options: CheckedForeignOptions): boolean;
  /** Gives back `items[0..n-1]`. On a bad one it throws; those before it are back. */
  give(record: number, items: Int32Array, n: number): void;
  /** First byte of the item that the address lies in; 0: in none that this keg has. */
  find(record: number, address: number): number;
  /** Takes an empty run out of the keg and hands it to `freeRun`. False: there is none. */
  drainOne(record: number, freeRun: (base: number, bytes: number) => void): boolean;
}

/** More runs than the memory has room for headers. */
const HEADERS_PER_PAGE = 64;

export function createForeignKegs(
  context: UmaContext,
  kegs: Kegs,
  registry: Registry,
  reaper: UmaReaper,
): ForeignKegs {
  const { machine, locks, hands } = context;
  const { words } = machine;
  const area = machine.area('foreign kegs');
  const tree = createHeaderTree(words);
  const runsMax = machine.layout.parameters.pageCount * HEADERS_PER_PAGE;
  const { HELD, SECOND: HEADER_KEG } = Hand;
  const { root: ROOT, runs: RUNS, partial: PARTIAL, runCount: RUN_COUNT, freeItems: FREE } = ForeignKegRecord;
  const { itemSize: SIZE, itemsPerRun: PER_RUN, headerKeg: KEG_OF_HEADERS } = ForeignKegRecord;
  const { next: NEXT, freeCount: FREE_COUNT, partialNext: AFTER, partialPrevious: BEFORE } = ForeignRun;
  const BITMAP = FOREIGN_RUN_WORDS;
  const read = (index: number): number => words[index] as number;
  const recordOf = (index: number): number => area + index * FOREIGN_KEG_WORDS;
  const nameOf = (record: number): string => readText(words, record + ForeignKegRecord.name, 12);

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

  function take(record: number, out: Int32Array, from: number, n: number): number {
    let at = from;
    locks.acquire(record, LockRank.KEG);
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
      const text = `foreign keg ${place.zone}: ${item} lies in none of its runs`;
      return new MbumaError('FREE_FOREIGN', text, place);
    }
    if (start !== item) {
      const text = `foreign keg ${place.zone}: ${item} lies inside of an item`;
      return new MbumaError('FREE_UNALIGNED', text, place);
    }
    const index = (item - (read(run + ForeignRun.base) >>> 0)) / read(record + SIZE);
    const word = run + BITMAP + (index >>> 5);
    const bit = 1 << (index & 31);
    if ((read(word) & bit) !== 0)
      return new MbumaError('FREE_TWICE', `foreign keg ${place.zone}: ${item} is free already`, place);
    words[word] = read(word) | bit;
    words[run + FREE_COUNT] = read(run + FREE_COUNT) + 1;
    words[record + FREE] = read(record + FREE) + 1;
    if (read(run + FREE_COUNT) === 1) pushPartial(record, run);
    return null;
  }

  function give(record: number, items: Int32Array, n: number): void {
    let error: MbumaError | null = null;
    locks.acquire(record, LockRank.KEG);
    try {
      for (let at = 0; at < n && error === null; at++)
        error = giveLocked(record, (items[at] as number) >>> 0);
    } finally {
      locks.release(record);
    }
    if (error !== null) throw error;
  }

  function find(record: number, address: number): number {
    locks.acquire(record, LockRank.KEG);
    try {
      const run = tree.find(record + ROOT, address);
      return run === 0 ? 0 : startIn(record, run, address);
    } finally {
      locks.release(record);
    }
  }

  // --- runs ---

  function writeHeader(record: number, run: number, base: number): void {
    const items = read(record + PER_RUN);
    words.fill(0, run, run + FOREIGN_RUN_WORDS);
    words[run + ForeignRun.base] = base;
    words[run + ForeignRun.length] = read(record + ForeignKegRecord.runBytes);
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

  function grow(record: number, { name, align, runBytes, allocRun }: CheckedForeignOptions): boolean {
    const number = (record - area) / FOREIGN_KEG_WORDS;
    const headers = kegs.byNumber(read(record + KEG_OF_HEADERS));
    const hand = hands.open(HandKind.FOREIGN, number, 0, headers.number, 0);
    const header = kegs.takeItem(headers, hand + HELD, How.NOWAIT);
    if (header === 0) {
      hands.close(hand);
      return false;
    }
    const run = header >>> 2;
    let inserted = false;
    try {
      const base = allocRun(runBytes) as unknown;
      if (base === 0) return false;
      const fits =
        typeof base === 'number' && Number.isInteger(base) && base > 0 && base + runBytes <= 2 ** 32;
      if (!fits || base % align !== 0)
        throw new MbumaError('HOOK_FAILED', `allocRun of foreign keg ${name} answered ${String(base)}`);
      writeHeader(record, run, base);
      locks.acquire(record, LockRank.KEG);
      try {
        inserted = tree.insert(record + ROOT, run);
        if (inserted) {
          insertLocked(record, run);
          hands.close(hand);
        }
      } finally {
        locks.release(record);
      }
      if (!inserted)
        throw new MbumaError(
          'HOOK_FAILED',
          `allocRun of foreign keg ${name} gave ${base}, which it has already`,
        );
      return true;
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

  function drainOne(record: number, freeRun: (base: number, bytes: number) => void): boolean {
    const number = (record - area) / FOREIGN_KEG_WORDS;
    const headers = kegs.byNumber(read(record + KEG_OF_HEADERS));
    locks.acquire(record, LockRank.KEG);
    let hand = 0;
    let run = 0;
    try {
      run = findEmpty(record);
      if (run === 0) return false;
      hand = hands.open(HandKind.FOREIGN, number, run << 2, headers.number, 0);
      unlinkLocked(record, run);
    } finally {
      locks.release(record);
    }
    const base = read(run + ForeignRun.base) >>> 0;
    kegs.giveItem(headers, run << 2, hand + HELD);
    hands.close(hand);
    freeRun(base, read(record + ForeignKegRecord.runBytes));
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

  locks.onTakeOver(area, recordOf(FOREIGN_KEGS_MAX), LockRank.KEG, repair);
  reaper.onHand(HandKind.FOREIGN, (hand) => {
    const header = read(hand + HELD);
    if (header !== 0) kegs.giveItem(kegs.byNumber(read(hand + HEADER_KEG)), header, hand + HELD);
    words[hand] = 0;
  });
  registry.onRepair(() => {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++)
      if (read(recordOf(index) + SIZE) === 0)
        words.fill(0, recordOf(index), recordOf(index) + FOREIGN_KEG_WORDS);
  });

  function create(options: CheckedForeignOptions): number {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++) {
      const record = recordOf(index);
      if (read(record + SIZE) !== 0) continue;
      for (const field of ['itemsPerRun', 'runBytes', 'align', 'size', 'headerKeg'] as const)
        words[record + ForeignKegRecord[field]] = options[field];
      writeText(words, record + ForeignKegRecord.name, 12, options.name);
      machine.atomics.store(record + SIZE, options.itemSize);
      return record;
    }
    throw new MbumaError('TOO_MANY_ZONES', `all ${FOREIGN_KEGS_MAX} foreign kegs are taken`);
  }

  function findByName(name: string): number {
    for (let index = 0; index < FOREIGN_KEGS_MAX; index++)
      if (read(recordOf(index) + SIZE) !== 0 && nameOf(recordOf(index)) === name) return recordOf(index);
    return 0;
  }

  function checkAgreement(record: number, options: CheckedForeignOptions): void {
    for (const field of ['size', 'align', 'runBytes'] as const) {
      const known = read(record + ForeignKegRecord[field]);
      if (known === options[field]) continue;
      const text = `foreign keg ${options.name} exists: ${field} is ${known}, not ${options[field]}`;
      throw new MbumaError('LAYOUT_MISMATCH', text, { zone: options.name });
    }
  }

  return {
    open(given) {
      const options = readForeignOptions(given);
      const record = registry.locked(() => {
        const known = findByName(options.name);
        if (known !== 0) checkAgreement(known, options);
        return known || create(options);
      });
      return { record, options };
    },
    take,
    grow,
    give,
    find,
    drainOne,
  };
}
