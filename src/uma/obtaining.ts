/**
 * What a request tries that has found no pages: one source after another, and an attempt after each that has
 * given something.
 *
 *   1 what zones cache: the kegs of the backend in turn, until one gives     4 runs that have been set aside,
 *   2 what all zones cache                                                     wherever they lie
 *   3 runs that have come of age, and reclaim handlers, for twice as much     5 the other threads are asked;
 *     each time that it has not sufficed                                        this attempt has failed
 */

import { Attention, askAll } from '../machine/index.js';
import type { UmaContext } from './context.js';
import { HookErrors } from './hooks.js';
import type { KegState } from './keg-state.js';
import { OWN_PAGES } from './records.js';

export interface Obtaining {
  /**
   * Tries until the attempt answers something; null: all was in vain, and the others have been asked. Under
   * no lock.
   *
   * @param pagesWanted in one piece
   * @param keg whose pages are lacking; null: it is a run
   * @param attempt null: there are no pages yet
   */
  obtain<Result>(pagesWanted: number, keg: KegState | null, attempt: () => Result | null): Result | null;
  /** Times that a source has given something in this thread. */
  gains(): number;
}

/** What the sources are made of. */
export interface Sources {
  /** The kegs of a backend in turn, until one has freed something; whether one has. */
  rotate(lacking: KegState, errors: HookErrors): boolean;
  /** Gives back what this thread and all its zones cache. */
  settle(): void;
  /** Whether nobody is to be woken. */
  isQuiet(): boolean;
}

export function createObtaining(
  { machine, threads, pages }: UmaContext,
  { rotate, settle, isQuiet }: Sources,
): Obtaining {
  let isGiving = false;
  let gains = 0;
  machine.onRewind(() => {
    isGiving = false;
    gains = 0;
  });

  /** Whether a source has given something. A hook that is run by it may lack pages itself: it does without. */
  function gain(source: () => boolean): boolean {
    isGiving = true;
    try {
      const gave = source();
      if (gave) gains++;
      return gave;
    } finally {
      isGiving = false;
    }
  }

  function settleForPages(): boolean {
    const before = pages.freePages();
    settle();
    return pages.freePages() > before;
  }

  /**
   * What handlers give, as long as they do.
   *
   * @param most pages that have been free: what an attempt has taken, and its thread caches, comes free each
   *   time, and is nothing that was given
   */
  function relieve<Result>(pagesWanted: number, most: number, attempt: () => Result | null): Result | null {
    let best = most;
    for (let wanted = pagesWanted; ; wanted *= 2) {
      const gave = gain(() => pages.lowMemory.relieve(wanted, settle) > 0);
      const free = pages.freePages();
      const found = gave || pages.queuedMayDo(pagesWanted) ? attempt() : null;
      if (found !== null || free <= best || wanted > pages.pageCount) return found;
      // What is free in all may be enough, and lie in pieces.
      best = free;
    }
  }

  function fromAll<Result>(pagesWanted: number, attempt: () => Result | null): Result | null {
    const gave = gain(settleForPages);
    const most = pages.freePages();
    const found = (gave ? attempt() : null) ?? relieve(pagesWanted, most, attempt);
    if (found !== null || pages.queuedPages() === 0) return found;
    // What has come of age lies in the wrong places: all that is set aside goes, as far as it must.
    pages.age(pages.pageCount);
    return attempt();
  }

  return {
    obtain(pagesWanted, keg, attempt) {
      if (isGiving) return null;
      // What hooks throw is dropped: who lacks pages is none of those whose hooks they are.
      let found = keg !== null && gain(() => rotate(keg, new HookErrors())) ? attempt() : null;
      // Of a bounded backend nobody else can give anything.
      if (keg === null || keg.backend === OWN_PAGES) found ??= fromAll(pagesWanted, attempt);
      if (found === null && !isQuiet()) askAll(threads, Attention.RECLAIM);
      return found;
    },
    gains: () => gains,
  };
}
