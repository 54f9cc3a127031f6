// One step: some calls of public functions, which are found by reflection, with hostile values among sound
// ones; then an audit by a second attachment. The first calls go through the table: each function, each
// position, each value. The others are drawn at random, and build on what earlier calls have answered.

import { setMaxListeners } from 'node:events';
import * as mbuma from '../dist/index.js';
import { createFabric } from '../dist/machine/fabric.js';
import { createWasmMemory, wasmPageBytes } from '../dist/machine/helper/index.js';
import { FORMAT_VERSION } from '../dist/machine/records.js';
import { createMemoryOver } from '../dist/memory.js';
import { hostileValues, Planted } from './hostile-values.mjs';
import { pick, randomFrom, seedOf } from './random.mjs';

export const CALLS_PER_STEP = 100;

/** Steps after which the memory is made anew: it gets full of zones and rings. */
const STEPS_PER_MEMORY = 20;

const POSITIONS = 5;

/** Not called, each for a reason. */
const notCalled = {
  copyBytes: 'does not check: the caller owns both ranges',
  fillBytes: 'does not check: the caller owns the range',
};

/** Called rarely: what makes or ends a memory, or a part of it. */
const rare = new Set(['createMemory', 'attachMemory', 'detach', 'audit', 'close', 'destroy']);

/** What a caller can bring about by calls that are in order: circles, and lengths that do not add up. */
const rulesOfTheCaller = new Set(['M6', 'M7']);

/** Errors that mean a fault of ours, not of the caller. */
const ourFaults = new Set(['MEMORY_DAMAGED', 'LOCK_ORDER', 'OWNER_DIED']);

/** A mutex may be asked for twice. */
const isOurFault = (code, label) =>
  ourFaults.has(code) && !(code === 'LOCK_ORDER' && label.startsWith('mutex.'));

/** A sleep that nobody ends is ended by this, so that no call hangs and each cleans up behind itself. */
class Slept extends Error {}

function makeMemory() {
  const { memory, machine } = createMemoryOver({ bytes: 1 << 20, maxThreads: 4 }, (byteLength) => {
    const wasm = createWasmMemory(byteLength / wasmPageBytes);
    const fabric = createFabric(wasm.buffer, wasm, byteLength);
    const handle = { kind: 'mbuma-memory', version: FORMAT_VERSION, buffer: null, wasm };
    fabric.spinLoads = 0;
    fabric.wait = () => {
      throw new Slept('slept');
    };
    fabric.waitAsync = async () => {
      throw new Slept('slept');
    };
    return { handle, fabric };
  });
  return { memory, machine };
}

/** Functions of an object, its prototypes and its accessors, as { name, call(args) }. */
function functionsOf(label, object) {
  const found = new Map();
  for (let at = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value, get, set }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (name === 'constructor' || found.has(name) || Object.hasOwn(notCalled, name)) continue;
      const call = typeof value === 'function' ? (args) => object[name](...args) : null;
      if (call !== null && !/^class\b/.test(String(value))) found.set(name, call);
      if (get !== undefined) found.set(name, () => object[name]);
      if (set !== undefined) {
        found.set(`${name}=`, ([given]) => {
          object[name] = given;
        });
      }
    }
  }
  return [...found].map(([name, call]) => ({ label: `${label}.${name}`, name, call }));
}

function targetsOf({ memory, zones, types, keg, foreign, ring, mutex, site }) {
  return [
    ...functionsOf('mbuma', mbuma),
    ...functionsOf('memory', memory),
    ...functionsOf('failpoints', memory.failpoints),
    ...functionsOf('site', site),
    ...functionsOf('sysctl', memory.sysctl),
    ...functionsOf('mbufs', memory.mbufs),
    ...functionsOf('keg', keg),
    ...functionsOf('foreign keg', foreign),
    ...functionsOf('ring', ring),
    ...functionsOf('mutex', mutex),
    ...functionsOf('token', memory.mutex('held').lock()),
    ...zones.flatMap((zone) => functionsOf(`zone ${zone.name}`, zone)),
    ...types.flatMap((type) => functionsOf(`malloc type ${type.name}`, type)),
  ];
}

