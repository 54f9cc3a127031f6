/** Rings by name: made by the first thread that asks, found by the others. */

import { LockRank, MbumaError } from '../check/index.js';
import { PAGE_SHIFT, PAGE_WORDS } from '../machine/index.js';
import { PageState } from '../phys/index.js';
import { asRef, ceilLog2, readText, writeText } from '../record/index.js';
import type { RingContext } from './context.js';
import {
  RING_NAME_WORDS,
  RING_REGISTRY_WORDS,
  RING_WORDS,
  Ring,
  type RingRef,
  RingRegistry,
  RINGS_MAX,
  RingState,
} from './records.js';

export interface Registry {
  /**
   * The ring of this name; makes it when there is none.
   *
   * @throws LAYOUT_MISMATCH when it has another capacity; OUT_OF_MEMORY. Failpoint `ring.create`.
   */
  open(name: string, capacity: number): RingRef;
  /** Rings that exist. */
  count(): number;
  at(index: number): RingRef;
  nameOf(ring: RingRef): string;
}

/** Pages of a ring's slots: a power of two, so that a number becomes a slot by a mask. */
export function pagesForCapacity(capacity: number): number {
  return 2 ** ceilLog2(Math.ceil(capacity / PAGE_WORDS));
}

export function createRegistry(context: RingContext): Registry {
  const { machine, locks, pages } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const registry = machine.area('rings');
  const lock = registry + RingRegistry.lock;
  const creation = machine.failpoints.site('ring.create');

  const at = (index: number): RingRef => asRef(registry + RING_REGISTRY_WORDS + index * RING_WORDS);
  const count = (): number => load(registry + RingRegistry.count);
  const nameOf = (ring: RingRef): string => readText(words, ring + Ring.name, RING_NAME_WORDS);

  function outOfMemory(name: string, reason: string): MbumaError {
    return new MbumaError('OUT_OF_MEMORY', `cannot make ring ${name}: ${reason}`);
  }

  function findLocked(name: string): RingRef | 0 {
    const rings = count();
    for (let index = 0; index < rings; index++) if (nameOf(at(index)) === name) return at(index);
    return 0;
  }

  function createLocked(name: string, capacity: number): RingRef {
    const index = count();
    if (index >= RINGS_MAX) throw outOfMemory(name, `there are ${RINGS_MAX} rings, and there can be no more`);
    const pageCount = pagesForCapacity(capacity);
    const page = creation.fails() ? 0 : pages.tryAllocRun(pageCount, PageState.RUN);
    if (page === 0) throw outOfMemory(name, `there are no ${pageCount} free pages in one run for its slots`);
    const ring = at(index);
    pages.setObject(page, pageCount, ring);
    words[ring + Ring.putLimit] = capacity;
    words[ring + Ring.capacity] = capacity;
    words[ring + Ring.slots] = page << (PAGE_SHIFT - 2);
    words[ring + Ring.mask] = pageCount * PAGE_WORDS - 1;
    writeText(words, ring + Ring.name, RING_NAME_WORDS, name);
    store(ring + Ring.state, RingState.OPEN);
    store(registry + RingRegistry.count, index + 1);
    return ring;
  }

  function open(name: string, capacity: number): RingRef {
    locks.acquire(lock, LockRank.REGISTRY);
    try {
      const found = findLocked(name);
      if (found === 0) return createLocked(name, capacity);
      const has = words[found + Ring.capacity];
      if (has !== capacity) {
        throw new MbumaError('LAYOUT_MISMATCH', `ring ${name} has a capacity of ${has}, not ${capacity}`);
      }
      return found;
    } finally {
      locks.release(lock);
    }
  }

  return { open, count, at, nameOf };
}
