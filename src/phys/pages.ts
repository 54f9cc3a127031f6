/**
 * The page layer, as one thread sees it: runs, requests and their classes, runs that may be taken. Here is
 * the lock, and what is checked; what is done under it is in runs.ts, buddy.ts, queues.ts and level.ts.
 */

import { LockRank, MbumaError, requireInteger } from '../check/index.js';
import { type AreaPlanner, type Attachment, Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { asRef, layoutOf } from '../record/index.js';
import { auditPages } from './audit.js';
import { createBuddy } from './buddy.js';
import { PageClass, thresholdsFor } from './classes.js';
import { createLevel } from './level.js';
import { createLowMemory } from './low-memory.js';
import { createPageLine } from './page-line.js';
import type { Pages } from './pages-api.js';
import { createQueues } from './queues.js';
import {
  FIRST_USED_STATE,
  LAST_USED_STATE,
  ORDER_MAX,
  Page,
  PageQueue,
  PageState,
  Phys,
  RECORD_SHIFT,
  RECORD_WORDS,
} from './records.js';
import { ANY_BLOCK, createRuns } from './runs.js';

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

  function tryAllocRun(count: number, use: number, held = 0, alignment: number = ANY_BLOCK): number {
    requireInteger(count, 'count', 1, Number.MAX_SAFE_INTEGER);
    requireInteger(use, 'use', FIRST_USED, LAST_USED_STATE);
    const forbidden = runSite.fails();
    acquire(LOCK, rank);
    try {
      floats[REQUESTS] = (floats[REQUESTS] as number) + 1;
      const isHopeless = forbidden || count > pageCount || alignment > pageCount;
      const page = isHopeless ? 0 : runs.findPlace(count, alignment, pageClass);
      if (page !== 0) {
        gain -= count;
        runs.takeRun(page, count, use, held);
        return page;
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
      someoneStarves = haveGained(count);
    }
    release(LOCK);
    if (someoneStarves) waiting.ringAll();
    if (length !== count) throw noSuchRun(page, count, 'is freed');
  }

  /** This thread has given back so many pages. Whether somebody is to be rung. */
  function haveGained(count: number): boolean {
    gain += count;
    return !holdsRings && level.takeStarving();
  }

  /** That a used run of `count` pages, which nobody may take, starts at a page. */
  function requireOwnRun(page: number, count: number, what: string): void {
    const isOwn = runLength(page) === count && words[recordOf(page) + QUEUE] === PageQueue.NONE;
    if (!isOwn) throw noSuchRun(page, count, what);
  }

  function noSuchRun(page: number, count: number, what: string): MbumaError {
    const length = runLength(page);
    const found = length === 0 ? 'no used run starts there' : `the run there has ${length} pages`;
    const isQueued = length === count ? ', and is set aside' : '';
    const text = `a run of ${count} pages at page ${page} ${what}: ${found}${isQueued}`;
    return new MbumaError('BAD_ARGUMENT', text, { address: page << PAGE_SHIFT });
  }

  function resizeRun(page: number, count: number, newCount: number): boolean {
    requireInteger(page, 'page', firstPage, pageCount - 1);
    requireInteger(newCount, 'newCount', 1, Number.MAX_SAFE_INTEGER);
    if (newCount > count && runSite.fails()) return false;
    let someoneStarves = false;
    const isDone = locked(() => {
      requireOwnRun(page, count, 'is made longer or shorter');
      if (newCount > count) {
        if (!runs.lengthen(page, newCount)) return false;
        gain -= newCount - count;
      } else if (newCount < count) {
        runs.shorten(page, newCount);
        someoneStarves = haveGained(count - newCount);
      }
      return true;
    });
    if (someoneStarves) waiting.ringAll();
    return isDone;
  }

  function setAside(page: number, count: number, queue: PageQueue): number {
    requireInteger(page, 'page', firstPage, pageCount - 1);
    requireInteger(queue, 'queue', ACTIVE, CACHE);
    return locked(() => {
      requireOwnRun(page, count, 'is set aside');
      return queues.add(recordOf(page), queue);
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
    resizeRun,
    setClass,
    raiseClass: (asked) => setClass(asked > pageClass ? asked : pageClass),
    canEverHave: (count, alignment) => Math.ceil(firstPage / alignment) * alignment + count <= pageCount,
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
        longestBlock: nonEmpty === 0 ? 0 : 1 << (31 - Math.clz32(nonEmpty)),
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
