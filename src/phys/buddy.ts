/**
 * Free blocks: a buddy system. Under the layer's lock.
 *
 * A request takes the smallest block that is long enough, or several in a row, keeps the front and gives the
 * rest back as blocks. What is freed is cut into blocks, and each joins with its buddy as long as that is
 * free. No list is ever searched: the mask says which orders have blocks, and the first one is taken.
 */

import { damaged } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import { ORDER_MAX, Page, PageState, Phys, RECORD_SHIFT } from './records.js';

export interface Buddy {
  /** The order of the smallest blocks that have so many pages. */
  orderFor(pages: number): number;
  /** The first block of the lowest order, from this one on, that has one: its first page; 0: none has. */
  firstBlock(order: number): number;
  /**
   * Takes `count` free pages, of the block that begins at `page` and of those behind it, out of their blocks;
   * what is left of the last one becomes blocks again.
   */
  cut(page: number, count: number): void;
  /** Cuts free pages that stand in no block into blocks: at each place the longest aligned one that fits. */
  addExtent(start: number, end: number): void;
  /** Forgets all blocks. */
  clear(): void;
}

export function createBuddy(machine: Machine): Buddy {
  const { words } = machine;
  const { pageCount } = machine.layout.parameters;
  const { state: STATE, order: ORDER, next: NEXT, previous: PREVIOUS } = Page;
  const { FREE, FREE_TAIL } = PageState;
  const orderMax = ORDER_MAX;
  const recordShift = RECORD_SHIFT;
  const records = machine.area('pages');
  const phys = machine.area('phys');
  const NON_EMPTY = phys + Phys.nonEmpty;
  const HEADS = phys + Phys.heads;
  const BLOCKS = phys + Phys.blocks;

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
  function addBlock(start: number, startOrder: number): void {
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

  function addExtent(start: number, end: number): void {
    for (let page = start; page < end; ) {
      const aligned = 31 - Math.clz32(page & -page);
      const fitting = 31 - Math.clz32(end - page);
      const order = aligned < fitting ? aligned : fitting;
      addBlock(page, order);
      page += 1 << order;
    }
  }

  return {
    orderFor: (pages) => (pages === 1 ? 0 : 32 - Math.clz32(pages - 1)),
    firstBlock(order) {
      // A shift by 32 and more would be one by as many less.
      const mask = order > orderMax ? 0 : (words[NON_EMPTY] as number) & (-1 << order);
      if (mask === 0) return 0;
      const found = 31 - Math.clz32(mask & -mask);
      const head = words[HEADS + found] as number;
      if (words[head + STATE] !== FREE || words[head + ORDER] !== found)
        throw damaged(`the list of blocks of 2^${found} pages begins at ${head}`);
      return (head - records) >> recordShift;
    },
    cut(page, count) {
      let end = page;
      while (end < page + count) {
        const record = records + (end << recordShift);
        const order = words[record + ORDER] as number;
        listRemove(record, order);
        end += 1 << order;
      }
      // No buddy of what is left begins where a block did that is taken now: they lie inside the last one.
      addExtent(page + count, end);
    },
    addExtent,
    clear() {
      words[NON_EMPTY] = 0;
      words.fill(0, HEADS, HEADS + orderMax + 1);
      words.fill(0, BLOCKS, BLOCKS + orderMax + 1);
    },
  };
}
