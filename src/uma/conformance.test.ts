/**
 * What every zone does, whatever it is made of: the same cases over all kinds, at every check level. What a
 * kind does besides stands in its own test.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Addr,
  attachMemory,
  CANFAIL,
  type CheckLevel,
  createMemory,
  type Memory,
  type Zone,
  type ZoneOptions,
} from '../index.js';
import { codeOf, codeOfPromise, must } from './uma.test-kit.js';

const SIZE = 100;

const cells: Partial<ZoneOptions> = {
  import(words, n) {
    words.fill(7, 0, n);
    return n;
  },
  release() {},
};

/** Kinds of zones, by the options that make them. */
const kinds: Record<string, Partial<ZoneOptions>> = {
  plain: {},
  'off the page': { size: 3000 },
  'of whole pages': { size: 4096, align: 4096 },
  'with hooks': { ctor() {}, dtor() {}, init() {}, fini() {} },
  'with references': { referenceCounted: true },
  'with epochs': { epoch: true },
  guarded: { guard: true },
  'with redzones and sites': { redzone: true, sites: true },
  'without buckets': { noBucket: true },
  'of largest buckets': { maxBucket: true },
  'that is frugal': { frugal: true },
  'for each thread': { perThread: true },
  'never touched': { noTouch: true },
  contiguous: { contiguous: true },
  'spread over cache lines': { cacheSpread: true },
  'zeroed at each allocation': { zero: true },
  'zeroed when fresh': { zeroFresh: true },
  'with marks': { reserve: 1, lowWater: 8, highWater: 60 },
  'of cells': cells,
};

interface Scene {
  readonly memory: Memory;
  readonly zone: Zone;
  readonly options: ZoneOptions;
  /** Lets what was freed be used again: epoch zones wait for readers. */
  settle(): void;
}

function prepare(kind: string, checkLevel: CheckLevel, more: Partial<ZoneOptions> = {}): Scene {
  const memory = createMemory({ bytes: 3 << 20, maxThreads: 4, maxZones: 16, checkLevel });
  const options: ZoneOptions = { name: 'zone', size: SIZE, onOwnerDeath: 'free', ...kinds[kind], ...more };
  const zone = memory.zone(options);
  return {
    memory,
    zone,
    options,
    settle() {
      zone.drain();
      memory.synchronize(5000);
      zone.drain();
    },
  };
}

function fill(zone: Zone, count: number): Addr[] {
  return Array.from({ length: count }, () => must(zone.tryAlloc()));
}

function assertSound({ memory }: Scene, used: number): void {
  assert.deepEqual(memory.audit().violations, []);
  assert.equal(memory.stats().zones.find(({ name }) => name === 'zone')?.used, used);
}

type Case = (kind: string, checkLevel: CheckLevel) => void | Promise<void>;

