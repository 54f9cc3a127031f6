/**
 * Bulk calls: many items from the loaded bucket into an array, and back.
 *
 * The two loops stand alone, without a loop around them: V8 makes an inner loop twice as slow. An array that
 * lies in the memory itself is moved by the helper, with vectors (docs/decisions/0007).
 */

import { damaged, type MbumaError, requireInt32Array, requireInteger } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import { How } from './hooks.js';
import { BUCKET_MASK, GRANULE_SHIFT, ThreadCache } from './records.js';
import type { ZoneParts } from './zone.js';
import { LIMIT_MAX } from './zone-api.js';
import type { ZoneState } from './zone-state.js';

/** The array of the last bulk call: asking an array for its buffer costs as much as moving 20 items. */
interface SeenArray {
  array: Int32Array;
  /** Byte address in the memory; 0 when the array lies elsewhere. */
  address: number;
}

/** A zone as its bulk calls see it. */
interface BulkZone {
  readonly cache: number;
  readonly keg: number;
  readonly state: ZoneState;
}

/** Fewer items than this are freed one by one. */
const BATCH_MIN = 4;

export interface Bulk {
  takeMany(zone: BulkZone, out: Int32Array, n: number): number;
  giveMany(zone: BulkZone, items: Int32Array, n: number): void;
}

export function createBulk(parts: ZoneParts): Bulk {
  const { context, drains, ladder, maps } = parts;
  const { allocSlow, freeSlow } = parts.slow;
  const { words, owners, pageKegs } = maps;
  const { slot } = context.threads;
  const { freeLimit: FREE_LIMIT, requests: REQUESTS, requestsHigh: REQUESTS_HIGH } = ThreadCache;
  // Rebound here: an import is loaded at each use, a constant of this function is folded.
  const COUNT = BUCKET_MASK;
  const GRANULE = GRANULE_SHIFT;
  const PAGE = PAGE_SHIFT;
  const { takeItems, giveItems } = context.machine.helper;
  const shared = words.buffer;
  const outSeen: SeenArray = { array: words, address: 0 };
  const itemsSeen: SeenArray = { array: words, address: 0 };
  context.machine.helper.setMaps(owners.byteOffset, pageKegs.byteOffset, words.length * 4, slot);

  /** Checks the arguments of a bulk call, and remembers whether the array lies in the memory. */
  function lookAt(seen: SeenArray, array: Int32Array, name: string, n: number): void {
    requireInteger(n, 'n', 0, LIMIT_MAX);
    seen.array = requireInt32Array(array, name, n);
    seen.address = array.buffer === shared ? array.byteOffset : 0;
  }

  function damagedCache(top: number, cause: unknown): MbumaError {
    return damaged(`a cache of thread ${slot} has the top ${top}`, { cause });
  }

  /** Takes up to `n - at` items of the loaded bucket into `out[at..]`; the index after the last. */
  function takeLoaded(cache: number, out: Int32Array, at: number, n: number): number {
    const first = words[cache] as number;
    const stop = Math.max(first & ~COUNT, first - (n - at));
    const count = first - stop;
    if (outSeen.address !== 0) {
      try {
        takeItems((stop + 1) << 2, count, outSeen.address + (at << 2));
      } catch (cause) {
        throw damagedCache(first, cause);
      }
    } else {
      for (let top = first; top > stop; top--) {
        const item = words[top] as number;
        owners[item >>> GRANULE] = slot;
        out[at + first - top] = item;
        words[top] = 0;
      }
    }
    words[cache] = stop;
    const requests = ((words[cache + REQUESTS] as number) >>> 0) + count;
    words[cache + REQUESTS] = requests;
    if (requests > 0xffffffff) words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
    return at + count;
  }

  /**
   * Puts items from `items[at..n]` on the loaded bucket, as many as it has room for; the index after the
   * last.
   */
  function giveLoaded(
    cache: number,
    keg: number,
    items: Int32Array,
    at: number,
    n: number,
    limit = words[cache + FREE_LIMIT] as number,
  ): number {
    const first = words[cache] as number;
    const room = limit - (first & COUNT);
    const count = Math.min(n - at, room);
    if (count <= 0) return at;
    let done = 0;
    if (itemsSeen.address !== 0) {
      const from = itemsSeen.address + (at << 2);
      try {
        done = giveItems(from, count, (first + 1) << 2, keg);
      } catch (cause) {
        throw damagedCache(first, cause);
      }
    } else {
      for (; done < count; done++) {
        const item = items[at + done] as number;
        if (
          (item & -16) !== item ||
          !((owners[item >>> GRANULE] as number) > 0) ||
          pageKegs[item >>> PAGE] !== keg
        ) {
          break;
        }
        words[first + 1 + done] = item;
        owners[item >>> GRANULE] = 0;
      }
    }
    words[cache] = first + done;
    return at + done;
  }

  /** Loads items. A zone with work to do on each of them shows a dead cache, which cannot be refilled. */
  function refill(zone: ZoneState, want: number): boolean {
    if (zone.inBatches) return ladder.loadBatch(zone, want, How.NOWAIT);
    return zone.cache === zone.realCache && ladder.refillCache(zone, How.NOWAIT);
  }

  /** Frees a bucketful at once where nothing is cached; the index after the last. */
  function freeBatch(zone: ZoneState, items: Int32Array, at: number, n: number): number {
    if (!zone.inBatches || n - at < BATCH_MIN || !ladder.openBatch(zone)) return at;
    lookAt(itemsSeen, items, 'items', n);
    const { realCache, kegState, capacityMax } = zone;
    const end = giveLoaded(realCache, kegState.number, items, at, n, capacityMax);
    drains.drainCache(zone);
    drains.drainBuckets(zone, 0);
    return end;
  }

  function allocManySlow(zone: ZoneState, out: Int32Array, from: number, n: number): number {
    let at = from;
    try {
      while (at < n) {
        if (refill(zone, n - at)) {
          lookAt(outSeen, out, 'out', n);
          at = takeLoaded(zone.realCache, out, at, n);
          continue;
        }
        const item = allocSlow(zone, 0, How.NOWAIT);
        if (item === 0) return at;
        out[at++] = item;
        // A hook may have made a bulk call of its own.
        lookAt(outSeen, out, 'out', n);
      }
    } catch (error) {
      // What has been taken is told; the error comes again with the next attempt.
      if (at === 0) throw error;
      return at;
    }
    return n;
  }

  function freeManySlow(zone: ZoneState, items: Int32Array, from: number, n: number): void {
    for (let at = from; at < n; ) {
      const batched = freeBatch(zone, items, at, n);
      if (batched === at) freeSlow(zone, items[at++]);
      else at = batched;
      lookAt(itemsSeen, items, 'items', n);
      at = giveLoaded(zone.cache, zone.kegState.number, items, at, n);
    }
  }

  return {
    takeMany(zone, out, n) {
      if (out !== outSeen.array || typeof n !== 'number' || (n | 0) !== n || n < 0 || n > out.length)
        lookAt(outSeen, out, 'out', n);
      const got = takeLoaded(zone.cache, out, 0, n);
      return got === n ? n : allocManySlow(zone.state, out, got, n);
    },
    giveMany(zone, items, n) {
      if (items !== itemsSeen.array || typeof n !== 'number' || (n | 0) !== n || n < 0 || n > items.length)
        lookAt(itemsSeen, items, 'items', n);
      const given = giveLoaded(zone.cache, zone.keg, items, 0, n);
      if (given !== n) freeManySlow(zone.state, items, given, n);
    },
  };
}
