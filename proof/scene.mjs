// A small memory with something of everything in it: what is flipped is a copy of it.

import { createFabric } from '../dist/machine/fabric.js';
import { createWasmMemory, wasmPageBytes } from '../dist/machine/helper/index.js';
import { FORMAT_VERSION } from '../dist/machine/records.js';
import { attachMemory, createMemoryOver } from '../dist/memory.js';

const BYTES = 1 << 20;
export const MAX_THREADS = 4;
export const MAX_ZONES = 24;

/** A memory whose attachments can forget what they keep outside of it. */
function makeMemory(checkLevel) {
  const rewinds = [];
  const options = { bytes: BYTES, maxThreads: MAX_THREADS, maxZones: MAX_ZONES, checkLevel };
  const made = createMemoryOver(options, (byteLength) => {
    const wasm = createWasmMemory(byteLength / wasmPageBytes);
    const fabric = createFabric(wasm.buffer, wasm, byteLength);
    fabric.onRewind = (reset) => rewinds.push(reset);
    return { handle: { kind: 'mbuma-memory', version: FORMAT_VERSION, buffer: null, wasm }, fabric };
  });
  return {
    ...made,
    rewind() {
      for (const reset of rewinds) reset();
    },
  };
}

export function openZones(memory) {
  const small = memory.zone({ name: 'small', size: 48 });
  return {
    small,
    middle: memory.zone({ name: 'middle', size: 700 }),
    large: memory.zone({
      name: 'large',
      size: 3000,
      backend: memory.backend({ name: 'bounded', max: 30 }),
    }),
    counted: memory.zone({ name: 'counted', size: 256, referenceCounted: true }),
    limited: memory.zone({ name: 'limited', size: 96, max: 24 }),
    hooked: memory.zone({ name: 'hooked', size: 64, ctor: () => 0, dtor: () => 0 }),
    fenced: memory.zone({ name: 'fenced', size: 77, redzone: true, sites: true }),
    guarded: memory.zone({ name: 'guarded', size: 300, guard: true }),
    read: memory.zone({ name: 'read', size: 120, epoch: true }),
    cells: memory.zone({
      name: 'cells',
      import(words, n) {
        words.fill(7, 0, n);
        return n;
      },
      release() {},
    }),
    second: memory.zone({ name: 'second', primary: small, init: () => 0, fini: () => 0 }),
  };
}

/** A keg over an endless memory that is nowhere. */
export function openForeign(memory) {
  let runs = 0;
  return memory.foreignKeg({
    name: 'nowhere',
    size: 200,
    runBytes: 4096,
    allocRun: (bytes) => ((runs++ % 1000) + 1) * bytes,
    freeRun() {},
  });
}

/** A type that is counted in batches, and one whose limit is nearly reached. */
export function openTypes(memory) {
  return {
    loose: memory.mallocType({ name: 'loose', description: 'no limit' }),
    bounded: memory.mallocType({ name: 'bounded', max: 40_000 }),
  };
}

/** Blocks of a few sizes: more would be more zones than there are. */
export const BLOCK_SIZES = [40, 200, 70_000];

export function openRings(memory) {
  return {
    work: memory.ring({ name: 'work', capacity: 100 }),
    ended: memory.ring({ name: 'ended', capacity: 8 }),
  };
}

function fillMbufs(memory, held) {
  const { mbufs } = memory;
  const bytes = Uint8Array.from({ length: 3000 }, (_, at) => at);
  mbufs.registerFree('nothing', () => {});
  for (let index = 0; index < 6; index++) {
    const m = mbufs.tryGetcl();
    mbufs.append(m, bytes, 0, 500 * index);
    held.push(m);
    if (index % 2 === 0) held.push(mbufs.reference(m));
  }
  for (const size of [4096, 9216, 16384]) held.push(mbufs.tryGetjcl(size));
  const external = mbufs.tryGethdr();
  mbufs.attach(external, { address: memory.bytes.length - 64, length: 64 }, 'nothing');
  held.push(external, mbufs.reference(external));
  for (let index = 0; index < 8; index++) held.push(mbufs.tryGet());
}

/**
 * Two threads, one of them idle, with items used, cached and free, mbufs of every kind, rings with words,
 * mutexes. `held` says by zone what is in use.
 */
export function makeScene(checkLevel = 0) {
  const { memory, machine, rewind } = makeMemory(checkLevel);
  const other = attachMemory(memory.handle);
  const gone = attachMemory(memory.handle);
  const zones = openZones(memory);
  const theirs = openZones(other);
  const held = { mbufs: [] };
  gone.detach();
  for (const [name, zone] of Object.entries(zones)) {
    const many = name === 'small' ? 700 : name === 'large' ? 6 : name === 'guarded' ? 8 : 20;
    const items = Array.from({ length: many }, () => zone.tryAlloc()).filter((item) => item !== 0);
    // So many go back that buckets are loaded, spare and in the zone's list.
    for (const item of items.splice(Math.floor(many / 4))) zone.free(item);
    held[name] = items;
    const mine = theirs[name].tryAlloc();
    if (mine !== 0) theirs[name].free(mine);
    const kept = theirs[name].tryAlloc();
    if (kept !== 0) held[name].push(kept);
  }
  fillMbufs(memory, held.mbufs);
  other.mbufs.registerFree('nothing', () => {});
  const foreign = openForeign(memory);
  const elsewhere = new Int32Array(70);
  foreign.give(elsewhere.subarray(0, foreign.tryTake(elsewhere, 70)), 30);
  held.foreign = [...elsewhere.subarray(30)];
  const types = openTypes(memory);
  const theirTypes = openTypes(other);
  for (const name of Object.keys(types)) {
    const blocks = Array.from({ length: 60 }, (_, at) => types[name].tryAlloc(BLOCK_SIZES[at % 2]));
    blocks.push(types[name].tryAlloc(BLOCK_SIZES[2]), theirTypes[name].tryAlloc(BLOCK_SIZES[0]));
    for (const block of blocks.splice(20, 20)) theirTypes[name].free(block);
    held[name] = blocks.filter((block) => block !== 0);
  }
  const rings = openRings(memory);
  openRings(other);
  for (let word = 1; word <= 60; word++) rings.work.put(word);
  for (let word = 1; word <= 5; word++) rings.ended.put(word);
  rings.ended.close();
  memory.mutex('held').lock();
  other.mutex('free', { rank: 3 });
  const { clean, violations } = memory.audit();
  if (!clean) throw new Error(`the scene is damaged: ${JSON.stringify(violations)}`);
  const kegs = { mine: foreign, theirs: openForeign(other) };
  return { memory, machine, other, zones, theirs, types, theirTypes, kegs, rings, held, rewind };
}
