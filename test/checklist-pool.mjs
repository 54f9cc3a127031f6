// The checklist's part on pool(9): lists of slabs, their headers, backends, and what people have met.

const limits = 'src/uma/limits.test.ts';
const marks = 'src/uma/marks.test.ts';
const reclaim = 'src/uma/reclaim.test.ts';
const headers = 'src/uma/headers.test.ts';
const geometry = 'src/uma/geometry.test.ts';
const lists = 'src/uma/pool-lists.test.ts';
const tree = 'src/uma/header-tree.test.ts';
const foreign = 'src/uma/foreign-keg.test.ts';
const foreignAudit = 'src/uma/foreign-audit.test.ts';
const backends = 'src/uma/backends.test.ts';

export const pools = [
  // --- pool(9): the three lists ---
  {
    group: 'pool: lists',
    statement: 'Each slab stands on exactly one list: full, partial or empty, by the items that are out.',
    source: 'subr_pool.c 1.x',
    tests: [
      [lists, 'have each slab once: full, partial or empty, by the items that are out'],
      ['src/uma/audit.test.ts', 'a slab that names the wrong list'],
    ],
  },
  {
    group: 'pool: lists',
    statement: 'Items come from partial slabs as long as these have any; then an empty one is begun.',
    source: 'subr_pool.c 1.x',
    tests: [
      [lists, 'let no empty slab be begun while a partial one has an item'],
      [lists, 'have each slab once: full, partial or empty, by the items that are out'],
    ],
  },
  {
    group: 'pool: lists',
    statement: 'The slab that was full and got an item back gives the next one.',
    source: 'subr_pool.c 1.x',
    tests: [
      [lists, 'let a slab that was full give next: before partial ones that stood there, and empty ones'],
    ],
  },
  {
    group: 'pool: lists',
    statement: 'No slab is made while a keg has an item free.',
    source: 'subr_pool.c 1.x',
    tests: [[lists, 'let no slab be made while an item is free, and one as soon as none is']],
  },
  {
    group: 'pool: lists',
    statement: 'What is free and what is out make up the items of all slabs, after each call.',
    source: 'subr_pool.c 1.x',
    tests: [[lists, 'are counted: what is free and what is out make up all slabs, after each call']],
  },
  {
    group: 'pool: lists',
    statement: 'Taking and giving walk no list: they cost the same among a thousand slabs as among a few.',
    source: 'subr_pool.c 1.x',
    tests: [[lists, 'are never walked: a call touches as many words among 9 slabs as among 3000']],
  },
  {
    group: 'pool: lists',
    statement: 'A slab goes, and a slab is made, with no lock held: the keg serves others meanwhile.',
    source: 'subr_pool.c 1.x',
    tests: [
      [lists, 'go without any lock, and the keg serves another thread meanwhile'],
      [lists, 'are made without any lock, and the keg serves another thread meanwhile'],
    ],
  },

  // --- pool(9): headers away from their pages ---
  {
    group: 'pool: headers',
    statement: 'The run of an address is that of the greatest base not above it, if it reaches that far.',
    source: 'subr_pool.c 1.x',
    tests: [
      [tree, 'answers as a sorted array does, and refuses what is foreign without changing a word'],
      [foreign, 'finds the item of any address of it'],
    ],
  },
  {
    group: 'pool: headers',
    statement:
      'Every run of a foreign keg stands in the tree of headers once; the audit tells of any other state.',
    source: 'subr_pool.c 1.x',
    tests: [
      [foreignAudit, 'nothing where runs come and go: each stands in list and tree once'],
      [foreignAudit, 'a run that is missing in the tree'],
      [foreignAudit, 'a run that stands in the tree twice'],
    ],
  },
  {
    group: 'pool: headers',
    statement: 'The steps of a search and a change grow as log n, in whatever order runs come and go.',
    source: 'subr_pool.c 1.x',
    tests: [
      [tree, 'lets the steps of a call grow as log n'],
      [tree, 'stays that of an AVL tree at 100,000 nodes put in and taken out in the order'],
    ],
  },
  {
    group: 'pool: headers',
    statement: 'A search writes nothing.',
    source: 'subr_pool.c 1.x',
    tests: [[tree, 'writes nothing when it is only looked at']],
  },
  {
    group: 'pool: headers',
    statement:
      'An address that is none of a keg’s items is refused by an error that names the keg; all stays.',
    source: 'subr_pool.c 1.x',
    tests: [[foreign, 'refuses an address that is none of its items, and nothing changes']],
  },
  {
    group: 'pool: headers',
    statement: 'An item of another zone is refused by the zone to which it is given, and nothing changes.',
    source: 'subr_pool.c 1.x',
    tests: [['src/uma/misuse.test.ts', 'of an item of another zone: FREE_WRONG_ZONE, whoever owns it']],
  },
  {
    group: 'pool: headers',
    statement:
      'A header stands off the page where that wastes less, and always where items may not be touched.',
    source: 'subr_pool.c 1.x',
    tests: [
      [headers, 'are here: inline and off-page, of every size that counters need'],
      [geometry, 'noTouch: the header is never inline'],
    ],
  },

  // --- pool(9): backends ---
  {
    group: 'pool: backends',
    statement: 'Kegs that share a backend are bounded together, exactly.',
    source: 'subr_pool.c 1.x',
    tests: [[backends, 'bounds the pages of all its kegs together, exactly']],
  },
  {
    group: 'pool: backends',
    statement:
      'A keg without pages has the others of its backend drained in turn; the first that gives ends it.',
    source: 'subr_pool.c 1.x',
    tests: [
      [backends, 'takes turns: who gave last is asked last, and it stops at the first that gave something'],
    ],
  },
  {
    group: 'pool: backends',
    statement:
      'Calls that do not wait have others drained as well, where pool(9) asks only their own (ADR 0015).',
    source: 'subr_pool.c 1.x',
    tests: [[backends, 'drains one keg for another, whose items lie in caches']],
  },
  {
    group: 'pool: backends',
    statement: 'What lies in caches is drained before the slabs, so that it does not hold pages.',
    source: 'subr_pool.c 1.x',
    tests: [[backends, 'drains one keg for another, whose items lie in caches']],
  },
  {
    group: 'pool: backends',
    statement: 'Under a shortage an empty slab goes however young it is (ADR 0015).',
    source: 'subr_pool.c 1.x',
    tests: [
      [backends, 'takes turns: who gave last is asked last, and it stops at the first that gave something'],
    ],
  },
  {
    group: 'pool: backends',
    statement: 'When nobody has anything the call fails, and that is counted; each was asked once.',
    source: 'subr_pool.c 1.x',
    tests: [
      [backends, 'takes turns: who gave last is asked last, and it stops at the first that gave something'],
    ],
  },
  {
    group: 'pool: backends',
    statement: 'Who sleeps for pages of a backend gets them when another of its kegs has some again.',
    source: 'subr_pool.c 1.x',
    tests: [[backends, 'who sleeps for pages of it gets them when another frees']],
  },
  {
    group: 'pool: backends',
    statement: 'A reclaim says what it has freed: nothing is 0.',
    source: 'subr_pool.c 1.x',
    tests: [
      [lists, 'do not go with an item out, however few'],
      [reclaim, 'drain: after all has been freed every page is back, exactly'],
    ],
  },
  {
    group: 'pool: backends',
    statement: 'No reclaim takes a slab with an item out.',
    source: 'subr_pool.c 1.x',
    tests: [[lists, 'do not go with an item out, however few']],
  },
  {
    group: 'pool: backends',
    statement: 'No reclaim goes below a low mark or a reserve, or touches a zone that is not managed.',
    source: 'subr_pool.c 1.x',
    tests: [
      [backends, 'leaves marks, noFree and unmanaged zones alone'],
      [marks, 'has slabs made ahead, and no drain goes below it'],
    ],
  },
  {
    group: 'pool: backends',
    statement: 'A reclaim that frees something, and not enough, is not begun again without end.',
    source: 'subr_pool.c 1.x',
    tests: [[backends, 'ends when draining frees something, and it is not enough']],
  },
  {
    group: 'pool: backends',
    statement: 'After `onExhausted` the limit is looked at again: only what has come free can be had.',
    source: 'subr_pool.c 1.x',
    tests: [
      [limits, 'is looked at again after onExhausted: what that frees can be had, its answer alone gives'],
    ],
  },
  {
    group: 'pool: backends',
    statement: 'A backend outlives its zones; one that is destroyed twice is refused, and turns go on.',
    source: 'current-users 2015-11',
    tests: [[backends, 'outlives its zones: what one that is destroyed had is the others’, and turns go on']],
  },
  {
    group: 'pool: backends',
    statement: 'A keg that names a backend which there is not is told as damage, not followed.',
    source: 'current-users 2015-11',
    tests: [[backends, 'a keg that names a backend which there is not is damaged']],
  },

  // --- pool(9): what people have met ---
  {
    group: 'pool: complaints',
    statement: 'The high mark has effect: a slab that gets empty beyond it goes at once.',
    source: 'PR kern/58666',
    tests: [
      [marks, 'an empty slab goes back at once when enough is free without it'],
      [lists, 'go without any lock, and the keg serves another thread meanwhile'],
    ],
  },
  {
    group: 'pool: complaints',
    statement: 'A high mark that is set at run time acts at once; one below the low mark is refused.',
    source: 'PR kern/58666',
    tests: [
      [lists, 'beyond the high mark go at once when it is set, and it is never set below the low mark'],
    ],
  },
  {
    group: 'pool: complaints',
    statement: 'The hook of a zone that is drained for another runs without any lock.',
    source: 'PR kern/59411',
    tests: [[backends, 'runs the hook of a drained zone first, without a lock; it may free, and allocate']],
  },
  {
    group: 'pool: complaints',
    statement: 'The hook that says that a limit is met runs after the call, without any lock.',
    source: 'PR kern/59411',
    tests: [[marks, 'maxAction runs soon after, without a lock, once at a time, and may free']],
  },
  {
    group: 'pool: complaints',
    statement:
      'A hook that is run for a lack of pages, and lacks pages itself, does without: no hook is run for it.',
    source: 'PR kern/59411',
    tests: [[backends, 'a hook that needs pages of the same backend does without them: no recursion']],
  },
  {
    group: 'pool: complaints',
    statement: 'Cached items are told apart from those in use, and can be bounded by themselves.',
    source: 'subr_pool.c 1.x',
    tests: [
      [limits, 'counts what is cached: who is refused finds as many out as the limit says'],
      [marks, 'never more in all buckets together, by two threads'],
    ],
  },
  {
    group: 'pool: complaints',
    statement: 'A limit that is met is warned of, by calls that wait for it as well, once in its time.',
    source: 'subr_pool.c 1.x',
    tests: [
      [marks, 'warns with the zone’s name, once in its time, unless warnings are off'],
      [marks, 'warns when the call goes on to wait, too'],
    ],
  },
  {
    group: 'pool: complaints',
    statement: 'A low mark that cannot be kept for lack of pages is counted, and fails nobody.',
    source: 'subr_pool.c 1.x',
    tests: [[marks, 'that cannot be kept for lack of pages is counted, and fails nobody']],
  },
];
