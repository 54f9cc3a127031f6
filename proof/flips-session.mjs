// One step: a memory with something of everything, a few bits of its metadata flipped, an audit, and then
// work on the damaged memory as if nothing had happened. It may fail, by coded errors only, and must end.

import { attachMemory, MbumaError } from '../dist/index.js';
import { pick, randomFrom, seedOf } from './random.mjs';
import { BLOCK_SIZES, makeScene, openForeign, openRings, openTypes, openZones } from './scene.mjs';
import { metadataOf } from './scene-metadata.mjs';

const OPERATIONS_MIN = 200;
const OPERATIONS_MAX = 1000;

/** Every so many steps the work is done by a thread that attaches to the damaged memory. */
const NEWCOMER_EVERY = 16;

/** What an operation works on: the handles of one thread, and what is in use. */
function operationsOf(memory, zones, types, foreign, rings, held, random) {
  const zoneNames = Object.keys(zones);
  const typeNames = Object.keys(types);
  const out = new Int32Array(40);
  const inMemory = memory.words.subarray(64, 64 + 40);
  const bytes = new Uint8Array(5000);
  const { mbufs } = memory;
  const keep = (name, item) => {
    if (item !== 0) held[name].push(item);
  };
  const take = (name) => held[name].splice(random(held[name].length), 1)[0];
  const some = () => pick(random, held.mbufs);
  return [
    () => {
      const name = pick(random, zoneNames);
      keep(name, zones[name].tryAlloc(random(4) === 0 ? 1 : 0));
    },
    () => {
      const name = pick(random, zoneNames);
      if (held[name].length > 0) zones[name].free(take(name));
    },
    () => {
      const name = pick(random, zoneNames);
      const array = random(2) === 0 ? out : inMemory;
      const got = zones[name].tryAllocMany(array, random(40));
      for (let at = 0; at < got; at++) keep(name, array[at]);
    },
    () => {
      const name = pick(random, zoneNames);
      const array = random(2) === 0 ? out : inMemory;
      const count = Math.min(held[name].length, random(40));
      array.set(held[name].splice(0, count));
      zones[name].freeMany(array, count);
    },
    () => {
      const name = pick(random, zoneNames);
      keep(name, zones[name].alloc(0, 0));
    },
    () => {
      if (held.counted.length === 0) return;
      const item = pick(random, held.counted);
      zones.counted.hold(item + random(256));
      if (random(3) > 0) zones.counted.drop(item + random(256));
    },
    () => {
      if (held.counted.length > 0 && zones.counted.drop(held.counted[0])) held.counted.shift();
    },
    () => {
      const name = pick(random, typeNames);
      keep(name, types[name].tryAlloc(pick(random, BLOCK_SIZES), random(4) === 0 ? 1 : 0));
    },
    () => {
      const name = pick(random, typeNames);
      if (held[name].length > 0) types[name].free(take(name));
    },
    () => {
      const name = pick(random, typeNames);
      if (held[name].length === 0) return;
      const block = take(name);
      keep(name, types[name].tryRealloc(block, pick(random, BLOCK_SIZES)) || block);
    },
    () => keep('bounded', types.bounded.alloc(pick(random, BLOCK_SIZES), 0, 0)),
    () => {
      if (random(20) === 0) types.bounded.max = random(2) * 40_000;
    },
    () => {
      const got = foreign.tryTake(out, random(30));
      held.foreign.push(...out.subarray(0, got));
    },
    () => {
      const count = Math.min(held.foreign.length, random(30));
      out.set(held.foreign.splice(0, count));
      foreign.give(out, count);
    },
    () => random(4) === 0 && foreign.drain(),
    () => foreign.find(random(2 ** 24)),
    () => keep('mbufs', mbufs.tryGet()),
    () => keep('mbufs', mbufs.tryGetcl()),
    () => keep('mbufs', mbufs.tryGetjcl(pick(random, [2048, 4096, 9216, 16384]))),
    () => {
      if (held.mbufs.length > 0) keep('mbufs', mbufs.reference(some()));
    },
    () => {
      if (held.mbufs.length > 0) mbufs.append(some(), bytes, 0, random(5000));
    },
    () => {
      if (held.mbufs.length === 0) return;
      const m = some();
      mbufs.copyOut(m, 0, Math.min(mbufs.chainLength(m), 5000), bytes);
      for (const { end } of mbufs.segments(m)) if (end < 0) break;
    },
    () => {
      if (held.mbufs.length > 0) mbufs.freeChain(take('mbufs'));
    },
    () => {
      const count = Math.min(held.mbufs.length, random(10));
      out.set(held.mbufs.splice(0, count));
      mbufs.freeMany(out, count);
    },
    () => rings.work.tryPut(random(1000) + 1),
    () => rings.work.tryTake(),
    () => rings.work.tryPutMany(out.fill(7), random(40)),
    () => rings.work.tryTakeMany(out, random(40)),
    () => rings.ended.tryTake(),
    () => rings.work.length + rings.ended.length,
    () => random(20) === 0 && memory.drain(),
    () => random(10) === 0 && zones[pick(random, zoneNames)].trim(),
    () => random(10) === 0 && zones[pick(random, zoneNames)].drain(),
    () => memory.poll(),
    () => random(5) === 0 && memory.stats(),
    () => random(5) === 0 && mbufs.stats(),
    () => random(200) === 0 && memory.audit(),
  ];
}

