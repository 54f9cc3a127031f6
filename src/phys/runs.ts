/**
 * Runs of pages: from blocks, and back. Under the layer's lock.
 *
 * The order of the stores matters: after each of them the lists and counts can be rebuilt from the
 * first pages of the used runs (README.md, "After a death").
 */

import { damaged } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import type { Buddy } from './buddy.js';
import type { PageClass } from './classes.js';
import { createExtents } from './extents.js';
import type { Level } from './level.js';
import type { Queues } from './queues.js';
import { FIRST_USED_STATE, Page, PageQueue, PageState, Phys, RECORD_SHIFT, RECORD_WORDS } from './records.js';

/** An alignment: whatever a block that is long enough has, so at least `count` rounded up to a power of two. */
export const ANY_BLOCK = 0;

export interface Runs {
  /**
   * Where a run may be taken: where a block begins, by README.md, "Ladder" and "Classes". 0: nowhere. Takes
   * runs of the cache queue.
   *
   * @param alignment ANY_BLOCK, or pages: then the run may lie in several blocks
   */
  findPlace(count: number, alignment: number, pageClass: PageClass): number;
  /** Free pages, from where a block begins, become a run. */
  takeRun(page: number, count: number, use: number, held: number): void;
  /** Makes a used run longer, by pages behind it, if they are free and above the reserve. */
  lengthen(page: number, count: number): boolean;
  /** The end of a used run becomes blocks: all behind its first `count` pages. */
  shorten(page: number, count: number): void;
  /** A used run becomes blocks. */
  runToBlocks(page: number, count: number): void;
  /** Pages of the used run that starts at `page`; 0 when none starts there. */
  runLength(page: number): number;
  /** Pages that requests have taken from the cache queue. */
  discarded(): number;
  /** Makes blocks, lists, queues and counts anew, from the first pages of the used runs. */
  rebuild(): void;
}

