// A C program in four Workers at once, over one memory, with JavaScript: see program.c.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { before, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createMemory } from '../../dist/index.js';
import { heapBaseOf } from '../../dist/wasm.js';
import { buildProgram, whyNoClang } from './build.mjs';
import { fillBlock, isWhole, startThread } from './thread.mjs';

const seed = Number(process.env.MBUMA_TEST_SEED ?? 20261121);
const ENOMEM = 48;
const EINVAL = 28;
const MAIN = 9;
const why = whyNoClang();

let module;
let heapBase;

function makeMemory(bytes) {
  return createMemory({ bytes, wasm: { heapBase }, timerMs: 0 });
}

/** Workers at a gate, and what opens it. None outlives the test. */
function startWorkers(t, memory, rounds) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = rounds.map((each, at) => {
    const workerData = {
      handle: memory.handle,
      module,
      gate,
      number: at + 1,
      seed: seed + at,
      rounds: each,
    };
    return new Worker(new URL('worker.mjs', import.meta.url), { workerData });
  });
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  return {
    workers,
    open() {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
  };
}

/** When the Worker has ended by itself. */
async function success(worker) {
  const [code] = await once(worker, 'exit');
  assert.equal(code, 0);
}

/** Exchanges blocks of JavaScript's with those of the Workers until `isOver`; answers how many. */
async function exchangeUntil(isOver, memory, type, { exports }) {
  let exchanged = 0;
  for (let n = 0; !isOver(); n++) {
    const length = 8 + ((n * 7919) % 5000);
    const block = type.tryAlloc(length);
    if (block !== 0) {
      fillBlock(memory, block, length, n);
      assert.equal(exports.adopt(block), 0, 'a line of program.c');
      const other = exports.exchange(n, block);
      if (other !== 0) {
        assert.equal(exports.part_with(other), 0, 'a line of program.c');
        assert.ok(isWhole(memory, other), `block ${other}`);
        type.free(other);
        exchanged++;
      }
    }
    memory.poll();
    if (n % 20 === 0) await setImmediate();
  }
  return exchanged;
}

const clean = { clean: true, violations: [] };

