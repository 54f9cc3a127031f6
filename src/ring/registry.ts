/** Rings by name: made by the first thread that asks, found by the others. */

import { LockRank, MbumaError } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT, PAGE_WORDS } from '../machine/index.js';
import { PageState } from '../phys/index.js';
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
  open(name: string, capacity: number, keg: number): RingRef;
  /** The ring whose record starts at this word, or 0. */
  find(index: number): RingRef | 0;
  /** Rings that exist. */
  count(): number;
  at(index: number): RingRef;
  nameOf(ring: RingRef): string;
}

/** Pages of a ring's slots: a power of two, so that a number becomes a slot by a mask. */
export function pagesForCapacity(capacity: number): number {
  return 2 ** ceilLog2(Math.ceil(capacity / PAGE_WORDS));
}

/**
 * Who lacks a run of pages tries again after each that gives some back; null: all was in vain. Under no lock.
 */
export type Obtain = <Result>(pagesWanted: number, attempt: () => Result | null) => Result | null;

/** Nobody gives anything back. */
const NOBODY: Obtain = () => null;

const never = (): boolean => false;

export function createRegistry(context: RingContext, obtain: Obtain = NOBODY): Registry {
  const { machine, locks, pages, hands } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
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

  /** null: there are no pages. */
  function createLocked(name: string, capacity: number, keg: number): RingRef | null {
    const index = count();
    if (index >= RINGS_MAX) throw outOfMemory(name, `there are ${RINGS_MAX} rings, and there can be no more`);
    const pageCount = pagesForCapacity(capacity);
    const hand = hands.open(HandKind.RUN, 0, 0, pageCount, 0);
    const page = pages.tryAllocRun(pageCount, PageState.RUN, hand + Hand.HELD, 1);
    if (page === 0) {
      hands.close(hand);
      return null;
    }
    const ring = at(index);
    pages.setObject(page, pageCount, ring);
    words[ring + Ring.putLimit] = capacity;
    words[ring + Ring.capacity] = capacity;
    words[ring + Ring.keg] = keg;
    words[ring + Ring.slots] = page << (PAGE_SHIFT - 2);
    words[ring + Ring.mask] = pageCount * PAGE_WORDS - 1;
    writeText(words, ring + Ring.name, RING_NAME_WORDS, name);
    store(ring + Ring.state, RingState.OPEN);
    store(registry + RingRegistry.count, index + 1);
    hands.close(hand);
    return ring;
  }

  /** Finds the ring, or makes it unless it `mayNot` be made; null: there are no pages. */
  function tryOpen(name: string, capacity: number, keg: number, mayNot: () => boolean): RingRef | null {
    locks.acquire(lock, LockRank.REGISTRY);
    try {
      const found = findLocked(name);
      if (found === 0) return mayNot() ? null : createLocked(name, capacity, keg);
      const has = words[found + Ring.capacity];
      if (has !== capacity) {
        throw new MbumaError('LAYOUT_MISMATCH', `ring ${name} has a capacity of ${has}, not ${capacity}`);
      }
      if (words[found + Ring.keg] !== keg) {
        throw new MbumaError('LAYOUT_MISMATCH', `ring ${name} carries the items of another zone, or of none`);
      }
      return found;
    } finally {
      locks.release(lock);
    }
  }

  function open(name: string, capacity: number, keg: number): RingRef {
    const pageCount = pagesForCapacity(capacity);
    let mustFail = false;
    const first = tryOpen(name, capacity, keg, () => {
      mustFail = creation.fails(name);
      return mustFail;
    });
    const opened = first ?? (mustFail ? null : obtain(pageCount, () => tryOpen(name, capacity, keg, never)));
    if (opened === null)
      throw outOfMemory(name, `there are no ${pageCount} free pages in one run for its slots`);
    return opened;
  }

  function hasSlotsAt(page: number): boolean {
    for (let index = count() - 1; index >= 0; index--) {
      if (words[at(index) + Ring.slots] === page << (PAGE_SHIFT - 2)) return true;
    }
    return false;
  }

  // A ring that is not counted does not exist: its pages go back, its record is empty again.
  locks.onTakeOver(lock, lock + 1, LockRank.REGISTRY, () => {
    hands.eachOfDead((hand) => {
      if (hands.kindOf(hand) !== HandKind.RUN) return;
      const page = words[hand + Hand.HELD] as number;
      if (page !== 0 && !hasSlotsAt(page))
        pages.freeRun(page, words[hand + Hand.SECOND] as number, hand + Hand.HELD);
      words[hand] = 0;
    });
    const next = count();
    if (next < RINGS_MAX) words.fill(0, at(next), at(next) + RING_WORDS);
  });

  function find(index: number): RingRef | 0 {
    const place = (index - registry - RING_REGISTRY_WORDS) / RING_WORDS;
    return Number.isInteger(place) && place >= 0 && place < count() ? at(place) : 0;
  }

  return { open, find, count, at, nameOf };
}
