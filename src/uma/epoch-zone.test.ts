import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Addr, attachMemory, type Memory, type Zone, type ZoneOptions } from '../index.js';
import { assertEmpty, makeMemory, openZone, reused, take } from './epochs.test-kit.js';
import { assertClean, codeOf } from './uma.test-kit.js';

describe('an epoch zone', () => {
  it('does not reuse what a reader may see, and does when that has left', () => {
    const memory = makeMemory();
    const reader = attachMemory(memory.handle);
    const zone = openZone(memory);
    const items = take(zone, 600);
    reader.enter();
    for (const item of items) zone.free(item);
    assert.equal(zone.stats().deferred, 600);
    assert.equal(zone.stats().used, 0);
    assert.equal(
      codeOf(() => memory.synchronize(30)),
      'TIMED_OUT',
    );
    assert.equal(reused(zone, items, 600), 0);
    reader.leave();
    assertClean(memory);
    memory.synchronize(5000);
    assert.ok(reused(zone, items, 600) > 300);
    assertClean(memory);
  });

  it('does not reuse what a reader may see that came after the free, but before the tag', () => {
    const memory = makeMemory();
    const reader = attachMemory(memory.handle);
    const zone = openZone(memory, { max: 4 });
    const [item] = take(zone, 1) as [Addr];
    zone.free(item);
    reader.enter();
    assert.equal(
      codeOf(() => memory.synchronize(30)),
      'TIMED_OUT',
    );
    reader.leave();
    memory.synchronize(5000);
    assert.equal(reused(zone, [item], 4), 1);
  });

  it('keeps contents until then; trash and `dtor` come after, and before the next use', () => {
    const memory = makeMemory({ checkLevel: 2 });
    const reader = attachMemory(memory.handle);
    const destructed: number[] = [];
    const zone = openZone(memory, {
      dtor: (item) => {
        assert.equal(memory.words[item >>> 2], 77, 'nothing has touched it');
        destructed.push(item);
      },
    });
    const items = take(zone, 300);
    for (const item of items) memory.words[item >>> 2] = 77;
    reader.enter();
    for (const item of items) zone.free(item);
    zone.drain();
    assert.equal(
      codeOf(() => memory.synchronize(30)),
      'TIMED_OUT',
    );
    zone.drain();
    assert.deepEqual(destructed, []);
    assert.ok(items.every((item) => memory.words[item >>> 2] === 77));
    reader.leave();
    memory.synchronize(5000);
    zone.drain();
    assert.deepEqual(new Set(destructed), new Set<number>(items));
    assert.equal(destructed.length, items.length);
    for (const item of take(zone, 300)) zone.free(item);
    assertClean(memory);
  });

  it('tells what a `dtor` threw, and has lost nothing', () => {
    const memory = makeMemory();
    let calls = 0;
    const zone = openZone(memory, {
      dtor: () => {
        if (++calls === 3) throw new Error('not this one');
      },
    });
    const pages = memory.stats().pages.free;
    for (const item of take(zone, 10)) zone.free(item);
    memory.synchronize(5000);
    assert.throws(() => zone.drain(), /not this one/);
    assert.equal(calls, 10);
    assertEmpty(memory, pages);
  });

  it('lets a `dtor` allocate from its own zone', () => {
    const memory = makeMemory();
    const got: Addr[] = [];
    const zone: Zone = openZone(memory, {
      dtor: () => {
        if (got.length < 2000) got.push(zone.tryAlloc() as Addr);
      },
    });
    const items = take(zone, 600);
    for (const item of items) zone.free(item);
    memory.synchronize(5000);
    zone.drain();
    assert.equal(got.length, 600);
    assert.equal(new Set(got).size, 600);
    assertClean(memory);
  });

  it('constructs, zeroes and counts as any zone', () => {
    const memory = makeMemory();
    const zone = openZone(memory, {
      ctor: (item) => memory.words.fill(9, item >>> 2, (item >>> 2) + 2) && 0,
    });
    const item = zone.tryAlloc(1) as Addr;
    assert.deepEqual([...memory.words.subarray(item >>> 2, (item >>> 2) + 4)], [9, 9, 0, 0]);
    zone.free(item);
    assert.equal(zone.stats().requests, 1);
    assertClean(memory);
  });

  it('takes and gives many at once', () => {
    const memory = makeMemory();
    const zone = openZone(memory);
    const items = new Int32Array(1000);
    assert.equal(zone.tryAllocMany(items, 1000), 1000);
    assert.equal(new Set(items).size, 1000);
    zone.freeMany(items, 1000);
    assert.equal(zone.stats().deferred, 1000);
    assert.equal(
      codeOf(() => zone.freeMany(items, 1)),
      'FREE_TWICE',
    );
    assert.equal(
      codeOf(() => zone.freeMany(items, -1)),
      'BAD_ARGUMENT',
    );
    assert.equal(
      codeOf(() => zone.freeMany([1] as never, 1)),
      'BAD_ARGUMENT',
    );
    assertClean(memory);
  });

  it('gives every page back', () => {
    const memory = makeMemory();
    const other = attachMemory(memory.handle);
    const zone = openZone(memory, { size: 700 });
    const others = openZone(other, { size: 700 });
    const pages = memory.stats().pages.free;
    for (let round = 0; round < 3; round++) {
      const items = [...take(zone, 200), ...take(others, 200)];
      for (const [at, item] of items.entries()) (at % 3 === 0 ? zone : others).free(item);
      memory.synchronize(5000);
    }
    other.detach();
    assertEmpty(memory, pages);
  });
});

