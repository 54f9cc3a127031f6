/** What a keg keeps free: reserve, low and high marks, preallocation; and how much a zone may cache. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { CANFAIL, USE_INTERRUPT_RESERVE, USE_RESERVE } from './index.js';
import { takeAll } from './pair.test-kit.js';
import { assertClean, assertEmpty, codeOf, joinParty, makeParty, takeAllPages } from './uma.test-kit.js';

describe('the reserve', () => {
  it('only USE_RESERVE may take it, single calls too, and the caches do not hold it', () => {
    const party = makeParty();
    const { uma } = party;
    const zone = uma.zone({ name: 'zone', size: 1024, reserve: 10 });
    // With a bucket, whose page another thread's bucket keeps from becoming a slab.
    const theirs = joinParty(party.machine.handle).uma.zone({ name: 'theirs', size: 64 });
    for (const each of [zone, theirs]) each.free(each.tryAlloc());
    zone.preallocate(64);
    const giveBack = takeAllPages(party);
    const items = takeAll(zone, zone.stats().free - 10);
    assert.deepEqual([zone.stats().cached, zone.stats().free], [0, 10]);
    items.push(zone.tryAlloc(USE_RESERVE) as Addr);
    assert.deepEqual([zone.stats().cached, zone.stats().free], [0, 9], 'the bucket is not filled from it');
    assert.equal(zone.tryAlloc(), 0, 'what is left is the reserve');
    assert.equal(
      codeOf(() => zone.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    assert.equal(zone.stats().free, 9);
    assert.equal(zone.tryAllocMany(new Int32Array(5), 5), 0);
    for (let index = 0; index < 9; index++) {
      const item = zone.tryAlloc(USE_RESERVE);
      assert.notEqual(item, 0, `item ${index} of the reserve`);
      items.push(item as Addr);
      assert.equal(zone.stats().free, 8 - index);
      assert.equal(zone.tryAlloc(), 0, 'and the rest is the reserve still');
    }
    assert.equal(zone.tryAlloc(USE_RESERVE), 0);
    giveBack();
    const usual = zone.tryAlloc();
    assert.notEqual(usual, 0, 'with pages again the usual call gets a new slab');
    for (const item of [...items, usual]) zone.free(item);
    zone.drain();
    assert.equal(zone.stats().free, 12, 'a drain leaves the slabs that the reserve stands in');
    zone.reserve = 0;
    zone.drain();
    assert.equal(zone.stats().pages, 0);
    assertClean(party);
  });

  it('is for calls that may wait, too: they find it before they wait', async () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 1024, reserve: 3, noBucket: true });
    assert.equal(zone.preallocate(4), 4);
    const giveBack = takeAllPages(party);
    const items = takeAll(zone, 1);
    assert.equal(
      codeOf(() => zone.alloc(0, 0)),
      'TIMED_OUT',
      'no call is preferred for being ready to wait',
    );
    items.push(zone.alloc(USE_RESERVE, 0), await zone.allocAsync(USE_RESERVE));
    items.push(zone.alloc(USE_INTERRUPT_RESERVE, 0));
    assert.equal(
      codeOf(() => zone.alloc(USE_RESERVE, 0)),
      'TIMED_OUT',
    );
    giveBack();
    for (const item of items) zone.free(item);
    assertClean(party);
  });

  it('is not made ahead, and may be changed while the zone is in use', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 1024 });
    const items = takeAll(zone, 4);
    const { pages } = zone.stats();
    zone.reserve = 3;
    assert.equal(zone.reserve, 3);
    const large = party.uma.zone({ name: 'large', size: 4096, reserve: 5 });
    large.reserve = 6;
    assert.deepEqual([zone.stats().pages, large.stats().pages], [pages, 0], 'nothing is made for it');
    assert.equal(joinParty(party.machine.handle).uma.zone({ name: 'zone', size: 1024 }).reserve, 3);
    for (const wrong of [-1, 1.5, Number.NaN, '3', undefined])
      assert.equal(
        codeOf(() => Object.assign(zone, { reserve: wrong })),
        'BAD_ARGUMENT',
      );
    zone.max = 4;
    for (const [mark, items] of [
      ['reserve', 4],
      ['max', 3],
    ] as const)
      assert.equal(
        codeOf(() => Object.assign(zone, { [mark]: items })),
        'BAD_ARGUMENT',
      );
    assert.deepEqual([zone.reserve, zone.max], [3, 4]);
    for (const item of items) zone.free(item);
  });
});

describe('the low mark', () => {
  it('has slabs made ahead, and no drain goes below it', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 1024, lowWater: 20, noBucket: true });
    assert.ok(zone.stats().free >= 20, 'from the start');
    const items: Addr[] = [];
    for (let index = 0; index < 50; index++) {
      items.push(zone.tryAlloc() as Addr);
      assert.ok(zone.stats().free >= 20, `after ${index + 1} items`);
    }
    for (const item of items) zone.free(item);
    zone.drain();
    assert.equal(zone.stats().free, 20);
    zone.lowWater = 0;
    zone.drain();
    assert.equal(zone.stats().free, 0);
    assertClean(party);
  });

  it('that cannot be kept for lack of pages is counted, and fails nobody', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 1024, noBucket: true });
    const giveBack = takeAllPages(party);
    zone.lowWater = 8;
    assert.ok(zone.stats().lowMisses >= 1);
    giveBack();
    const item = zone.tryAlloc() as Addr;
    assert.notEqual(item, 0);
    assert.ok(zone.stats().free >= 8);
    zone.free(item);
  });
});

describe('the high mark', () => {
  // The census of the three lists of pool(9): 4 items a slab, three slabs, the second freed first.
  it('an empty slab goes back at once when enough is free without it', () => {
    const party = makeParty();
    const { uma, pages } = party;
    const free = pages.freePages();
    const zone = uma.zone({ name: 'zone', size: 1024, noBucket: true, highWater: 4 });
    const items = takeAll(zone, 12).sort((one, other) => one - other);
    assert.equal(new Set(items.map((item) => item >>> 12)).size, 3);
    const [first, second, third] = [items.slice(0, 4), items.slice(4, 8), items.slice(8)];
    for (const item of second) zone.free(item);
    assert.equal(zone.stats().pages, 3, 'up to the mark a slab stays');
    for (const item of first) zone.free(item);
    assert.equal(zone.stats().pages, 2, 'the second empty one goes with its last item');
    zone.highWater = 0;
    for (const item of third) zone.free(item);
    assert.equal(zone.stats().pages, 2, 'without the mark they stay');
    assertEmpty(party, free);
  });

  it('an error of `fini` meanwhile is none of the one who frees', () => {
    const party = makeParty();
    const fini = (): never => {
      throw new Error('fini');
    };
    const zone = party.uma.zone({ name: 'zone', size: 4096, noBucket: true, highWater: 1, fini });
    for (const item of takeAll(zone, 3)) zone.free(item);
    assert.equal(zone.stats().pages, 1);
    assert.throws(() => zone.drain(), /fini/);
    assert.equal(zone.stats().pages, 0, 'and a drain tells it when all is done');
    assertClean(party);
  });
});

describe('preallocate', () => {
  it('then so many allocations need no pages; what cannot be had is told by the count', () => {
    const party = makeParty({ pageCount: 128 });
    const free = party.pages.freePages();
    const zone = party.uma.zone({ name: 'zone', size: 2048 });
    assert.equal(zone.preallocate(9), 10, 'whole slabs');
    assert.equal(zone.preallocate(5), 10, 'as many as there are already');
    const giveBack = takeAllPages(party);
    for (const item of takeAll(zone, 10)) zone.free(item);
    giveBack();
    assert.ok(zone.preallocate(10_000) < 10_000);
    assert.equal(
      codeOf(() => zone.preallocate(-1)),
      'BAD_ARGUMENT',
    );
    assertEmpty(party, free);
  });
});

describe('the last pages', () => {
  it('fill a part of a bucket: what has been found is kept, and not given back', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 2048 });
    zone.free(zone.tryAlloc());
    const { cached } = zone.stats();
    assert.ok(cached > 4);
    zone.preallocate(4);
    const giveBack = takeAllPages(party);
    const items = takeAll(zone, cached);
    assert.equal(zone.stats().cached, 0);
    const { free } = zone.stats();
    assert.ok(free > 1 && free < cached, `${free} are less than a bucket`);
    items.push(...takeAll(zone, 1));
    assert.equal(zone.stats().cached, free - 1);
    items.push(...takeAll(zone, free - 1));
    giveBack();
    for (const item of items) zone.free(item);
    assertClean(party);
  });
});

describe('maxCached', () => {
  for (const bound of [0, 1, 7, 8, 64, 200]) {
    it(`${bound}: never more in all buckets together, by two threads`, () => {
      const party = makeParty({ maxThreads: 2, pageCount: 512 });
      const options = { name: 'zone', size: 256, maxCached: bound };
      const other = joinParty(party.machine.handle);
      const zones = [party.uma.zone(options), other.uma.zone(options)];
      let most = 0;
      for (let round = 0; round < 12; round++) {
        const zone = zones[round % 2] as (typeof zones)[0];
        for (const item of takeAll(zone, 40 * (round + 1))) {
          zone.free(item);
          most = Math.max(most, zone.stats().cached);
        }
      }
      if (bound === 0) assert.ok(most > 200, 'without a bound there are more');
      else assert.ok(most <= bound, `${most} were cached`);
      if (bound >= 64) assert.ok(most > 0, 'and not nothing');
      assertClean(party);
    });
  }

  it('lowered at run time, what is beyond goes back', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 256 });
    for (const item of takeAll(zone, 200)) zone.free(item);
    assert.ok(zone.stats().cached >= 100);
    zone.maxCached = 20;
    assert.ok(zone.stats().cached <= 20, `${zone.stats().cached}`);
    assert.equal(zone.maxCached, 20);
    assertClean(party);
  });
});

describe('the limit, met', () => {
  it('warns with the zone’s name, once in its time, unless warnings are off', () => {
    const party = makeParty();
    const { uma, settings } = party;
    const told: string[] = [];
    uma.alarms.onWarning((message) => told.push(message));
    const zone = uma.zone({ name: 'zone', size: 64, max: 1, warning: 'too many' });
    const quiet = uma.zone({ name: 'quiet', size: 64, max: 1 });
    const items = [zone.tryAlloc() as Addr, quiet.tryAlloc() as Addr];
    assert.equal(quiet.tryAlloc(), 0);
    for (let index = 0; index < 5; index++) assert.equal(zone.tryAlloc(), 0);
    assert.deepEqual(told, ['[zone: zone] too many']);
    settings.write('warningSeconds', 0);
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(told.length, 2);
    settings.write('zoneWarnings', 0);
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(told.length, 2);
    zone.free(items[0] as Addr);
    quiet.free(items[1] as Addr);
    assertClean(party);
  });

  it('warns when the call goes on to wait, too', async () => {
    const party = makeParty();
    const told: string[] = [];
    party.uma.alarms.onWarning((message) => told.push(message));
    const options = { size: 64, max: 1, warning: 'full' };
    const [one, two] = [
      party.uma.zone({ name: 'one', ...options }),
      party.uma.zone({ name: 'two', ...options }),
    ];
    const items = [one.tryAlloc() as Addr, two.tryAlloc() as Addr];
    assert.deepEqual(told, []);
    assert.equal(
      codeOf(() => one.alloc(0, 0)),
      'TIMED_OUT',
    );
    assert.deepEqual(told, ['[zone: one] full']);
    const wait = two.allocAsync();
    assert.deepEqual(told, ['[zone: one] full', '[zone: two] full']);
    two.free(items[1] as Addr);
    two.free(await wait);
    one.free(items[0] as Addr);
    assertClean(party);
  });

  it('maxAction runs soon after, without a lock, once at a time, and may free', async () => {
    const party = makeParty();
    const held: Addr[] = [];
    let runs = 0;
    const zone = party.uma.zone({
      name: 'zone',
      size: 64,
      max: 4,
      maxAction() {
        runs++;
        assert.equal(party.locks.holdsAny(), false);
        for (const item of held.splice(0, 2)) zone.free(item);
      },
    });
    held.push(...takeAll(zone, 4));
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(runs, 0, 'not in the middle of the call');
    await Promise.resolve();
    assert.equal(runs, 1, 'once for both');
    held.push(zone.tryAlloc() as Addr, zone.tryAlloc() as Addr);
    assert.ok(!held.includes(0 as Addr));
    assert.equal(zone.tryAlloc(), 0);
    await Promise.resolve();
    assert.equal(runs, 2);
    for (const item of held) zone.free(item);
  });
});
