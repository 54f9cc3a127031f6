/** From size and alignment to what a block must be, and what is wrong with either. */

import { CheckLevel, MbumaError, requireInteger, requireObject, requireSignal } from '../check/index.js';
import { PAGE_SIZE } from '../machine/index.js';
import { PageQueue } from '../phys/index.js';
import { ALL_FLAGS, type AsyncOptions, GRANULE, GRANULE_SHIFT } from '../uma/index.js';
import { CLASS_OF, CLASS_SIZES, powerClassOf, SMALL_MAX } from './classes.js';
import type { MallocContext } from './context.js';

/** What a block must be. */
export interface Request {
  /** Size class; -1: a run. */
  readonly index: number;
  /** Pages of a run. */
  readonly pages: number;
  /** Of a run: it begins at a multiple of so many pages. */
  readonly alignedPages: number;
  readonly granules: number;
}

/** A request that this memory can never meet. */
export const NEVER: Request = { index: -1, pages: 0, alignedPages: 1, granules: 0 };

export function requireFlags(flags: unknown): number {
  return requireInteger(flags, 'flags', 0, ALL_FLAGS);
}

/** The signal of a call that waits without blocking; it has not ended the call yet. */
export function requireOptions(options: unknown): AbortSignal | undefined {
  const { signal } = requireObject(options, 'options') as AsyncOptions;
  requireSignal(signal);
  signal?.throwIfAborted();
  return signal;
}

/** Of numbers beyond words, too. */
const isPowerOfTwo = (n: number): boolean => 2 ** Math.floor(Math.log2(n)) === n;

/** Bytes of so many things; what is too much for any memory stays so. @throws BAD_ARGUMENT */
export function product(count: unknown, size: unknown): number {
  const things = requireInteger(count, 'count', 0, Number.MAX_SAFE_INTEGER);
  const each = requireInteger(size, 'size', 0, Number.MAX_SAFE_INTEGER);
  return Math.min(things * each, Number.MAX_SAFE_INTEGER);
}

/** A run of so many pages. */
export function runOf(pages: number, alignedPages = 1): Request {
  return { index: -1, pages, alignedPages, granules: (pages * PAGE_SIZE) >>> GRANULE_SHIFT };
}

const QUEUES = { active: PageQueue.ACTIVE, inactive: PageQueue.INACTIVE, cache: PageQueue.CACHE } as const;

/** The queue of a name. @throws BAD_ARGUMENT */
export function requireQueue(name: unknown): PageQueue {
  const queue = typeof name === 'string' && Object.hasOwn(QUEUES, name) ? name : null;
  if (queue === null) throw new MbumaError('BAD_ARGUMENT', "queue must be 'active', 'inactive' or 'cache'");
  return QUEUES[queue as keyof typeof QUEUES];
}

export function createRequests({
  machine,
  pages,
}: MallocContext): (size: unknown, alignment: unknown, isGuarded: boolean) => Request {
  const hasRedzones = machine.checkLevel >= CheckLevel.REDZONE;

  function runRequest(size: number, alignment: number): Request {
    const count = Math.ceil(size / PAGE_SIZE);
    const alignedPages = Math.max(alignment / PAGE_SIZE, isPowerOfTwo(count) ? count : 1);
    return pages.canEverHave(count, alignedPages) ? runOf(count, alignedPages) : NEVER;
  }

  /** Made once: a thread comes here for each bucket that it empties. */
  const classRequests = CLASS_SIZES.map(
    (size, index): Request => ({ index, pages: 0, alignedPages: 1, granules: size >>> GRANULE_SHIFT }),
  );
  const classRequest = (index: number): Request => classRequests[index] as Request;

  /** @throws BAD_ARGUMENT */
  return (givenSize, givenAlignment, isGuarded) => {
    const size = requireInteger(givenSize, 'size', 0, Number.MAX_SAFE_INTEGER);
    const alignment = requireInteger(givenAlignment, 'alignment', 1, Number.MAX_SAFE_INTEGER);
    if (!isPowerOfTwo(alignment))
      throw new MbumaError('BAD_ARGUMENT', `alignment must be a power of two, not ${alignment}`);
    if (alignment > GRANULE) {
      const power = Math.max(size, alignment);
      // Redzones let blocks begin anywhere: what is aligned to more than a page is a run there.
      const powerMax = hasRedzones || isGuarded ? PAGE_SIZE : SMALL_MAX;
      return power <= powerMax ? classRequest(powerClassOf(power)) : runRequest(Math.max(size, 1), alignment);
    }
    if (size > SMALL_MAX) return runRequest(size, 1);
    return classRequest(CLASS_OF[(size + GRANULE - 1) >>> GRANULE_SHIFT] as number);
  };
}
