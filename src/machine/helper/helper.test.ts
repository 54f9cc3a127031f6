import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  createPlainHelper,
  createWasmMemory,
  type Helper,
  instantiateHelper,
  isWasmMemory,
} from './index.js';

interface Arena {
  helper: Helper;
  words: Int32Array;
  bytes: Uint8Array;
}

function arena(kind: Helper['kind'], pages = 1): Arena {
  const memory = createWasmMemory(pages);
  assert(memory !== null);
  const byteLength = memory.buffer.byteLength;
  const words = new Int32Array(memory.buffer, 0, byteLength / 4);
  const bytes = new Uint8Array(memory.buffer, 0, byteLength);
  const helper = kind === 'wasm' ? instantiateHelper(memory) : createPlainHelper(words, bytes);
  assert(helper !== null);
  return { helper, words, bytes };
}

// A thread that says 1 in word 0 and then waits on word 1 while it is 0; its answer goes to word 2.
const sleeper = `
  const { workerData: words } = require('node:worker_threads');
  Atomics.store(words, 0, 1);
  const answer = Atomics.wait(words, 1, 0, 20000);
  Atomics.store(words, 2, answer === 'ok' ? 1 : 2);
`;

for (const kind of ['wasm', 'plain'] as const) {
  describe(`the ${kind} helper`, () => {
    test('fills just the bytes asked for, with the low 8 bits of the value', () => {
      const { helper, bytes } = arena(kind);
      helper.fill(101, 0x1ff, 3);
      assert.deepEqual([...bytes.subarray(99, 106)], [0, 0, 255, 255, 255, 0, 0]);
      helper.fill(102, 7, 0);
      assert.equal(bytes[102], 255);
    });

    test('copies ranges that overlap, both ways', () => {
      const { helper, bytes } = arena(kind);
      bytes.set([1, 2, 3, 4, 5], 10);
      helper.copy(12, 10, 5);
      assert.deepEqual([...bytes.subarray(10, 17)], [1, 2, 1, 2, 3, 4, 5]);
      helper.copy(10, 12, 5);
      assert.deepEqual([...bytes.subarray(10, 17)], [1, 2, 3, 4, 5, 4, 5]);
    });

    test('answers what the word was, signed', () => {
      const { helper, words } = arena(kind);
      helper.store(8, -5);
      assert.equal(words[2], -5);
      assert.equal(helper.load(8), -5);
      assert.equal(helper.add(8, -1), -5);
      assert.equal(helper.exchange(8, 0x7fffffff), -6);
      assert.equal(helper.add(8, 1), 0x7fffffff);
      assert.equal(helper.compareExchange(8, 3, 4), -0x80000000, 'another value is left alone');
      assert.equal(helper.compareExchange(8, -0x80000000, 4), -0x80000000);
      assert.equal(words[2], 4);
      assert.equal(words[1], 0);
      assert.equal(words[3], 0);
    });

    test('refuses what does not fit in the memory, and leaves it as it was', () => {
      const { helper, bytes } = arena(kind);
      const end = bytes.length;
      const refusals: (() => void)[] = [
        () => helper.fill(end - 4, 1, 5),
        () => helper.fill(-1, 1, 2),
        () => helper.fill(0, 1, -1),
        () => helper.copy(end - 4, 0, 5),
        () => helper.copy(0, end - 4, 5),
        () => helper.load(end),
        () => helper.store(end, 1),
        () => helper.add(-4, 1),
        () => helper.exchange(end, 1),
        () => helper.compareExchange(end, 0, 1),
        () => helper.notify(end, 1),
      ];
      for (const refusal of refusals) assert.throws(refusal, /RangeError|RuntimeError/);
      assert(bytes.every((byte) => byte === 0));
      helper.fill(end - 4, 1, 4);
      helper.fill(end, 1, 0);
    });

    test('refuses a word address that is not divisible by 4', () => {
      const { helper, bytes } = arena(kind);
      for (const address of [1, 2, 3, 1001]) {
        for (const name of ['load', 'store', 'add', 'exchange', 'compareExchange', 'notify'] as const) {
          assert.throws(() => helper[name](address, 1, 1), /RangeError|RuntimeError/, `${name} ${address}`);
        }
      }
      assert(bytes.every((byte) => byte === 0));
    });

    test('wakes a thread that Atomics.wait put to sleep', async () => {
      const { helper, words } = arena(kind);
      assert.equal(helper.notify(4, -1), 0, 'nobody sleeps yet');
      const worker = new Worker(sleeper, { eval: true, workerData: words });
      const exited = new Promise((resolve) => worker.once('exit', resolve));
      let woken = 0;
      while (woken === 0) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (helper.load(0) === 1) woken = helper.notify(4, 1);
      }
      await exited;
      assert.equal(woken, 1);
      assert.equal(words[2], 1);
    });

    test('reaches words and bytes beyond 2 GiB', () => {
      const beyond = 2 ** 31;
      const { helper, words, bytes } = arena(kind, beyond / 65536 + 1);
      helper.store(beyond + 8, 42);
      assert.equal(words[(beyond + 8) / 4], 42);
      assert.equal(helper.load(beyond + 8), 42);
      helper.fill(beyond - 2, 9, 4);
      helper.copy(beyond + 100, beyond - 2, 4);
      assert.deepEqual([...bytes.subarray(beyond + 99, beyond + 105)], [0, 9, 9, 9, 9, 0]);
    });
  });
}

