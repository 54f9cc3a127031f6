// The checklist's part on UMA: hooks and what they undo, zones on zones, the end of a zone.

const hooks = 'src/uma/hooks.test.ts';
const uncached = 'src/uma/hooks-uncached.test.ts';
const line = 'src/uma/line.test.ts';
const imports = 'src/uma/imports.test.ts';
const limits = 'src/uma/limits.test.ts';
const reclaim = 'src/uma/reclaim.test.ts';
const zoneEnd = 'src/uma/zone-end.test.ts';
const counted = 'src/uma/counted-zone.test.ts';
const headers = 'src/uma/headers.test.ts';
const mbufs = 'src/mbuf/mbufs.test.ts';
const exhaustion = 'src/mbuf/exhaustion.test.ts';

export const hooksAndZones = [
  // --- UMA: calls that end without an item ---
  {
    group: 'UMA: no item',
    statement:
      'A `ctor` that lacks memory ends even a call that may wait: `tryAlloc` gives 0, `alloc` and ' +
      '`allocAsync` end with OUT_OF_MEMORY. Nobody constructs again for it.',
    source: 'uma_core.c',
    tests: [
      [hooks, 'for lack of memory: 0 from tryAlloc, OUT_OF_MEMORY from alloc'],
      [hooks, 'for lack of memory in an asynchronous call: OUT_OF_MEMORY, never 0'],
      [uncached, 'whose ctor fails has no dtor, but the fini of its init, once'],
    ],
  },
  {
    group: 'UMA: no item',
    statement: 'What a `ctor` throws or returns as an Error reaches the caller of every form, once.',
    source: 'uma_core.c',
    tests: [[hooks, 'no dtor, the item goes back, accounts exact']],
  },
  {
    group: 'UMA: no item',
    statement:
      'What an `init` throws ends a call, also one that stands in line, and no unit of the limit is lost.',
    source: 'uma_core.c',
    tests: [
      [line, 'when a unit has been granted'],
      [line, 'leaves it: init throws when the head of the line gets pages'],
    ],
  },
  {
    group: 'UMA: no item',
    statement:
      'An `init` that lacks memory is a lack like that of pages: who may wait stands in line and is served ' +
      'when there is memory, where UMA gives NULL.',
    source: 'uma_core.c',
    tests: [
      [line, 'when a unit has been granted'],
      [uncached, 'whose init fails has neither ctor nor dtor nor fini, and its unit is free again'],
    ],
  },
  {
    group: 'UMA: no item',
    statement:
      'An `import` that has nothing leaves `tryAlloc` with 0 and lets others wait on; what it throws ends ' +
      'the call.',
    source: 'uma(9)',
    tests: [
      [imports, 'has no item when there is nothing to be imported, and goes on with what there is'],
      [imports, 'lets who may wait go on waiting while there is nothing, and ends the wait with what import'],
    ],
  },
  {
    group: 'UMA: no item',
    statement: 'With CANFAIL nobody waits for pages: the call ends with OUT_OF_MEMORY at once.',
    source: 'uma(9)',
    tests: [[limits, 'CANFAIL ends at once what would sleep for pages, and only that']],
  },

  // --- UMA: what is undone ---
  {
    group: 'UMA: undoing',
    statement: 'After a `ctor` that failed no `dtor` runs for the item.',
    source: 'uma_core.c',
    tests: [
      [hooks, 'no dtor, the item goes back, accounts exact'],
      [uncached, 'whose ctor fails has no dtor, but the fini of its init, once'],
    ],
  },
  {
    group: 'UMA: undoing',
    statement: 'An item whose `ctor` failed is as `init` left it: `fini` runs when it leaves the zone, once.',
    source: 'uma_core.c',
    tests: [[uncached, 'whose ctor fails has no dtor, but the fini of its init, once']],
  },
  {
    group: 'UMA: undoing',
    statement: 'An item whose `init` failed gets no `fini`, and goes back to its keg.',
    source: 'uma_core.c',
    tests: [[uncached, 'whose init fails has neither ctor nor dtor nor fini, and its unit is free again']],
  },
  {
    group: 'UMA: undoing',
    statement: 'An allocation that a hook has failed leaves no unit of the limit behind (ADR 0012).',
    source: 'uma_core.c',
    tests: [
      [uncached, 'whose init fails has neither ctor nor dtor nor fini, and its unit is free again'],
      [hooks, 'no dtor, the item goes back, accounts exact'],
    ],
  },
  {
    group: 'UMA: undoing',
    statement:
      'Where `init` fails in the middle of a bucket, what was ready is kept and the call succeeds; the ' +
      'rest goes back without `fini`.',
    source: 'uma_core.c',
    tests: [[hooks, 'what was ready is kept or undone']],
  },
  {
    group: 'UMA: undoing',
    statement:
      'Where `init` fails in the middle of a slab, `fini` undoes what came before, and the slab goes.',
    source: 'uma_core.c',
    tests: [[hooks, 'what was ready is kept or undone']],
  },
  {
    group: 'UMA: undoing',
    statement: 'When a slab goes, `fini` runs over its items from the last to the first.',
    source: 'uma_core.c',
    tests: [[hooks, 'of a primary zone: init and fini by slab, ctor and dtor by item']],
  },
  {
    group: 'UMA: undoing',
    statement: 'An error of `dtor` or `fini` is told when the item is safe, and stops no drain.',
    source: 'uma_core.c',
    tests: [[hooks, 'told after the item is safe']],
  },

  // --- UMA: secondary zones, packets ---
  {
    group: 'UMA: secondary zones',
    statement:
      'An item that is freed to a secondary zone stays initialised in the cache of that zone: `init` and ' +
      '`fini` run where items enter and leave it, not with each use.',
    source: 'uma(9)',
    tests: [[hooks, 'of a secondary zone: init and fini where items enter and leave its cache']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'A packet that is freed keeps its cluster: the next one to be taken is it, whole.',
    source: 'kern_mbuf.c',
    tests: [[mbufs, 'go back where they belong: packets whole, with their cluster, bare ones bare']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'One `free` serves all mbufs: each goes to the zone that it is of, so no cluster is lost.',
    source: 'kern_mbuf.c',
    tests: [[mbufs, 'go back where they belong: packets whole, with their cluster, bare ones bare']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'A packet that leaves the cache of its zone gives its cluster back.',
    source: 'kern_mbuf.c',
    tests: [[mbufs, 'go back where they belong: packets whole, with their cluster, bare ones bare']],
  },
  {
    group: 'UMA: secondary zones',
    statement:
      'A packet whose cluster others share goes as a bare mbuf; the cluster goes with the last of them.',
    source: 'kern_mbuf.c',
    tests: [[exhaustion, 'come back when a shared packet goes, last reference first or last']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'Cached packets give up their clusters when clusters are lacking.',
    source: 'kern_mbuf.c',
    tests: [[exhaustion, 'are taken out of cached packets']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'While somebody waits for a cluster, a packet that is freed is taken apart for him.',
    source: 'kern_mbuf.c',
    tests: [[exhaustion, 'come to who waits, from a packet that is freed']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'What a secondary zone lets go of is in the keg that it shares, for every zone of that keg.',
    source: 'uma_core.c',
    tests: [
      [exhaustion, 'are mbufs for others, too, when the packet zone is drained'],
      [limits, 'a zone takes back from the other zone of its keg'],
    ],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'One drain of everything is enough, though `fini` of one zone frees into another.',
    source: 'uma_core.c',
    tests: [
      ['src/memory.test.ts', 'drain gives back what hooks pass on from zone to zone'],
      [exhaustion, 'are back in their pages after one drain, mbufs of cached packets too'],
    ],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'Slab headers and buckets are drained last, so that their pages come back in the same drain.',
    source: 'uma_core.c',
    tests: [[reclaim, 'drain: once is enough, for headers and buckets go after what stood in them']],
  },
  {
    group: 'UMA: secondary zones',
    statement: 'Each zone of a keg has a limit of its own.',
    source: 'uma(9)',
    tests: [[limits, 'of a secondary zone is its own']],
  },

  // --- UMA: the end of a zone ---
  {
    group: 'UMA: end of a zone',
    statement: 'A zone is destroyed by nobody but the last thread that has it open (ADR 0021).',
    source: 'uma_core.c',
    tests: [[zoneEnd, 'is refused while others have it open, and says who']],
  },
  {
    group: 'UMA: end of a zone',
    statement: 'While a zone is being destroyed nobody can open it.',
    source: 'uma_core.c',
    tests: [[zoneEnd, 'is opened by nobody meanwhile, and what is drained meanwhile is drained once']],
  },
  {
    group: 'UMA: end of a zone',
    statement: 'The timer and reclaims in the middle of a destroy take no slab twice, nor run `fini` twice.',
    source: 'uma_core.c',
    tests: [[zoneEnd, 'is opened by nobody meanwhile, and what is drained meanwhile is drained once']],
  },
  {
    group: 'UMA: end of a zone',
    statement: 'No timer and no reclaim writes into what has been the record of a zone.',
    source: 'uma_core.c',
    tests: [[zoneEnd, 'is out of the timer’s and every reclaim’s reach: its record stays empty']],
  },
  {
    group: 'UMA: end of a zone',
    statement: 'With a zone go the buckets of its caches, not only what stood in them.',
    source: 'uma_core.c',
    tests: [[zoneEnd, 'gives back the buckets of its caches, those that are empty, too']],
  },
  {
    group: 'UMA: end of a zone',
    statement: 'A zone that is not empty stays, whole, and the error says whose the items are (ADR 0021).',
    source: 'uma(9)',
    tests: [[zoneEnd, 'is not destroyed while an item is in use, says whose it is, and works on']],
  },
  {
    group: 'UMA: end of a zone',
    statement: 'A zone that others stand on, or for which somebody waits, stays.',
    source: 'uma_core.c',
    tests: [
      [zoneEnd, 'is refused while a secondary zone stands on it, which can go by itself'],
      [zoneEnd, 'is refused for noFree, for who waits, and with a call of this thread in line'],
    ],
  },

  // --- UMA: reference counts ---
  {
    group: 'UMA: reference counts',
    statement: 'Counters are 0 when a slab is made, whatever was on its page, and while an item is free.',
    source: 'mbuma',
    tests: [[counted, 'counts from 0 on a page that held something else']],
  },
  {
    group: 'UMA: reference counts',
    statement: 'An item comes with one reference from every form of allocation.',
    source: 'mbuma',
    tests: [[counted, 'gives items with one reference, however they are allocated']],
  },
  {
    group: 'UMA: reference counts',
    statement: 'An item to which others refer cannot be freed; the last drop frees it.',
    source: 'mbuma',
    tests: [
      [counted, 'free of an item that others refer to: STILL_REFERENCED'],
      [counted, 'frees with the last reference, and not before'],
    ],
  },
  {
    group: 'UMA: reference counts',
    statement:
      'Each item’s counter is its own word, apart from bitmaps and other counters, in slabs of any kind.',
    source: 'uma_int.h',
    tests: [
      [headers, 'are never taken for one another, and share no word'],
      [counted, 'finds the counter from any address of the item, in slabs of any form'],
    ],
  },
  {
    group: 'UMA: reference counts',
    statement: 'A count of 1 costs no atomic operation.',
    source: 'kern_mbuf.c',
    tests: [
      [
        counted,
        'is never touched atomically: not by alloc, free, the last drop, nor by the hold that ends it',
      ],
    ],
  },
];