/** A memory, its functions, and values with which calls succeed. */
function makeStage() {
  const { memory, machine } = makeMemory();
  const observer = mbuma.attachMemory(memory.handle);
  const scratch = memory.zone({ name: 'scratch', size: 4096 }).tryAlloc();
  const zones = [
    memory.zone({ name: 'points', size: 48 }),
    memory.zone({ name: 'limited', size: 300, max: 6 }),
    memory.zone({ name: 'built', size: 64, ctor: () => 0, dtor: () => 0 }),
    memory.zone({ name: 'counted', size: 200, referenceCounted: true }),
    memory.zone({ name: 'read', size: 64, epoch: true }),
    memory.zone({ name: 'cells', import: (words, n) => words.fill(7, 0, n) && n, release() {} }),
  ];
  const types = [
    memory.mallocType({ name: 'temp' }),
    memory.mallocType({ name: 'bounded', max: 20_000 }),
    memory.mallocType({ name: 'followed', zones: 'own', onOwnerDeath: 'free' }),
    memory.mallocType({ name: 'guarded', guard: true, onOwnerDeath: 'report' }),
  ];
  const keg = memory.keg({ name: 'blocks', size: 128 });
  let runs = 0;
  const foreign = memory.foreignKeg({
    name: 'elsewhere',
    size: 100,
    allocRun: (bytes) => (++runs < 100 ? runs * bytes : 0),
    freeRun() {},
  });
  const ring = memory.ring({ name: 'work', capacity: 9 });
  const mutex = memory.mutex('guard');
  const site = memory.failpoints.site('mine');
  memory.mbufs.registerFree('nothing', () => {});
  observer.mbufs.registerFree('nothing', () => {});
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const sound = [
    ...[0, 1, 2, 3, 5, 16, 40, 2048, 9216, 16384],
    ...['points', 'work', 'guard', 'uma.alloc', 'nothing', 'mine'],
    ...['vm.uma.points', 'vm.uma.limited.limit.max_items', 'kern.ipc.nmbclusters', 'vm.zone_warnings'],
    { name: 'points', size: 48 },
    { name: 'more', size: 100, max: 3 },
    { name: 'shared', size: 100, referenceCounted: true },
    { name: 'elsewhere', size: 100, allocRun: () => 0, freeRun() {} },
    { name: 'work', capacity: 9 },
    { name: 'temp', max: 5000 },
    { name: 'alone', zones: 'own', description: 'by itself' },
    { name: 'followed', zones: 'own', onOwnerDeath: 'report' },
    { name: 'guarded', guard: true },
    { class: 'guard', rank: 2 },
    { signal },
    { nth: 2 },
    { every: 3 },
    { zones: ['points'] },
    new Int32Array(40),
    memory.words.subarray(scratch >> 2, (scratch >> 2) + 40),
    memory.bytes.subarray(scratch + 1024, scratch + 4096),
    new Uint8Array(3000),
    () => {},
  ];
  const targets = targetsOf({ memory, zones, types, keg, foreign, ring, mutex, site });
  return { memory, machine, observer, zones, sound, targets, results: new Array(64).fill(0), at: 0 };
}

function describe(value) {
  try {
    if (typeof value === 'function') return 'a function';
    if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value);
    return typeof value === 'symbol' ? 'a symbol' : (JSON.stringify(value) ?? String(value));
  } catch {
    return typeof value === 'bigint' ? `${value}n` : 'what cannot be shown';
  }
}

