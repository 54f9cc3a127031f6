/** Pages in the tree of tunables and figures. A new leaf is a line in one of the lists. */

import { refuseFor } from '../check/index.js';
import { PAGE_SIZE } from '../machine/index.js';
import { floorLog2 } from '../record/index.js';
import { type Branch, branch, flag, integer, type Leaf } from '../sysctl/index.js';
import { type Thresholds, thresholdReasons } from './classes.js';
import type { Pages } from './pages-api.js';
import { ORDER_MAX } from './records.js';

const PAGES_MAX = 2 ** ORDER_MAX;

/** Leaf, threshold, sentence. The names are those of FreeBSD. */
const thresholds: readonly (readonly [name: string, of: keyof Thresholds, description: string])[] = [
  ['v_interrupt_free_min', 'interruptFreeMin', 'Free pages that only USE_INTERRUPT_RESERVE may take.'],
  ['v_free_reserved', 'freeReserved', 'Free pages that a request without a flag leaves.'],
  ['v_free_min', 'freeMin', 'With fewer free pages the memory is low.'],
  ['v_free_target', 'freeTarget', 'Free pages with which it is low no more.'],
  ['v_cache_min', 'cacheMin', 'Pages that ageing keeps in the cache queue.'],
  ['v_inactive_target', 'inactiveTarget', 'Pages that ageing keeps in the inactive and the cache queue.'],
];

/** @throws BAD_ARGUMENT when it contradicts the others, BAD_CONFIGURATION with every reason of several */
function setThreshold(pages: Pages, name: keyof Thresholds, value: number): void {
  const chosen = { ...pages.stats().thresholds, [name]: value };
  refuseFor('', thresholdReasons(chosen, pages.pageCount - pages.firstPage));
  pages.setThresholds(chosen);
}

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
  const figure = (name: string, of: 'active' | 'inactive' | 'cache', description: string): Leaf =>
    integer(name, 'pages', description, () => pages.stats()[of], { most: PAGES_MAX });
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
      figure('v_active_count', 'active', 'Pages that are set aside, and were of use lately.'),
      figure('v_inactive_count', 'inactive', 'Pages that are set aside.'),
      figure('v_cache_count', 'cache', 'Pages that are set aside, and go first.'),
      integer(
        'v_tcached',
        'pages',
        'Pages that were set aside, and that requests have taken.',
        () => pages.stats().discarded,
      ),
    ]),
    branch('vm', [
      ...thresholds.map(([name, of, description]) =>
        integer(name, 'pages', description, () => pages.stats().thresholds[of], {
          most: pageCount - firstPage,
          write: (_, value) => setThreshold(pages, of, value),
        }),
      ),
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
        'longest_block',
        'pages',
        'The longest free block: large blocks of malloc may lie in several.',
        () => pages.stats().longestBlock,
        {
          most: PAGES_MAX,
        },
      ),
      flag('low', 'Whether the memory is low: handlers run.', () => pages.stats().isLow),
      integer('episodes', 'times', 'Times that it became low.', () => pages.stats().episodes),
      integer('reserve', 'times', 'Runs that were met from the reserves.', () => pages.stats().reserveTaken),
      integer('requests', 'times', 'Runs asked for.', () => pages.stats().requests),
      integer('failures', 'times', 'Runs that were not there.', () => pages.stats().failures),
      ...orders,
    ]),
  ];
}
