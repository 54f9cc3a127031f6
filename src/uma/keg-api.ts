/**
 * A keg by itself: slabs without a cache in front, for who brings his own.
 *
 * It is a zone that caches nothing and has no work to do on each item, so that a call moves as many items as
 * a bucket has room for with two locks. Other zones may be stacked on it.
 */

import { MbumaError, requireObject } from '../check/index.js';
import type { Zone } from './zone-api.js';
import type { ZoneOptions } from './zone-options.js';
import type { ZoneStats } from './zone-stats.js';

/** What does not belong to slabs, but to a zone in front of them. */
const OF_ZONES = [
  'ctor',
  'dtor',
  'primary',
  'maxBucket',
  'frugal',
  'maxCached',
  'zero',
  'import',
  'release',
] as const;

/** What a keg is made of. */
export type KegOptions = Omit<ZoneOptions, (typeof OF_ZONES)[number] | 'noBucket'>;

/** The slabs of one kind of item, without any cache. keg_create and uma_zsecond_create of uma(9). */
export interface Keg {
  readonly name: string;
  /** Bytes of an item that the caller may use. */
  readonly size: number;
  /**
   * The keg as a zone without buckets: for single items, limits, waiting, what a ring carries, and as the
   * `primary` of zones with hooks of their own.
   */
  readonly zone: Zone;
  /**
   * Up to `n` items into `out[0..]`; how many. They are the calling thread's, as by `Zone.tryAlloc`, whatever
   * cache they are put into. Never sleeps. About 10 ns an item, in batches of some hundred.
   * @throws BAD_ARGUMENT; the error of an `init`, when there is no item yet
   */
  tryTake(out: Int32Array, n: number): number;
  /**
   * Gives back `items[0..n-1]`, whoever of the caller's threads took them. On a bad one it throws as
   * `Zone.free` does; those before it are back.
   */
  give(items: Int32Array, n: number): void;
  /** See `Zone.preallocate`. */
  preallocate(items: number): number;
  /** Gives every empty slab back to the pages that no mark keeps. */
  drain(): void;
  stats(): ZoneStats;
  /** See `Zone.close`. */
  close(): void;
  /** See `Zone.destroy`. */
  destroy(): void;
}

/** The options of the zone that a keg is. @throws BAD_CONFIGURATION for what is a zone's to say */
export function zoneOfKeg(options: KegOptions): ZoneOptions {
  requireObject(options, 'options');
  const foreign = OF_ZONES.filter((name) => (options as ZoneOptions)[name] !== undefined);
  if (foreign.length > 0) {
    const text = `a keg has no ${foreign.join(', ')}: that is for a zone stacked on it to say`;
    throw new MbumaError('BAD_CONFIGURATION', text);
  }
  return { ...options, noBucket: true };
}

export function makeKeg(zone: Zone): Keg {
  return {
    name: zone.name,
    size: zone.size,
    zone,
    tryTake: (out, n) => zone.tryAllocMany(out, n),
    give: (items, n) => zone.freeMany(items, n),
    preallocate: (items) => zone.preallocate(items),
    drain: () => void zone.drain(),
    stats: () => zone.stats(),
    close: () => zone.close(),
    destroy: () => zone.destroy(),
  };
}
