/** Who may take which page when few are left: free pages, class, and how a request waits. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Addr, type Memory, USE_INTERRUPT_RESERVE, USE_RESERVE, type Zone } from './index.js';
import { CRITICAL, fill, make, PAGE, pagesOf, pause } from './low-memory.test-kit.js';

describe('classes under real exhaustion', () => {
  const pages = { interruptFreeMin: 3, freeReserved: 10, freeMin: 20, freeTarget: 40 };

  it('leave what is another’s, whatever the depth', () => {
    const memory = make({ pages });
    const zone = pagesOf(memory);
    const normal = fill(zone);
    assert.equal(memory.stats().pages.free, 10);
    assert.equal(memory.stats().pages.isLow, true);
    const take = (flags: number): number => {
      let count = 0;
      for (let item = zone.tryAlloc(flags); item !== 0; item = zone.tryAlloc(flags)) {
        normal.push(item);
        count++;
      }
      return count;
    };
    assert.equal(take(USE_RESERVE), 7);
    assert.equal(memory.stats().pages.free, 3);
    assert.equal(take(USE_INTERRUPT_RESERVE), 3);
    assert.equal(take(CRITICAL), 0);
    assert.equal(memory.stats().pages.free, 0);
    assert.equal(memory.stats().pages.reserveTaken, 10);
    for (const item of normal) zone.free(item);
    memory.drain();
    assert.equal(memory.stats().pages.isLow, false);
    assert.deepEqual(memory.audit().violations, []);
  });

  for (const options of [{ noBucket: true }, {}]) {
    it(`are not held up by a line of those who may take less: ${JSON.stringify(options)}`, async () => {
      const memory = make({ pages: { freeReserved: 100, freeMin: 100, freeTarget: 100 } });
      const zone = memory.zone({ name: 'pages', size: PAGE, ...options });
      const type = memory.mallocType({ name: 'runs' });
      const items = fill(zone);
      fill(pagesOf(memory, 'rest'));
      const controller = new AbortController();
      const waiting = zone.allocAsync(0, { signal: controller.signal }).catch(() => 0);
      const run = type.allocAsync(80_000, 0, { signal: controller.signal }).catch(() => 0);
      await pause(5);
      for (const flags of [USE_RESERVE, USE_INTERRUPT_RESERVE, CRITICAL]) {
        const item = zone.alloc(flags, 0);
        const block = type.alloc(80_000, flags, 0);
        zone.free(item);
        type.free(block);
      }
      controller.abort();
      await Promise.all([waiting, run]);
      for (const item of items) zone.free(item);
      assert.deepEqual(memory.audit().violations, []);
    });
  }

  it('are those of malloc, of blocks and of runs', () => {
    const memory = make({ pages });
    const type = memory.mallocType({ name: 'temp' });
    const blocks: Addr[] = [];
    const take = (size: number, flags: number): number => {
      let count = 0;
      for (let block = type.tryAlloc(size, flags); block !== 0; block = type.tryAlloc(size, flags)) {
        blocks.push(block);
        count++;
      }
      return count;
    };
    take(100_000, 0);
    take(65536, 0);
    take(4096, 0);
    assert.ok(memory.stats().pages.free >= 10);
    assert.ok(take(4096, USE_RESERVE) > 0);
    assert.ok(memory.stats().pages.free >= 3);
    assert.ok(take(4096, USE_INTERRUPT_RESERVE) > 0);
    for (const block of blocks) type.free(block);
    assert.deepEqual(memory.audit().violations, []);
  });

  it('give what a hook needs on the way to the call that it is for', () => {
    const memory = make({ pages });
    const inner = pagesOf(memory, 'inner');
    const held = new Map<Addr, Addr>();
    const outer = memory.zone({
      name: 'outer',
      size: 64,
      ctor(item) {
        const own = inner.tryAlloc();
        if (own === 0) return 1;
        held.set(item, own);
        return 0;
      },
      dtor(item) {
        inner.free(held.get(item) as Addr);
      },
    });
    outer.free(outer.alloc());
    const rest = fill(inner);
    assert.equal(outer.tryAlloc(), 0, 'its constructor finds nothing above the reserve');
    const item = outer.tryAlloc(USE_RESERVE);
    assert.notEqual(item, 0);
    assert.equal(inner.tryAlloc(), 0, 'and the call after it is of class normal');
    outer.free(item);
    for (const each of rest) inner.free(each);
    assert.deepEqual(memory.audit().violations, []);
  });
});

describe('who may take what: free pages, pages of the cache queue, class, and how it waits', () => {
  const pages = { interruptFreeMin: 3, freeReserved: 10, freeMin: 10, freeTarget: 10, cacheMin: 0 };
  const RUN = 18;
  const classes = [
    { name: 'normal', flags: 0, leaves: 10 },
    { name: 'system', flags: USE_RESERVE, leaves: 3 },
    { name: 'interrupt', flags: USE_INTERRUPT_RESERVE, leaves: 0 },
  ];
  const waits = {
    nowait: async (zone: Zone, flags: number) => zone.tryAlloc(flags) || null,
    blocking: async (zone: Zone, flags: number) => zone.alloc(flags, 0),
    awaiting: (zone: Zone, flags: number) => zone.allocAsync(flags, { signal: AbortSignal.timeout(15) }),
  };

  /** A memory with so many free pages, and a run in the cache queue or none; all else is in use. */
  function prepare(free: number, cached: number): { memory: Memory; zone: Zone } {
    const memory = make({ pages });
    const zone = pagesOf(memory);
    const type = memory.mallocType({ name: 'runs' });
    const runs = cached === 0 ? [] : [type.alloc(RUN * PAGE)];
    // What caches and kegs could give back is not what is looked at here.
    for (let pass = 0; pass < 2; pass++) {
      while (memory.stats().pages.free > free) zone.alloc(USE_INTERRUPT_RESERVE);
      memory.drain();
    }
    for (const run of runs) type.setAside(run, 'cache');
    assert.deepEqual([memory.stats().pages.free, memory.stats().pages.cache], [free, cached]);
    return { memory, zone };
  }

  for (const free of [11, 10, 4, 3, 1, 0]) {
    for (const cached of [0, RUN]) {
      for (const { name, flags, leaves } of classes) {
        for (const [how, call] of Object.entries(waits)) {
          it(`${free} free, ${cached} cached, ${name}, ${how}`, async () => {
            const { memory, zone } = prepare(free, cached);
            const item = await call(zone, flags).catch(() => null);
            const mayTake = free + cached - 1 >= leaves;
            assert.equal(item !== null, mayTake);
            const { discarded } = memory.stats().pages;
            assert.equal(discarded, mayTake && free - 1 < 10 ? cached : 0, 'the reserve fills up first');
            if (item !== null) zone.free(item);
            assert.deepEqual(memory.audit().violations, []);
          });
        }
      }
    }
  }
});