describe('a C program', { skip: why !== '' && why }, () => {
  before(() => {
    const bytes = buildProgram();
    heapBase = heapBaseOf(bytes);
    module = new WebAssembly.Module(bytes);
  });

  it('imports the memory and ours, and has no allocator of its own', () => {
    const imports = WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
    const ours = ['malloc', 'free', 'calloc', 'realloc', 'aligned_alloc', 'malloc_usable_size'];
    assert.deepEqual(imports.sort(), ['env.memory', ...ours.map((name) => `mbuma.${name}`)].sort());
    assert.ok(!buildProgram().includes('dlmalloc'));
    const { exports } = startThread(makeMemory(16 << 20), module, { number: 1, seed });
    assert.equal(exports.__heap_base.value, heapBase);
  });

  it('runs in four Workers at once, and exchanges blocks with JavaScript', {
    timeout: 120_000,
  }, async (t) => {
    const memory = makeMemory(48 << 20);
    const type = memory.mallocType({ name: 'wasm' });
    const here = startThread(memory, module, { number: MAIN, seed });
    here.exports._initialize();
    const { workers, open } = startWorkers(t, memory, [400, 400, 400, 400]);
    let isOver = false;
    const ends = Promise.all(workers.map(success)).finally(() => {
      isOver = true;
    });
    open();
    const exchanged = await exchangeUntil(() => isOver, memory, type, here);
    await ends;
    assert.ok(exchanged > 100, `${exchanged} blocks were exchanged`);
    assert.ok(here.exports.handed_on() > 10_000);
    assert.equal(here.exports.clear_mail(), 0);
    assert.equal(here.exports.mapped(), 0);
    here.end();
    assert.equal(type.stats().used, 0);
    assert.deepEqual(
      memory.leaks().filter(({ zone }) => zone.startsWith('malloc-')),
      [],
    );
    assert.deepEqual(memory.audit(), clean);
  });

  it('is ended in one Worker, and goes on in the others', { timeout: 120_000 }, async (t) => {
    const memory = makeMemory(48 << 20);
    const type = memory.mallocType({ name: 'wasm' });
    const here = startThread(memory, module, { number: MAIN, seed });
    const { workers, open } = startWorkers(t, memory, [300, Number.POSITIVE_INFINITY, 300, 300]);
    const mortal = workers[1];
    const { ended } = memory.adopt(mortal);
    const others = workers.filter((worker) => worker !== mortal).map(success);
    const atWork = once(mortal, 'message');
    open();
    await atWork;
    await mortal.terminate();
    await ended; // another thread may have been faster to clean up
    await Promise.all(others);
    assert.equal(here.exports.clear_mail(), 0);
    assert.ok(here.exports.mapped() > 0, 'what the dead thread held is still its');
    here.end();
    const left = memory.leaks().filter(({ zone }) => zone.startsWith('malloc-'));
    const countOf = (leaks) => leaks.reduce((sum, { count }) => sum + count, 0);
    const items = countOf(left);
    // What it was just giving back may be in the name of who had taken it.
    const orphans = countOf(left.filter(({ thread }) => thread === 0));
    assert.ok(orphans >= 2, 'at least its stack and its storage are the memory’s');
    // One block may be counted and not had, or had and not counted; runs are in no zone.
    assert.ok(type.stats().used >= items - 1, `${type.stats().used} in use, ${items} items`);
    assert.deepEqual(memory.audit(), clean);
  });

  for (const [what, max] of [
    ['the memory', 0],
    ['a limit', 100_000],
  ])
    it(`exhausts ${what}, and is told so as C says it`, () => {
      const memory = makeMemory(8 << 20);
      const type = memory.mallocType({ name: 'heap', max });
      const { exports, end } = startThread(memory, module, { number: 1, seed, type });
      const blocks = [];
      for (const size of [100_000, 1000, 16]) {
        for (let block = exports.c_malloc(size); block !== 0; block = exports.c_malloc(size)) {
          assert.equal(exports.take_errno(), 0);
          blocks.push(block);
        }
        assert.equal(exports.take_errno(), ENOMEM);
      }
      for (const attempt of [
        () => exports.c_calloc(1, 16),
        () => exports.c_realloc(0, 16),
        () => exports.c_realloc(blocks.at(-1), 10_000),
        () => exports.c_aligned_alloc(64, 64),
        () => exports.duplicate(blocks[0]),
      ]) {
        assert.equal(attempt(), 0);
        assert.equal(exports.take_errno(), ENOMEM);
      }
      const [place] = blocks;
      memory.words[place >>> 2] = 12345;
      assert.equal(exports.c_posix_memalign(place, 64, 64), ENOMEM);
      assert.equal(exports.c_posix_memalign(place, 48, 64), EINVAL);
      assert.deepEqual([memory.words[place >>> 2], exports.take_errno()], [12345, 0]);
      for (const block of blocks) exports.c_free(block);
      end();
      assert.equal(type.stats().used, 0);
      assert.deepEqual(memory.audit(), clean);
    });

  it('has C’s malloc down to its corners', () => {
    const memory = makeMemory(16 << 20);
    const type = memory.mallocType({ name: 'wasm' });
    const { exports, end } = startThread(memory, module, { number: 1, seed });
    const nothing = [exports.c_malloc(0), exports.c_malloc(0), exports.c_calloc(0, 5)];
    assert.equal(new Set(nothing).size, 3, 'each of its own');
    exports.c_free(0);
    assert.equal(exports.c_usable_size(0), 0);
    assert.equal(exports.c_usable_size(nothing[0]), 16);
    const kept = exports.c_realloc(nothing[1], 0);
    assert.equal(kept, nothing[1]);
    for (const [count, size] of [
      [65536, 65536],
      [-1, -1],
      [-1, 2],
      [1, -1],
    ]) {
      assert.equal(exports.c_calloc(count, size), 0);
      assert.equal(exports.take_errno(), ENOMEM);
    }
    for (const alignment of [0, 3, 48, -1]) {
      assert.equal(exports.c_aligned_alloc(alignment, 16), 0);
      assert.equal(exports.take_errno(), EINVAL);
    }
    assert.equal(exports.c_aligned_alloc(-(2 ** 31), 16), 0);
    assert.equal(exports.take_errno(), ENOMEM);
    assert.equal(exports.c_posix_memalign(nothing[0], 2, 16), EINVAL);
    assert.equal(exports.c_posix_memalign(nothing[0], 65536, 16), 0);
    const aligned = memory.words[nothing[0] >>> 2];
    assert.equal(aligned % 65536, 0);
    exports.c_free(aligned);
    for (const block of nothing) exports.c_free(block);
    end();
    assert.equal(type.stats().used, 0);
  });

  it('has strdup of the C library from ours', () => {
    const memory = makeMemory(16 << 20);
    const type = memory.mallocType({ name: 'wasm' });
    const { exports } = startThread(memory, module, { number: 1, seed });
    const text = type.alloc(100);
    memory.bytes.set(new TextEncoder().encode('a string of C\0'), text);
    const { used } = type.stats();
    const copy = exports.duplicate(text);
    assert.equal(type.stats().used, used + 1);
    assert.notEqual(copy, text);
    const bytes = memory.bytes.slice(copy, copy + 13);
    assert.equal(new TextDecoder().decode(bytes), 'a string of C');
    type.free(copy);
    type.free(text);
  });

  it('that frees wrongly throws through C, and the memory is whole', () => {
    const memory = makeMemory(16 << 20);
    const { exports } = startThread(memory, module, { number: 1, seed });
    const block = exports.c_malloc(100);
    exports.c_free(block);
    assert.throws(() => exports.c_free(block), { name: 'MbumaError', code: 'FREE_TWICE', address: block });
    assert.throws(() => exports.c_realloc(block, 5), { code: 'FREE_TWICE' });
    assert.throws(() => exports.c_free(heapBase - 16), { code: 'FREE_FOREIGN' });
    assert.throws(() => exports.c_free(-16), { code: 'BAD_ARGUMENT' });
    assert.throws(() => exports.c_free(block + 8), { code: 'FREE_UNALIGNED' });
    assert.deepEqual(memory.audit(), clean);
  });
});
