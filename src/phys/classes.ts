/**
 * Classes of requests, and how many free pages are few.
 *
 * A request of class normal leaves the reserves; one of class system leaves what only interrupts may take;
 * one of class interrupt may take the last page. Every one of them takes runs of the cache queue before it
 * goes below the first reserve: such a run is freed and the request looks again, so that the reserves fill
 * up. After vm_page_alloc of DragonFly, and Dillon's note on M_NOWAIT.
 */

/** What a request for pages may take. */
export const PageClass = { NORMAL: 0, SYSTEM: 1, INTERRUPT: 2 } as const;

export type PageClass = (typeof PageClass)[keyof typeof PageClass];

/** Free pages at which something happens. In this order: none is larger than the next of the first four. */
export interface Thresholds {
  /** Free pages that only USE_INTERRUPT_RESERVE may take. */
  readonly interruptFreeMin: number;
  /** Free pages that a request without a flag leaves. */
  readonly freeReserved: number;
  /** With fewer free pages the memory is low. */
  readonly freeMin: number;
  /** Free pages with which it is low no more. */
  readonly freeTarget: number;
  /** Pages that ageing keeps ready to be taken at once. */
  readonly cacheMin: number;
  /** Pages that ageing keeps inactive, or ready. */
  readonly inactiveTarget: number;
}

export const THRESHOLD_NAMES: readonly (keyof Thresholds)[] = [
  'interruptFreeMin',
  'freeReserved',
  'freeMin',
  'freeTarget',
  'cacheMin',
  'inactiveTarget',
];

/** The four that must not be out of order. */
const ORDERED: readonly (keyof Thresholds)[] = THRESHOLD_NAMES.slice(0, 4);

/**
 * Thresholds by the pages that there are: those of FreeBSD, without what it adds for devices, which would
 * be all of a small memory. Below 200 pages all are 0; below 400 nothing is kept back.
 */
export function thresholdsFor(pages: number): Thresholds {
  const freeMin = Math.floor(pages / 200);
  const freeReserved = freeMin >>> 1;
  const freeTarget = 4 * freeMin + freeReserved;
  return {
    interruptFreeMin: freeMin >>> 3,
    freeReserved,
    freeMin,
    freeTarget,
    cacheMin: freeTarget,
    inactiveTarget: freeTarget + (freeTarget >>> 1),
  };
}

/** What is wrong with thresholds in a memory of so many pages; nothing: all is well. */
export function thresholdReasons(thresholds: Thresholds, pages: number): string[] {
  const reasons: string[] = [];
  for (const name of THRESHOLD_NAMES) {
    if (thresholds[name] > pages || thresholds[name] < 0)
      reasons.push(`${name} is ${thresholds[name]}, and there are ${pages} pages`);
  }
  for (let index = 1; index < ORDERED.length; index++) {
    const low = ORDERED[index - 1] as keyof Thresholds;
    const high = ORDERED[index] as keyof Thresholds;
    if (thresholds[low] > thresholds[high])
      reasons.push(`${low} is ${thresholds[low]}, more than ${high}, which is ${thresholds[high]}`);
  }
  return reasons;
}
