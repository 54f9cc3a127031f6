/**
 * Records of the zone allocator.
 *
 * Words: an *item* is one allocation of a zone. A *slab* is a run of pages cut into equal items. A *keg*
 * is the slabs of one item layout. A *zone* is what users allocate from: a keg plus caches and hooks.
 * A *bucket* is an array of free items. A *thread cache* is one thread's two buckets for one zone.
 *
 * Guards: `const` after creation; `T` the thread that owns the slot; `K` the keg's lock; `Z` the zone's
 * lock; `R` the registry lock; `A` atomics only.
 *
 * A *top* names a bucket and how many items it holds in one word. Buckets are aligned to 256 words, so
 * the low eight bits of the index of the last filled slot are the count:
 *
 *   bucket + 0        link: top of the next bucket in the zone's list
 *   bucket + 1..255   items, from the bottom up; a slot above the top is 0
 *   top = bucket + count      count = top & 255      bucket = top & ~255
 *   bucket + 255        of an epoch zone, in the list of deferred buckets: its tag
 *
 * A slab's header stands at the end of its run, or in an item of a header keg (*off-page*):
 *
 *   i i i i i i i ...  i i i [header | bitmap | counters]      i = item
 *
 *   header + 0          8 words, `Slab`
 *   header + 8          bitmap: bit set = item is free and in the slab
 *   + keg.counterOffset reference counters, COUNTER_STRIDE words apart (kegs with counters only)
 */

import { addr, array, f64, i32, ref, struct, text, u32 } from '../record/index.js';

