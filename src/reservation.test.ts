/** What is reserved for a WebAssembly module is the module's: whatever stands there, and whenever it came. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Addr, attachMemory, createMemory, type Memory, type MemoryOptions } from './index.js';
import { PAGE_SIZE, SUPERBLOCK, Superblock } from './machine/index.js';
import { attachmentOf } from './memory.js';
import { createNamer } from './word-names.js';

const RESERVED = 5 * PAGE_SIZE;
const options: MemoryOptions = { bytes: 4 << 20, wasm: { reservedBytes: RESERVED - 1 } };

/** What a module may have there; `image`: what looks most like ours. */
const CONTENTS: Record<string, (memory: Memory) => void> = {
  ones: ({ bytes }) => void bytes.fill(0xff, 0, RESERVED),
  'owner bytes of thread 1': ({ bytes }) => void bytes.fill(1, 0, RESERVED),
  'an image of the memory': ({ bytes }) => void bytes.copyWithin(0, RESERVED, 2 * RESERVED),
};

function useAll(memory: Memory): void {
  const zone = memory.zone({ name: 'points', size: 48 });
  const texts = memory.mallocType({ name: 'texts' });
  const ring = memory.ring({ name: 'work', capacity: 64 });
  const items: number[] = [];
  for (let n = 0; n < 500; n++) items.push(zone.alloc());
  const blocks = [3, 4096, 70_000].map((size) => texts.tryAlloc(size));
  const packet = memory.mbufs.tryGetcl();
  const all = [...items, ...blocks, packet];
  for (const address of all) assert.ok(address >= RESERVED, `${address} is the module's`);
  for (const item of items) {
    memory.fillBytes(item, 0xaa, 48);
    assert.equal(ring.tryPut(item), true);
    zone.free(ring.tryTake() as Addr);
  }
  for (const block of blocks) texts.free(block);
  memory.mbufs.free(packet as Addr);
  memory.drain();
}

/** What the superblock counts. */
function countAll(memory: Memory): void {
  const { port1 } = new MessageChannel();
  memory.adopt(port1).dispose();
  port1.close();
  memory.sysctl.set('debug.nosleepwithlocks', true);
  const empty = memory.ring({ name: 'empty', capacity: 4 });
  using _token = memory.mutex('a lock').lock();
  assert.throws(() => empty.take(1000), { code: 'WOULD_BLOCK' });
}

const startWorker = (memory: Memory, rounds: number): Worker =>
  new Worker(new URL('./reservation.test-worker.js', import.meta.url), {
    workerData: { handle: memory.handle, rounds },
  });

