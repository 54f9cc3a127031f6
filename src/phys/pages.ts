/**
 * The page layer, as one thread sees it: runs, requests and their classes, runs that may be taken. Here is
 * the lock, and what is checked; what is done under it is in runs.ts, buddy.ts, queues.ts and level.ts.
 */

import { LockRank, MbumaError, requireInteger } from '../check/index.js';
import { type AreaPlanner, type Attachment, Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { asRef, layoutOf } from '../record/index.js';
import { auditPages } from './audit.js';
import { createBuddy } from './buddy.js';
import { PageClass, type Thresholds, thresholdsFor } from './classes.js';
import { createLevel } from './level.js';
import { createLowMemory, type LowMemory } from './low-memory.js';
import { createPageLine, type PageLine } from './page-line.js';
import { createQueues } from './queues.js';
import {
  FIRST_USED_STATE,
  LAST_USED_STATE,
  ORDER_MAX,
  Page,
  PageQueue,
  type PageRef,
  PageState,
  Phys,
  RECORD_SHIFT,
  RECORD_WORDS,
} from './records.js';
import { createRuns } from './runs.js';

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
  /** Pages that are used, and may be taken: by the queue that they are in. */
  readonly active: number;
  readonly inactive: number;
  readonly cache: number;
  /** Pages of these that requests have taken. */
  readonly discarded: number;
  /** Requests that were met from the reserves. */
  readonly reserveTaken: number;
  /** Whether the memory is low now, and how often it has become so. */
  readonly isLow: boolean;
  readonly episodes: number;
  readonly thresholds: Thresholds;
}

/** The page layer, as one thread sees it. */
export interface Pages {
  /** Pages of the whole memory. */
  readonly pageCount: number;
  /** The first that is handed out. */
  readonly firstPage: number;
  /**
   * Takes `count` contiguous pages, in the class of this thread's requests (see `setClass`). Never sleeps;
   * takes runs of the cache queue if need be. Failpoint `phys.run`.
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
  /**
   * Of which class the requests of this thread are from now on; the one before. What a request needs on its
   * way, such as a header, is of its class: so it is the thread's, for as long as that is at it.
   */
  setClass(pageClass: PageClass): PageClass;
  /** The same, unless this thread's class may take more already. */
  raiseClass(pageClass: PageClass): PageClass;
  /** Whether such a run can ever be had: there is a block as long, when all pages are free. */
  canEverHave(count: number, alignment: number): boolean;
  /** Free pages: a hint, read without the lock. */
  freePages(): number;
  /** Pages of the runs that may be taken: a hint. */
  queuedPages(): number;
  /** Whether these make a difference to who wants so many: then they are taken as far as need be. A hint. */
  queuedMayDo(pagesWanted: number): boolean;
  /**
   * Puts a run that the caller holds into a queue, at its young end: from now on it may be taken. By the
   * holder.
   *
   * @returns a ticket, not 0, for `takeBack`
   * @throws BAD_ARGUMENT when no used run of `count` pages starts at `page`, or it is in a queue already
   */
  setAside(page: number, count: number, queue: PageQueue): number;
  /**
   * Takes the run out of its queue again. False: it has been taken by somebody meanwhile.
   *
   * @param held word of a hand of this thread: it names the run from the moment when it is out of the queue
   */
  takeBack(page: number, ticket: number, held?: number): boolean;
  /** Which queue the run that begins at a page is in. */
  queueOf(page: number): PageQueue;
  /** Gets at least so many pages of the inactive and active queues into the cache queue, if there are. */
  age(pagesWanted: number): void;
  /** Changes thresholds that have been checked: `thresholdReasons`. */
  setThresholds(thresholds: Thresholds): void;
  /** Asks to be woken when pages come free for a request of this thread's class: once, by `ringAll`. */
  starve(): void;
  /**
   * Until `ringForGain`, what this thread gives back rings for nobody: who looks for pages takes some and
   * gives them back, and that is nothing to wake others for.
   */
  holdRings(): void;
  /** Rings, if this thread has given back more than it has taken since. */
  ringForGain(): void;
  /** Those who wait for runs. */
  readonly line: PageLine;
  /** Reclaim handlers of this thread. */
  readonly lowMemory: LowMemory;
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
  const { machine, locks, hands, waiting } = attachment;
  const { words, floats } = machine;
  const { acquire, release } = locks;
  const { firstPage } = machine.layout;
  const { pageCount } = machine.layout.parameters;
  const { state: STATE, object: OBJECT, queue: QUEUE, ticket: TICKET } = Page;
  const FIRST_USED = FIRST_USED_STATE;
  const recordShift = RECORD_SHIFT;
  const records = machine.area('pages');
  const phys = machine.area('phys');
  const LOCK = phys + Phys.lock;
  const NON_EMPTY = phys + Phys.nonEmpty;
  const FREE_PAGES = phys + Phys.freePages;
  const BLOCKS = phys + Phys.blocks;
  const REQUESTS = (phys + Phys.requests) >> 1;
  const FAILURES = (phys + Phys.failures) >> 1;
  const { ACTIVE, INACTIVE, CACHE } = PageQueue;
  const rank = LockRank.PAGES;
  const runSite = machine.failpoints.site('phys.run', 'a run of pages, for whatever use');
  const buddy = createBuddy(machine);
  const queues = createQueues(machine);
  const level = createLevel(machine);
  const runs = createRuns(machine, buddy, queues, level);
  const line = createPageLine(attachment);
  const { runLength } = runs;
  let pageClass: PageClass = PageClass.NORMAL;
  let holdsRings = false;
  /** Pages that this thread has given back since `holdRings`, less those that it has taken. */
  let gain = 0;
  machine.onRewind(() => {
    pageClass = PageClass.NORMAL;
    holdsRings = false;
  });

