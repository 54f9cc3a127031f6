import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeValue, MbumaError } from '../check/index.js';
import {
  createMachine,
  FORMAT_VERSION,
  MAGIC,
  type Machine,
  type MemoryHandle,
  openMachine,
  PAGE_SIZE,
  publishMachine,
  SUPERBLOCK,
  Superblock,
} from './index.js';
import { HASH, makeMachine, planners } from './machine.test-kit.js';

function open(handle: unknown): Machine {
  return openMachine(handle, planners, HASH);
}

function assertBadHandle(call: () => unknown, message: RegExp): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof MbumaError, String(error));
    assert.equal(error.code, 'BAD_HANDLE');
    assert.match(error.message, message);
    return true;
  });
}

for (const wasm of [true, false]) {
  describe(`a machine ${wasm ? 'over WebAssembly' : 'without WebAssembly'}`, () => {
    it('has the size that was asked for, all 0 but settings and sequence, in views of explicit length', () => {
      const machine = makeMachine({ pageCount: 64, wasm });
      assert.equal(machine.bytes.length, 64 * PAGE_SIZE);
      assert.equal(machine.words.length, 64 * 1024);
      assert.equal(machine.floats.length, 64 * 512);
      assert.equal(machine.words.buffer, machine.bytes.buffer);
      assert.equal(machine.handle.wasm !== null, wasm);
      assert.equal(machine.handle.buffer === null, wasm);
      assert.equal(machine.words[0], 0, 'word 0 is null');
      const settings = machine.area('tunables');
      const sequence = machine.area('epochs');
      assert.ok(
        machine.words
          .subarray(1024)
          .every((word, at) => word === 0 || at + 1024 === sequence || Math.abs(at + 1024 - settings) < 16),
      );
    });

    it('is opened from its handle, and both see the same words', () => {
      const machine = makeMachine({ wasm, checkLevel: 2, maxThreads: 5 });
      const other = open(machine.handle);
      assert.deepEqual(other.layout, machine.layout);
      assert.equal(other.checkLevel, 2);
      assert.equal(other.area('test'), machine.area('test'));
      const at = machine.area('test');
      machine.atomics.store(at, 77);
      assert.equal(other.atomics.load(at), 77);
      assert.deepEqual({ ...other.handle }, { ...machine.handle });
      assert.deepEqual(open(other.handle).layout, machine.layout);
    });

    it('does the atomic operations on word indexes', () => {
      const machine = makeMachine({ wasm });
      const { load, store, add, exchange, compareExchange, notify } = machine.atomics;
      for (const at of [machine.area('test'), machine.words.length - 1]) {
        store(at, 5);
        assert.equal(load(at), 5);
        assert.equal(add(at, -7), 5);
        assert.equal(load(at), -2);
        assert.equal(exchange(at, 2 ** 31 - 1), -2);
        assert.equal(add(at, 1), 2 ** 31 - 1);
        assert.equal(load(at), -(2 ** 31));
        assert.equal(compareExchange(at, 1, 2), -(2 ** 31));
        assert.equal(compareExchange(at, -(2 ** 31), 2), -(2 ** 31));
        assert.equal(machine.words[at], 2);
        assert.equal(notify(at, 1), 0);
      }
    });

    it('copies and fills, overlapping too', () => {
      const machine = makeMachine({ wasm });
      const at = machine.area('test') * 4;
      machine.fillBytes(at, 0xab, 10);
      assert.deepEqual([...machine.bytes.subarray(at, at + 12)], [...new Array<number>(10).fill(0xab), 0, 0]);
      for (let index = 0; index < 10; index++) machine.bytes[at + index] = index;
      machine.copyBytes(at + 2, at, 10);
      assert.deepEqual([...machine.bytes.subarray(at, at + 12)], [0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    it('may block in Node', () => assert.equal(makeMachine({ wasm }).mayBlock, true));
  });
}

describe('making a machine', () => {
  it('writes the superblock, and the magic word last', () => {
    const machine = createMachine(
      { pageCount: 64, maxThreads: 2, maxZones: 3, checkLevel: 1, wasm: undefined, reservedPages: 0 },
      planners,
      HASH,
    );
    const read = (offset: number): number => machine.words[SUPERBLOCK + offset] as number;
    assert.equal(read(Superblock.magic), 0);
    assertBadHandle(() => open(machine.handle), /not complete/);
    publishMachine(machine);
    assert.equal(read(Superblock.magic), MAGIC);
    assert.equal(Buffer.from(machine.bytes.slice(SUPERBLOCK * 4, SUPERBLOCK * 4 + 4)).toString(), 'MBUM');
    assert.deepEqual(
      [
        Superblock.version,
        Superblock.layoutHash,
        Superblock.pageCount,
        Superblock.maxThreads,
        Superblock.maxZones,
        Superblock.checkLevel,
      ].map(read),
      [FORMAT_VERSION, HASH, 64, 2, 3, 1],
    );
    assert.equal(read(Superblock.firstPage), machine.layout.firstPage);
  });

  it('refuses a memory in which nothing is left beside the boot areas', () => {
    assert.throws(() => makeMachine({ pageCount: 16, maxThreads: 254 }), { code: 'BAD_CONFIGURATION' });
  });

  it('says OUT_OF_MEMORY with the cause when the platform refuses', () => {
    assert.throws(
      () => makeMachine({ pageCount: 2 ** 40, wasm: false }),
      (error) =>
        error instanceof MbumaError && error.code === 'OUT_OF_MEMORY' && error.cause instanceof Error,
    );
  });
});

describe('opening a handle', () => {
  const sound = makeMachine({ wasm: false });
  const handle = sound.handle;
  const buffer = handle.buffer as SharedArrayBuffer;

  /** The same memory in a buffer of its own, with some words changed. */
  function damaged(changes: Record<number, number>, byteLength: number = buffer.byteLength): MemoryHandle {
    const copy = new SharedArrayBuffer(byteLength);
    const from = new Uint8Array(buffer).subarray(0, byteLength);
    new Uint8Array(copy).set(from);
    for (const [offset, value] of Object.entries(changes))
      new Int32Array(copy)[SUPERBLOCK + Number(offset)] = value;
    return { ...handle, buffer: copy };
  }

  it('opens a faithful copy', () => {
    assert.equal(open(damaged({})).layout.firstPage, sound.layout.firstPage);
  });

  for (const value of [
    undefined,
    null,
    0,
    1,
    Number.NaN,
    '',
    'handle',
    1n,
    true,
    Symbol('handle'),
    () => handle,
  ]) {
    it(`refuses ${describeValue(value)}`, () => assertBadHandle(() => open(value), /not an object/));
  }

  it('refuses other objects', () => {
    for (const value of [{}, [], buffer, new Map(), { kind: 'mbuma' }, { ...handle, kind: null }]) {
      assertBadHandle(() => open(value), /not the handle of a memory/);
    }
  });

  it('refuses a handle without a shared buffer', () => {
    for (const lost of [
      null,
      undefined,
      {},
      64,
      'buffer',
      new ArrayBuffer(buffer.byteLength),
      new Uint8Array(buffer),
      new SharedArrayBuffer(0),
      new SharedArrayBuffer(PAGE_SIZE),
    ]) {
      assertBadHandle(() => open({ ...handle, buffer: lost }), /no shared buffer/);
    }
    // What JSON makes of a handle.
    assertBadHandle(() => open(JSON.parse(JSON.stringify(handle))), /no shared buffer/);
  });

  it('does not mind a wasm field that is none, where the buffer is there', () => {
    for (const wasm of [undefined, null, {}, 'wasm', 5]) {
      const machine = open({ ...handle, wasm });
      assert.equal(machine.handle.wasm, null);
      machine.atomics.store(machine.area('test'), 3);
      assert.equal(sound.words[sound.area('test')], 3);
    }
  });

  it('refuses a buffer of something else', () => {
    assertBadHandle(
      () => open({ ...handle, buffer: new SharedArrayBuffer(buffer.byteLength) }),
      /not a memory of mbuma/,
    );
    assertBadHandle(() => open(damaged({ [Superblock.magic]: MAGIC ^ 1 })), /not a memory of mbuma/);
  });

  it('refuses another version and other layouts', () => {
    assertBadHandle(() => open(damaged({ [Superblock.version]: FORMAT_VERSION + 1 })), /another version/);
    assertBadHandle(() => open(damaged({ [Superblock.layoutHash]: HASH ^ 1 })), /another version/);
    assertBadHandle(() => openMachine(handle, planners, HASH + 1), /another version/);
  });

  it('refuses a cut buffer, a longer one, and numbers that contradict it', () => {
    assertBadHandle(() => open(damaged({}, buffer.byteLength - PAGE_SIZE)), /contradicts/);
    assertBadHandle(() => open(damaged({}, 2 * PAGE_SIZE)), /contradicts/);
    for (const pageCount of [0, -1, 63, 65, 2 ** 31 - 1, -(2 ** 31)]) {
      assertBadHandle(() => open(damaged({ [Superblock.pageCount]: pageCount })), /contradicts/);
    }
    for (const maxThreads of [0, -1, 64, 2 ** 31 - 1]) {
      assertBadHandle(() => open(damaged({ [Superblock.maxThreads]: maxThreads })), /contradicts/);
    }
    assertBadHandle(
      () => open(damaged({ [Superblock.firstPage]: sound.layout.firstPage + 1 })),
      /contradicts/,
    );
  });

  it('changes nothing in what it refuses', () => {
    const bad = damaged({ [Superblock.version]: 99 });
    const before = new Uint8Array(bad.buffer as SharedArrayBuffer).slice();
    assert.throws(() => open(bad));
    assert.deepEqual(new Uint8Array(bad.buffer as SharedArrayBuffer).slice(), before);
  });
});