describe('a reservation', () => {
  for (const [what, write] of Object.entries(CONTENTS)) {
    it(`holds ${what}, and the memory works`, async () => {
      const memory = createMemory({ ...options, checkLevel: 3 });
      write(memory);
      const before = memory.bytes.slice(0, RESERVED);
      useAll(memory);
      countAll(memory);
      assert.equal(memory.stats().sleepsRefused, 1);
      const other = attachMemory(memory.handle);
      useAll(other);
      other.detach();
      const worker = startWorker(memory, 2000);
      await once(worker, 'exit');
      const mortal = startWorker(memory, Number.POSITIVE_INFINITY);
      const { ended } = memory.adopt(mortal);
      const [slot] = await once(mortal, 'message');
      await mortal.terminate();
      const [reaped] = await ended;
      assert.equal(reaped?.thread, slot);
      useAll(memory);
      assert.deepEqual(memory.audit(), { clean: true, violations: [] });
      assert.deepEqual(memory.bytes.slice(0, RESERVED), before);
    });
  }

  it('is rounded up to a page, and counts in the size', () => {
    for (const [wasm, pages] of [
      [{ reservedBytes: 1 }, 1],
      [{ reservedBytes: 4096 }, 1],
      [{ heapBase: 4097 }, 2],
      [{ heapBase: 66_704 }, 17],
    ] as const) {
      const memory = createMemory({ bytes: 1 << 21, wasm });
      assert.equal(memory.handle.reservedBytes, pages * PAGE_SIZE);
      assert.equal(memory.bytes.length, 1 << 21);
      assert.equal(memory.stats().bytes, 1 << 21);
      const plain = createMemory({ bytes: 1 << 21 });
      assert.equal(memory.stats().pages.pages, plain.stats().pages.pages - pages);
      assert.deepEqual(memory.audit().violations, []);
    }
  });

  it('leaves what limits are made from', () => {
    const whole = createMemory({ bytes: 4 << 20 });
    const half = createMemory({ bytes: 4 << 20, wasm: { reservedBytes: 2 << 20 } });
    assert.equal(half.mbufs.max, whole.mbufs.max / 2);
    assert.equal(half.sysctl.get('kern.ipc.maxmbufmem'), Number(whole.sysctl.get('kern.ipc.maxmbufmem')) / 2);
  });

  it('is no place for an item', () => {
    const memory = createMemory(options);
    const texts = memory.mallocType({ name: 'texts' });
    const zone = memory.zone({ name: 'points', size: 48 });
    memory.bytes.fill(memory.thread, 0, RESERVED);
    for (const address of [16, 4096, RESERVED - 16, RESERVED + SUPERBLOCK * 4] as Addr[]) {
      assert.throws(() => texts.free(address), { code: 'FREE_FOREIGN', address });
      assert.throws(() => zone.free(address), { code: 'FREE_FOREIGN', address });
      assert.throws(() => memory.check(address, 4), { code: 'OUT_OF_BOUNDS' });
    }
    assert.deepEqual(memory.audit().violations, []);
  });

  it('is told with everything else that is wrong', () => {
    const refused = (wasm: unknown, message: RegExp, bytes = 1 << 20): void =>
      assert.throws(() => createMemory({ bytes, wasm } as MemoryOptions), { name: 'MbumaError', message });
    refused({}, /^wasm must have one of reservedBytes and heapBase, not none$/);
    refused([], /not none$/);
    refused({ reservedBytes: 4096, heapBase: 4096 }, /not both$/);
    refused({ reservedBytes: 0 }, /^wasm\.reservedBytes must be a whole number from 1 to 1048576, not 0$/);
    for (const value of [-1, 0.5, Number.NaN, (1 << 20) + 1, '4096', null, 1n, new WeakMap()])
      refused({ heapBase: value }, /^wasm\.heapBase must be a whole number from 1 to 1048576/);
    for (const value of [null, 'yes', 1, Symbol('wasm'), () => true])
      refused(value, /^wasm must be true, false, \{ reservedBytes \} or \{ heapBase \}, not /);
    refused({ reservedBytes: 1 << 20 }, /^bytes: 1048576 leave no room beside the 1048576 of the module and/);
    refused({ reservedBytes: 900_000 }, /^bytes: 1048576 leave no room beside the 901120 of the module and/);
    refused({ heapBase: 2 ** 31 }, /^bytes: 2147483648 leave no room/, 2 ** 31);
    assert.throws(
      () => createMemory({ bytes: 1 << 20, maxThreads: 0, wasm: { heapBase: 1 << 21 }, timerMs: -1 }),
      { code: 'BAD_CONFIGURATION', message: /maxThreads.*; wasm\.heapBase.* to 1048576.*; timerMs/ },
    );
    assert.throws(() => createMemory({ bytes: 0, wasm: { heapBase: 2 ** 40 } }), /bytes.*; wasm\.heapBase/);
  });

  it('must be in the handle', () => {
    const memory = createMemory(options);
    CONTENTS['an image of the memory']?.(memory);
    const { handle } = memory;
    const bytes = memory.bytes.length;
    for (const reservedBytes of [
      undefined,
      null,
      -4096,
      1,
      4097,
      'x',
      Number.NaN,
      bytes,
      bytes - 4096,
      2 ** 40,
    ])
      assert.throws(() => attachMemory({ ...handle, reservedBytes } as typeof handle), {
        code: 'BAD_HANDLE',
        message: /does not say where the memory begins/,
      });
    // The image says that it lies behind a reservation, so it does not lie here.
    assert.throws(() => attachMemory({ ...handle, reservedBytes: 0 }), /contradicts/);
    assert.throws(() => attachMemory({ ...handle, reservedBytes: 4096 }), /not a memory of mbuma/);
    assert.deepEqual(memory.audit().violations, []);
  });

  it('is judged by the audit, and has a name', () => {
    const memory = createMemory(options);
    const { machine } = attachmentOf(memory);
    const name = createNamer(machine, memory.words);
    const word = machine.layout.superblock + Superblock.modulePages;
    assert.equal(name(word), 'superblock.modulePages');
    assert.equal(name(100), 'reserved[100]');
    memory.words[word] = 4;
    assert.deepEqual(memory.audit().violations, [
      { rule: 'A1', message: 'the superblock says that modulePages is 4, it is 5' },
    ]);
  });
});
