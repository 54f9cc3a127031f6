// The speed that the project asks of itself: aim and floor for each row, and what this run reached.

const LOOPS = ['a', 'b', 'c'];
const cross = (suites, sizes, peers) =>
  suites.flatMap((suite) => sizes.flatMap((size) => peers.map((peer) => ({ suite, size, peer }))));

const ALLOCATING = ['thi.ng', 'allocUnsafe', 'bufferAlloc', 'uint8Array', 'literal'];
const READY_MADE = ['objectPool', 'viewPool'];

/** Lower is better in every row. `figure: 'ours'` compares nanoseconds, everything else the paired ratio. */
const TARGETS = [
  {
    text: 'a to DPDK mempool, b and c to tcmalloc',
    cells: [...cross(['a'], [64], ['dpdk']), ...cross(['b', 'c'], [64], ['tcmalloc'])],
    aim: 1,
    floor: 1.5,
  },
  { text: 'a, b, c to glibc', cells: cross(LOOPS, [64], ['glibc']), aim: 0.5, floor: 0.9 },
  {
    text: 'bulk of 32 and of 1000, per item, to DPDK bulk',
    cells: cross(['bulk32', 'bulk1000'], [64], ['dpdk']),
    aim: 1,
    floor: 2.5,
  },
  { text: 'd to mimalloc', cells: cross(['d'], [64], ['mimalloc']), aim: 0.5, floor: 1.5 },
  { text: '8 zones in turn to 1 zone', cells: cross(['zones8'], [64], ['zone1']), aim: 1.2, floor: 1.6 },
  { text: 'packet to DPDK pktmbuf, LIFO', cells: cross(['packet'], [2048], ['dpdk']), aim: 1, floor: 2 },
  {
    text: 'every way of JavaScript that allocates, 64 and 256 B, and no GC',
    cells: cross(LOOPS, [64, 256], ALLOCATING),
    aim: 1 / 5,
    floor: 1 / 2,
    noGc: true,
  },
  {
    text: 'an array of ready-made objects or views',
    cells: cross(LOOPS, [64], READY_MADE),
    aim: 1,
    floor: 1.6,
  },
  {
    text: 'ring, ns per item in bulks of 32, two threads',
    cells: [{ suite: 'ring', size: 4 }],
    aim: 10,
    floor: 25,
    figure: 'ours',
  },
  {
    text: 'an item with a reference counter to one without',
    cells: cross(['refLife'], [4], ['uncounted']),
    aim: 2,
    floor: 3,
  },
  {
    text: 'a keg beside 100,000 full slabs to one beside 10',
    cells: cross(['full100000'], [1024], ['full10']),
    aim: 1.2,
    floor: 1.2,
  },
  {
    // The aim is log2(100,000) to log2(10). These headers are 6.4 MB: the lower steps miss the caches.
    text: 'off-page lookup, one of 100,000 headers to one of 10',
    cells: cross(['lookup100000'], [4], ['lookup10']),
    aim: 5,
    floor: 20,
  },
  {
    text: 'malloc a, b, c to glibc',
    cells: cross(['mallocA', 'mallocB', 'mallocC'], [64], ['glibc']),
    aim: 0.7,
    floor: 1.2,
  },
  {
    text: 'malloc a, b, c to dlmalloc in WebAssembly, called from JavaScript',
    cells: cross(['mallocA', 'mallocB', 'mallocC'], [64], ['dlmalloc']),
    aim: 0.5,
    floor: 0.8,
  },
  {
    text: 'the trace of redis to @thi.ng/malloc',
    cells: [{ suite: 'trace:redis', peer: 'thi.ng' }],
    aim: 0.1,
    floor: 0.3,
  },
  {
    text: 'malloc called by a WebAssembly module, ns per pair',
    cells: [{ suite: 'wasmPair' }, { suite: 'wasmBurst' }],
    aim: 60,
    floor: 120,
    figure: 'ours',
  },
  {
    text: 'most bytes in use in a trace to those active in jemalloc',
    cells: [{ suite: 'traceBytes:*', peer: 'jemalloc active' }],
    aim: 1.1,
    floor: 1.25,
  },
  { text: 'replay, 1 worker, to --compare', cells: [{ suite: 'replay' }], aim: 1 / 5, floor: 1 / 2 },
];

/** `trace:*` is every trace. */
const isSuite = (row, { suite }) =>
  suite.endsWith('*') ? row.suite.startsWith(suite.slice(0, -1)) : row.suite === suite;

const matches = (row, cell) =>
  isSuite(row, cell) &&
  (cell.size === undefined || row.size === cell.size) &&
  (cell.peer === undefined || row.peer === cell.peer);

function verdictOf(target, worst, collected) {
  if (collected) return 'NOT REACHED: garbage was collected';
  if (worst <= target.aim) return 'aim';
  return worst <= target.floor ? 'floor' : 'NOT REACHED';
}

/** The worst of a row's cells decides it; a row with a cell that did not run has no verdict of its own. */
export function scoreRows(rows) {
  return TARGETS.map((target) => {
    const figureOf = (row) => (target.figure === 'ours' ? row.ours : row.ratio);
    // A cell without a peer (the ring) has one row for each peer; the first tells ours as well as any.
    const measured = target.cells.flatMap((cell) => {
      const found = rows.filter((row) => matches(row, cell) && figureOf(row) !== null);
      return cell.suite.endsWith('*') ? found : found.slice(0, 1);
    });
    const { text, aim, floor } = target;
    if (measured.length === 0) return { text, aim, floor, worst: null, verdict: 'not measured', details: [] };
    const sorted = measured.toSorted((left, right) => figureOf(right) - figureOf(left));
    const worst = figureOf(sorted[0]);
    const collected = target.noGc === true && measured.some((row) => row.oursGc.count > 0);
    const missing = Math.max(0, target.cells.length - measured.length);
    const verdict = verdictOf(target, worst, collected) + (missing > 0 ? ` (${missing} cells missing)` : '');
    const details = sorted.map((row) => ({ row, figure: figureOf(row) }));
    return { text, aim, floor, worst, verdict, details };
  });
}
