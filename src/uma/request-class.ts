/** From the flags of a call to the class of the pages that it may take. */

import { PageClass, type Pages } from '../phys/index.js';
import { USE_INTERRUPT_RESERVE, USE_RESERVE } from './zone-api.js';

/** The flags that say a class. Who may go below the last reserve may go below the one before. */
export const USES_RESERVE: number = USE_RESERVE | USE_INTERRUPT_RESERVE;

function classOf(flags: number): PageClass {
  if ((flags & USES_RESERVE) === 0) return PageClass.NORMAL;
  return (flags & USE_INTERRUPT_RESERVE) === 0 ? PageClass.SYSTEM : PageClass.INTERRUPT;
}

/**
 * Does something as a call with these flags does it. What is allocated on the way, by hooks too, is of its
 * class, or of that of the call around it if that may take more.
 */
export function inClassOf<Result>(pages: Pages, flags: number, work: () => Result): Result {
  const before = pages.raiseClass(classOf(flags));
  try {
    return work();
  } finally {
    pages.setClass(before);
  }
}
