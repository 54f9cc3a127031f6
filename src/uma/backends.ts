/**
 * Backends: who gives pages to kegs, and what happens when there are none (pool_allocator of NetBSD).
 *
 * A backend is shared by kegs, and may have fewer pages than the memory: a bound for all of them together.
 * The pages of a keg are counted when they are taken and until they are back; a hand says whether what it
 * holds is counted. The memory's own pages, backend 1, are counted by the page layer.
 */

import { damaged, LockRank, MbumaError } from '../check/index.js';
import { Hand } from '../machine/index.js';
import { PageState } from '../phys/index.js';
import { readText, writeText } from '../record/index.js';
import type { UmaContext } from './context.js';
import type { KegState } from './keg-state.js';
import { BACKEND_WORDS, BACKENDS_MAX, Backend, OWN_PAGES, UmaState } from './records.js';

/** In the third word of a hand that holds a slab: its pages are counted by the keg's backend. */
export const COUNTED = 1 << 30;

export interface Backends {
  /**
   * Pages for a slab of the keg, into a hand of this thread; the first of them, 0: there are none. Counted
   * already, if the backend counts.
   */
  allocRun(keg: KegState, hand: number): number;
  /** Gives back the pages of the slab that a hand holds, and closes the hand. */
  freeRun(keg: KegState, hand: number): void;
  /** What the third word of a hand says besides its count, for a slab of this keg. */
  markOf(keg: KegState): number;
  /**
   * Numbers of the user's kegs of a backend, in the order in which they are to be drained: the one behind
   * the one that was drained last comes first.
   */
  rotation(backend: number, kegs: readonly KegState[]): KegState[];
  /** Says how a rotation ended: with a keg that has freed pages, or with none. */
  endRotation(backend: number, keg: KegState | null): void;
  /** The number of a backend by its name; makes it if it is not there. Under the registry's lock. */
  open(name: string, pagesMax: number): number;
  find(name: string): number;
  count(): number;
  setMax(backend: number, pagesMax: number): void;
  /** After a death under the registry's lock: what is not counted does not exist. */
  clearUnmade(): void;
  stats(backend: number): BackendStats;
}

/** Figures of a backend. */
export interface BackendStats {
  readonly name: string;
  /** Most pages of its kegs together; 0: no bound but the memory. */
  readonly pagesMax: number;
  readonly pagesUsed: number;
  /** Times that draining one keg has freed pages for another. */
  readonly reclaims: number;
  /** Times that there were no pages, and draining freed none. */
  readonly shortages: number;
}