describe('an epoch zone with a limit', () => {
  it('counts what waits as out, and never waits itself in `tryAlloc`', () => {
    const memory = makeMemory();
    const reader = attachMemory(memory.handle);
    const zone = openZone(memory, { max: 8 });
    const items = take(zone, 8);
    reader.enter();
    for (const item of items) zone.free(item);
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(
      codeOf(() => zone.alloc(0, 40)),
      'TIMED_OUT',
    );
    assert.equal(zone.sleepers, 0);
    reader.leave();
    const first = zone.alloc(0, 5000);
    assert.ok(items.includes(first));
    zone.free(first);
    assertClean(memory);
  });

  it('serves who waits without blocking, first come, first served', async () => {
    const memory = makeMemory();
    const reader = attachMemory(memory.handle);
    const zone = openZone(memory, { max: 2 });
    const items = take(zone, 2);
    const order: number[] = [];
    const calls = [0, 1, 2].map(async (call) => {
      const item = await zone.allocAsync();
      order.push(call);
      zone.free(item);
    });
    reader.enter();
    for (const item of items) zone.free(item);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(order, []);
    reader.leave();
    await Promise.all(calls);
    assert.deepEqual(order, [0, 1, 2]);
    assertClean(memory);
  });

  it('gives back what is beyond a limit that has been lowered', () => {
    const memory = makeMemory();
    const zone = openZone(memory, { max: 400 });
    const items = take(zone, 400);
    zone.max = 10;
    for (const item of items) zone.free(item);
    memory.synchronize(5000);
    assert.notEqual(zone.tryAlloc(), 0);
    const { used, cached, deferred } = zone.stats();
    assert.ok(used + cached + deferred <= 10, `${used} ${cached} ${deferred}`);
    assertClean(memory);
  });
});

describe('an epoch zone refuses', () => {
  const freeTwice = (zone: Zone, item: Addr): void => {
    zone.free(item);
    zone.free(item);
  };
  const cases: [string, (memory: Memory, zone: Zone, item: Addr) => void, string][] = [
    ['an item that waits', (_memory, zone, item) => freeTwice(zone, item), 'FREE_TWICE'],
    ['an item of another', (memory, zone) => zone.free(takeOne(memory, 'other')), 'FREE_WRONG_ZONE'],
    ['its item, given to another', (memory, _zone, item) => other(memory).free(item), 'FREE_WRONG_ZONE'],
    ['the inside of an item', (_memory, zone, item) => zone.free((item + 16) as Addr), 'FREE_UNALIGNED'],
    ['what lies in no slab', (_memory, zone) => zone.free(4096 as Addr), 'FREE_FOREIGN'],
    ['what is no address', (_memory, zone) => zone.free(1.5 as Addr), 'BAD_ARGUMENT'],
  ];
  const other = (memory: Memory): Zone => memory.zone({ name: 'other', size: 64 });
  const takeOne = (memory: Memory, name: string): Addr => memory.zone({ name, size: 64 }).alloc();
  for (const [what, misuse, code] of cases) {
    it(what, () => {
      const memory = makeMemory();
      const zone = openZone(memory);
      const item = zone.alloc();
      assert.equal(
        codeOf(() => misuse(memory, zone, item)),
        code,
      );
      assertClean(memory);
    });
  }

  it('options that contradict it', () => {
    const memory = makeMemory();
    const plain = other(memory);
    const zone = openZone(memory);
    assert.equal(
      codeOf(() => memory.zone({ name: 's', primary: plain, epoch: true })),
      'BAD_ARGUMENT',
    );
    assert.equal(
      codeOf(() => memory.zone({ name: 's', primary: zone })),
      'BAD_ARGUMENT',
    );
    assert.equal(
      codeOf(() => memory.zone({ name: 's', primary: zone, epoch: true })),
      'BAD_CONFIGURATION',
    );
    assert.equal(
      codeOf(() => memory.zone({ name: 's', size: 64, epoch: 1 as never })),
      'BAD_ARGUMENT',
    );
    const second = attachMemory(memory.handle);
    assert.equal(
      codeOf(() => second.zone({ name: 'e', size: 64, epoch: false })),
      'LAYOUT_MISMATCH',
    );
    assert.equal(
      codeOf(() => second.zone({ name: 'other', size: 64, epoch: true })),
      'LAYOUT_MISMATCH',
    );
  });
});

