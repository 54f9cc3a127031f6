/**
 * Calls that wait for pages: what becomes of them when none come.
 *
 *   somebody may still give some back:   all wait; with CANFAIL for half a second
 *   nobody can:                          CANFAIL ends with OUT_OF_MEMORY
 *                                        both reserve flags: MEMORY_DEADLOCK, when all other threads
 *                                        sleep for pages as well, for none can free any
 *                                        the rest wait on
 *
 * Who waits is reported now and then, with what the reclaim handlers have said. After UVM_KMF_CANFAIL of
 * NetBSD, and Dillon's "critical error for these flags to deadlock".
 */

import { MbumaError } from '../check/index.js';
import { Lacking, ThreadSlot, Waiter, WaiterState } from '../machine/index.js';
import type { Alarms } from './alarms.js';
import type { UmaContext } from './context.js';
import type { Reclaimer } from './reclaim.js';
import { USES_RESERVE } from './request-class.js';
import { CANFAIL } from './zone-api.js';

/** How a call waits. `for good`: it blocks its thread, and gives up by no time limit. */
export type WaitKind = 'awaits' | 'blocks' | 'blocks for good';

/** One call that waits for pages. */
export interface Shortage {
  /**
   * Runs a look, quietly: this thread is awake, and will hear of what others give back from now on.
   */
  look<Result>(work: () => Result): Result;
  /**
   * A look has found nothing.
   *
   * @throws OUT_OF_MEMORY, MEMORY_DEADLOCK
   */
  foundNothing(): void;
  /** Before a sleep that is for pages, whether or not it is this call that looks. */
  beforeSleep(): void;
  /** For a call with CANFAIL whose time is up. */
  outOfMemory(): MbumaError;
  /** The call waits no more. */
  end(): void;
}

export interface Shortages {
  /** Whether a call has nothing to wait for that has found no pages: nobody is there who could be asked. */
  isHopeless(pagesWanted: number): boolean;
  /** @param pagesWanted in one piece */
  begin(what: string, flags: number, kind: WaitKind, pagesWanted: number): Shortage;
}

/** Looks in vain after which a call with CANFAIL ends, whoever has not answered. */
const CANFAIL_LOOKS = 5;

/** Looks after which there is a report; then after twice as many, and so on. */
const FIRST_REPORT = 3;

/** In the word `lacking`: what is lacked, below the number of the sleep. */
const LACKING_BITS = 2;
const LACKING_MASK = 3;

export function createShortages(context: UmaContext, reclaimer: Reclaimer, alarms: Alarms): Shortages {
  const { machine, threads, pages } = context;
  const { load, store } = machine.atomics;
  const LACKING = threads.self + ThreadSlot.lacking;
  let sleeps = 0;
  machine.onRewind(() => {
    sleeps = 0;
  });

  function hasOthers(): boolean {
    for (let slot = 1; slot <= threads.maxThreads; slot++)
      if (slot !== threads.slot && (threads.isLive(slot) || threads.isDead(slot))) return true;
    return false;
  }

  /**
   * Which sleeps all other threads are in, if none of them will ever do anything but wait for pages; else
   * ''. One that is dead will give back what it had.
   */
  function sleepsForGood(): string {
    let sleeps = 'all';
    for (let slot = 1; slot <= threads.maxThreads; slot++) {
      if (slot === threads.slot) continue;
      if (threads.isDead(slot)) return '';
      if (!threads.isLive(slot)) continue;
      const lacking = load(threads.slotRef(slot) + ThreadSlot.lacking);
      if ((lacking & LACKING_MASK) !== Lacking.PAGES_FOR_GOOD) return '';
      if (load(threads.waiterRef(slot, 0) + Waiter.state) !== WaiterState.WAITING) return '';
      sleeps += ` ${slot}:${lacking}`;
    }
    return sleeps;
  }

  function describe(what: string, looks: number): string {
    const { free, active, inactive, cache, thresholds } = pages.stats();
    const late = reclaimer.overdue().map(({ slot }) => slot);
    return [
      `${what} has found no pages ${looks === 1 ? 'once' : `${looks} times`}`,
      `${free} are free, ${thresholds.freeReserved} of them reserved; ${active + inactive + cache} may be taken`,
      late.length === 0 ? 'no thread owes an answer' : `threads that have not answered: ${late.join(', ')}`,
      pages.lowMemory.lastRun(),
    ].join('; ');
  }

  function begin(what: string, flags: number, kind: WaitKind, pagesWanted: number): Shortage {
    const sleepsAs = kind === 'blocks for good' ? Lacking.PAGES_FOR_GOOD : Lacking.PAGES;
    const isCritical = (flags & USES_RESERVE) === USES_RESERVE && (flags & CANFAIL) === 0;
    let looks = 0;
    /** Those at which no more pages were free than at the look before. */
    let looksInVain = 0;
    let reportAt = FIRST_REPORT;
    let gains = 0;
    let sleepsBefore = '';
    let freeBefore = 0;
    /** Since the look before there are more free pages: they may not lie in a row yet. */
    let othersGave = false;

    /** Whether all who could have given something back have been asked, and have had nothing. */
    function isHopeless(): boolean {
      if (reclaimer.gains() !== gains || pages.queuedMayDo(pagesWanted)) return false;
      if (!hasOthers()) return true;
      return looks > 1 && reclaimer.overdue().length === 0 && !othersGave;
    }

    /**
     * All slept when the look began, and have not woken up since: nothing has come free, and nothing ever
     * will.
     */
    const isDeadlock = (): boolean => sleepsBefore !== '' && sleepsForGood() === sleepsBefore;

    const outOfMemory = (): MbumaError =>
      new MbumaError('OUT_OF_MEMORY', `there are no pages left: ${describe(what, looks)}`);

    function refuse(): void {
      const hopeless = isHopeless();
      if ((flags & CANFAIL) !== 0 && (hopeless || looksInVain >= CANFAIL_LOOKS)) throw outOfMemory();
      if (isCritical && hopeless && kind !== 'awaits' && isDeadlock())
        throw new MbumaError(
          'MEMORY_DEADLOCK',
          `no thread can free any page: all wait for some. ${describe(what, looks)}`,
        );
    }

    return {
      look(work) {
        gains = reclaimer.gains();
        if (kind !== 'awaits') store(LACKING, Lacking.NOTHING);
        sleepsBefore = isCritical ? sleepsForGood() : '';
        pages.starve();
        return reclaimer.quietly(work);
      },
      foundNothing() {
        looks++;
        const free = pages.freePages();
        othersGave = free > freeBefore;
        freeBefore = free;
        if (!othersGave) looksInVain++;
        refuse();
        if (looks === reportAt) {
          reportAt *= 2;
          alarms.warn(`the memory is short of pages: ${describe(what, looks)}`);
        }
        reclaimer.askForPages(pagesWanted);
        // Pages that the look gave back beyond those it took have rung, and ended the request from before.
        pages.starve();
      },
      beforeSleep() {
        sleeps = (sleeps + 1) | 0;
        if (kind !== 'awaits') store(LACKING, (sleeps << LACKING_BITS) | sleepsAs);
      },
      outOfMemory,
      end() {
        reclaimer.endAsking();
        if (kind !== 'awaits') store(LACKING, Lacking.NOTHING);
      },
    };
  }

  return {
    isHopeless: (pagesWanted) => !hasOthers() && !pages.queuedMayDo(pagesWanted),
    begin,
  };
}