  const recordOf = (page: number): number => records + (page << recordShift);

  function locked<Result>(work: () => Result): Result {
    acquire(LOCK, rank);
    try {
      return work();
    } finally {
      release(LOCK);
    }
  }

  function tryAllocRun(count: number, use: number, held = 0, alignment = 1): number {
    requireInteger(count, 'count', 1, Number.MAX_SAFE_INTEGER);
    requireInteger(use, 'use', FIRST_USED, LAST_USED_STATE);
    const forbidden = runSite.fails();
    // Blocks start at multiples of their length.
    const length = count > alignment ? count : alignment;
    acquire(LOCK, rank);
    try {
      floats[REQUESTS] = (floats[REQUESTS] as number) + 1;
      const block =
        forbidden || length > pageCount ? 0 : runs.findBlock(count, buddy.orderFor(length), pageClass);
      if (block !== 0) {
        gain -= count;
        return runs.blockToRun(block, count, use, held);
      }
      floats[FAILURES] = (floats[FAILURES] as number) + 1;
      level.beLow();
      return 0;
    } finally {
      release(LOCK);
    }
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
    let someoneStarves = false;
    if (length === count) {
      runs.runToBlocks(page, count);
      if (held !== 0) words[held] = 0;
      gain += count;
      someoneStarves = !holdsRings && level.takeStarving();
    }
    release(LOCK);
    if (someoneStarves) waiting.ringAll();
    if (length !== count) refuseFree(page, count, length);
  }

  function refuseFree(page: number, count: number, length: number): never {
    const found = length === 0 ? 'no used run starts there' : `the run there has ${length} pages`;
    throw new MbumaError('BAD_ARGUMENT', `a run of ${count} pages at page ${page} was freed: ${found}`, {
      address: page << PAGE_SHIFT,
    });
  }

  function setAside(page: number, count: number, queue: PageQueue): number {
    requireInteger(page, 'page', firstPage, pageCount - 1);
    requireInteger(queue, 'queue', ACTIVE, CACHE);
    return locked(() => {
      const record = recordOf(page);
      if (runLength(page) === count && words[record + QUEUE] === PageQueue.NONE)
        return queues.add(record, queue);
      const text = `no run of ${count} pages begins at page ${page}, or it is in a queue already`;
      throw new MbumaError('BAD_ARGUMENT', text, { address: page << PAGE_SHIFT });
    });
  }

  function takeBack(page: number, ticket: number, held = 0): boolean {
    requireInteger(page, 'page', firstPage, pageCount - 1);
    return locked(() => {
      const record = recordOf(page);
      const isThere = words[record + QUEUE] !== PageQueue.NONE && words[record + TICKET] === ticket;
      if (!isThere) return false;
      if (held !== 0) words[held] = page;
      queues.remove(record);
      return true;
    });
  }

  /** What hands may name that is a run. */
  const runKinds: readonly number[] = [HandKind.SLAB, HandKind.RUN, HandKind.GUARD, HandKind.LARGE_BLOCK];

  /** A run that a dead thread was about to take, or to take back, or has given back, is not in its hand. */
  function settleHandsLocked(): void {
    hands.eachOfDead((hand) => {
      const kind = hands.kindOf(hand);
      const page = words[hand + Hand.HELD] as number;
      if (!runKinds.includes(kind) || page === 0) return;
      // What is in a queue another thread may take, and use, before the hand is emptied.
      const isHeld = runLength(page) !== 0 && words[recordOf(page) + QUEUE] === PageQueue.NONE;
      if (!isHeld) words[hand + Hand.HELD] = 0;
    });
  }