const cases: Record<string, Case> = {
  'items are aligned, lie in the memory and do not overlap': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const { size, align = 16 } = scene.options as { size: number; align?: number };
    const items = fill(scene.zone, 120).sort((one, other) => one - other);
    for (const [index, item] of items.entries()) {
      assert.equal(item % align, 0);
      assert.ok(item > 0 && item + size <= scene.memory.bytes.length);
      if (index > 0) assert.ok(item - (items[index - 1] as number) >= size);
    }
    assertSound(scene, 120);
  },

  'an item keeps what is written into it until it is freed': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const { words } = scene.memory;
    const items = fill(scene.zone, 80);
    // The first word of a cell is what was imported.
    for (const item of items) words.fill(item, (item >>> 2) + 1, (item >>> 2) + SIZE / 4);
    for (const item of items.splice(0, 40)) scene.zone.free(item);
    items.push(...fill(scene.zone, 0));
    for (const item of items)
      for (let word = 1; word < SIZE / 4; word++) assert.equal(words[(item >>> 2) + word], item);
    for (const item of items) scene.zone.free(item);
    assertSound(scene, 0);
  },

  'a limit is exact, and can be moved': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel, { max: 7 });
    const { zone } = scene;
    const items = fill(zone, 7);
    assert.equal(zone.tryAlloc(), 0);
    zone.max = 9;
    items.push(...fill(zone, 2));
    assert.equal(zone.tryAlloc(), 0);
    zone.max = 4;
    for (const item of items.splice(0, 5)) zone.free(item);
    scene.settle();
    assert.equal(zone.tryAlloc(), 0);
    zone.free(items.pop() as Addr);
    scene.settle();
    items.push(must(zone.tryAlloc()));
    assert.equal(zone.tryAlloc(), 0);
    assertSound(scene, 4);
  },

  'the end of memory is 0, TIMED_OUT or OUT_OF_MEMORY, and never more': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const { zone } = scene;
    const items: Addr[] = [];
    for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
    // Who waits gives back what buckets take: there may be some more.
    const code = codeOf(() => {
      for (;;) items.push(zone.alloc(0, 1));
    });
    assert.equal(code, 'TIMED_OUT');
    assert.equal(
      codeOf(() => zone.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    assert.equal(zone.tryAllocMany(new Int32Array(4), 4), 0);
    assertSound(scene, items.length);
    zone.free(items.pop() as Addr);
    scene.settle();
    items.push(must(zone.tryAlloc()));
    for (const item of items) zone.free(item);
    scene.settle();
    assertSound(scene, 0);
  },

  'many at once are as many single ones': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const { zone, memory } = scene;
    const scratch = memory.zone({ name: 'scratch', size: 4096 }).tryAlloc() >>> 2;
    for (const array of [new Int32Array(90), memory.words.subarray(scratch, scratch + 90)]) {
      assert.equal(zone.tryAllocMany(array, 90), 90);
      assert.equal(new Set(array).size, 90);
      assertSound(scene, 90);
      zone.freeMany(array, 90);
      assertSound(scene, 0);
    }
  },

  'what is no item in use is refused by its code, and nothing changes': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const { zone, memory } = scene;
    const other = memory.zone({ name: 'other', size: 64 });
    const [item, freed] = fill(zone, 2) as [Addr, Addr];
    const theirs = must(other.tryAlloc());
    zone.free(freed);
    const bad: [unknown, string][] = [
      [freed, 'FREE_TWICE'],
      [theirs, 'FREE_WRONG_ZONE'],
      [item + 16, 'FREE_UNALIGNED'],
      [16, 'FREE_FOREIGN'],
      [memory.bytes.length + 4096, 'BAD_ARGUMENT'],
      [-16, 'BAD_ARGUMENT'],
      [0.5, 'BAD_ARGUMENT'],
      ['16', 'BAD_ARGUMENT'],
      [null, 'BAD_ARGUMENT'],
    ];
    for (const [address, code] of bad)
      assert.equal(
        codeOf(() => zone.free(address as Addr)),
        code,
        String(address),
      );
    zone.free(0);
    assertSound(scene, 1);
    zone.free(item);
  },

  'who waits is served by a free, and may give up': async (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel, { max: 2 });
    const { zone } = scene;
    const items = fill(zone, 2);
    const stop = new AbortController();
    const given = codeOfPromise(() => zone.allocAsync(0, { signal: stop.signal }).catch(() => 0 as Addr));
    const first = zone.allocAsync();
    stop.abort();
    await given;
    zone.free(items.pop() as Addr);
    const item = await first;
    assertSound(scene, 2);
    zone.free(item);
    zone.free(items.pop() as Addr);
    assertSound(scene, 0);
  },

  'any thread frees what another has taken': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const other = attachMemory(scene.memory.handle);
    const theirs = other.zone(scene.options);
    for (let round = 0; round < 3; round++) for (const item of fill(scene.zone, 60)) theirs.free(item);
    assertSound(scene, 0);
    other.detach();
    assertSound(scene, 0);
  },

  'what a dead thread had comes back': (kind, checkLevel) => {
    const scene = prepare(kind, checkLevel);
    const other = attachMemory(scene.memory.handle);
    const theirs = other.zone(scene.options);
    const items = fill(theirs, 50);
    for (const item of items.splice(0, 20)) theirs.free(item);
    scene.memory.declareDead(other.name);
    const [reaped] = scene.memory.reap();
    assert.deepEqual(reaped?.errors, []);
    assertSound(scene, 0);
  },

  'after everything is freed and drained, every page is back': (kind, checkLevel) => {
    const memory = createMemory({ bytes: 3 << 20, maxThreads: 4, maxZones: 16, checkLevel });
    const { free } = memory.stats().pages;
    const zone = memory.zone({ name: 'zone', size: SIZE, ...kinds[kind] });
    for (const item of fill(zone, 150)) zone.free(item);
    memory.drain();
    memory.synchronize(5000);
    zone.reserve = 0;
    zone.lowWater = 0;
    memory.drain();
    assert.equal(memory.stats().pages.free, free);
    zone.destroy();
    assert.deepEqual(memory.audit().violations, []);
  },
};

for (const kind of Object.keys(kinds)) {
  describe(`a zone ${kind}`, () => {
    for (const [what, run] of Object.entries(cases)) {
      it(what, async () => {
        for (const checkLevel of [0, 1, 2, 3] as const) await run(kind, checkLevel);
      });
    }
  });
}
