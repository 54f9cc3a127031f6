/** Rings by name: made by the first thread that asks, found by the others. */

import { LockRank, MbumaError } from '../check/index.js';
import { lockOwner, PAGE_SHIFT, PAGE_WORDS } from '../machine/index.js';
import { Page, PageState } from '../phys/index.js';
import { asRef, ceilLog2, readText, writeText } from '../record/index.js';
import type { RingContext } from './context.js';
import {
  RING_NAME_WORDS,
  RING_REGISTRY_WORDS,
  RING_WORDS,
  RINGS_MAX,
  Ring,
  type RingRef,
  RingRegistry,
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
  /** Undoes what a dead thread was in the middle of, when it held the registry's lock. */
  repair(slot: number): void;
}

/** The lowest bit of a lock word: somebody sleeps on it. */
const CONTENDED = 1;

/** Pages of a ring's slots: a power of two, so that a number becomes a slot by a mask. */
export function pagesForCapacity(capacity: number): number {
  return 2 ** ceilLog2(Math.ceil(capacity / PAGE_WORDS));
}

export function createRegistry(context: RingContext): Registry {
  const { machine, locks, pages } = context;
  const { words } = machine;
  const { load, store, exchange, notify } = machine.atomics;
  const registry = machine.area('rings');
  const lock = registry + RingRegistry.lock;
  const creation = machine.failpoints.site('ring.create', 'the slots of a new ring');

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
    const page = creation.fails(name) ? 0 : pages.tryAllocRun(pageCount, PageState.RUN);
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

  function repair(slot: number): void {
    const word = load(lock);
    if (word === 0 || lockOwner(word) !== slot) return;
    // A ring that is not counted does not exist: its pages go back, its record is empty again.
    const index = count();
    if (index < RINGS_MAX) {
      const ring = at(index);
      freePagesOf(ring);
      words.fill(0, ring, ring + RING_WORDS);
    }
    if ((exchange(lock, 0) & CONTENDED) !== 0) notify(lock, 1);
  }

  function freePagesOf(ring: RingRef): void {
    for (let page = pages.firstPage; page < pages.pageCount; page++) {
      if (pages.objectOf(page) !== ring) continue;
      pages.freeRun(page, words[pages.pageRef(page) + Page.length] as number);
      return;
    }
  }

  return { open, count, at, nameOf, repair };
}
