// Who can run which suites, and by which command. A competitor is
//   name        as --peer and the tables write it
//   suites      { suite: sizes }
//   isOurs      true for ours in another suite's loop
//   inJavaScript  whether its process reports garbage collection
//   prepare()   null, or the reason why it cannot run here
//   command(suite, size)  { file, args, env } of one process for one cell
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildDpdk, buildDriver, buildMagazine, findLibrary } from './build.mjs';
import { LEVEL_SUITES } from './levels.mjs';
import { ALL_SIZES, MALLOC_LOOPS, sizesOf } from './suites.mjs';

const OUR_LIBRARY = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const OUR_PROGRAM = fileURLToPath(new URL('./ours.mjs', import.meta.url));
const PEER_PROGRAM = fileURLToPath(new URL('./peers.mjs', import.meta.url));

/** A literal of 2048 bytes would have 253 fields, which nobody writes. */
const OBJECT_SIZES = [64, 256];

const nodeScript = (program, args) => ({ file: process.execPath, args: [program, ...args], env: {} });

function inSizes(suites, sizes) {
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
    suites: inSizes(['a', 'b', 'c'], sizes),
    inJavaScript: true,
    prepare: () => (packageName === undefined ? null : canImport(packageName)),
    command: (suite, size) => nodeScript(PEER_PROGRAM, [name, suite, String(size)]),
  };
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
    command(suite, size) {
      const loop = MALLOC_LOOPS[suite] ?? suite;
      return { file: built.binary, args: [loop, String(size)], env: prepared.env };
    },
  };
}

/** What a malloc of C is compared with: our zones, and our malloc. */
const MALLOC_SUITES = ['a', 'b', 'c', 'd', ...Object.keys(MALLOC_LOOPS)];

function preloaded(name, fileName) {
  return native(name, inSizes(MALLOC_SUITES, ALL_SIZES), buildDriver, () => {
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
  javascript('thi.ng', ALL_SIZES, '@thi.ng/malloc'),
  javascript('allocUnsafe', ALL_SIZES),
  javascript('bufferAlloc', ALL_SIZES),
  javascript('uint8Array', ALL_SIZES),
  javascript('literal', OBJECT_SIZES),
  javascript('objectPool', OBJECT_SIZES),
  javascript('viewPool', ALL_SIZES),
  native('glibc', inSizes(MALLOC_SUITES, ALL_SIZES), buildDriver, () => ({ env: GLIBC_TUNED })),
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
