/** A foreign keg as users see it. */

import { requireInt32Array, requireInteger } from '../check/index.js';
import type { ForeignKegs } from './foreign-kegs.js';
import type { CheckedForeignOptions, ForeignKegOptions } from './foreign-options.js';
import { ForeignKegRecord } from './foreign-records.js';
import { LIMIT_MAX } from './zone-api.js';

/** Figures of a foreign keg. Plain data. */
export interface ForeignKegStats {
  readonly name: string;
  readonly size: number;
  /** Runs that it has from the other memory. */
  readonly runs: number;
  readonly bytes: number;
  readonly used: number;
  readonly free: number;
}

/**
 * Items in memory that is not this one's: a `SharedArrayBuffer` of the user's, the heap of a WebAssembly
 * module. Addresses are those of that memory, as unsigned 32-bit numbers; in an `Int32Array` they may look
 * negative. For a cache in front, give `tryTake` and `give` to a zone as `import` and `release`.
 *
 * There are no owners: what a thread that dies had taken stays taken, unless a zone in front knows of it.
 * A pool_allocator of pool(9) without PR_PHINPAGE.
 */
export interface ForeignKeg {
  readonly name: string;
  readonly size: number;
  /**
   * Up to `n` items into `out[0..]`; how many. Asks for another run when there is none left.
   * @throws BAD_ARGUMENT; HOOK_FAILED for a run that cannot be; the error of `allocRun`, when there is no
   *   item yet
   */
  tryTake(out: Int32Array, n: number): number;
  /**
   * Gives back `items[0..n-1]`. O(log n) in runs each, some 50 ns.
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_UNALIGNED, FREE_TWICE: what comes before the bad one is back
   */
  give(items: Int32Array, n: number): void;
  /** First byte of the item that an address lies in, free or not; 0: it lies in none of this keg. */
  find(address: number): number;
  /** Gives every empty run back by `freeRun`; how many bytes. @throws the error of `freeRun` */
  drain(): number;
  stats(): ForeignKegStats;
}

export interface OpenForeignKegs {
  open(options: ForeignKegOptions): ForeignKeg;
}

export function createForeignKegApi(words: Int32Array, kegs: ForeignKegs): OpenForeignKegs {
  const opened = new Map<string, ForeignKeg>();

  function make(record: number, options: CheckedForeignOptions): ForeignKeg {
    const read = (field: number): number => words[record + field] as number;

    function tryTake(out: Int32Array, n: number): number {
      requireInteger(n, 'n', 0, LIMIT_MAX);
      requireInt32Array(out, 'out', n);
      let at = kegs.take(record, out, 0, n);
      try {
        while (at < n && kegs.grow(record, options)) at = kegs.take(record, out, at, n);
      } catch (error) {
        // What has been taken is told; the error comes again with the next attempt.
        if (at === 0) throw error;
      }
      return at;
    }

    return {
      name: options.name,
      size: options.size,
      tryTake,
      give(items, n) {
        requireInteger(n, 'n', 0, LIMIT_MAX);
        requireInt32Array(items, 'items', n);
        kegs.give(record, items, n);
      },
      find: (address) => kegs.find(record, requireInteger(address, 'address', 0, 2 ** 32 - 1)),
      drain() {
        let bytes = 0;
        while (kegs.drainOne(record, options.freeRun)) bytes += options.runBytes;
        return bytes;
      },
      stats() {
        const runs = read(ForeignKegRecord.runCount);
        const free = read(ForeignKegRecord.freeItems);
        const used = runs * options.itemsPerRun - free;
        return { name: options.name, size: options.size, runs, bytes: runs * options.runBytes, used, free };
      },
    };
  }

  return {
    open(given) {
      const { record, options } = kegs.open(given);
      const known = opened.get(options.name);
      if (known !== undefined) return known;
      const made = make(record, options);
      opened.set(options.name, made);
      return made;
    },
  };
}
