/** A foreign keg as users see it. */

import { MbumaError, plural, requireInt32Array, requireInteger } from '../check/index.js';
import type { UmaContext } from './context.js';
import { createForeignKegs } from './foreign-kegs.js';
import type { ForeignKegOptions } from './foreign-options.js';
import { ForeignKegRecord } from './foreign-records.js';
import { createForeignRegistry, type OpenForeignKeg } from './foreign-registry.js';
import type { Kegs } from './kegs.js';
import type { UmaReaper } from './reaper.js';
import type { Registry } from './registry.js';
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
  /**
   * Ends the keg for every thread, and gives all its runs back by `freeRun`. Handles of others are refused
   * from then on; its name is free for another one. pool_destroy of pool(9).
   * @throws ZONE_NOT_EMPTY when items are in use: the keg stays; the error of `freeRun`; ZONE_CLOSED, as
   *   every call, when it has been destroyed
   */
  destroy(): void;
  stats(): ForeignKegStats;
}

export interface OpenForeignKegs {
  open(options: ForeignKegOptions): ForeignKeg;
}

export function createForeignKegApi(
  context: UmaContext,
  allKegs: Kegs,
  zones: Registry,
  reaper: UmaReaper,
): OpenForeignKegs {
  const { words } = context.machine;
  const registry = createForeignRegistry(context, zones);
  const kegs = createForeignKegs(context, allKegs, registry, reaper);
  const opened = new Map<string, { readonly keg: OpenForeignKeg; readonly handle: ForeignKeg }>();

  function make(keg: OpenForeignKeg): ForeignKeg {
    const { record, options } = keg;
    const { name, size, runBytes, itemsPerRun } = options;
    const read = (field: number): number => words[record + field] as number;

    function tryTake(out: Int32Array, n: number): number {
      requireInteger(n, 'n', 0, LIMIT_MAX);
      requireInt32Array(out, 'out', n);
      let at = kegs.take(keg, out, 0, n);
      try {
        while (at < n && kegs.grow(keg)) at = kegs.take(keg, out, at, n);
      } catch (error) {
        // What has been taken is told; the error comes again with the next attempt.
        if (at === 0) throw error;
      }
      return at;
    }

    function drain(): number {
      let bytes = 0;
      while (kegs.drainOne(keg)) bytes += runBytes;
      return bytes;
    }

    return {
      name,
      size,
      tryTake,
      give(items, n) {
        requireInteger(n, 'n', 0, LIMIT_MAX);
        requireInt32Array(items, 'items', n);
        kegs.give(keg, items, n);
      },
      find: (address) => kegs.find(keg, requireInteger(address, 'address', 0, 2 ** 32 - 1)),
      drain,
      destroy() {
        let inUse = -1;
        // Others may give items back, and so leave empty runs, while it drains.
        while (inUse < 0) {
          drain();
          inUse = registry.end(keg);
        }
        if (inUse === 0) return;
        const text = `foreign keg ${name} has ${plural(inUse, 'item')} in use, and stays`;
        throw new MbumaError('ZONE_NOT_EMPTY', text, { zone: name });
      },
      stats() {
        registry.assertOpen(keg);
        const runs = read(ForeignKegRecord.runCount);
        const free = read(ForeignKegRecord.freeItems);
        return { name, size, runs, bytes: runs * runBytes, used: runs * itemsPerRun - free, free };
      },
    };
  }

  return {
    open(given) {
      const keg = registry.open(given);
      const known = opened.get(keg.options.name);
      if (known?.keg.record === keg.record && known.keg.serial === keg.serial) return known.handle;
      const handle = make(keg);
      opened.set(keg.options.name, { keg, handle });
      return handle;
    },
  };
}
