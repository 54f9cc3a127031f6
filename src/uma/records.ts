/**
 * Records of the zone allocator.
 *
 * Words: an *item* is one allocation of a zone. A *slab* is a run of pages cut into equal items. A *keg*
 * is the slabs of one item layout. A *zone* is what users allocate from: a keg plus caches and hooks.
 * A *bucket* is an array of free items. A *thread cache* is one thread's two buckets for one zone.
 *
 * Guards: `const` after creation; `T` the thread that owns the slot; `K` the keg's lock; `Z` the zone's
 * lock; `Q` the guard's lock; `R` the registry lock; `I` who has the item; `A` atomics only.
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
 *   + keg.siteOffset    `ItemSites` of each item, ITEM_SITES_WORDS apart (kegs with sites only)
 *   + keg.tagOffset     the tag of each item, a word (tagged kegs only): see tags.ts
 *
 * With redzones (`r`, 16 bytes and more) the items of a slab lie further apart, and each has two of its own:
 *
 *   . r i i r r i i r r i i r . . .     dataOffset = bytes up to the first item
 */

import { addr, array, f64, i32, ref, struct, text, u32 } from '../record/index.js';

/**
 * A backend: who gives pages to the kegs that share it. Number 1 is the memory's own pages, without a bound.
 * Guard `P`: the backend's lock.
 */
export const Backend = struct(
  'backend',
  {
    lock: u32('A', 'Backend lock.'),
    pagesMax: u32('P', 'Most pages that its kegs may have together; 0: no bound.'),
    pagesUsed: u32('P', 'Pages that its kegs have, or that hands hold for them.'),
    rotor: u32('P', 'Number of the keg that was drained last: the next rotation begins behind it.'),
    reclaims: u32('P', 'Times that draining one keg has freed pages for another.'),
    shortages: u32('P', 'Times that there were no pages, and draining freed none.'),
    number: u32('const', 'Number, from 1.'),
    spare0: array(9, 'const', 'Fills the line.'),
    name: text(12, 'const', 'Name, unique.'),
    spare1: array(4, 'const', 'Fills the line.'),
  },
  { words: 32 },
);

