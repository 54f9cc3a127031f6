/**
 * Zones that cache what they did not make: their items are cells, and in each stands a word that `import` has
 * given, until `release` takes it back. After uma_zcache_create of uma(9); why cells: ADR 0022.
 *
 * A word of 0 is none. So a cell says by itself whether it holds something: cells in the keg hold 0, but for
 * those whose thread died, and which were put back by one that has not the hooks. Those are used as they are.
 */

import { MbumaError } from '../check/index.js';
import type { HookErrors, How } from './hooks.js';
import type { RunningHooks } from './running-hooks.js';
import type { ZoneState } from './zone-state.js';

/**
 * Fills `words[0..]` with up to `n` things from elsewhere, each a word that is not 0; how many. 0: there is
 * none now.
 */
export type Import = (words: Int32Array, n: number, how: How) => number;

/** Takes back the things `words[0..n-1]`. */
export type Release = (words: Int32Array, n: number) => void;

/** What a zone that imports runs at the border of its cache. */
export interface Imports {
  /** Sees that the cells named by the `count` slots from `first` on hold something; how many in a row do. */
  take(first: number, count: number, how: How): number;
  /** Releases what the cells hold that the `count` slots from `first` on name, and empties them. */
  give(first: number, count: number, errors: HookErrors): void;
  /** The same for the one cell at this address. 0: there is nothing to be imported. */
  takeOne(cell: number, how: How): number;
  giveOne(cell: number): void;
}

export function createImports(
  words: Int32Array,
  { name: zone, capacityMax: slotsMax }: Pick<ZoneState, 'name' | 'capacityMax'>,
  running: RunningHooks,
  given: { readonly import: Import; readonly release: Release },
): Imports {
  const importWords = running.watch(zone, given.import);
  const release = running.watch(zone, given.release);
  /** Handed to the hooks; another while one of them is running, for it may allocate from this very zone. */
  let scratch: Int32Array | null = new Int32Array(slotsMax);

  function withScratch<T>(act: (own: Int32Array) => T): T {
    const own = scratch ?? new Int32Array(slotsMax);
    scratch = null;
    try {
      return act(own);
    } finally {
      scratch = own;
    }
  }

  function refuse(what: string): MbumaError {
    return new MbumaError('HOOK_FAILED', `import of zone ${zone} ${what}`, { zone });
  }

  function importSome(own: Int32Array, want: number, how: How): number {
    own.fill(0, 0, want);
    const got = importWords(own, want, how) as unknown;
    if (typeof got !== 'number' || !(Number.isInteger(got) && got >= 0 && got <= want))
      throw refuse(`answered ${String(got)} when it was asked for ${want}`);
    if (own.subarray(0, got).includes(0)) throw refuse('gave a word that is 0');
    return got;
  }

  /** Cells by number: in the slots from `at` on, or the one at `at` itself. */
  function takeCells(count: number, cellAt: (index: number) => number, how: How): number {
    let empty = 0;
    for (let index = 0; index < count; index++) if (words[cellAt(index)] === 0) empty++;
    if (empty === 0) return count;
    return withScratch((own) => {
      const got = importSome(own, empty, how);
      let used = 0;
      for (let index = 0; index < count; index++) {
        const cell = cellAt(index);
        if (words[cell] !== 0) continue;
        if (used === got) return index;
        words[cell] = own[used++] as number;
      }
      return count;
    });
  }

  function giveCells(count: number, cellAt: (index: number) => number): void {
    withScratch((own) => {
      let held = 0;
      for (let index = 0; index < count; index++) {
        const cell = cellAt(index);
        if (cell === 0 || words[cell] === 0) continue;
        own[held++] = words[cell] as number;
        // Before it is released: a thread that dies here has lost one thing, and nobody gets it twice.
        words[cell] = 0;
      }
      if (held > 0) release(own, held);
    });
  }

  const cellIn =
    (first: number) =>
    (index: number): number =>
      (words[first + index] as number) >>> 2;
  return {
    take: (first, count, how) => takeCells(count, cellIn(first), how),
    give: (first, count, errors) => errors.attempt(() => giveCells(count, cellIn(first))),
    takeOne: (cell, how) => takeCells(1, () => cell >>> 2, how),
    giveOne: (cell) => giveCells(1, () => cell >>> 2),
  };
}