export function createRuns(machine: Machine, buddy: Buddy, queues: Queues, level: Level): Runs {
  const { words, floats } = machine;
  const { firstPage } = machine.layout;
  const extents = createExtents(machine);
  const { pageCount } = machine.layout.parameters;
  const { state: STATE, length: LENGTH, queue: QUEUE, ticket: TICKET } = Page;
  const { object: OBJECT, offset: OFFSET, wireCount: WIRE_COUNT, loanCount: LOAN_COUNT } = Page;
  const { FREE_TAIL } = PageState;
  const FIRST_USED = FIRST_USED_STATE;
  const recordShift = RECORD_SHIFT;
  const records = machine.area('pages');
  const phys = machine.area('phys');
  const FREE_PAGES = phys + Phys.freePages;
  const DISCARDED = (phys + Phys.discarded) >> 1;

  function runLength(page: number): number {
    const record = records + (page << recordShift);
    const length = words[record + LENGTH] as number;
    return (words[record + STATE] as number) >= FIRST_USED && length > 0 && page + length <= pageCount
      ? length
      : 0;
  }

  function clearRecord(record: number): void {
    words[record + STATE] = FREE_TAIL;
    words[record + LENGTH] = 0;
    words[record + OBJECT] = 0;
    words[record + OFFSET] = 0;
    words[record + WIRE_COUNT] = 0;
    words[record + LOAN_COUNT] = 0;
  }

  /** Pages that are used no more become blocks. */
  function freePages(start: number, end: number): void {
    for (let page = start; page < end; page++) clearRecord(records + (page << recordShift));
    buddy.addExtent(start, end);
    words[FREE_PAGES] = (words[FREE_PAGES] as number) + end - start;
    level.noteFreed();
  }

  function runToBlocks(page: number, count: number): void {
    const record = records + (page << recordShift);
    // The first page goes first: from here on the run is free.
    words[record + STATE] = FREE_TAIL;
    queues.remove(record);
    freePages(page, page + count);
  }

  function shorten(page: number, count: number): void {
    const record = records + (page << recordShift);
    const end = page + (words[record + LENGTH] as number);
    words[record + LENGTH] = count; // from here on the end is free
    freePages(page + count, end);
  }

  /** Frees the oldest run of the cache queue; its pages. */
  function discardOldest(): number {
    const record = queues.oldest(PageQueue.CACHE);
    const page = (record - records) >> recordShift;
    const count = runLength(page);
    // Else the request would look at it for ever.
    if (count === 0 || words[record + QUEUE] !== PageQueue.CACHE)
      throw damaged(`the cache queue begins at ${record}`);
    runToBlocks(page, count);
    floats[DISCARDED] = (floats[DISCARDED] as number) + count;
    return count;
  }

  function findPlace(count: number, alignment: number, pageClass: PageClass): number {
    // Blocks start at multiples of their length.
    const order = buddy.orderFor(Math.max(count, alignment));
    /** Pages that have come free since blocks in a row were looked for. */
    let news = count;
    for (;;) {
      const left = (words[FREE_PAGES] as number) - count;
      const cached = queues.pagesIn(PageQueue.CACHE);
      let page = buddy.firstBlock(order);
      if (page !== 0 && alignment !== ANY_BLOCK) page = extents.startBefore(page, alignment);
      else if (alignment !== ANY_BLOCK && left >= 0 && (news >= count || cached === 0)) {
        page = extents.find(count, alignment);
        news = 0;
      }
      if (page !== 0 && left >= level.reserved()) return page;
      // What is cached is not taken in vain.
      if (left + cached < level.floorOf(pageClass)) return 0;
      if (cached > 0) news += discardOldest();
      else if (page !== 0) {
        level.noteReserveTaken();
        return page;
      } else return 0;
    }
  }

  /** Pages are in blocks no more, and counted as used. */
  function takePages(page: number, count: number): void {
    buddy.cut(page, count);
    words[FREE_PAGES] = (words[FREE_PAGES] as number) - count;
    level.noteTaken();
  }

  function takeRun(page: number, count: number, use: number, held: number): void {
    takePages(page, count);
    const record = records + (page << recordShift);
    for (let tail = record + ((count - 1) << recordShift); tail > record; tail -= RECORD_WORDS) {
      words[tail + STATE] = use;
    }
    words[record + LENGTH] = count;
    if (held !== 0) words[held] = page;
    words[record + STATE] = use; // from here on the run is used
  }

  function lengthen(page: number, count: number): boolean {
    const record = records + (page << recordShift);
    const before = words[record + LENGTH] as number;
    const more = count - before;
    if ((words[FREE_PAGES] as number) - more < level.reserved() || !extents.isFree(page + before, more))
      return false;
    takePages(page + before, more);
    const end = record + (count << recordShift);
    for (let tail = record + (before << recordShift); tail < end; tail += RECORD_WORDS) {
      words[tail + STATE] = words[record + STATE] as number;
      words[tail + OBJECT] = words[record + OBJECT] as number;
    }
    words[record + LENGTH] = count; // from here on they are the run's
    return true;
  }

  /** What is 0 is not written: a living thread may be looking whether its own run may be taken. */
  function clearQueueWords(record: number): void {
    for (let word = record + QUEUE; word <= record + TICKET; word++) if (words[word] !== 0) words[word] = 0;
  }

  /** The records of a used run, or of one free page, as they must be; nothing is in a block. */
  function rebuildRecords(page: number, length: number): void {
    const record = records + (page << recordShift);
    if (length === 0) clearRecord(record);
    const queue = words[record + QUEUE] as number;
    if (length !== 0 && queue > PageQueue.NONE && queue <= PageQueue.CACHE) queues.relink(record);
    else clearQueueWords(record);
    for (let tail = 1; tail < length; tail++) {
      words[record + (tail << recordShift) + STATE] = words[record + STATE] as number;
      words[record + (tail << recordShift) + LENGTH] = 0;
    }
  }

  return {
    findPlace,
    takeRun,
    lengthen,
    shorten,
    runToBlocks,
    runLength,
    discarded: () => floats[DISCARDED] as number,
    rebuild() {
      buddy.clear();
      queues.clear();
      // First all records, then the blocks: a FREE page left over from before must not be joined with.
      for (let page = firstPage; page < pageCount; ) {
        const length = runLength(page);
        rebuildRecords(page, length);
        page += Math.max(length, 1);
      }
      let free = 0;
      for (let page = firstPage; page < pageCount; ) {
        const start = page;
        while (page < pageCount && runLength(page) === 0) page++;
        buddy.addExtent(start, page);
        free += page - start;
        if (page < pageCount) page += runLength(page);
      }
      words[FREE_PAGES] = free;
      level.noteTaken();
    },
  };
}
