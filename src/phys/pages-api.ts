/** What the layers above may ask of the page layer. */

import type { PageClass, Thresholds } from './classes.js';
import type { LowMemory } from './low-memory.js';
import type { PageLine } from './page-line.js';
import type { PageQueue, PageRef } from './records.js';

/** What is told of the layer. Read without the lock: each figure is exact, their sum may be off. */
export interface PagesStats {
  /** Pages that this layer hands out: all but the boot pages. */
  readonly pages: number;
  readonly free: number;
  /** Pages of the longest free block. A large block of malloc may lie in several, and be longer. */
  readonly longestBlock: number;
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
   * @param alignment pages, a power of two: the run begins at a multiple of it, and may lie in several blocks
   *   (then this looks at every block and run, if no block is long enough). By default it lies in one block,
   *   and begins at a multiple of the power of two that is at least `count`
   * @returns the first page; 0 when there is none. The pages' objects are 0, their contents are whatever they
   *   were.
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
   * Makes a run longer or shorter where it lies: for more pages, those behind it must be free, and the free
   * pages stay above the reserves. New pages are of the same object, and hold whatever they held. Failpoint
   * `phys.run`, for more. By the holder.
   *
   * @returns false when that cannot be: nothing is changed
   * @throws BAD_ARGUMENT when no used run of `count` pages starts at `page`, or it may be taken
   */
  resizeRun(page: number, count: number, newCount: number): boolean;
  /**
   * Of which class the requests of this thread are from now on; the one before. What a request needs on its
   * way, such as a header, is of its class: so it is the thread's, for as long as that is at it.
   */
  setClass(pageClass: PageClass): PageClass;
  /** The same, unless this thread's class may take more already. */
  raiseClass(pageClass: PageClass): PageClass;
  /** Whether such a run can be had when all pages are free. */
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
