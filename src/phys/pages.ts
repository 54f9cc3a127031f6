/**
 * Runs of pages, from a buddy system.
 *
 * A request takes the smallest block that is long enough, keeps the front and gives the rest back as
 * blocks. A run that is freed is cut into blocks, and each joins with its buddy as long as that is
 * free. No list is ever searched: the mask says which orders have blocks, and the first one is taken.
 *
 * The order of the stores matters: after each of them the lists and counts can be rebuilt from the
 * first pages of the used runs (README.md, "After a death").
 */

import { damaged, LockRank, MbumaError, requireInteger } from '../check/index.js';
import { type AreaPlanner, type Attachment, Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { asRef, layoutOf } from '../record/index.js';
import { auditPages } from './audit.js';
import {
  FIRST_USED_STATE,
  LAST_USED_STATE,
  ORDER_MAX,
  Page,
  type PageRef,
  PageState,
  Phys,
} from './records.js';

/** Page records are a power of two long: an index is shifted, not multiplied. */
const RECORD_SHIFT = 4;
const RECORD_WORDS = 16;

/** What is told of the layer. Read without the lock: each figure is exact, their sum may be off. */
export interface PagesStats {
  /** Pages that this layer hands out: all but the boot pages. */
  readonly pages: number;
  readonly free: number;
  /** Pages of the longest run that a request could get now. */
  readonly largestRun: number;
  /** Number of free blocks of 2^index pages. */
  readonly byOrder: readonly number[];
  readonly requests: number;
  readonly failures: number;
}

/** The page layer, as one thread sees it. */
export interface Pages {
  /** Pages of the whole memory. */
  readonly pageCount: number;
  /** The first that is handed out. */
  readonly firstPage: number;
  /**
   * Takes `count` contiguous pages. Never sleeps. Failpoint `phys.run`.
   *
   * @param use PageState of the pages: SLAB or RUN
   * @param held word of a hand of this thread: it names the run from the moment when the run is used
   * @param alignment pages, a power of two: the run begins at a multiple of it
   * @returns the first page, at a multiple of the power of two that is at least `count`; 0 when there
   *   is no block that long. The pages' objects are 0, their contents are whatever they were.
   */
  tryAllocRun(count: number, use: number, held?: number, alignment?: number): number;
  /**
   * Gives a whole run back; its pages' objects are 0 again.
   *
   * @param held word of a hand that names the run: 0 from the moment when the run is free. Nothing happens
   *   when it does not name the run: a thread that died while it took the run has not got it
   * @throws BAD_ARGUMENT when no used run of `count` pages starts at `page`; nothing is changed
   */
  freeRun(page: number, count: number, held?: number): void;
  /** Free pages: a hint, read without the lock. */
  freePages(): number;
  /** Pages of the used run that starts at a page; 0 when none does. Exact for who holds the run. */
  lengthOf(page: number): number;
  /** Says what the pages of a run belong to. By the holder of the run. */
  setObject(page: number, count: number, object: number): void;
  /** What a page belongs to; 0 for a page that is free, not there, or not said. */
  objectOf(page: number): number;
  pageRef(page: number): PageRef;
  stats(): PagesStats;
  /** Reports every broken invariant (README.md) by its number. */
  audit(report: (rule: string, message: string) => void): void;
  /**
   * Makes blocks, lists and counts anew from the first pages of the used runs. For whoever has taken
   * the lock over from a dead thread; may itself be cut short and done again.
   */
  rebuildLocked(): void;
}

/** The layer's own record, and a record for each page. */
export const planPages: AreaPlanner = ({ pageCount }) => [
  { name: 'phys', words: layoutOf(Phys).words },
  { name: 'pages', words: pageCount * RECORD_WORDS },
];

/**
 * Binds the page layer to one thread.
 *
 * @param initialise true in the one thread that makes the memory: all pages after the boot areas
 *   become free
 */
export function createPages(attachment: Attachment, initialise: boolean): Pages {
  const { machine, locks, hands } = attachment;
  const { words, floats } = machine;
  const { acquire, release } = locks;
  const { firstPage } = machine.layout;
  const { pageCount } = machine.layout.parameters;
  const { state: STATE, length: LENGTH, order: ORDER, next: NEXT, previous: PREVIOUS } = Page;
  const { object: OBJECT, offset: OFFSET, wireCount: WIRE_COUNT, loanCount: LOAN_COUNT } = Page;
  const { FREE, FREE_TAIL, BOOT } = PageState;
  const FIRST_USED = FIRST_USED_STATE;
  const orderMax = ORDER_MAX;
  const recordShift = RECORD_SHIFT;
  const records = machine.area('pages');
  const phys = machine.area('phys');
  const LOCK = phys + Phys.lock;
  const NON_EMPTY = phys + Phys.nonEmpty;
  const FREE_PAGES = phys + Phys.freePages;
  const HEADS = phys + Phys.heads;
  const BLOCKS = phys + Phys.blocks;
  const REQUESTS = (phys + Phys.requests) >> 1;
  const FAILURES = (phys + Phys.failures) >> 1;
  const rank = LockRank.PAGES;
  const runSite = machine.failpoints.site('phys.run', 'a run of pages, for whatever use');

  function listAdd(record: number, order: number): void {
    const head = words[HEADS + order] as number;
    words[record + NEXT] = head;
    words[record + PREVIOUS] = 0;
    if (head !== 0) words[head + PREVIOUS] = record;
    words[HEADS + order] = record;
    words[BLOCKS + order] = (words[BLOCKS + order] as number) + 1;
    words[NON_EMPTY] = (words[NON_EMPTY] as number) | (1 << order);
  }

  function listRemove(record: number, order: number): void {
    const next = words[record + NEXT] as number;
    const previous = words[record + PREVIOUS] as number;
    if (next !== 0) words[next + PREVIOUS] = previous;
    if (previous !== 0) words[previous + NEXT] = next;
    else {
      words[HEADS + order] = next;
      if (next === 0) words[NON_EMPTY] = (words[NON_EMPTY] as number) & ~(1 << order);
    }
    words[BLOCKS + order] = (words[BLOCKS + order] as number) - 1;
  }

  /** Makes a block of free pages that stand in none, joined with its buddy as often as that is free. */
  function blockAdd(start: number, startOrder: number): void {
    let page = start;
    let order = startOrder;
    for (; order < orderMax; order++) {
      const buddy = page ^ (1 << order);
      if (buddy >= pageCount) break;
      const record = records + (buddy << recordShift);
      if (words[record + STATE] !== FREE || words[record + ORDER] !== order) break;
      listRemove(record, order);
      words[record + STATE] = FREE_TAIL;
      page &= ~(1 << order);
    }
    const record = records + (page << recordShift);
    words[record + ORDER] = order;
    words[record + STATE] = FREE;
    listAdd(record, order);
  }

  /** Cuts free pages that stand in no block into blocks: at each place the longest aligned one that fits. */
  function extentAdd(start: number, end: number): void {
    for (let page = start; page < end; ) {
      const aligned = 31 - Math.clz32(page & -page);
      const fitting = 31 - Math.clz32(end - page);
      const order = aligned < fitting ? aligned : fitting;
      blockAdd(page, order);
      page += 1 << order;
    }
  }

  /** The first pages of a block become a run; its rest becomes blocks. */
  function blockToRun(record: number, blockOrder: number, count: number, use: number, held: number): number {
    const page = (record - records) >> recordShift;
    listRemove(record, blockOrder);
    extentAdd(page + count, page + (1 << blockOrder));
    for (let tail = record + ((count - 1) << recordShift); tail > record; tail -= RECORD_WORDS) {
      words[tail + STATE] = use;
    }
    words[FREE_PAGES] = (words[FREE_PAGES] as number) - count;
    words[record + LENGTH] = count;
    if (held !== 0) words[held] = page;
    words[record + STATE] = use; // from here on the run is used
    return page;
  }

  function clearRecord(record: number): void {
    words[record + STATE] = FREE_TAIL;
    words[record + LENGTH] = 0;
    words[record + OBJECT] = 0;
    words[record + OFFSET] = 0;
    words[record + WIRE_COUNT] = 0;
    words[record + LOAN_COUNT] = 0;
  }

  function runToBlocks(page: number, count: number): void {
    const record = records + (page << recordShift);
    const end = record + (count << recordShift);
    // The first page goes first: from here on the run is free.
    for (let each = record; each < end; each += RECORD_WORDS) clearRecord(each);
    extentAdd(page, page + count);
    words[FREE_PAGES] = (words[FREE_PAGES] as number) + count;
  }

  /** Pages of the used run that starts at `page`; 0 when none starts there. */
  function runLength(page: number): number {
    const record = records + (page << recordShift);
    const length = words[record + LENGTH] as number;
    return (words[record + STATE] as number) >= FIRST_USED && length > 0 && page + length <= pageCount
      ? length
      : 0;
  }

  function tryAllocRun(count: number, use: number, held = 0, alignment = 1): number {
    requireInteger(count, 'count', 1, Number.MAX_SAFE_INTEGER);
    requireInteger(use, 'use', FIRST_USED, LAST_USED_STATE);
    const forbidden = runSite.fails();
    // Blocks start at multiples of their length.
    const length = count > alignment ? count : alignment;
    const order = length === 1 ? 0 : 32 - Math.clz32(length - 1);
    acquire(LOCK, rank);
    floats[REQUESTS] = (floats[REQUESTS] as number) + 1;
    const mask = (words[NON_EMPTY] as number) & (-1 << order);
    if (forbidden || mask === 0 || length > pageCount) {
      floats[FAILURES] = (floats[FAILURES] as number) + 1;
      release(LOCK);
      return 0;
    }
    const blockOrder = 31 - Math.clz32(mask & -mask);
    const head = words[HEADS + blockOrder] as number;
    if (words[head + STATE] !== FREE || words[head + ORDER] !== blockOrder) {
      release(LOCK);
      throw damaged(`the list of blocks of 2^${blockOrder} pages begins at ${head}`);
    }
    const page = blockToRun(head, blockOrder, count, use, held);
    release(LOCK);
    return page;
  }

  function freeRun(page: number, count: number, held = 0): void {
    requireInteger(page, 'page', firstPage, pageCount - 1);
    requireInteger(count, 'count', 1, pageCount - page);
    acquire(LOCK, rank);
    const length = runLength(page);
    if (held !== 0 && words[held] !== page) {
      // Taking the lock over has settled the hand.
      release(LOCK);
      return;
    }
    if (length === count) {
      runToBlocks(page, count);
      if (held !== 0) words[held] = 0;
    }
    release(LOCK);
    if (length !== count) refuseFree(page, count, length);
  }

  function refuseFree(page: number, count: number, length: number): never {
    const found = length === 0 ? 'no used run starts there' : `the run there has ${length} pages`;
    throw new MbumaError('BAD_ARGUMENT', `a run of ${count} pages at page ${page} was freed: ${found}`, {
      address: page << PAGE_SHIFT,
    });
  }

  function rebuildLocked(): void {
    words[NON_EMPTY] = 0;
    words.fill(0, HEADS, HEADS + orderMax + 1);
    words.fill(0, BLOCKS, BLOCKS + orderMax + 1);
    // First all records, then the blocks: a FREE page left over from before must not be joined with.
    for (let page = firstPage; page < pageCount; ) {
      const length = runLength(page);
      const record = records + (page << recordShift);
      if (length === 0) clearRecord(record);
      for (let tail = 1; tail < length; tail++) {
        words[record + (tail << recordShift) + STATE] = words[record + STATE] as number;
        words[record + (tail << recordShift) + LENGTH] = 0;
      }
      page += Math.max(length, 1);
    }
    let free = 0;
    for (let page = firstPage; page < pageCount; ) {
      const start = page;
      while (page < pageCount && runLength(page) === 0) page++;
      extentAdd(start, page);
      free += page - start;
      if (page < pageCount) page += runLength(page);
    }
    words[FREE_PAGES] = free;
  }

  /** What hands may name that is a run. */
  const runKinds: readonly number[] = [HandKind.SLAB, HandKind.RUN, HandKind.GUARD, HandKind.LARGE_BLOCK];

  /** A run that a dead thread was about to take, or has given back, is not in its hand. */
  function settleHandsLocked(): void {
    hands.eachOfDead((hand) => {
      const kind = hands.kindOf(hand);
      const page = words[hand + Hand.HELD] as number;
      const isRun = runKinds.includes(kind);
      if (isRun && page !== 0 && runLength(page) === 0) {
        words[hand + Hand.HELD] = 0;
      }
    });
  }

  locks.onTakeOver(LOCK, LOCK + 1, rank, () => {
    rebuildLocked();
    settleHandsLocked();
  });

  if (initialise) {
    for (let page = 0; page < firstPage; page++) words[records + (page << recordShift) + STATE] = BOOT;
    extentAdd(firstPage, pageCount);
    words[FREE_PAGES] = pageCount - firstPage;
  }

  return {
    pageCount,
    firstPage,
    tryAllocRun,
    freeRun,
    freePages: () => words[FREE_PAGES] as number,
    lengthOf: (page) => (page >= firstPage && page < pageCount ? runLength(page) : 0),
    setObject(page, count, object) {
      requireInteger(page, 'page', firstPage, pageCount - 1);
      requireInteger(count, 'count', 1, pageCount - page);
      const end = records + ((page + count) << recordShift);
      for (let record = records + (page << recordShift); record < end; record += RECORD_WORDS) {
        words[record + OBJECT] = object;
      }
    },
    objectOf: (page) =>
      page >>> 0 < pageCount ? (words[records + (page << recordShift) + OBJECT] as number) : 0,
    pageRef: (page) => asRef<'page'>(records + (page << recordShift)),
    stats() {
      const nonEmpty = words[NON_EMPTY] as number;
      return {
        pages: pageCount - firstPage,
        free: words[FREE_PAGES] as number,
        largestRun: nonEmpty === 0 ? 0 : 1 << (31 - Math.clz32(nonEmpty)),
        byOrder: Array.from(words.subarray(BLOCKS, BLOCKS + orderMax + 1)),
        requests: floats[REQUESTS] as number,
        failures: floats[FAILURES] as number,
      };
    },
    audit(report) {
      acquire(LOCK, rank);
      const findings: [rule: string, message: string][] = [];
      try {
        auditPages(machine, (rule, message) => findings.push([rule, message]));
      } finally {
        release(LOCK);
      }
      for (const [rule, message] of findings) report(rule, message);
    },
    rebuildLocked,
  };
}
