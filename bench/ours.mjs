// One cell of ours: node bench/ours.mjs SUITE SIZE [TRACE]. Prints one JSON line.
import { createMemory } from '../dist/index.js';
import { createMallocImports } from '../dist/wasm.js';
import { makeHandoffLoop, makeMallocHandoffLoop, makeRingLoop } from './handoff.mjs';
import { makeBatchLoop, makeFullSlabsLoop } from './kegs.mjs';
import { LEVEL_SUITES, LEVELS } from './levels.mjs';
import { makeLookupLoop } from './lookup.mjs';
import { makeLoop } from './loops.mjs';
import { makeReferencesLoop } from './references.mjs';
import { makeSleepersLoop } from './sleepers.mjs';
import { MALLOC_LOOPS } from './suites.mjs';
import { measureLoop } from './timing.mjs';
import { makeTraceLoop } from './trace.mjs';
import { makeCallerLoop } from './wasm-modules.mjs';

const MEMORY_BYTES = 256 * 2 ** 20;
const WASM_SUITES = ['wasmPair', 'wasmBurst'];
/** The module has no data, and no stack: something must be its own all the same. */
const MODULE_BYTES = 4096;
/** Room for 10,000 blocks of 64 KiB. */
const MALLOC_MEMORY_BYTES = 2 ** 30;

const slots = (count) => new Int32Array(count);
const touch = 'words[item >> 2] = value';

function zoneWay(memory, size, options = {}) {
  return {
    names: { zone: memory.zone({ name: 'bench', size, ...options }), words: memory.words },
    alloc: 'zone.tryAlloc()',
    touch,
    free: 'zone.free(item)',
    allocMany: (count) => `zone.tryAllocMany(many, ${count})`,
    freeMany: (count) => `zone.freeMany(many, ${count})`,
    // In the memory itself, as README.md advises: items then never pass through JavaScript one by one.
    many(count) {
      const at = memory.zone({ name: 'arrays', size: 4096 }).alloc() >> 2;
      return memory.words.subarray(at, at + count);
    },
    slots,
  };
}

function mallocWay(memory, size) {
  return {
    names: { type: memory.mallocType({ name: 'bench' }), words: memory.words },
    alloc: `type.tryAlloc(${size})`,
    touch,
    free: 'type.free(item)',
    slots,
  };
}

/** What is used are pages, be it for blocks, slabs that hold none, or what the zones keep of themselves. */
function traceWay(memory) {
  const freePages = () => memory.sysctl.get('vm.stats.vm.v_free_count');
  const pageBytes = memory.sysctl.get('hw.pagesize');
  const before = freePages();
  return {
    ...mallocWay(memory, 'size'),
    calloc: 'type.tryCalloc(1, size)',
    realloc: 'type.tryRealloc(before, size)',
    used: () => (before - freePages()) * pageBytes,
  };
}

/** A module that calls our malloc. */
function makeWasmLoop(memory, suite, size) {
  return makeCallerLoop(suite, size, memory.handle.wasm, createMallocImports(memory));
}

/** A read section in the place of the item. */
function sectionWay(memory) {
  return {
    names: { memory },
    alloc: 'memory.enter()',
    touch: '',
    free: 'memory.leave()',
    slots,
  };
}

/** Eight places, holding `count` zones in turn, and one loop that goes round them. */
function zonesWay(memory, size, count) {
  const zones = Array.from({ length: 8 }, (_, i) => memory.zone({ name: `bench${i % count}`, size }));
  return {
    names: { zones, words: memory.words },
    each: 'const zone = zones[turn & 7];',
    alloc: 'zone.tryAlloc()',
    touch,
    free: 'zone.free(item)',
    slots,
  };
}