/** The registry: how many kegs and zones there are. */
export const UmaState = struct(
  'uma',
  {
    lock: u32('A', 'Registry lock.'),
    kegCount: u32('R', 'Highest number of a keg. There are holes: see `number` of the keg.'),
    zoneCount: u32('R', 'Highest number of a zone. There are holes: see `number` of the zone.'),
    backendCount: u32('R', 'Backends made; numbers are 1 to backendCount.'),
    kegsMade: u32('R', 'Kegs ever made, modulo 2^32: the next one’s serial.'),
    spare: array(11, 'const', 'Fills the line.'),
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
    reserve: u32('K', 'Free items that only USE_RESERVE may take, and that no drain gives back.'),
    lowWater: u32('K', 'Free items that there should always be: see `watermarks`.'),
    highWater: u32('K', 'Free items beyond which an empty slab goes back at once; 0: no such mark.'),
    lowMisses: u32('K', 'Times that no pages were found to stay above the low mark.'),
    spare0: array(5, 'const', 'Fills the line.'),
    // Line 1: what the slabs look like.
    number: u32('R', 'Number in the page map, from 1; 0: there is no such keg. Written last, cleared first.'),
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
    backend: u32('const', 'Number of the backend that its pages come from.'),
    dataOffset: u32('const', 'Bytes from the start of the run to the first item.'),
    siteOffset: u32('const', 'Words from the header to the first ItemSites; 0 when there are none.'),
    serial: u32('const', 'Tells it from one that had the number before.'),
    tagOffset: u32('const', 'Words from the header to the tag of the first item; 0 when there are none.'),
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
    divisor: u32('const', 'Every so-manieth item has trash and redzones, which are checked; 0: none.'),
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
    // Line 1: never changes, but for the first and the last.
    number: u32(
      'R',
      'Number, from 1: place of the thread caches; 0: there is no such zone. Written last, cleared first.',
    ),
    keg: u32('const', 'Number of its keg.'),
    onOwnerDeath: u32('const', 'OwnerDeath: what becomes of the items of a thread that dies.'),
    hooks: u32('const', 'HookBit of each hook that the zone has.'),
    capacityMax: u32('const', 'Upper bound of bucketCapacity.'),
    primary: u32('const', 'Number of the zone whose keg it is stacked on; 0 when it is primary itself.'),
    retiredRequests: f64('Z', 'Allocations by threads that have detached.'),
    retiredFailures: f64('Z', 'Failures of threads that have detached.'),
    retiredChecked: f64('Z', 'Items that threads which have detached had checked.'),
    retiredSkipped: f64('Z', 'Items that they had passed over, as the divisor says.'),
    flags: u32('const', 'ZoneFlag bits.'),
    destroyer: u32('R', 'Slot of the thread that is about to destroy it; 0: nobody.'),
    // Lines 2 and 3: rare.
    name: text(12, 'const', 'Name, unique.'),
    maxCached: u32('Z', 'Most items in buckets of zone and threads together; 0: no such bound.'),
    batchMin: u32('Z', 'Fewest cachedItems since the last new most: where the batch of allocations began.'),
    longMin: u32('Z', 'Long-term estimate of the items cached beyond the working set.'),
    idlePeriods: u32('Z', 'Periods in a row in which the zone never lacked a cached item.'),
    warnedAt: u32('A', 'Second of the clock at which the zone has warned last; 0: never.'),
    warnings: u32('A', 'Times that the zone has warned.'),
    tickedAt: u32('Z', 'Milliseconds of the clock, of 2^32, at which its last period ended.'),
    epoch: u32('const', '1: an epoch zone, whose freed items wait for readers: see deferral.ts.'),
    deferredTop: u32('Z', 'Top of the oldest bucket that waits for readers; 0 when there is none. FIFO.'),
    deferredLast: u32('Z', 'The newest of them; 0 when there is none.'),
    deferredBuckets: u32('Z', 'Buckets in that list.'),
    deferredItems: u32('Z', 'Items in those buckets.'),
    parkedTag: i32('Z', 'Sequence when the last item was parked; 0: none is. See parking.ts.'),
    spare1: array(7, 'const', 'Fills the line.'),
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
    open: u32('A', '1: the thread has opened the zone, which nobody can destroy meanwhile. Set under R.'),
    requests: u32('T', 'Allocations, low 32 bits: adding an integer is twice as fast as adding a float.'),
    requestsHigh: u32('T', 'Allocations, high 32 bits.'),
    failures: f64('T', 'Allocations that failed.'),
    checked: f64('T', 'Items whose trash or redzones were checked.'),
    skipped: f64('T', 'Items that were not, for the divisor passes over them.'),
    spareWords: array(4, 'const', 'Fills the line.'),
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

/**
 * Stands in an item of the header keg of 128 bytes, and is the object of the pages of one guarded item: see
 * guard.ts. It is changed by who has the item, or is named in the state, or under the guard's lock.
 */
export const GuardedItem = struct(
  'guarded item',
  {
    state: u32('A', 'GuardedState, and above 8 bits the slot of the thread that frees it, or lets it go.'),
    next: ref('guarded item', 'Q', 'Next in the quarantine; 0 ends it.'),
    initialised: u32('I', '1: `init` has run over it, and `fini` has not begun.'),
    item: addr('const', 'The item itself.'),
    page: u32('const', 'First page of its run.'),
    zone: u32('const', 'Number of its zone.'),
    tag: u32('I', 'What a layer uses it for: see tags.ts.'),
    spare0: array(1, 'const', 'Zero.'),
    allocSite: u32('I', 'These five as in `ItemSites`.'),
    allocThread: u32('I', '…'),
    freeSite: u32('I', '…'),
    freeThread: u32('I', '…'),
    lastZone: u32('I', '…'),
    spare1: array(3, 'const', 'Fills the line.'),
    // Line 1: of zones with reference counters.
    counter: u32('A', 'Reference counter of the item.'),
    spare2: array(15, 'const', 'Fills the line.'),
  },
  { words: 32 },
);

/** The quarantine of guarded items that are free, and figures. */
export const GuardState = struct(
  'guard',
  {
    lock: u32('A', 'Lock of rank GUARD.'),
    first: ref('guarded item', 'Q', 'Longest in quarantine; 0: it is empty.'),
    last: ref('guarded item', 'Q', 'Newest in quarantine.'),
    pages: u32('Q', 'Pages in quarantine. A hint without the lock.'),
    items: u32('Q', 'Items in quarantine.'),
    guarded: u32('A', 'Allocations that got pages of their own, modulo 2^32: a figure.'),
    declined: u32('A', 'Allocations that did not, for lack of pages, modulo 2^32: a figure.'),
    spare: array(9, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

/** Life of a guarded item: BUILDING -> IN_USE -> FREEING -> QUARANTINED -> LEAVING. */
export const GuardedState = { BUILDING: 0, IN_USE: 1, FREEING: 2, QUARANTINED: 3, LEAVING: 4 } as const;

/** Words of `GuardedItem`, and where the sites stand in it. */
export const GUARDED_ITEM_WORDS = 32;
export const GUARDED_SITES = 8;

/** What the page map says of the pages of guarded items: no keg has this number. */
export const GUARDED_PAGE = 0xffff;

/** Who allocated an item, who freed it last, and where: one each beside the slab. */
export const ItemSites = struct(
  'item sites',
  {
    allocSite: u32('I', 'Number of the place in the program that allocated it last; 0: not known.'),
    allocThread: u32('I', 'Slot of the thread that did, and above 8 bits its generation; 0: nobody yet.'),
    freeSite: u32('I', 'Number of the place that freed it last.'),
    freeThread: u32('I', 'Slot and generation of the thread that did; 0: nobody since.'),
    zone: u32('I', 'Number of the zone through which either was done last; 0: none yet.'),
  },
  { words: 5 },
);

/** Words of `ItemSites`: from one item to the next. */
export const ITEM_SITES_WORDS = 5;

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
  /** Its pages never go back. */
  NO_FREE: 8,
  /** The allocator writes nothing into items. */
  NO_TOUCH: 16,
  /** Slabs are as small as they can be. */
  CONTIGUOUS: 32,
  /** Items start at all cache lines in turn. */
  CACHE_SPREAD: 64,
  /** An item is a copy for each thread slot. */
  PER_THREAD: 128,
  /** The primary zone has `fini`: who has not registered it cannot unmake slabs. */
  HAS_FINI: 0x100,
  /** A redzone before and behind each item. */
  REDZONE: 0x200,
  /** `ItemSites` of each item, beside the slab. */
  SITES: 0x400,
  /** Some of the items, or all, come alone on pages of their own: guard.ts. */
  GUARDED: 0x800,
  /** There are counters, and the layer that made the zone counts: `hold` and `drop` do not. */
  LAYER_COUNTED: 0x1000,
  /** Freed items wait for readers: an owner byte at the second granule says that an item is parked. */
  EPOCH: 0x2000,
  /** Items are cells for words that the zone imports: imports.ts. */
  IMPORTED: 0x4000,
  /** A word of each item, beside the slab, says what a layer uses it for: tags.ts. */
  TAGGED: 0x8000,
} as const;

export const ZoneFlag = {
  /** Items are zeroed at every allocation. */
  ZERO: 1,
  /** Buckets start with their largest capacity. */
  MAX_BUCKET: 2,
  /** Nothing is cached. */
  NO_BUCKET: 4,
  /** Trimming passes it by. */
  NO_TRIM: 8,
  /** Reclaiming of all zones passes it by. */
  UNMANAGED: 16,
  /** Buckets are filled in proportion to what the zone has out. */
  FRUGAL: 32,
} as const;

/** Every flag of a zone. */
export const ZONE_FLAGS_ALL = 63;

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
export const BACKEND_WORDS = 32;

/** Backends of a memory at most, its own among them. */
export const BACKENDS_MAX = 16;
/** Number of the backend that is the memory's own pages. */
export const OWN_PAGES = 1;
export const CACHE_WORDS = 16;
export const GUARD_WORDS = 16;
