/**
 * Runs of pages: from blocks, and back. Under the layer's lock.
 *
 * The order of the stores matters: after each of them the lists and counts can be rebuilt from the
 * first pages of the used runs (README.md, "After a death").
 */

import type { Machine } from '../machine/index.js';
import type { Buddy } from './buddy.js';
import type { PageClass } from './classes.js';
import type { Level } from './level.js';
import type { Queues } from './queues.js';
import { FIRST_USED_STATE, Page, PageQueue, PageState, Phys, RECORD_SHIFT, RECORD_WORDS } from './records.js';

export interface Runs {
  /** Record of a block for a request, by README.md, "Classes"; 0: there is none. Takes runs of the cache queue. */
  findBlock(count: number, order: number, pageClass: PageClass): number;
  /** The first pages of a block become a run; its rest becomes blocks. @returns the first page */
  blockToRun(block: number, count: number, use: number, held: number): number;
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

  function runToBlocks(page: number, count: number): void {
    const record = records + (page << recordShift);
    const end = record + (count << recordShift);
    // The first page goes first: from here on the run is free.
    words[record + STATE] = FREE_TAIL;
    queues.remove(record);
    for (let each = record; each < end; each += RECORD_WORDS) clearRecord(each);
    buddy.addExtent(page, page + count);
    words[FREE_PAGES] = (words[FREE_PAGES] as number) + count;
    level.noteFreed();
  }

  /** Frees the oldest run of the cache queue. */
  function discardOldest(): void {
    const record = queues.oldest(PageQueue.CACHE);
    const count = words[record + LENGTH] as number;
    runToBlocks((record - records) >> recordShift, count);
    floats[DISCARDED] = (floats[DISCARDED] as number) + count;
  }

  function findBlock(count: number, order: number, pageClass: PageClass): number {
    for (;;) {
      const block = buddy.firstBlock(order);
      const left = (words[FREE_PAGES] as number) - count;
      if (block !== 0 && left >= level.reserved()) return block;
      const cached = queues.pagesIn(PageQueue.CACHE);
      // What is cached is not taken in vain.
      if (left + cached < level.floorOf(pageClass)) return 0;
      if (cached > 0) discardOldest();
      else if (block !== 0) {
        level.noteReserveTaken();
        return block;
      } else return 0;
    }
  }

  function blockToRun(block: number, count: number, use: number, held: number): number {
    const page = buddy.cutBlock(block, count);
    const record = records + (page << recordShift);
    for (let tail = record + ((count - 1) << recordShift); tail > record; tail -= RECORD_WORDS) {
      words[tail + STATE] = use;
    }
    words[FREE_PAGES] = (words[FREE_PAGES] as number) - count;
    level.noteTaken();
    words[record + LENGTH] = count;
    if (held !== 0) words[held] = page;
    words[record + STATE] = use; // from here on the run is used
    return page;
  }

  /** The records of a used run, or of one free page, as they must be; nothing is in a block. */
  function rebuildRecords(page: number, length: number): void {
    const record = records + (page << recordShift);
    if (length === 0) clearRecord(record);
    const queue = words[record + QUEUE] as number;
    if (length !== 0 && queue > PageQueue.NONE && queue <= PageQueue.CACHE) queues.relink(record);
    else words.fill(0, record + QUEUE, record + TICKET + 1);
    for (let tail = 1; tail < length; tail++) {
      words[record + (tail << recordShift) + STATE] = words[record + STATE] as number;
      words[record + (tail << recordShift) + LENGTH] = 0;
    }
  }

  return {
    findBlock,
    blockToRun,
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
