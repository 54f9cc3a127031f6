/**
 * Blocks in a row: a run may lie in several. Under the layer's lock.
 *
 * The buddy system has no list of these. Runs are put where they leave no gaps, which takes a look at the
 * record of each order; and for who has found no block the pages are walked in order, from block to run to
 * block, which takes a look at one record for each of them.
 */

import { damaged } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import { alignUp } from '../record/index.js';
import { FIRST_USED_STATE, Page, PageState, RECORD_SHIFT } from './records.js';

export interface Extents {
  /** Whether all pages from `page` on are free: one that a block begins at, or a used run, or the end of all. */
  isFree(page: number, count: number): boolean;
  /**
   * Where a run that has room in the block at `page` should begin, so that no free pages are left before it:
   * where the shorter blocks before it do, or later, at a multiple of `alignment`.
   */
  startBefore(page: number, alignment: number): number;
  /** The first page of the lowest place of `count` free pages in a row, at a multiple of `alignment`; 0: none. */
  find(count: number, alignment: number): number;
}

export function createExtents(machine: Machine): Extents {
  const { words } = machine;
  const { firstPage } = machine.layout;
  const { pageCount } = machine.layout.parameters;
  const { state: STATE, order: ORDER, length: LENGTH } = Page;
  const records = machine.area('pages');

  /** Pages of the used run that begins here. */
  function requireRun(page: number): number {
    const record = records + (page << RECORD_SHIFT);
    const length = words[record + LENGTH] as number;
    if ((words[record + STATE] as number) >= FIRST_USED_STATE && length > 0) return length;
    throw damaged(`neither a block nor a run begins at page ${page}`);
  }

  /** Pages of the block that begins here; 0: none does. */
  function blockLength(page: number): number {
    const record = records + (page << RECORD_SHIFT);
    return words[record + STATE] === PageState.FREE ? 1 << (words[record + ORDER] as number) : 0;
  }

  return {
    isFree(start, count) {
      const end = start + count;
      if (end > pageCount) return false;
      let page = start;
      for (let length = 1; page < end && length > 0; page += length) length = blockLength(page);
      return page >= end;
    },
    startBefore(page, alignment) {
      let start = page;
      // Blocks in a row grow up to the longest one: before each there is at most one of each order below.
      for (let length = blockLength(page) >> 1; length > 0; length >>= 1)
        if (start - length >= firstPage && blockLength(start - length) === length) start -= length;
      return alignUp(start, alignment);
    },
    find(count, alignment) {
      /** Where a run could begin in the extent that the walk is in; 0: it is in none. It is where a block begins. */
      let start = 0;
      for (let page = firstPage; page < pageCount; ) {
        const length = blockLength(page);
        if (length > 0) {
          if (start === 0) start = alignUp(page, alignment);
          page += length;
          if (page - start >= count) return start;
        } else {
          start = 0;
          page += requireRun(page);
        }
      }
      return 0;
    },
  };
}
