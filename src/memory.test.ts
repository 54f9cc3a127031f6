/** The memory as a whole: making it, attaching to it, leaving it, looking into it, and its misuse. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { MbumaError } from './check/index.js';
import { Site, SiteTable } from './machine/index.js';
import { attachMemory, attachmentOf, createMemory } from './memory.js';
import type { Memory } from './memory-api.js';
import type { MemoryOptions } from './memory-options.js';
import { MutexRecord } from './mutex/index.js';
import { type Addr, layoutOf } from './record/index.js';
import { hostileValues } from './uma/hostile.test-kit.js';
import { assertClean, codeOf, codeOfPromise } from './uma/uma.test-kit.js';

const MIB = 1 << 20;

function make(options: Partial<MemoryOptions> = {}): Memory {
  return createMemory({ bytes: MIB, maxThreads: 4, maxZones: 16, ...options });
}

describe('making a memory', () => {
  it('gives views of the size asked for, rounded up to 64 KiB', () => {
    for (const [bytes, expected] of [
      [MIB, MIB],
      [MIB + 1, MIB + 65536],
      [3 * MIB - 1, 3 * MIB],
    ] as const) {
      const memory = make({ bytes });
      assert.equal(memory.bytes.length, expected);
      assert.equal(memory.words.length, expected / 4);
      assert.equal(memory.words.buffer, memory.bytes.buffer);
      assert.equal(memory.stats().bytes, expected);
      assertClean(memory);
    }
  });

  it('works with and without WebAssembly, at every check level, for 1 to 254 threads', () => {
    for (const wasm of [true, false]) {
      for (const checkLevel of [0, 1, 2, 3] as const) {
        for (const maxThreads of [1, 32, 254]) {
          const memory = createMemory({ bytes: 16 * MIB, maxThreads, wasm, checkLevel });
          const zone = memory.zone({ name: 'zone', size: 100 });
          const items = Array.from({ length: 100 }, () => zone.tryAlloc());
          assert.ok(items.every((item) => item !== 0));
          for (const item of items) zone.free(item as Addr);
          assertClean(memory);
          assert.equal((memory.handle.wasm !== null) === wasm, true);
        }
      }
    }
  });

  it('the smallest: 1 MiB for one thread still holds items', () => {
    const memory = createMemory({ bytes: MIB, maxThreads: 1, maxZones: 16 });
    const free = memory.stats().pages.free;
    const zone = memory.zone({ name: 'zone', size: 64 });
    const items: number[] = [];
    for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
    assert.ok(items.length * 64 > 0.85 * free * 4096, `${items.length} items in ${free} pages`);
    assert.equal(
      codeOf(() => attachMemory(memory.handle)),
      'TOO_MANY_THREADS',
    );
    assertClean(memory);
    for (const item of items) zone.free(item as Addr);
    memory.drain();
    assert.equal(memory.stats().pages.free, free);
  });

  it('is refused with every reason at once', () => {
    assert.throws(
      () => createMemory({ bytes: 5, maxThreads: 0, maxZones: 3, checkLevel: 9 as 0, wasm: 1 as never }),
      (error) => {
        assert.ok(error instanceof MbumaError && error.code === 'BAD_CONFIGURATION');
        for (const word of ['bytes', 'maxThreads', 'maxZones', 'checkLevel', 'wasm'])
          assert.match(error.message, new RegExp(word));
        return true;
      },
    );
    assert.equal(
      codeOf(() => createMemory({ bytes: MIB, maxThreads: 254, maxZones: 1024 })),
      'BAD_ARGUMENT',
    );
    for (const bytes of [0, MIB - 1, 2 ** 31 + 1])
      assert.equal(
        codeOf(() => make({ bytes })),
        'BAD_ARGUMENT',
      );
  });

  it('hostile options: a memory, or a coded error', () => {
    for (const [name, value] of hostileValues) {
      if (name === '2^31 - 1' || name === '2^31') continue; // A memory of 2 GiB: too much for a test.
      for (const option of ['bytes', 'maxThreads', 'maxZones', 'checkLevel', 'wasm', 'mbufs']) {
        const code = codeOf(() => assertClean(make({ [option]: value })));
        assert.ok(
          ['nothing thrown', 'BAD_ARGUMENT', 'BAD_CONFIGURATION'].includes(code),
          `${option}: ${code}`,
        );
      }
      if (name !== 'a revoked proxy')
        assert.match(
          codeOf(() => createMemory(value as never)),
          /^BAD_(ARGUMENT|CONFIGURATION)$/,
          name,
        );
    }
  });
});

describe('attaching', () => {
  it('in the same thread: another slot, the same zones, the same items', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    assert.notEqual(other.thread, memory.thread);
    const zone = memory.zone({ name: 'zone', size: 64 });
    const item = zone.tryAlloc();
    memory.words[item >>> 2] = 77;
    assert.equal(other.words[item >>> 2], 77);
    other.zone({ name: 'zone', size: 64 }).free(item);
    assert.equal(zone.stats().used, 0);
    assert.equal(memory.stats().threads, 2);
    other.detach();
    assert.equal(memory.stats().threads, 1);
    assertClean(memory);
  });

  it('through postMessage and workerData: the handle survives being cloned', async () => {
    for (const wasm of [true, false]) {
      const memory = make({ wasm });
      const zone = memory.zone({ name: 'zone', size: 64, max: 5 });
      const script = `
        const { parentPort, workerData } = require('node:worker_threads');
        import(workerData.module).then(({ attachMemory }) => {
          const memory = attachMemory(workerData.handle);
          parentPort.once('message', (handle) => {
            const again = attachMemory(handle);
            const item = again.zone({ name: 'zone', size: 64 }).tryAlloc();
            again.words[item >>> 2] = again.thread * 100 + memory.thread;
            memory.detach();
            again.detach();
            parentPort.postMessage(item);
          });
          parentPort.postMessage('ready');
        });`;
      const worker = new Worker(script, {
        eval: true,
        workerData: { handle: memory.handle, module: new URL('./memory.js', import.meta.url).href },
      });
      const next = (): Promise<unknown> =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      assert.equal(await next(), 'ready');
      worker.postMessage(memory.handle);
      const item = (await next()) as Addr;
      await worker.terminate();
      assert.equal(memory.words[item >>> 2], 302);
      zone.free(item);
      assertClean(memory);
    }
  });

  it('with something that is no handle: BAD_HANDLE', () => {
    for (const [name, value] of hostileValues) {
      // What reading a property throws is the caller's own.
      if (name === 'a revoked proxy' || name === 'false Int32Array') continue;
      assert.equal(
        codeOf(() => attachMemory(value as never)),
        'BAD_HANDLE',
        name,
      );
    }
    const { handle } = make();
    const buffer = new SharedArrayBuffer(MIB);
    for (const bad of [
      { ...handle, kind: 'other' },
      { ...handle, wasm: null, buffer: null },
      { ...handle, wasm: null, buffer },
      { ...handle, wasm: null, buffer: new ArrayBuffer(MIB) },
      { kind: 'mbuma-memory' },
    ]) {
      assert.equal(
        codeOf(() => attachMemory(bad as never)),
        'BAD_HANDLE',
      );
    }
  });

  it('again and again uses no more slots than there are threads', () => {
    const memory = make({ maxThreads: 2 });
    const zone = memory.zone({ name: 'zone', size: 64 });
    for (let round = 0; round < 300; round++) {
      const other = attachMemory(memory.handle);
      const theirs = other.zone({ name: 'zone', size: 64 });
      theirs.free(theirs.tryAlloc());
      assert.equal(
        codeOf(() => attachMemory(memory.handle)),
        'TOO_MANY_THREADS',
      );
      other.detach();
    }
    assert.equal(zone.stats().requests, 300, 'counts outlive the threads');
    assert.equal(zone.stats().used, 0);
    memory.drain();
    assertClean(memory);
  });
});

describe('detaching', () => {
  it('leaves what the thread holds allocated, and its caches to the others', () => {
    const memory = make();
    const zone = memory.zone({ name: 'zone', size: 64, max: 40 });
    const other = attachMemory(memory.handle);
    const theirs = other.zone({ name: 'zone', size: 64 });
    const item = theirs.tryAlloc();
    theirs.free(theirs.tryAlloc());
    other.detach();
    assert.equal(zone.stats().used, 1);
    const items = Array.from({ length: 39 }, () => zone.tryAlloc());
    assert.ok(
      items.every((each) => each !== 0),
      'nothing is stranded',
    );
    assert.equal(zone.tryAlloc(), 0);
    zone.free(item);
    for (const each of items) zone.free(each as Addr);
    assertClean(memory);
  });

  it('ends what the thread waits for with DETACHED', async () => {
    const memory = make();
    const zone = memory.zone({ name: 'zone', size: 64, max: 1 });
    const item = zone.alloc();
    const other = attachMemory(memory.handle);
    const theirs = other.zone({ name: 'zone', size: 64 });
    const wait = codeOfPromise(() => theirs.allocAsync());
    assert.equal(zone.sleepers, 1);
    other.detach();
    assert.equal(await wait, 'DETACHED');
    assert.equal(zone.sleepers, 0);
    zone.free(item);
    zone.free(zone.alloc(0, 0));
    assertClean(memory);
  });

  it('closes every door of the memory', () => {
    const memory = make();
    const { poll, drain, audit, stats, detach } = memory;
    memory.detach();
    for (const call of [poll, drain, audit, stats, detach])
      assert.equal(
        codeOf(() => call()),
        'DETACHED',
      );
    assert.equal(
      codeOf(() => memory.zone({ name: 'zone', size: 64 })),
      'DETACHED',
    );
    assert.equal(
      codeOf(() => memory.mutex('m')),
      'DETACHED',
    );
    assert.equal(
      codeOf(() => memory.mbufs),
      'DETACHED',
    );
    assert.equal(
      codeOf(() => memory.ring({ name: 'ring', capacity: 8 })),
      'DETACHED',
    );
  });
});

describe('looking into a memory', () => {
  it('stats add up', () => {
    const memory = make({ bytes: 4 * MIB });
    const sizes = [16, 100, 2048, 9216];
    const zones = sizes.map((size) => memory.zone({ name: `of ${size}`, size, max: 500 }));
    const held = zones.flatMap((zone) => Array.from({ length: 20 }, () => [zone, zone.tryAlloc()] as const));
    const { zones: told, pages } = memory.stats();
    assert.deepEqual(
      told.map(({ name }) => name),
      sizes.map((size) => `of ${size}`),
    );
    for (const [index, each] of told.entries()) {
      assert.deepEqual([each.size, each.limit, each.used, each.requests], [sizes[index], 500, 20, 20]);
      assert.ok(each.free >= each.cached && each.pages > 0);
    }
    const inZones = told.reduce((sum, each) => sum + each.pages, 0);
    assert.ok(
      pages.free + inZones <= pages.pages && pages.pages - pages.free - inZones <= 6,
      'headers, buckets',
    );
    for (const [zone, item] of held) zone.free(item as Addr);
    memory.drain();
    assert.equal(memory.stats().pages.free, pages.pages);
  });

  it('every thread is told of every zone', () => {
    const memory = make();
    memory.zone({ name: 'one', size: 64 });
    const other = attachMemory(memory.handle);
    other.zone({ name: 'two', size: 64 });
    for (const each of [memory, other])
      assert.deepEqual(
        each.stats().zones.map(({ name }) => name),
        ['one', 'two'],
      );
  });

  it('the audit names rule and place', () => {
    const memory = make();
    const zone = memory.zone({ name: 'zone', size: 64 });
    const item = zone.tryAlloc();
    assert.deepEqual(memory.audit(), { clean: true, violations: [] });
    // The header of its slab: address of the first item, then the first page.
    const page = item >>> 12;
    const { words } = memory;
    const slab = words.findIndex((word, at) => word === page << 12 && words[at + 1] === page) - 4;
    assert.ok(slab > 0);
    memory.words[slab] = (memory.words[slab] as number) + 1;
    const { clean, violations } = memory.audit();
    assert.equal(clean, false);
    assert.ok(violations.some(({ rule, message }) => rule === 'U1' && message.includes('zone')));
    memory.words[slab] = (memory.words[slab] as number) - 1;
    assertClean(memory);
  });

  it('the audit looks at call sites and mutexes', () => {
    const memory = make({ checkLevel: 1 });
    memory.mutex('m').lock().unlock();
    const { machine } = attachmentOf(memory);
    const spoil = (word: number, rule: string): void => {
      const before = memory.words[word] as number;
      memory.words[word] = before ^ 0x100;
      assert.ok(memory.audit().violations.some((each) => each.rule === rule));
      memory.words[word] = before;
      assertClean(memory);
    };
    spoil(machine.area('sites') + layoutOf(SiteTable).words + Site.text, 'A5');
    spoil(machine.area('mutexes') + MutexRecord.class, 'X1');
  });

  it('drain gives back what hooks pass on from zone to zone', () => {
    const memory = make({ bytes: 2 * MIB });
    const free = memory.stats().pages.free;
    const { words } = memory;
    // Made in the order that makes it hardest: each is drained before the one that gives to it.
    const last = memory.zone({ name: 'last', size: 2048 });
    const stacked = (name: string, below: typeof last): typeof last =>
      memory.zone({
        name,
        primary: memory.zone({ name: `under ${name}`, size: 64 }),
        init: (item) => {
          words[item >>> 2] = below.tryAlloc();
        },
        fini: (item) => below.free(words[item >>> 2] as Addr),
      });
    const top = stacked('top', stacked('middle', last));
    const items = Array.from({ length: 30 }, () => top.tryAlloc() as Addr);
    for (const item of items) top.free(item);
    memory.drain();
    assert.equal(memory.stats().pages.free, free);
    assertClean(memory);
  });

  it('fill and copy do, in both forms', () => {
    for (const wasm of [true, false]) {
      const memory = make({ wasm });
      const item = memory.zone({ name: 'zone', size: 4096 }).tryAlloc();
      memory.fillBytes(item, 0xab, 100);
      memory.copyBytes(item + 50, item, 100);
      assert.ok(memory.bytes.subarray(item, item + 150).every((byte) => byte === 0xab));
      assert.notEqual(memory.bytes[item + 150], 0xab);
    }
  });

  it('failpoints of one thread are its own', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    memory.failpoints.arm('phys.run', { from: 1 });
    const zone = memory.zone({ name: 'zone', size: 4096 });
    assert.equal(zone.tryAlloc(), 0);
    assert.notEqual(other.zone({ name: 'zone', size: 4096 }).tryAlloc(), 0);
    memory.failpoints.disarm();
    assert.notEqual(zone.tryAlloc(), 0);
  });
});
