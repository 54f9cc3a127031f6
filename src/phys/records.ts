/**
 * Records of the page layer.
 *
 * Words: a *page* is 4096 bytes; it has a *page record*, at the same index. A *run* is any number of
 * contiguous pages that are used as one. A *block* is a free run of 2^order pages that starts at a
 * multiple of its length; its *buddy* is the other half of the block of the next order.
 *
 * Guards: `const` written before the memory is shared; `A` atomics only; `P` the lock of this layer;
 * `O` whoever holds the run (its own locks decide), and this layer while the page is free.
 *
 *   page      4      5      6      7      8      9     10     11     12
 *          +------+-------------+------+---------------------------+-----
 *   state  | FREE | SLAB   SLAB | FREE | FREE   TAIL   TAIL   TAIL | RUN
 *   order  |  0   |             |  0   |  2                        |
 *   length |      |  2      0   |      |                           | ...
 *          +------+-------------+------+---------------------------+-----
 *            block      run      block            block               run
 *
 * One store makes a run used, and one makes it free: that of the state of its first page. The word `queue`
 * there says whether it may be taken. All else here follows from these, so it can be rebuilt: README.md,
 * "After a death".
 */

import { array, f64, type Ref, ref, struct, u32 } from '../record/index.js';

/** What is known of one page. One cache line. */
export const Page = struct(
  'page',
  {
    state: u32('P', 'PageState.'),
    length: u32('P', 'Pages of the used run that starts here; 0 in every other page.'),
    order: u32('P', 'The block that starts here has 2^order pages. Only in a FREE page.'),
    next: ref('page', 'P', 'Next block of the same order; 0 ends the list. Only in a FREE page.'),
    previous: ref('page', 'P', 'Previous block of the same order; 0 is the head. Only in a FREE page.'),
    object: u32('O', 'What the page belongs to: the slab of a SLAB page. 0 in a free page.'),
    offset: u32(
      'O',
      'Place of the page in its object; in the first page of a run, what its holder notes. 0 in a free page.',
    ),
    wireCount: u32('O', 'Reasons to keep the page where it is. 0 in a free page.'),
    loanCount: u32('O', 'Borrowers of the page. 0 in a free page.'),
    queue: u32('P', 'PageQueue of the used run that starts here: not 0 when the run may be taken.'),
    queueNext: ref('page', 'P', 'Next run of the same queue, a younger one; 0 ends it. Only in a queue.'),
    queuePrevious: ref('page', 'P', 'Previous run of the same queue; 0 is the oldest. Only in a queue.'),
    ticket: u32('P', 'Says which stay in a queue this is. Only in a queue.'),
    spare: array(3, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

export type PageRef = Ref<'page'>;

/** Page records are a power of two long: an index is shifted, not multiplied. */
export const RECORD_SHIFT = 4;
export const RECORD_WORDS: number = 1 << RECORD_SHIFT;

/** The largest block has 2^19 pages: 2 GiB, all that a byte address can name. */
export const ORDER_MAX = 19;

const ORDERS = 20;

/**
 * Queues of runs that are used, and whose holder can do without: each may be taken when there are no others.
 * Those of the cache queue first; ageing moves runs there from the inactive, and from the active to that.
 */
export const PageQueue = { NONE: 0, ACTIVE: 1, INACTIVE: 2, CACHE: 3 } as const;

export type PageQueue = (typeof PageQueue)[keyof typeof PageQueue];

const QUEUES = 4;

/** The page layer itself. The lock has a line of its own. */
export const Phys = struct(
  'phys',
  {
    // Line 0: the word that everybody tries.
    lock: u32('A', 'Lock of rank PAGES.'),
    spare0: array(15, 'const', 'Fills the line.'),
    // Line 1: what every call touches.
    nonEmpty: u32('P', 'Bit k is set exactly when there is a block of order k.'),
    freePages: u32('P', 'Pages in blocks. May be read without the lock as a hint.'),
    requests: f64('P', 'Runs asked for.'),
    failures: f64('P', 'Runs that were not there.'),
    spare1: array(2, 'const', 'Aligns the heads.'),
    heads: array(ORDERS, 'P', 'First block of each order; 0 when there is none.'),
    blocks: array(ORDERS, 'P', 'How many blocks of each order there are. Hints without the lock.'),
    // Line 4: how many free pages are few, and what has come of it.
    interruptFreeMin: u32('P', 'Free pages that only a request of class interrupt may take.'),
    freeReserved: u32('P', 'Free pages that a request of class normal leaves.'),
    freeMin: u32(
      'P',
      'With fewer free pages the memory is low: handlers run, and who waits goes on waiting.',
    ),
    freeTarget: u32('P', 'Free pages with which it is low no more.'),
    cacheMin: u32('P', 'Pages that ageing keeps in the cache queue.'),
    inactiveTarget: u32('P', 'Pages that ageing keeps in the inactive and the cache queue together.'),
    isLow: u32(
      'P',
      '1 from when the memory is low, or a request has found nothing, until it is low no more.',
    ),
    episodes: u32('P', 'Times that it became low. Wraps. A hint without the lock.'),
    starving: u32('P', 'Starving: whose sleep ends when pages come free; 0: nobody has asked for that.'),
    lastTicket: u32('P', 'The ticket that was given last; after 2^31 - 1 comes 1.'),
    spare2: array(2, 'const', 'Aligns the figures.'),
    discarded: f64('P', 'Pages of queues that requests have taken.'),
    reserveTaken: f64('P', 'Requests that were met from the reserves.'),
    // Line 5: the queues, by PageQueue.
    queueHeads: array(QUEUES, 'P', 'Oldest run of each queue; 0 when it is empty. The first is none.'),
    queueTails: array(QUEUES, 'P', 'Youngest run of each queue.'),
    queuePages: array(QUEUES, 'P', 'Pages of the runs of each queue. Hints without the lock.'),
    line: array(4, 'P', 'Wait queue of those who wait for runs: the first looks when pages come free.'),
  },
  { words: 96 },
);

/**
 * Life of a page. Fresh memory is all 0, and a free page is: so a memory is made without touching
 * the records of its pages.
 *
 *   FREE, FREE_TAIL --tryAllocRun--> SLAB or RUN --freeRun--> FREE, FREE_TAIL
 */
export const PageState = {
  /** Free, inside a block. */
  FREE_TAIL: 0,
  /** Free, the first page of a block. */
  FREE: 1,
  /** Page 0 and the boot areas: never handed out. */
  BOOT: 2,
  /** Used: cut into items. */
  SLAB: 3,
  /** Used: one structure of many pages, like a ring. */
  RUN: 4,
} as const;

export type PageState = (typeof PageState)[keyof typeof PageState];

/** States from this one up are those of used runs. */
export const FIRST_USED_STATE: PageState = PageState.SLAB;

/** The highest state there is. */
export const LAST_USED_STATE: PageState = PageState.RUN;

/** Whose sleep ends when pages come free. */
export const Starving = {
  /** Who may take what is above the reserve: when the memory is low no more. */
  NORMAL: 1,
  /** Who may take the reserves: at once. */
  RESERVE: 2,
} as const;