export function createBackends(context: UmaContext, initialise: boolean): Backends {
  const { machine, locks, pages, hands, intents } = context;
  const { words } = machine;
  const area = machine.area('backends');
  const uma = machine.area('uma');
  const { HELD, THIRD } = Hand;
  const quotaSite = machine.failpoints.site('uma.backend', 'the bound of a backend: as if it were reached');

  function recordOf(number: number): number {
    if (!(number >= 1 && number <= BACKENDS_MAX)) throw damaged(`a keg names backend ${number}`);
    return area + number * BACKEND_WORDS;
  }

  const count = (): number => machine.atomics.load(uma + UmaState.backendCount);

  /** Counts the pages of a slab, in the hand too. False: the bound is reached. */
  function charge(keg: KegState, hand: number): boolean {
    const record = recordOf(keg.backend);
    locks.acquire(record, LockRank.BACKEND);
    const most = words[record + Backend.pagesMax] as number;
    const used = (words[record + Backend.pagesUsed] as number) + keg.pagesPerSlab;
    const fits = (most === 0 || used <= most) && !quotaSite.fails(keg.name);
    if (fits) {
      intents.begin(record);
      intents.set(record + Backend.pagesUsed, used);
      intents.set(hand + THIRD, (words[hand + THIRD] as number) | COUNTED);
      intents.commit();
    }
    locks.release(record);
    return fits;
  }

  /** The pages that a hand names as counted are so no more; closes the hand. */
  function refund(keg: KegState, hand: number): void {
    if (((words[hand + THIRD] as number) & COUNTED) === 0) {
      hands.close(hand);
      return;
    }
    const record = recordOf(keg.backend);
    locks.acquire(record, LockRank.BACKEND);
    intents.begin(record);
    intents.set(record + Backend.pagesUsed, (words[record + Backend.pagesUsed] as number) - keg.pagesPerSlab);
    intents.set(hand, 0);
    intents.commit();
    hands.closed(hand);
    locks.release(record);
  }

  function find(name: string): number {
    const made = count();
    if (made < 0 || made > BACKENDS_MAX) throw damaged(`it has ${made} backends`);
    for (let number = 1; number <= made; number++) {
      if (readText(words, recordOf(number) + Backend.name, 12) === name) return number;
    }
    return 0;
  }

  function open(name: string, pagesMax: number): number {
    const known = find(name);
    if (known !== 0) return known;
    const number = count() + 1;
    if (number > BACKENDS_MAX)
      throw new MbumaError('TOO_MANY_BACKENDS', `all ${BACKENDS_MAX} backends are taken`);
    const record = recordOf(number);
    words.fill(0, record, record + BACKEND_WORDS);
    words[record + Backend.number] = number;
    words[record + Backend.pagesMax] = pagesMax;
    writeText(words, record + Backend.name, 12, name);
    machine.atomics.store(uma + UmaState.backendCount, number);
    return number;
  }

  locks.onTakeOver(
    recordOf(1),
    recordOf(BACKENDS_MAX) + BACKEND_WORDS,
    LockRank.BACKEND,
    intents.finishOfDead,
  );
  if (initialise) open('pages', 0);

  return {
    allocRun(keg, hand) {
      if (keg.backend !== OWN_PAGES && !charge(keg, hand)) {
        hands.close(hand);
        return 0;
      }
      const page = pages.tryAllocRun(keg.pagesPerSlab, PageState.SLAB, hand + HELD);
      if (page === 0) refund(keg, hand);
      return page;
    },
    freeRun(keg, hand) {
      const page = words[hand + HELD] as number;
      if (page !== 0) pages.freeRun(page, keg.pagesPerSlab, hand + HELD);
      refund(keg, hand);
    },
    markOf: (keg) => (keg.backend === OWN_PAGES ? 0 : COUNTED),
    rotation(backend, kegs) {
      const rotor = words[recordOf(backend) + Backend.rotor] as number;
      const own = kegs.filter((keg) => keg.backend === backend);
      return [...own.filter(({ number }) => number > rotor), ...own.filter(({ number }) => number <= rotor)];
    },
    endRotation(backend, keg) {
      const record = recordOf(backend);
      locks.acquire(record, LockRank.BACKEND);
      const figure = record + (keg === null ? Backend.shortages : Backend.reclaims);
      words[figure] = (words[figure] as number) + 1;
      if (keg !== null) words[record + Backend.rotor] = keg.number;
      locks.release(record);
    },
    open,
    find,
    count,
    setMax(backend, pagesMax) {
      const record = recordOf(backend);
      locks.acquire(record, LockRank.BACKEND);
      words[record + Backend.pagesMax] = pagesMax;
      locks.release(record);
    },
    clearUnmade() {
      if (count() >= BACKENDS_MAX) return;
      const next = recordOf(count() + 1);
      words.fill(0, next, next + BACKEND_WORDS);
    },
    stats(backend) {
      const record = recordOf(backend);
      const own = backend === OWN_PAGES ? pages.stats() : null;
      return {
        name: readText(words, record + Backend.name, 12),
        pagesMax: words[record + Backend.pagesMax] as number,
        pagesUsed: own === null ? (words[record + Backend.pagesUsed] as number) : own.pages - own.free,
        reclaims: words[record + Backend.reclaims] as number,
        shortages: words[record + Backend.shortages] as number,
      };
    },
  };
}
