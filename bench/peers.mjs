// One cell of a peer in JavaScript or WebAssembly: node bench/peers.mjs PEER SUITE SIZE [TRACE]. Prints one
// JSON line.
import { makeLoop } from './loops.mjs';
import { MALLOC_LOOPS } from './suites.mjs';
import { measureLoop } from './timing.mjs';
import { makeTraceLoop } from './trace.mjs';
import { instantiate, makeInnerLoop } from './wasm-modules.mjs';

const POOL_ITEMS = 16_384;
const TRACE_BYTES = 64 * 2 ** 20;

/** A place that every item of a garbage-collected peer goes through, so that none is optimized away. */
const latest = { item: null };

/** The peers that leave freeing to the collector: giving an item back is forgetting it. */
function collected(names, alloc, touch) {
  return { names: { ...names, latest }, alloc, touch: `${touch}; latest.item = item`, free: 'void item' };
}

/** The peers that keep ready-made objects in an array used as a stack: one thread, no checks, no limit. */
function pooled(items, touch) {
  return { names: { pool: items }, alloc: 'pool.pop()', touch, free: 'pool.push(item)' };
}

/** Five numbers make an object of 64 bytes (three words of header), and so on: one field for each 8 bytes. */
function recordText(size) {
  const fields = size / 8 - 3;
  return `{ first: 0, ${Array.from({ length: fields - 1 }, (_, i) => `w${i + 1}: 0`).join(', ')} }`;
}

/** Called through its exports, as a program in JavaScript calls it. */
function inWasm(name) {
  return (size) => {
    const { malloc, calloc, realloc, free, memory, heapEnd } = instantiate(name);
    const start = heapEnd?.() ?? 0;
    return {
      names: { malloc, calloc, realloc, free, words: new Int32Array(memory.buffer) },
      alloc: `malloc(${size})`,
      touch: 'words[item >> 2] = value',
      free: 'free(item)',
      calloc: 'calloc(1, size)',
      realloc: 'realloc(before, size)',
      slots: (count) => new Int32Array(count),
      ...(heapEnd === undefined ? {} : { used: () => heapEnd() - start }),
    };
  };
}

const ways = {
  /** The loop and the touch alone, no allocator: what every figure of JavaScript has in it. */
  loop: (size) => ({
    names: { words: new Int32Array(16 * size) },
    alloc: String(size),
    touch: 'words[item >> 2] = value',
    free: 'void item',
    slots: (count) => new Int32Array(count),
  }),
  async 'thi.ng'(size) {
    const { MemPool } = await import('@thi.ng/malloc');
    const pool = new MemPool({ size: size === 'size' ? TRACE_BYTES : 2 * POOL_ITEMS * size });
    return {
      names: { pool, words: new Uint32Array(pool.buf) },
      alloc: `pool.malloc(${size})`,
      touch: 'words[item >>> 2] = value',
      free: 'pool.free(item)',
      calloc: 'pool.calloc(size)',
      realloc: 'pool.realloc(before, size)',
      slots: (count) => new Uint32Array(count),
    };
  },
  allocUnsafe: (size) => collected({ Buffer }, `Buffer.allocUnsafe(${size})`, 'item[0] = value'),
  bufferAlloc: (size) => collected({ Buffer }, `Buffer.alloc(${size})`, 'item[0] = value'),
  uint8Array: (size) => collected({}, `new Uint8Array(${size})`, 'item[0] = value'),
  literal: (size) => collected({}, recordText(size), 'item.first = value'),
  objectPool(size) {
    const make = new Function(`return ${recordText(size)};`);
    return pooled(Array.from({ length: POOL_ITEMS }, make), 'item.first = value');
  },
  dlmalloc: inWasm('dlmalloc'),
  emmalloc: inWasm('emmalloc'),
  tlsf: inWasm('tlsf'),
  viewPool(size) {
    const memory = new ArrayBuffer(POOL_ITEMS * size);
    const view = (_, index) => new Uint8Array(memory, index * size, size);
    return pooled(Array.from({ length: POOL_ITEMS }, view), 'item[0] = value');
  },
};

const [peer, suite, sizeText, trace] = process.argv.slice(2);
if (!Object.hasOwn(ways, peer ?? '')) throw new RangeError(`no peer ${peer}`);
// The loop of a trace has a name for the size of each call.
const size = suite === 'trace' ? 'size' : Number(sizeText);

async function makeCell() {
  if (suite === 'wasmPair' || suite === 'wasmBurst') return makeInnerLoop(suite, size, peer);
  const way = { slots: (count) => new Array(count).fill(null), ...(await ways[peer](size)) };
  return suite === 'trace' ? makeTraceLoop(trace, way) : makeLoop(MALLOC_LOOPS[suite] ?? suite, way);
}

const { loop, itemsPerTurn, peaks } = await makeCell();
await measureLoop(loop, itemsPerTurn, { peaks });