/** The registry: how many kegs and zones there are. */
export const UmaState = struct(
  'uma',
  {
    lock: u32('A', 'Registry lock.'),
    kegCount: u32('R', 'Kegs made; numbers are 1 to kegCount.'),
    zoneCount: u32('R', 'Zones made; numbers are 1 to zoneCount. Written after the record is complete.'),
    spare: array(13, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

export const Keg = struct(
  'keg',
  {
    // Line 0: every carve and return.
    lock: u32('A', 'Keg lock.'),
    partial: ref('slab', 'K', 'Slabs with at least one item free and one taken; LIFO.'),
    empty: ref('slab', 'K', 'Slabs with all items free; LIFO.'),
    full: ref('slab', 'K', 'Slabs with no item free; LIFO.'),
    freeItems: u32('K', 'Items free in slabs.'),
    slabCount: u32('K', 'Slabs of the keg.'),
    emptyCount: u32('K', 'Slabs in the empty list.'),
    spare0: array(9, 'const', 'Fills the line.'),
    // Line 1: what the slabs look like.
    number: u32('const', 'Number in the page map, from 1.'),
    size: u32('const', 'Bytes asked for.'),
    itemSize: u32('const', 'Bytes from one item to the next.'),
    align: u32('const', 'Alignment of items, a power of two.'),
    itemsPerSlab: u32('const', 'Items in a slab.'),
    pagesPerSlab: u32('const', 'Pages in a slab.'),
    headerOffset: u32('const', 'Bytes from the start of the run to the header; 0 when off-page.'),
    headerKeg: u32('const', 'Number of the keg of the headers; 0 when inline.'),
    headerWords: u32('const', 'Words of header, bitmap and counters.'),
    counterOffset: u32('const', 'Words from the header to the first counter; 0 when there are none.'),
    flags: u32('const', 'KegFlag bits.'),
    spare1: array(5, 'const', 'Fills the line.'),
    // Line 2: rare.
    name: text(12, 'const', 'Name of the first zone.'),
    spare2: array(4, 'const', 'Fills the line.'),
  },
  { words: 48 },
);

export const Slab = struct(
  'slab',
  {
    freeCount: u32('K', 'Items free in the slab. 0 exactly when it is on the full list.'),
    next: ref('slab', 'K', 'Next slab in the list; 0 ends it.'),
    previous: ref('slab', 'K', 'Previous slab in the list; 0 is the head.'),
    keg: ref('keg', 'const', 'Keg that owns it.'),
    data: addr('const', 'First item.'),
    page: u32('const', 'First page of the run.'),
    list: u32(
      'K',
      "SlabList that it stands in; NONE exactly while it is not the keg's: being made or unmade.",
    ),
    spare: u32('const', 'Zero.'),
  },
  { words: 8 },
);

export const Zone = struct(
  'zone',
  {
    // Line 0: every exchange of a bucket.
    lock: u32('A', 'Zone lock.'),
    fullTop: u32('Z', 'Top of the newest bucket with items; 0 when there is none. LIFO.'),
    fullCount: u32('Z', 'Buckets in that list.'),
    cachedItems: u32('Z', 'Items in those buckets.'),
    emptyTop: u32('Z', 'Top of the newest empty bucket; 0 when there is none.'),
    emptyCount: u32('Z', 'Buckets in that list.'),
    itemsOut: u32('Z', 'Items that the zone has from its keg, in use and cached. The limit counts these.'),
    limit: u32('Z', 'Most items out at one time; 0 is no limit.'),
    bucketCapacity: u32('Z', 'Items that a bucket is filled with: grows with every miss.'),
    cachedMax: u32('Z', 'Most cachedItems since the last trim.'),
    cachedMin: u32('Z', 'Fewest cachedItems since the last trim.'),
    workingSet: u32('Z', 'Estimate of the items that the next period will want cached.'),
    waitHead: ref('waiter', 'Z', 'Wait queue of the zone (the four words of `wait queue`).'),
    waitTail: ref('waiter', 'Z', '…'),
    waitCount: u32('Z', '…'),
    waitSleeps: u32('Z', '…'),
    // Line 1: never changes.
    number: u32('const', 'Number, from 1: place of the thread caches.'),
    keg: u32('const', 'Number of its keg.'),
    onOwnerDeath: u32('const', 'OwnerDeath: what becomes of the items of a thread that dies.'),
    hooks: u32('const', 'HookBit of each hook that the zone has.'),
    capacityMax: u32('const', 'Upper bound of bucketCapacity.'),
    primary: u32('const', 'Number of the zone whose keg it is stacked on; 0 when it is primary itself.'),
    retiredRequests: f64('Z', 'Allocations by threads that have detached.'),
    retiredFailures: f64('Z', 'Failures of threads that have detached.'),
    spare0: array(6, 'const', 'Fills the line.'),
    // Lines 2 and 3: rare.
    name: text(12, 'const', 'Name, unique.'),
    epoch: u32('const', '1: an epoch zone, whose freed items wait for readers: see deferral.ts.'),
    deferredTop: u32('Z', 'Top of the oldest bucket that waits for readers; 0 when there is none. FIFO.'),
    deferredLast: u32('Z', 'The newest of them; 0 when there is none.'),
    deferredBuckets: u32('Z', 'Buckets in that list.'),
    deferredItems: u32('Z', 'Items in those buckets.'),
    parkedTag: i32('Z', 'Sequence when the last item was parked; 0: none is. See parking.ts.'),
    spare1: array(14, 'const', 'Fills the line.'),
  },
  { words: 64 },
);

/** One thread's cache for one zone: one line. */
export const ThreadCache = struct(
  'thread cache',
  {
    top: u32('T', 'Loaded bucket and its count. The dead bucket when there is none.'),
    spare: u32(
      'T',
      'The other bucket and its count; of an epoch zone the one for frees. The dead bucket when there is none.',
    ),
    freeLimit: u32(
      'Z',
      'A free that finds this many items in the loaded bucket takes the slow way. 0 while others wait.',
    ),
    spare0: u32('const', 'Zero.'),
    requests: u32('T', 'Allocations, low 32 bits: adding an integer is twice as fast as adding a float.'),
    requestsHigh: u32('T', 'Allocations, high 32 bits.'),
    failures: f64('T', 'Allocations that failed.'),
    spareWords: array(8, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

/** Lists that a slab can stand in. */
export const SlabList = { NONE: 0, PARTIAL: 1, EMPTY: 2, FULL: 3 } as const;

/** Items in a bucket at most: 256 words less the link. */
export const BUCKET_ITEMS = 255;
export const BUCKET_WORDS = 256;
export const BUCKET_MASK = 255;

/** The last slot of a deferred bucket holds its tag; so the buckets of epoch zones hold one item less. */
export const BUCKET_TAG = 255;
export const EPOCH_BUCKET_ITEMS = 254;

/** A bucket never holds more than this many bytes of items, however large it grows. */
export const BUCKET_BYTES_MAX: number = 1 << 18;

/** Words between two reference counters: a cache line each, so that two hot ones never share it. */
export const COUNTER_STRIDE = 16;

/** Words of `Slab`; the bitmap follows. */
export const SLAB_HEADER_WORDS = 8;

/** Smallest unit of items: the granule of the owner bytes, in bytes. */
export const GRANULE = 16;
export const GRANULE_SHIFT = 4;

/** Owner byte of an item that the memory itself holds, such as a cluster that hangs on an mbuf. */
export const OWNER_MEMORY = 255;

export const KegFlag = {
  REFERENCE_COUNTED: 1,
  INTERNAL: 2,
  /** New slabs are zeroed. */
  ZEROED: 4,
  /** Freed items wait for readers: an owner byte at the second granule says that an item is parked. */
  EPOCH: 8,
} as const;

/** What becomes of the items that a thread owned when it died. */
export const OwnerDeath = {
  /** They stay allocated, and belong to the memory from then on. */
  keep: 0,
  /** They are freed. */
  free: 1,
  /** They stay allocated, and the report of the reaping names them. */
  report: 2,
} as const;
export type OwnerDeath = keyof typeof OwnerDeath;
export const HookBit = { CTOR: 1, DTOR: 2, INIT: 4, FINI: 8 } as const;

/** Words of the boot records. */
export const KEG_WORDS = 48;
export const ZONE_WORDS = 64;
export const CACHE_WORDS = 16;