describe('an epoch zone without buckets', () => {
  function park(options: Partial<ZoneOptions> = {}): {
    memory: Memory;
    zone: Zone;
    items: Addr[];
    pages: number;
  } {
    const memory = makeMemory({ checkLevel: 2 });
    const zone = openZone(memory, { size: 16, ...options });
    const pages = memory.stats().pages.free;
    memory.failpoints.arm('uma.bucket', { from: 1 });
    const items = take(zone, 40);
    for (const item of items) zone.free(item);
    return { memory, zone, items, pages };
  }

  it('parks what is freed, and reuses it when nobody reads', () => {
    const { memory, zone, items, pages } = park();
    assertClean(memory);
    assert.equal(
      codeOf(() => zone.free(items[3] as Addr)),
      'FREE_TWICE',
    );
    memory.synchronize(5000);
    assert.ok(reused(zone, items, 41) === 40);
    for (const item of items) zone.free(item);
    memory.failpoints.disarm();
    assertClean(memory);
    memory.synchronize(5000);
    memory.drain();
    assert.equal(zone.stats().used, 1);
    assert.ok(memory.stats().pages.free < pages);
  });

  it('does not reuse what is parked while somebody reads', () => {
    const memory = makeMemory();
    const reader = attachMemory(memory.handle);
    const zone = openZone(memory);
    memory.failpoints.arm('uma.bucket', { from: 1 });
    const items = take(zone, 20);
    reader.enter();
    for (const item of items) zone.free(item);
    assert.equal(
      codeOf(() => memory.synchronize(20)),
      'TIMED_OUT',
    );
    assert.equal(reused(zone, items, 100), 0);
    reader.leave();
    assertClean(memory);
  });

  it('destructs what is parked, once', () => {
    let calls = 0;
    const { memory, zone, pages } = park({ dtor: () => void calls++ });
    memory.synchronize(5000);
    zone.drain();
    assert.equal(calls, 40);
    assertEmpty(memory, pages);
  });
});

describe('after a death', () => {
  it('what the dead one had freed, and had cached, is used again when nobody reads', () => {
    const memory = makeMemory();
    const reader = attachMemory(memory.handle);
    const victim = attachMemory(memory.handle);
    const zone = openZone(memory);
    const pages = memory.stats().pages.free;
    const theirs = openZone(victim);
    const items = take(theirs, 100);
    reader.enter();
    for (const item of items) theirs.free(item);
    memory.declareDead(victim.name);
    memory.reap();
    assert.equal(zone.stats().deferred, 100);
    assert.equal(
      codeOf(() => memory.synchronize(20)),
      'TIMED_OUT',
    );
    assert.equal(reused(zone, items, 300), 0);
    reader.leave();
    assertClean(memory);
    memory.synchronize(5000);
    zone.drain();
    assert.equal(zone.stats().deferred, 0);
    assert.ok(memory.stats().pages.free < pages);
    assertClean(memory);
  });

  for (const opened of [true, false]) {
    it(`what the dead one owned waits for readers, ${opened ? '' : 'not '}opened here`, () => {
      const memory = makeMemory();
      const reader = attachMemory(memory.handle);
      const victim = attachMemory(memory.handle);
      const options: Partial<ZoneOptions> = { onOwnerDeath: 'free' };
      const theirs = openZone(victim, options);
      const zone = opened ? openZone(memory, options) : null;
      const items = take(theirs, 50);
      reader.enter();
      memory.declareDead(victim.name);
      assert.equal(memory.reap()[0]?.items[0]?.freed, 50);
      const here = zone ?? openZone(memory, options);
      assert.equal(
        codeOf(() => memory.synchronize(20)),
        'TIMED_OUT',
      );
      assert.equal(reused(here, items, 200), 0);
      reader.leave();
      assertClean(memory);
    });
  }
});
