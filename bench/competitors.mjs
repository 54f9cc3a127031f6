// Who can run which suites, and by which command. A competitor is
//   name        as --peer and the tables write it
//   suites      { suite: sizes }
//   isOurs      true for ours in another suite's loop
//   inJavaScript  whether its process reports garbage collection
//   prepare()   null, or the reason why it cannot run here
//   command(suite, size, trace)  { file, args, env } of one process for one cell; `trace`: a trace's file
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  buildDpdk,
  buildDriver,
  buildEmscripten,
  buildMagazine,
  buildTlsf,
  buildWasmCaller,
  findLibrary,
} from './build.mjs';
import { LEVEL_SUITES } from './levels.mjs';
import { ALL_SIZES, MALLOC_LOOPS, MALLOC_SIZES, sizesOf } from './suites.mjs';

const OUR_LIBRARY = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const OUR_PROGRAM = fileURLToPath(new URL('./ours.mjs', import.meta.url));
const PEER_PROGRAM = fileURLToPath(new URL('./peers.mjs', import.meta.url));

/** A literal of 2048 bytes would have 253 fields, which nobody writes. */
const OBJECT_SIZES = [64, 256];

/** A trace has sizes of its own. */
const TRACE = { trace: [0] };

const nodeScript = (program, args) => ({ file: process.execPath, args: [program, ...args], env: {} });

const cellArguments = (suite, size, trace) => [suite, String(size), ...(trace === undefined ? [] : [trace])];

function inSizes(suites, sizes) {
  return Object.fromEntries(suites.map((suite) => [suite, sizes]));
}

export const ours = {
  name: 'ours',
  inJavaScript: true,
  prepare: () => (existsSync(OUR_LIBRARY) ? null : 'dist/index.js is not built'),
  command: (suite, size, trace) => nodeScript(OUR_PROGRAM, cellArguments(suite, size, trace)),
};

function canImport(name) {
  try {
    import.meta.resolve(name);
    return null;
  } catch {
    return `npm package ${name} is not installed`;
  }
}

function javascript(name, suites, prepare = () => null) {
  return {
    name,
    suites,
    inJavaScript: true,
    prepare,
    command: (suite, size, trace) => nodeScript(PEER_PROGRAM, [name, ...cellArguments(suite, size, trace)]),
  };
}

const itemsOf = (sizes) => inSizes(['a', 'b', 'c'], sizes);

/** An allocator in WebAssembly, which JavaScript calls; in its own module for the suites of C in wasm. */
function inWasm(name, build) {
  const suites = {
    ...inSizes(['mallocA', 'mallocB', 'mallocC'], MALLOC_SIZES),
    ...inSizes(['wasmPair', 'wasmBurst'], [64]),
    ...TRACE,
  };
  return javascript(name, suites, () => build().reason ?? null);
}

/** Ours again: what `suite` measures is told as so many times of what `other` does. */
function ourOwn(name, suites, other, size) {
  return {
    name,
    isOurs: true,
    suites: Object.fromEntries(suites.map((suite) => [suite, sizesOf(suite)])),
    inJavaScript: true,
    prepare: () => null,
    command: (_suite, ownSize) => ours.command(other, size ?? ownSize),
  };
}

function native(name, suites, build, prepareEnvironment = () => ({ env: {} })) {
  let built;
  let prepared;
  return {
    name,
    suites,
    inJavaScript: false,
    prepare() {
      built = build();
      prepared = prepareEnvironment();
      return built.reason ?? prepared.reason ?? null;
    },
    command(suite, size, trace) {
      const args = cellArguments(MALLOC_LOOPS[suite] ?? suite, size, trace);
      return { file: built.binary, args, env: prepared.env };
    },
  };
}

/** What a malloc of C is compared with: our zones, and our malloc. */
const mallocSuites = {
  ...inSizes(['a', 'b', 'c', 'd'], ALL_SIZES),
  ...inSizes(Object.keys(MALLOC_LOOPS), MALLOC_SIZES),
  ...TRACE,
};

function preloaded(name, fileName) {
  return native(name, mallocSuites, buildDriver, () => {
    const { path, reason } = findLibrary(fileName);
    return { reason, env: { LD_PRELOAD: path } };
  });
}

/** Without it, glibc gives memory back to the system after every batch of 2048-byte items. */
const GLIBC_TUNED = { MALLOC_TRIM_THRESHOLD_: String(2 ** 30) };

const dpdkSuites = {
  ...inSizes(['a', 'b', 'c', 'bulk32', 'bulk1000'], ALL_SIZES),
  packet: [2048],
  packet32: [2048],
};

/** The ring of suite d in C, for one producer and one consumer: the bound for a ring. */
const ringInC = native('ringInC', inSizes(['ring', 'ring1', 'ringBlocking'], [4]), buildDriver);
const ringCommand = ringInC.command;
ringInC.command = (_suite, size) => ringCommand('ring', size);

export const PEERS = [
  javascript('thi.ng', { ...itemsOf(ALL_SIZES), ...TRACE }, () => canImport('@thi.ng/malloc')),
  javascript('allocUnsafe', itemsOf(ALL_SIZES)),
  javascript('bufferAlloc', itemsOf(ALL_SIZES)),
  javascript('uint8Array', itemsOf(ALL_SIZES)),
  javascript('literal', itemsOf(OBJECT_SIZES)),
  javascript('objectPool', itemsOf(OBJECT_SIZES)),
  javascript('viewPool', itemsOf(ALL_SIZES)),
  inWasm('dlmalloc', () => buildEmscripten('dlmalloc')),
  inWasm('emmalloc', () => buildEmscripten('emmalloc')),
  inWasm('tlsf', buildTlsf),
  native('glibc', mallocSuites, buildDriver, () => ({ env: GLIBC_TUNED })),
  preloaded('jemalloc', 'libjemalloc.so.2'),
  preloaded('mimalloc', 'libmimalloc.so.2'),
  preloaded('tcmalloc', 'libtcmalloc_minimal.so.4'),
  native('magazine', inSizes(['a', 'b', 'c'], ALL_SIZES), buildMagazine),
  native('dpdk', dpdkSuites, buildDpdk),
  // One zone, in the loop that the suite runs with eight.
  ourOwn('zone1', ['zones8'], 'zones1'),
  // A zone with a keg of its own.
  ourOwn('primary', ['secondary'], 'a'),
  // Ten slabs that are full.
  ourOwn('full10', ['full100000'], 'full10'),
  // Nothing checked but what always is.
  ourOwn('level0', LEVEL_SUITES, 'a'),
  // Ten headers, in the loop that the suites run with more.
  ourOwn('lookup10', ['lookup1000', 'lookup100000'], 'lookup10'),
  // Items without counters.
  ourOwn('uncounted', ['refLife'], 'a', 64),
  ringInC,
];

/** Why nobody can run a suite here, ours included; null: nothing hinders it. */
export function reasonAgainst(suite) {
  return suite === 'wasmPair' || suite === 'wasmBurst' ? (buildWasmCaller().reason ?? null) : null;
}