/** One line that tells where a foreign error came from, without the numbers of this run. */
function kindOf(error) {
  const place = /dist\/(\S+?):\d+:\d+/.exec(error?.stack ?? '')?.[1] ?? 'no place';
  const within = /at (?:Object\.|CachedZone\.)?(\S+) /.exec(error?.stack ?? '')?.[1] ?? '';
  return `${error?.name ?? typeof error} in ${within} ${place}: ${String(error?.message ?? error).slice(0, 80)}`;
}

export function createSession({ seed, plant = null, missed = false }) {
  const scene = makeScene();
  const { memory, other, rewind } = scene;
  const pieces = Object.entries(metadataOf(scene));
  const snapshot = Uint8Array.from(memory.bytes);
  const audit = plant === 'blind audit' ? () => ({ clean: true }) : () => memory.audit();
  let counts = {};

  function restore() {
    memory.bytes.set(snapshot);
    rewind();
    return Object.fromEntries(Object.entries(scene.held).map(([name, items]) => [name, [...items]]));
  }

  function damage(random) {
    const [name, words] = pick(random, pieces);
    const flipped = [];
    for (let flips = 1 + random(4); flips > 0; flips--) {
      const at = random(words.length);
      memory.words[words[at]] ^= 1 << random(32);
      flipped.push(words[at] - words[0]);
    }
    return { name, flipped };
  }

  /** Findings of a call: an error that is not ours. */
  function attempt(call, what) {
    try {
      call();
    } catch (error) {
      if (error instanceof MbumaError) return error.code;
      return { kind: kindOf(error), text: `${what}: ${error?.stack ?? error}` };
    }
    return null;
  }

  function work(index, random, held) {
    const newcomer = index % NEWCOMER_EVERY === 0;
    const byOther = !newcomer && random(4) === 0;
    let operations = null;
    const failed = attempt(() => {
      const worker = newcomer ? attachMemory(memory.handle) : byOther ? other : memory;
      const zones = newcomer ? openZones(worker) : byOther ? scene.theirs : scene.zones;
      const types = newcomer ? openTypes(worker) : byOther ? scene.theirTypes : scene.types;
      const foreign = newcomer ? openForeign(worker) : byOther ? scene.kegs.theirs : scene.kegs.mine;
      const rings = newcomer ? openRings(worker) : scene.rings;
      if (newcomer) worker.mbufs.registerFree('nothing', () => {});
      operations = operationsOf(worker, zones, types, foreign, rings, held, random);
    }, 'attaching');
    if (typeof failed === 'object' && failed !== null) return failed;
    if (failed !== null) return null;
    if (plant === 'foreign error') operations = [() => undefined.planted];
    if (plant === 'hang' && index === 3) for (;;) counts.hung = 0;
    const many = OPERATIONS_MIN + random(OPERATIONS_MAX - OPERATIONS_MIN);
    for (let operation = 0; operation < many; operation++) {
      const answer = attempt(pick(random, operations), `flip ${index}, operation ${operation}`);
      if (answer !== null && typeof answer === 'object') return answer;
    }
    return null;
  }

  return {
    step(index) {
      const random = randomFrom(seedOf(seed, index));
      const held = restore();
      const { name, flipped } = damage(random);
      let reported = 0;
      const findings = [];
      const answer = attempt(() => {
        reported = audit().clean ? 0 : 1;
      }, `flip ${index} of ${name}, audit`);
      if (typeof answer === 'string') reported = 1;
      else if (answer !== null) findings.push(answer);
      counts[name] ??= { flips: 0, reported: 0 };
      const structure = counts[name];
      structure.flips++;
      structure.reported += reported;
      if (missed && reported === 0) {
        structure.missed ??= {};
        const key = flipped.join(' ');
        structure.missed[key] = (structure.missed[key] ?? 0) + 1;
      }
      const failure = work(index, random, held);
      if (failure !== null) findings.push(failure);
      return findings;
    },
    takeCounts() {
      const taken = counts;
      counts = {};
      return taken;
    },
  };
}