export function createSession({ seed, plant = null }) {
  let stage = makeStage();
  let pending = 0;
  let counts = {};
  const late = [];
  const names = stage.targets.map(({ label }) => label);
  const tableSize = names.length * POSITIONS * hostileValues.length;

  function judge(error, label, args) {
    if (error instanceof Planted || error instanceof Slept) return null;
    if (error instanceof mbuma.MbumaError && Object.hasOwn(mbuma.ERROR_CODES, error.code)) {
      if (!isOurFault(error.code, label)) return null;
    }
    // What declares records is rank 0, and has errors of its own for whoever writes the program.
    if (label.startsWith('mbuma.') && error?.constructor === Error) return null;
    const shown = args.map(describe).join(', ').slice(0, 300);
    const kind = `${label}: ${error?.name} ${String(error?.code ?? '')}`;
    return { kind, text: `${label}(${shown}): ${String(error?.stack ?? error).slice(0, 600)}` };
  }

  function soundValue(random) {
    return random(3) === 0 ? pick(random, stage.results) : pick(random, stage.sound);
  }

  function keep(result) {
    // Else it could be taken once only.
    if (typeof result?.unlock === 'function') result.unlock();
    if (typeof result === 'number' || result instanceof Int32Array) {
      stage.results[stage.at++ % stage.results.length] = result;
    }
  }

  function watch(promise, label, args) {
    pending++;
    promise
      .then(keep, (error) => {
        const finding = judge(error, label, args);
        if (finding !== null) late.push(finding);
      })
      .finally(() => pending--);
  }

  function call({ label, name, call: invoke }, args) {
    counts.calls = (counts.calls ?? 0) + 1;
    try {
      const result = invoke(args);
      if (name === 'segments') for (const each of result) keep(each.start);
      // A memory that was made is let go at once.
      if (name === 'createMemory' || name === 'attachMemory') result.detach();
      if (result instanceof Promise) watch(result, label, args);
      else keep(result);
      counts.succeeded = (counts.succeeded ?? 0) + 1;
    } catch (error) {
      return judge(error, label, args);
    }
    return null;
  }

  /** Call number `index` of the table: one hostile value, all else sound. */
  function tableCall(index, random) {
    const value = hostileValues[index % hostileValues.length];
    const position = Math.floor(index / hostileValues.length) % POSITIONS;
    const target = stage.targets[Math.floor(index / hostileValues.length / POSITIONS)];
    const args = Array.from({ length: POSITIONS }, () => soundValue(random));
    args[position] = value;
    return [target, args];
  }

  function randomCall(random) {
    let target = pick(random, stage.targets);
    if (rare.has(target.name) && random(50) !== 0) target = pick(random, stage.targets);
    const args = Array.from({ length: random(POSITIONS + 1) }, () =>
      random(3) === 0 ? pick(random, hostileValues) : soundValue(random),
    );
    return [target, args];
  }

  function audit() {
    if (plant === 'damage') stage.memory.words[stage.machine.area('uma') + 5] = 1;
    const { violations } = stage.observer.audit();
    const broken = violations.filter(({ rule }) => !rulesOfTheCaller.has(rule));
    return broken
      .slice(0, 3)
      .map(({ rule, message }) => ({ kind: `audit ${rule}`, text: `${rule}: ${message}` }));
  }

  return {
    tableSize,
    async step(index) {
      const random = randomFrom(seedOf(seed, index));
      if (index % STEPS_PER_MEMORY === 0) stage = makeStage();
      const findings = [];
      for (let each = 0; each < CALLS_PER_STEP; each++) {
        const number = index * CALLS_PER_STEP + each;
        const [target, args] = number < tableSize ? tableCall(number, random) : randomCall(random);
        const finding = call(target, args);
        if (finding !== null) findings.push(finding);
        if (target.name === 'detach') stage = makeStage();
      }
      if (plant === 'foreign error')
        findings.push(...[call({ label: 'plant', name: 'x', call: () => null.x }, [])].filter(Boolean));
      if (plant === 'hang' && index === 2) for (;;) counts.hung = 0;
      for (let turn = 0; pending > 0 && turn < 50; turn++)
        await new Promise((resolve) => setImmediate(resolve));
      call({ label: 'memory.leave', name: 'leave', call: () => stage.memory.leave() }, []);
      // A listener of ours may throw.
      call({ label: 'failpoints.disarm', name: 'disarm', call: () => stage.memory.failpoints.disarm() }, []);
      findings.push(...late.splice(0), ...audit());
      // What is damaged is told once.
      if (findings.some(({ kind }) => kind.startsWith('audit'))) stage = makeStage();
      return findings;
    },
    takeCounts() {
      const taken = counts;
      counts = {};
      return taken;
    },
  };
}