test('both helpers do the same to the same memory', () => {
  const address = fc.nat(255);
  const length = fc.nat(80);
  const word = fc.nat(63).map((index) => index * 4);
  const value = fc.integer();
  const step = fc.oneof(
    fc.tuple(fc.constant('fill' as const), address, fc.nat(255), length),
    fc.tuple(fc.constant('copy' as const), address, address, length),
    fc.tuple(fc.constant('store' as const), word, value, fc.constant(0)),
    fc.tuple(fc.constant('add' as const), word, value, fc.constant(0)),
    fc.tuple(fc.constant('exchange' as const), word, value, fc.constant(0)),
    fc.tuple(fc.constant('compareExchange' as const), word, fc.constantFrom(0, 1, -1), value),
  );
  const wasm = arena('wasm');
  const plain = arena('plain');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      for (const [name, first, second, third] of steps) {
        assert.equal(wasm.helper[name](first, second, third), plain.helper[name](first, second, third));
      }
      assert.deepEqual(wasm.bytes.subarray(0, 512), plain.bytes.subarray(0, 512));
    }),
  );
});

test('a memory of WebAssembly is told from its buffer and from others', () => {
  const memory = createWasmMemory(1);
  assert(memory !== null);
  assert.equal(isWasmMemory(memory), true);
  for (const other of [memory.buffer, new SharedArrayBuffer(8), null, undefined, 1, {}]) {
    assert.equal(isWasmMemory(other), false);
  }
});

test('where there is no WebAssembly there is no helper, and that is no error', () => {
  const index = new URL('./index.js', import.meta.url).href;
  const script = `
    import { createWasmMemory, instantiateHelper, isWasmMemory } from ${JSON.stringify(index)};
    const buffer = new SharedArrayBuffer(65536);
    console.log(createWasmMemory(1), instantiateHelper({ buffer }), isWasmMemory({ buffer }));
  `;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const run = spawnSync(process.execPath, ['--jitless', '--input-type=module', '--eval', script], {
    cwd,
    encoding: 'utf8',
  });
  assert.equal(run.stdout.trim(), 'null null false', run.stderr);
});

test('where WebAssembly may not be compiled there is no helper, and that is no error', () => {
  const memory = createWasmMemory(1);
  assert(memory !== null);
  const namespace = globalThis as unknown as { WebAssembly: Record<string, unknown> };
  const before = namespace.WebAssembly;
  const CompileError = before.CompileError as new (message: string) => Error;
  function Module(): never {
    throw new CompileError('Wasm code generation disallowed by embedder');
  }
  namespace.WebAssembly = { Memory: before.Memory, CompileError, Module };
  try {
    assert.equal(instantiateHelper(memory), null);
  } finally {
    namespace.WebAssembly = before;
  }
});
