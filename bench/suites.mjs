// What there is to measure: the suites in the order of the tables, what a row of each is, and how large its
// items are where there is one size only. 4 stands for a word, and for what has no size.
import { LEVEL_SUITES } from './levels.mjs';

const TEXTS = {
  a: 'LIFO pair',
  b: 'batch of 1000 allocs, then 1000 frees',
  c: 'random replacement in 10,000 slots',
  d: 'two threads: alloc in one, free in the other',
  bulk32: 'bulk of 32, per item',
  bulk1000: 'bulk of 1000, per item',
  zones8: 'pair, 8 zones in turn through one code path',
  secondary: 'LIFO pair, a zone stacked on another’s keg',
  keg1: 'a keg without a cache in front, one by one',
  keg32: 'a keg without a cache in front, batches of 32, per item',
  keg255: 'a keg without a cache in front, batches of 255, per item',
  full100000: 'a keg, one by one, beside 100,000 slabs that are full',
  epoch: 'epoch zone, pair',
  section: 'read section: enter and leave',
  packet: 'packet: mbuf + cluster, LIFO pair',
  packet32: 'packet: 32 allocs, then 32 frees, per packet',
  ring: 'ring, bulks of 32, two threads, per item',
  ring1: 'ring, one by one, two threads, per item',
  ringBlocking: 'ring, bulks of 32, sleeping instead of spinning, per item',
  sleepers: 'a zone whose one item goes round three threads: two sleep for it',
  level1: 'LIFO pair at check level 1',
  level2: 'LIFO pair at check level 2: trash',
  level3: 'LIFO pair at check level 3: redzones and sites',
  redzone: 'LIFO pair, a zone with redzones',
  sites: 'LIFO pair, a zone with sites',
  guard: 'LIFO pair, every item guarded',
  refLife: 'an item with one reference: taken, and dropped with the last',
  refPair: 'one more reference taken and dropped, by the thread that has the only one',
  refShared: 'a reference taken and dropped, by two threads at one item',
  lookup1000: 'off-page lookup: from an address to one of 1,000 headers',
  lookup100000: 'off-page lookup: from an address to one of 100,000 headers',
  mallocA: 'malloc: LIFO pair',
  mallocB: 'malloc: batch of 1000 allocs, then 1000 frees',
  mallocC: 'malloc: random replacement in 10,000 slots',
  mallocD: 'malloc: two threads: alloc in one, free in the other',
  wasmPair: 'malloc, called by a WebAssembly module: LIFO pair',
  wasmBurst: 'malloc, called by a WebAssembly module: 32 blocks, then 32 frees, per block',
  trace: 'an allocation trace, in its order, per operation',
  replay: 'replay of a capture, 1 worker, per packet',
};

/** The suites of malloc, and the loop that each of them is. */
export const MALLOC_LOOPS = { mallocA: 'a', mallocB: 'b', mallocC: 'c', mallocD: 'd' };

/** Names that stand for several suites. */
export const GROUPS = { malloc: Object.keys(MALLOC_LOOPS) };

/** Suites with one size of their own. */
const SINGLE_SIZES = {
  zones8: 64,
  secondary: 64,
  keg1: 64,
  keg32: 64,
  keg255: 64,
  full100000: 1024,
  epoch: 64,
  section: 4,
  packet: 2048,
  packet32: 2048,
  ring: 4,
  ring1: 4,
  ringBlocking: 4,
  sleepers: 64,
  ...Object.fromEntries(LEVEL_SUITES.map((suite) => [suite, 64])),
  refLife: 4,
  refPair: 4,
  refShared: 4,
  lookup1000: 4,
  lookup100000: 4,
  wasmPair: 64,
  wasmBurst: 64,
};

/** Sizes of what has equal items. */
export const ALL_SIZES = [64, 256, 2048];

/** Sizes of blocks; a run that names no size measures the one of the scorecard. */
export const MALLOC_SIZES = [16, 64, 256, 1024, 4096, 16384, 65536];
const MALLOC_DEFAULT_SIZES = [64];

export const SUITES = Object.keys(TEXTS);

/** A cell of a trace is called `trace:NAME`. */
export const textOf = (suite) => TEXTS[suite.split(':')[0]];

/** Bytes of the items of a suite; all sizes that it can be asked for. */
export function sizesOf(suite) {
  if (Object.hasOwn(SINGLE_SIZES, suite)) return [SINGLE_SIZES[suite]];
  return Object.hasOwn(MALLOC_LOOPS, suite) ? MALLOC_SIZES : ALL_SIZES;
}

/** The sizes of a suite when none is asked for. */
export function defaultSizesOf(suite) {
  return Object.hasOwn(MALLOC_LOOPS, suite) ? MALLOC_DEFAULT_SIZES : sizesOf(suite);
}