/** What is touched of a packet is the first word of its data. */
function packetWay(memory) {
  return {
    names: { mbufs: memory.mbufs, words: memory.words },
    alloc: 'mbufs.tryGetcl()',
    touch: 'words[mbufs.dataOf(item) >> 2] = value',
    free: 'mbufs.free(item)',
    allocMany: (count) => `for (let i = 0; i < ${count}; i++) many[i] = mbufs.tryGetcl()`,
    freeMany: (count) => `for (let i = 0; i < ${count}; i++) mbufs.free(many[i])`,
    slots,
  };
}

/** A zone on another one's keg: its items are readied at the keg, as packets get their clusters. */
function secondaryWay(memory, size) {
  const primary = memory.zone({ name: 'keg', size });
  const init = (item) => {
    memory.words[item >> 2] = 0;
  };
  return zoneWay(memory, size, { primary, init, fini: () => {} });
}

const zoneLoop = (suite, options) => (memory, size) => makeLoop(suite, zoneWay(memory, size, options));

/** By suite; each gets the memory and the size of items. What is not here is a loop over a plain zone. */
const MAKERS = {
  d: makeHandoffLoop,
  zones8: (memory, size) => makeLoop('zones8', zonesWay(memory, size, 8)),
  zones1: (memory, size) => makeLoop('zones8', zonesWay(memory, size, 1)),
  secondary: (memory, size) => makeLoop('a', secondaryWay(memory, size)),
  keg1: (memory, size) => makeBatchLoop(memory, size, 1),
  keg32: (memory, size) => makeBatchLoop(memory, size, 32),
  keg255: (memory, size) => makeBatchLoop(memory, size, 255),
  full10: (memory, size) => makeFullSlabsLoop(memory, size, 10),
  full100000: (memory, size) => makeFullSlabsLoop(memory, size, 100_000),
  epoch: zoneLoop('epoch', { epoch: true }),
  section: (memory) => makeLoop('section', sectionWay(memory)),
  packet: (memory) => makeLoop('packet', packetWay(memory)),
  packet32: (memory) => makeLoop('packet32', packetWay(memory)),
  sleepers: makeSleepersLoop,
  trace: (memory) => makeTraceLoop(trace, traceWay(memory)),
};

for (const suite of ['ring', 'ring1', 'ringBlocking'])
  MAKERS[suite] = (memory) => makeRingLoop(memory, suite);
for (const suite of ['refLife', 'refPair', 'refShared'])
  MAKERS[suite] = (memory) => makeReferencesLoop(memory, suite);
for (const count of [10, 1000, 100_000]) MAKERS[`lookup${count}`] = (memory) => makeLookupLoop(memory, count);
for (const [suite, loop] of Object.entries(MALLOC_LOOPS))
  MAKERS[suite] =
    loop === 'd' ? makeMallocHandoffLoop : (memory, size) => makeLoop(loop, mallocWay(memory, size));
for (const suite of WASM_SUITES) MAKERS[suite] = (memory, size) => makeWasmLoop(memory, suite, size);
for (const suite of LEVEL_SUITES) MAKERS[suite] = zoneLoop('a', LEVELS[suite].zone);

/** Memories that are not as the others'. */
const MEMORIES = {
  ...Object.fromEntries(LEVEL_SUITES.map((suite) => [suite, LEVELS[suite].memory])),
  full100000: { bytes: 512 * 2 ** 20 },
  ...Object.fromEntries(WASM_SUITES.map((suite) => [suite, { wasm: { reservedBytes: MODULE_BYTES } }])),
  ...Object.fromEntries(Object.keys(MALLOC_LOOPS).map((suite) => [suite, { bytes: MALLOC_MEMORY_BYTES }])),
};

const [suite, sizeText, trace] = process.argv.slice(2);
const make = MAKERS[suite] ?? zoneLoop(suite);
const memory = createMemory({ bytes: MEMORY_BYTES, ...MEMORIES[suite] });
const { loop, itemsPerTurn, peaks } = await make(memory, Number(sizeText));
await measureLoop(loop, itemsPerTurn, { peaks });
// The other thread of a cell with two spins until the process ends.
process.exit(0);
