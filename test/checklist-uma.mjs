// The checklist's part on UMA: limits, reserves, slabs, what is kept cached.

const hooks = 'src/uma/hooks.test.ts';
const limits = 'src/uma/limits.test.ts';
const marks = 'src/uma/marks.test.ts';
const reclaim = 'src/uma/reclaim.test.ts';
const geometry = 'src/uma/geometry.test.ts';
const lists = 'src/uma/pool-lists.test.ts';
const mbufs = 'src/mbuf/mbufs.test.ts';

export const limitsAndCaches = [
  // --- UMA: limits ---
  {
    group: 'UMA: limits',
    statement:
      'A limit is exact in items, whatever their size: it is not rounded to slabs or pages (ADR 0012).',
    source: 'uma(9)',
    tests: [[limits, 'is exact for every limit from 1 to 300, items of']],
  },
  {
    group: 'UMA: limits',
    statement: 'What is cached counts: items in use and cached items of all threads together meet the limit.',
    source: 'uma_core.c',
    tests: [[limits, 'counts what is cached: who is refused finds as many out as the limit says']],
  },
  {
    group: 'UMA: limits',
    statement: 'The caches of all threads together strand at most half of a limit.',
    source: 'uma_core.c',
    tests: [
      [limits, 'lets all threads together cache half of it at most, and nothing where that is too little'],
    ],
  },
  {
    group: 'UMA: limits',
    statement: 'Under a limit of less than four items for each thread nothing is cached.',
    source: 'uma_core.c',
    tests: [
      [limits, 'lets all threads together cache half of it at most, and nothing where that is too little'],
    ],
  },
  {
    group: 'UMA: limits',
    statement: 'While somebody waits for a zone, a freed item goes to him and into no cache.',
    source: 'uma_core.c',
    tests: [[limits, 'gets what is freed at once, though the cache of who frees has room']],
  },
  {
    group: 'UMA: limits',
    statement: 'Who waits is served in the order of arrival, one with each free.',
    source: 'uma_core.c',
    tests: [[limits, 'is served in the order of arrival, one for each free, from several threads']],
  },
  {
    group: 'UMA: limits',
    statement: 'While somebody waits, nobody passes him by with `tryAlloc`.',
    source: 'uma_core.c',
    tests: [[limits, 'is passed by nobody: what could be had meanwhile is for who came first']],
  },
  {
    group: 'UMA: limits',
    statement: 'What other threads have cached comes to who waits when they poll.',
    source: 'uma_core.c',
    tests: [[limits, 'gets what another thread has in its caches, when that one polls']],
  },
  {
    group: 'UMA: limits',
    statement:
      'A limit that rises, or is lifted, wakes as many as it has room for; one that falls wakes nobody.',
    source: 'kern_malloc.c',
    tests: [[limits, 'moves by as many as the limit rises, and not when it falls']],
  },
  {
    group: 'UMA: limits',
    statement: 'A limit may fall below what is in use: nothing is taken away, and nothing more to be had.',
    source: 'uma(9)',
    tests: [[limits, 'is kept when it is lowered below what is out: nothing until enough has come back']],
  },

  // --- UMA: figures ---
  {
    group: 'UMA: figures',
    statement: 'A cluster that hangs in a cached packet counts as used in its zone.',
    source: 'uma_core.c',
    tests: [[mbufs, 'are told by the formulas of netstat -m']],
  },
  {
    group: 'UMA: figures',
    statement: 'The figures of network buffers do not count the clusters of cached packets as in use.',
    source: 'netstat(1)',
    tests: [[mbufs, 'are told by the formulas of netstat -m']],
  },
  {
    group: 'UMA: figures',
    statement: 'Requests, failures and sleeps are counted apart, each once a call.',
    source: 'vmstat(8)',
    tests: [[limits, 'counts what succeeds and what fails']],
  },

  // --- UMA: sleeping ---
  {
    group: 'UMA: sleeping',
    statement: 'With one slab in hand a keg does not sleep for the next, though the call may.',
    source: 'uma_core.c',
    tests: [[hooks, 'must not sleep for a second slab when the first gave something']],
  },
  {
    group: 'UMA: sleeping',
    statement: 'Where pages end in the middle of a bucket, what has been found is had.',
    source: 'uma_core.c',
    tests: [[marks, 'fill a part of a bucket: what has been found is kept, and not given back']],
  },

  // --- UMA: reserves ---
  {
    group: 'UMA: reserves',
    statement:
      'A usual call needs more items free than the reserve: not one of those is for it, in bulk neither.',
    source: 'uma_core.c',
    tests: [
      [marks, 'only USE_RESERVE may take it, single calls too, and the caches do not hold it'],
      [marks, 'is for calls that may wait, too: they find it before they wait'],
    ],
  },
  {
    group: 'UMA: reserves',
    statement: 'No bucket is filled from the reserve: who may use it gets single items (ADR 0015).',
    source: 'uma_core.c',
    tests: [[marks, 'only USE_RESERVE may take it, single calls too, and the caches do not hold it']],
  },
  {
    group: 'UMA: reserves',
    statement: 'No drain gives slabs back that the reserve stands in.',
    source: 'uma_core.c',
    tests: [[marks, 'only USE_RESERVE may take it, single calls too, and the caches do not hold it']],
  },
  {
    group: 'UMA: reserves',
    statement: 'A reserve is not made ahead; `preallocate` does that.',
    source: 'uma(9)',
    tests: [
      [marks, 'is not made ahead, and may be changed while the zone is in use'],
      [marks, 'then so many allocations need no pages; what cannot be had is told by the count'],
    ],
  },
  {
    group: 'UMA: reserves',
    statement: 'USE_RESERVE goes with calls that may wait as well, where UMA asserts that they do not.',
    source: 'uma_core.c',
    tests: [[marks, 'is for calls that may wait, too: they find it before they wait']],
  },
  {
    group: 'UMA: reserves',
    statement: 'That a call may not wait is no privilege: without the flag neither kind gets the reserve.',
    source: 'kern_malloc.c',
    tests: [
      [marks, 'only USE_RESERVE may take it, single calls too, and the caches do not hold it'],
      [marks, 'is for calls that may wait, too: they find it before they wait'],
    ],
  },

  // --- UMA: slabs ---
  {
    group: 'UMA: slabs',
    statement: 'The count of empty slabs is that of their list: one that is begun is not in it any more.',
    source: 'uma_core.c',
    tests: [[lists, 'have each slab once: full, partial or empty, by the items that are out']],
  },
  {
    group: 'UMA: slabs',
    statement: 'Large items share a slab where that wastes less: at most a tenth of a slab is lost.',
    source: 'uma_core.c',
    tests: [
      [geometry, 'reaches 90 % without counters, at every size'],
      [geometry, 'takes the smallest slab that does'],
    ],
  },

  // --- UMA: working sets ---
  {
    group: 'UMA: working sets',
    statement:
      'Only what allocations draw at a stretch is demand: a great free does not raise the working set.',
    source: 'uma_core.c',
    tests: [[reclaim, 'does not rise by a great free; an allocation of as much does']],
  },
  {
    group: 'UMA: working sets',
    statement: 'What is taken from a cache to be given back is no demand.',
    source: 'uma_core.c',
    tests: [[reclaim, 'what is taken away to be given back is no demand']],
  },
  {
    group: 'UMA: working sets',
    statement: 'The estimate fades by a quarter with each period and follows the formulas of uma(9).',
    source: 'uma_core.c',
    tests: [[reclaim, 'is what the formulas of uma(9) give, after any changes']],
  },
  {
    group: 'UMA: working sets',
    statement:
      'A trim leaves the working set in the cache and gives back what is beyond; a drain leaves nothing.',
    source: 'uma(9)',
    tests: [[reclaim, 'leaves what allocations have drawn of late, and gives back what is cached beyond']],
  },
  {
    group: 'UMA: working sets',
    statement:
      'By itself a zone gives back a quarter of what nobody has wanted for 45 periods, never before.',
    source: 'uma_core.c',
    tests: [
      [reclaim, 'gives back a quarter of what nobody wanted for 45 periods, and nothing before'],
      [reclaim, 'leaves all for 45 periods without a lack, then a quarter less of what was never wanted'],
    ],
  },
  {
    group: 'UMA: working sets',
    statement:
      'What threads have in their own caches is asked back without waiting for it; who is late is told (ADR 0015).',
    source: 'uma(9)',
    tests: [
      [reclaim, 'threads: each is asked, who has not answered is overdue, and what it does counts as its'],
    ],
  },
];
