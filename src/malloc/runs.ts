/** Large blocks: runs of whole pages. The object of a run's pages is its type. */

import { hex, MbumaError } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT, PAGE_SIZE } from '../machine/index.js';
import { PageState } from '../phys/index.js';
import type { MallocContext } from './context.js';
import type { TypeRef } from './records.js';

export interface Runs {
  /** First byte of a run of so many pages at a multiple of `alignment`; 0: there is none. */
  tryAlloc(type: TypeRef, pages: number, alignment: number): number;
  /** Pages of the run of this type that begins at the address; 0: none does. */
  lengthAt(type: TypeRef, address: number): number;
  /** Gives a run back. @throws FREE_TWICE: another thread was faster */
  free(address: number): void;
}

export function createRuns({ machine, pages, hands, uma }: MallocContext): Runs {
  const { words } = machine;

  // A dead thread had not told its caller of this one.
  uma.reaper.onHand(HandKind.LARGE_BLOCK, (hand) => {
    const page = words[hand + Hand.HELD] as number;
    if (page !== 0) pages.freeRun(page, words[hand + Hand.SECOND] as number, hand + Hand.HELD);
    words[hand] = 0;
  });

  /** Takes a run; what caches and zones can spare is given back, once, when there is none. */
  function take(count: number, alignment: number, hand: number): number {
    const aligned = Math.max(1, alignment >>> PAGE_SHIFT);
    const first = pages.tryAllocRun(count, PageState.RUN, hand + Hand.HELD, aligned);
    if (first !== 0) return first;
    uma.reclaimer.reclaim('threads');
    return pages.tryAllocRun(count, PageState.RUN, hand + Hand.HELD, aligned);
  }

  return {
    tryAlloc(type, count, alignment) {
      const hand = hands.open(HandKind.LARGE_BLOCK, 0, 0, count, 0);
      try {
        const page = take(count, alignment, hand);
        if (page !== 0) pages.setObject(page, count, type);
        return page << PAGE_SHIFT;
      } finally {
        // From here on it is the type's.
        hands.close(hand);
      }
    },
    lengthAt(type, address) {
      const page = address >>> PAGE_SHIFT;
      return (address & (PAGE_SIZE - 1)) === 0 && pages.objectOf(page) === type ? pages.lengthOf(page) : 0;
    },
    free(address) {
      const page = address >>> PAGE_SHIFT;
      try {
        pages.freeRun(page, pages.lengthOf(page));
      } catch (cause) {
        const text = `Duplicate free of the run at ${hex(address)}: another thread has just freed it`;
        throw new MbumaError('FREE_TWICE', text, { address, cause });
      }
    },
  };
}
