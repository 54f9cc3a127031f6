/** Pages in the tree of tunables and figures. A new leaf is a line in one of the lists. */

import { PAGE_SIZE } from '../machine/index.js';
import { floorLog2 } from '../record/index.js';
import { type Branch, branch, integer } from '../sysctl/index.js';
import type { Pages } from './pages.js';
import { ORDER_MAX } from './records.js';

const PAGES_MAX = 2 ** ORDER_MAX;

export function pagesBranches(pages: Pages): readonly Branch[] {
  const { pageCount, firstPage } = pages;
  // By the page count, not by what there is: to grow the tree reads no word of the memory.
  const orders = Array.from({ length: floorLog2(pageCount) + 1 }, (_, order) =>
    integer(
      `free.${order}`,
      '',
      `Free blocks of ${2 ** order} page${order === 0 ? '' : 's'}.`,
      () => pages.stats().byOrder[order] ?? 0,
      { most: PAGES_MAX },
    ),
  );
  return [
    branch('hw', [
      integer('pagesize', 'bytes', 'Bytes of a page.', () => PAGE_SIZE),
      integer('physmem', 'bytes', 'Bytes of the whole memory.', () => pageCount * PAGE_SIZE, {
        most: 2 ** 31,
      }),
    ]),
    branch('vm.stats.vm', [
      integer('v_page_count', 'pages', 'Pages that can be handed out.', () => pageCount - firstPage, {
        most: PAGES_MAX,
      }),
      integer('v_free_count', 'pages', 'Pages that are free.', pages.freePages, { most: PAGES_MAX }),
    ]),
    branch('vm', [
      integer(
        'uma_kmem_limit',
        'bytes',
        'Bytes that slabs can take at most: all pages.',
        () => (pageCount - firstPage) * PAGE_SIZE,
        { most: 2 ** 31 },
      ),
    ]),
    branch('vm.phys', [
      integer(
        'largest_run',
        'pages',
        'The longest run that can be had now.',
        () => pages.stats().largestRun,
        {
          most: PAGES_MAX,
        },
      ),
      integer('requests', 'times', 'Runs asked for.', () => pages.stats().requests),
      integer('failures', 'times', 'Runs that were not there.', () => pages.stats().failures),
      ...orders,
    ]),
  ];
}
