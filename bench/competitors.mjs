// Who can run which suites, and by which command. A competitor is
//   name        as --peer and the tables write it
//   suites      { suite: sizes }
//   inJavaScript  whether its process reports garbage collection
//   prepare()   null, or the reason why it cannot run here
//   command(suite, size)  { file, args, env } of one process for one cell
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildDpdk, buildDriver, buildMagazine, findLibrary } from './build.mjs';
import { LEVEL_SUITES } from './levels.mjs';

const OUR_LIBRARY = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const OUR_PROGRAM = fileURLToPath(new URL('./ours.mjs', import.meta.url));
const PEER_PROGRAM = fileURLToPath(new URL('./peers.mjs', import.meta.url));

const ALL_SIZES = [64, 256, 2048];
/** A literal of 2048 bytes would have 253 fields, which nobody writes. */
const OBJECT_SIZES = [64, 256];

/** Suites in the order of the tables, with what a row measures. */
export const SUITES = {
  a: 'LIFO pair',
  b: 'batch of 1000 allocs, then 1000 frees',
  c: 'random replacement in 10,000 slots',
  d: 'two threads: alloc in one, free in the other',
  bulk32: 'bulk of 32, per item',
  bulk1000: 'bulk of 1000, per item',
  zones8: 'pair, 8 zones in turn through one code path',
  epoch: 'epoch zone, pair',
  section: 'read section: enter and leave',
  packet: 'packet: mbuf + cluster, LIFO pair',
  packet32: 'packet: 32 allocs, then 32 frees, per packet',
  ring: 'ring, bulks of 32, two threads, per item',
  ring1: 'ring, one by one, two threads, per item',
  ringBlocking: 'ring, bulks of 32, sleeping instead of spinning, per item',
  level1: 'LIFO pair at check level 1',
  level2: 'LIFO pair at check level 2: trash',
  level3: 'LIFO pair at check level 3: redzones and sites',
  redzone: 'LIFO pair, a zone with redzones',
  sites: 'LIFO pair, a zone with sites',
  guard: 'LIFO pair, every item guarded',
  refLife: 'an item with one reference: taken, and dropped with the last',
  refPair: 'one more reference taken and dropped, by the thread that has the only one',
  refShared: 'the same by two threads at one item',
  lookup1000: 'off-page lookup: from an address to one of 1,000 headers',
  lookup100000: 'off-page lookup: from an address to one of 100,000 headers',
  replay: 'replay of a capture, 1 worker, per packet',
};

const nodeScript = (program, args) => ({ file: process.execPath, args: [program, ...args], env: {} });

function sizesOf(suites, sizes) {
  return Object.fromEntries(suites.map((suite) => [suite, sizes]));
}

export const ours = {
  name: 'ours',
  inJavaScript: true,
  prepare: () => (existsSync(OUR_LIBRARY) ? null : 'dist/index.js is not built'),
  command: (suite, size) => nodeScript(OUR_PROGRAM, [suite, String(size)]),
};

function canImport(name) {
  try {
    import.meta.resolve(name);
    return null;
  } catch {
    return `npm package ${name} is not installed`;
  }
}

function javascript(name, sizes, packageName) {
  return {
    name,
    suites: sizesOf(['a', 'b', 'c'], sizes),
    inJavaScript: true,
    prepare: () => (packageName === undefined ? null : canImport(packageName)),
    command: (suite, size) => nodeScript(PEER_PROGRAM, [name, suite, String(size)]),
  };
}

/** Ours with one zone, in the loop that the suite runs with eight. */
const oneZone = {
  name: 'zone1',
  suites: { zones8: [64] },
  inJavaScript: true,
  prepare: () => null,
  command: (_suite, size) => ours.command('zones1', size),
};

/** Ours with nothing checked but what always is. */
const levelZero = {
  name: 'level0',
  suites: sizesOf(LEVEL_SUITES, [64]),
  inJavaScript: true,
  prepare: () => null,
  command: (_suite, size) => ours.command('a', size),
};

/** Ours with ten headers, in the loop that the suites run with more. */
const tenHeaders = {
  name: 'lookup10',
  suites: sizesOf(['lookup1000', 'lookup100000'], [4]),
  inJavaScript: true,
  prepare: () => null,
  command: (_suite, size) => ours.command('lookup10', size),
};

/** Ours without counters: the loop a. */
const uncounted = {
  name: 'uncounted',
  suites: { refLife: [4] },
  inJavaScript: true,
  prepare: () => null,
  command: () => ours.command('a', 64),
};

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
    command: (suite, size) => ({ file: built.binary, args: [suite, String(size)], env: prepared.env }),
  };
}

function preloaded(name, fileName) {
  return native(name, sizesOf(['a', 'b', 'c', 'd'], ALL_SIZES), buildDriver, () => {
    const { path, reason } = findLibrary(fileName);
    return { reason, env: { LD_PRELOAD: path } };
  });
}

/** Without it, glibc gives memory back to the system after every batch of 2048-byte items. */
const GLIBC_TUNED = { MALLOC_TRIM_THRESHOLD_: String(2 ** 30) };

const dpdkSuites = {
  ...sizesOf(['a', 'b', 'c', 'bulk32', 'bulk1000'], ALL_SIZES),
  packet: [2048],
  packet32: [2048],
};

/** The ring of suite d in C, for one producer and one consumer: the bound for a ring. */
const ringInC = native('ringInC', sizesOf(['ring', 'ring1', 'ringBlocking'], [4]), buildDriver);
const ringCommand = ringInC.command;
ringInC.command = (_suite, size) => ringCommand('ring', size);

export const PEERS = [
  javascript('thi.ng', ALL_SIZES, '@thi.ng/malloc'),
  javascript('allocUnsafe', ALL_SIZES),
  javascript('bufferAlloc', ALL_SIZES),
  javascript('uint8Array', ALL_SIZES),
  javascript('literal', OBJECT_SIZES),
  javascript('objectPool', OBJECT_SIZES),
  javascript('viewPool', ALL_SIZES),
  native('glibc', sizesOf(['a', 'b', 'c', 'd'], ALL_SIZES), buildDriver, () => ({ env: GLIBC_TUNED })),
  preloaded('jemalloc', 'libjemalloc.so.2'),
  preloaded('mimalloc', 'libmimalloc.so.2'),
  preloaded('tcmalloc', 'libtcmalloc_minimal.so.4'),
  native('magazine', sizesOf(['a', 'b', 'c'], ALL_SIZES), buildMagazine),
  native('dpdk', dpdkSuites, buildDpdk),
  oneZone,
  levelZero,
  tenHeaders,
  uncounted,
  ringInC,
];