  locks.onTakeOver(LOCK, LOCK + 1, rank, () => {
    runs.rebuild();
    line.repairLocked();
    settleHandsLocked();
  });

  if (initialise) {
    for (let page = 0; page < firstPage; page++) words[recordOf(page) + STATE] = PageState.BOOT;
    buddy.addExtent(firstPage, pageCount);
    words[FREE_PAGES] = pageCount - firstPage;
    level.setThresholds(thresholdsFor(pageCount - firstPage));
  }

  function setClass(asked: PageClass): PageClass {
    const before = pageClass;
    pageClass = asked;
    return before;
  }

  /** Pages of the longest block that there is when all pages are free: it begins at a multiple of its length. */
  let longestBlock = 1 << ORDER_MAX;
  while (Math.ceil(firstPage / longestBlock) * longestBlock + longestBlock > pageCount) longestBlock >>= 1;

  const queuedPages = (): number => queues.pagesIn(ACTIVE) + queues.pagesIn(INACTIVE) + queues.pagesIn(CACHE);

  const freePages = (): number => words[FREE_PAGES] as number;

  function age(pagesWanted: number): void {
    if (queues.pagesIn(ACTIVE) + queues.pagesIn(INACTIVE) > 0) locked(() => queues.age(pagesWanted));
  }

  const lowMemory = createLowMemory(machine, { ...level, freePages, setClass, age });
  waiting.forbidBlocking(() =>
    lowMemory.isRunning() ? 'a reclaim handler is running: it must not sleep' : '',
  );

  return {
    pageCount,
    firstPage,
    tryAllocRun,
    freeRun,
    setClass,
    raiseClass: (asked) => setClass(asked > pageClass ? asked : pageClass),
    canEverHave: (count, alignment) => Math.max(count, alignment) <= longestBlock,
    freePages,
    queuedPages,
    queuedMayDo: (wanted) => queuedPages() > 0 && freePages() + queuedPages() >= wanted,
    setAside,
    takeBack,
    queueOf: (page) => (page >>> 0 < pageCount ? words[recordOf(page) + QUEUE] : PageQueue.NONE) as PageQueue,
    age,
    setThresholds(thresholds) {
      locked(() => level.setThresholds(thresholds));
    },
    starve() {
      locked(() => level.starve(pageClass));
    },
    holdRings() {
      holdsRings = true;
      gain = 0;
    },
    ringForGain() {
      holdsRings = false;
      if (gain > 0 && locked(level.takeStarving)) waiting.ringAll();
    },
    line,
    lowMemory,
    lengthOf: (page) => (page >= firstPage && page < pageCount ? runLength(page) : 0),
    setObject(page, count, object) {
      requireInteger(page, 'page', firstPage, pageCount - 1);
      requireInteger(count, 'count', 1, pageCount - page);
      const end = recordOf(page + count);
      for (let record = recordOf(page); record < end; record += RECORD_WORDS) {
        words[record + OBJECT] = object;
      }
    },
    objectOf: (page) => (page >>> 0 < pageCount ? (words[recordOf(page) + OBJECT] as number) : 0),
    pageRef: (page) => asRef<'page'>(recordOf(page)),
    stats() {
      const nonEmpty = words[NON_EMPTY] as number;
      return {
        pages: pageCount - firstPage,
        free: words[FREE_PAGES] as number,
        largestRun: nonEmpty === 0 ? 0 : 1 << (31 - Math.clz32(nonEmpty)),
        byOrder: Array.from(words.subarray(BLOCKS, BLOCKS + ORDER_MAX + 1)),
        requests: floats[REQUESTS] as number,
        failures: floats[FAILURES] as number,
        active: queues.pagesIn(ACTIVE),
        inactive: queues.pagesIn(INACTIVE),
        cache: queues.pagesIn(CACHE),
        discarded: runs.discarded(),
        reserveTaken: level.reserveTaken(),
        isLow: level.isLow(),
        episodes: level.episodes() >>> 0,
        thresholds: level.thresholds(),
      };
    },
    audit(report) {
      const findings: [rule: string, message: string][] = [];
      locked(() => auditPages(attachment, (rule, message) => findings.push([rule, message])));
      for (const [rule, message] of findings) report(rule, message);
    },
    rebuildLocked: runs.rebuild,
  };
}
