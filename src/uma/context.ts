/** What the zone allocator stands on, and where its boot areas lie. */

import type { AreaPlanner, Attachment } from '../machine/index.js';
import type { Pages } from '../phys/index.js';
import { FOREIGN_KEG_WORDS, FOREIGN_KEGS_MAX } from './foreign-records.js';
import {
  BACKEND_WORDS,
  BACKENDS_MAX,
  BUCKET_WORDS,
  CACHE_WORDS,
  GUARD_WORDS,
  KEG_WORDS,
  ZONE_WORDS,
} from './records.js';

/** The layers below. */
export interface UmaContext extends Attachment {
  readonly pages: Pages;
}

/** Kegs that the allocator needs for itself: buckets, and slab headers of five sizes. */
export const INTERNAL_KEGS = 6;

/** Items that a reaper takes from their owner at a time: as many as can start in a page. */
export const REAPER_BATCH = 256;

/** Number of the keg of buckets. */
export const BUCKET_KEG = 1;

/**
 * Boot areas: the registry, the dead bucket, backends, kegs, zones, thread caches, the guard, then the two
 * maps over the whole memory: the keg of each page (16 bits) and the owner of each granule (8 bits).
 */
export const planUma: AreaPlanner = ({ pageCount, maxThreads, maxZones }) => [
  { name: 'uma', words: 16 },
  { name: 'dead bucket', words: BUCKET_WORDS, align: BUCKET_WORDS },
  { name: 'backends', words: (BACKENDS_MAX + 1) * BACKEND_WORDS },
  { name: 'kegs', words: (maxZones + INTERNAL_KEGS + 1) * KEG_WORDS },
  { name: 'zones', words: (maxZones + 1) * ZONE_WORDS },
  { name: 'thread caches', words: (maxThreads + 1) * (maxZones + 1) * CACHE_WORDS },
  { name: 'guard', words: GUARD_WORDS },
  { name: 'foreign kegs', words: FOREIGN_KEGS_MAX * FOREIGN_KEG_WORDS },
  { name: 'reaper batches', words: (maxThreads + 1) * REAPER_BATCH },
  { name: 'page kegs', words: Math.ceil(pageCount / 2) },
  { name: 'owners', words: pageCount * 64 },
];
