/** The limit of a zone: exact, first come first served, one wake for each free. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { CANFAIL, type Zone } from './index.js';
import {
  assertClean,
  assertEmpty,
  cachedHere,
  codeOf,
  codeOfPromise,
  joinParty,
  makeParty,
  takeAllPages,
  turn,
  until,
} from './uma.test-kit.js';

function takeAll(zone: Zone): Addr[] {
  const items: Addr[] = [];
  for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
  return items;
}

function figures(zone: Zone): number[] {
  const { used, requests, failures, sleeps } = zone.stats();
  return [used, requests, failures, sleeps];
}

describe('the limit in one thread', () => {
  for (const size of [16, 256, 2048, 9216]) {
    it(`is exact for every limit from 1 to 300, items of ${size} bytes`, () => {
      const party = makeParty({ pageCount: 4096 });
      const free = party.pages.freePages();
      const zone = party.uma.zone({ name: 'zone', size, max: 1 });
      for (let limit = 1; limit <= 300; limit++) {
        zone.max = limit;
        const items = takeAll(zone);
        assert.equal(items.length, limit);
        assert.equal(new Set(items).size, limit);
        zone.free(items.pop() as Addr);
        items.push(...takeAll(zone));
        assert.equal(items.length, limit);
        const out = new Int32Array(limit + 10);
        assert.equal(zone.tryAllocMany(out, 10), 0);
        zone.freeMany(Int32Array.from(items), limit);
        assert.equal(zone.tryAllocMany(out, limit + 10), limit);
        zone.freeMany(out, limit);
      }
      assertEmpty(party, free);
    });
  }

  it('counts what succeeds and what fails', () => {
    const { uma } = makeParty();
    const zone = uma.zone({ name: 'zone', size: 64, max: 5 });
    const items = takeAll(zone);
    assert.deepEqual(figures(zone), [5, 5, 1, 0]);
    assert.equal(
      codeOf(() => zone.alloc(0, 0)),
      'TIMED_OUT',
    );
    assert.deepEqual(figures(zone), [5, 5, 2, 1]);
    const out = new Int32Array(3);
    assert.equal(zone.tryAllocMany(out, 3), 0);
    assert.deepEqual(figures(zone), [5, 5, 3, 1]);
    for (const item of items) zone.free(item);
    assert.equal(zone.tryAllocMany(out, 3), 3);
    assert.deepEqual(figures(zone), [3, 8, 3, 1]);
  });

  it('is kept when it is lowered below what is out: nothing until enough has come back', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 64, max: 100 });
    const items = takeAll(zone);
    zone.max = 8;
    for (let used = 100; used > 8; used--) {
      assert.equal(zone.tryAlloc(), 0, `with ${used} in use`);
      zone.free(items.pop() as Addr);
      assert.equal(zone.stats().used, used - 1);
    }
    assert.equal(zone.tryAlloc(), 0);
    zone.free(items.pop() as Addr);
    items.push(...takeAll(zone));
    assert.equal(items.length, 8);
    assertClean(party);
  });

  it('is kept when it is lowered below what is cached', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 64 });
    const held = Array.from({ length: 300 }, () => zone.tryAlloc() as Addr);
    for (const item of held) zone.free(item);
    zone.max = 7;
    assert.equal(takeAll(zone).length, 7);
    assertClean(party);
  });

  it('can be lifted by 0 and set again', () => {
    const party = makeParty({ pageCount: 64 });
    const zone = party.uma.zone({ name: 'zone', size: 1000, max: 3 });
    const items = takeAll(zone);
    zone.max = 0;
    items.push(...takeAll(zone));
    assert.ok(items.length > 20, `${items.length}`);
    zone.max = 5;
    while (items.length > 5) {
      assert.equal(zone.tryAlloc(), 0);
      zone.free(items.pop() as Addr);
    }
    assert.equal(zone.tryAlloc(), 0);
    zone.free(items.pop() as Addr);
    assert.notEqual(zone.tryAlloc(), 0);
    assertClean(party);
  });

  it('lets all threads together cache half of it at most, and nothing where that is too little', () => {
    for (const limit of [3, 7, 12, 40, 100, 1000]) {
      const a = makeParty({ pageCount: 1024 });
      const parties = [a, joinParty(a.machine.handle), joinParty(a.machine.handle)];
      const zones = parties.map(({ uma }) => uma.zone({ name: 'zone', size: 64, max: limit }));
      for (const _ of [1, 2, 3]) {
        for (const zone of zones) {
          const items = takeAll(zone);
          for (const item of items) zone.free(item);
        }
        const cached = parties.reduce((sum, party, at) => sum + cachedHere(party, zones[at] as Zone), 0);
        assert.ok(cached <= limit / 2, `${cached} of ${limit}`);
        if (limit < 12) assert.equal(zones[0]?.stats().cached, 0);
        if (limit >= 40) assert.ok(cached > 0, 'it is a cache still');
      }
      // So whatever the others keep, half of it can be had.
      assert.ok(takeAll(zones[0] as Zone).length >= limit / 2);
      assertClean(a);
    }
  });

  it('counts what is cached: who is refused finds as many out as the limit says', () => {
    const a = makeParty();
    const b = joinParty(a.machine.handle);
    const zone = a.uma.zone({ name: 'zone', size: 64, max: 40 });
    const theirs = b.uma.zone({ name: 'zone', size: 64 });
    for (const item of takeAll(theirs)) theirs.free(item);
    const items = takeAll(zone);
    const { used, cached } = zone.stats();
    assert.ok(cached > 0 && used === items.length);
    assert.equal(used + cached, 40);
    for (const item of items) zone.free(item);
    assertClean(a);
  });

  it('is looked at again after onExhausted: what that frees can be had, its answer alone gives nothing', () => {
    const party = makeParty();
    const held: Addr[] = [];
    let asked = 0;
    const zone = party.uma.zone({
      name: 'zone',
      size: 64,
      max: 2,
      onExhausted: () => {
        asked++;
        assert.equal(party.locks.holdsAny(), false);
        for (const item of held.splice(0)) zone.free(item);
        return true;
      },
    });
    const items = [zone.tryAlloc() as Addr];
    held.push(zone.tryAlloc() as Addr);
    items.push(zone.tryAlloc() as Addr);
    assert.equal(asked, 1);
    assert.ok(!items.includes(0 as Addr), 'the one that the hook has freed');
    assert.equal(zone.tryAlloc(), 0, 'it says that it has freed something, and has not');
    assert.equal(asked, 2, 'once a call');
    for (const item of items) zone.free(item);
    assertClean(party);
  });

  it('belongs to the zone that makes it: who attaches later does not set it', () => {
    const a = makeParty();
    const b = joinParty(a.machine.handle);
    const zone = a.uma.zone({ name: 'zone', size: 64, max: 5 });
    assert.equal(b.uma.zone({ name: 'zone', size: 64, max: 9 }).max, 5);
    zone.max = 6;
    assert.equal(b.uma.zone({ name: 'zone', size: 64 }).max, 6);
  });

  it('of a secondary zone is its own', () => {
    const { uma } = makeParty();
    const primary = uma.zone({ name: 'primary', size: 64, max: 10 });
    const secondary = uma.zone({ name: 'secondary', primary, max: 4 });
    assert.equal(takeAll(secondary).length, 4);
    assert.equal(takeAll(primary).length, 10);
  });
});

/** Callers from two threads in one line; `order` is the order in which they are served. */
function lineUp(zones: readonly Zone[], count: number): { order: number[]; calls: Promise<Addr>[] } {
  const order: number[] = [];
  const calls = Array.from({ length: count }, async (_, index) => {
    const item = await (zones[index % zones.length] as Zone).allocAsync();
    order.push(index);
    return item;
  });
  return { order, calls };
}

/** All items of a limit are out, some of them in this thread's cache, and another thread waits for one. */
function waitBesideCached(max: number, cached: number) {
  const party = makeParty();
  const other = joinParty(party.machine.handle);
  const zone = party.uma.zone({ name: 'zone', size: 64, max });
  const items = takeAll(zone);
  for (const item of items.splice(0, cached)) zone.free(item);
  assert.equal(cachedHere(party, zone), cached);
  const wait = other.uma.zone({ name: 'zone', size: 64 }).allocAsync();
  assert.equal(zone.sleepers, 1);
  return { party, zone, items, wait };
}

describe('the line of a zone', () => {
  it('is served in the order of arrival, one for each free, from several threads', async () => {
    const a = makeParty();
    const parties = [a, joinParty(a.machine.handle), joinParty(a.machine.handle)];
    const zones = parties.map(({ uma }) => uma.zone({ name: 'zone', size: 64, max: 3 }));
    const items = takeAll(zones[0] as Zone);
    const { order, calls } = lineUp(zones, 60);
    assert.equal(zones[0]?.sleepers, 60);
    for (let index = 0; index < 60; index++) {
      assert.equal(zones[0]?.tryAlloc(), 0, 'nobody barges');
      zones[index % 3]?.free(items.shift() as Addr);
      items.push(await (calls[index] as Promise<Addr>));
      await turn();
      assert.equal(zones[0]?.sleepers, 59 - index);
      assert.equal(order.length, index + 1, 'one wake for one free');
    }
    assert.deepEqual(
      order,
      Array.from({ length: 60 }, (_, index) => index),
    );
    for (const item of items) zones[0]?.free(item);
    for (const { uma } of parties) uma.reclaimer.reclaim('drain');
    assertClean(a);
  });

  it('gets what is freed at once, though the cache of who frees has room', async () => {
    const { party, zone, items, wait } = waitBesideCached(40, 2);
    const given = items.pop() as Addr;
    zone.free(given);
    assert.equal(zone.sleepers, 0);
    assert.equal(await wait, given);
    for (const item of [...items, given]) zone.free(item);
    assertClean(party);
  });

  it('is passed by nobody: what could be had meanwhile is for who came first', async () => {
    const a = makeParty();
    const b = joinParty(a.machine.handle);
    const options = { name: 'zone', size: 4096 };
    const zone = a.uma.zone(options);
    const theirs = b.uma.zone(options);
    const give = takeAllPages(a);
    const held = takeAll(zone);
    const wait = theirs.allocAsync();
    assert.equal(zone.sleepers, 1);
    give();
    assert.equal(zone.tryAlloc(), 0, 'there are pages, and somebody before it');
    assert.equal(zone.tryAllocMany(new Int32Array(3), 3), 0);
    held.push(await wait, zone.alloc(0, 0));
    for (const item of held) zone.free(item);
    assertClean(a);
  });

  it('moves by as many as the limit rises, and not when it falls', async () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 64, max: 2 });
    const items = takeAll(zone);
    const { order, calls } = lineUp([zone], 10);
    zone.max = 5;
    items.push(...(await Promise.all(calls.slice(0, 3))));
    await turn();
    assert.deepEqual([zone.sleepers, order.length], [7, 3]);
    zone.max = 3;
    for (const used of [4, 3]) {
      zone.free(items.shift() as Addr);
      await turn();
      assert.deepEqual([zone.sleepers, zone.stats().used], [7, used], 'a lowered limit wakes nobody');
    }
    zone.free(items.shift() as Addr);
    items.push(await (calls[3] as Promise<Addr>));
    assert.deepEqual([zone.sleepers, zone.stats().used], [6, 3]);
    zone.max = 0;
    items.push(...(await Promise.all(calls.slice(4))));
    assert.equal(zone.sleepers, 0);
    for (const item of items) zone.free(item);
    party.uma.reclaimer.reclaim('drain');
    assertClean(party);
  });

  it('gets nothing that is cached beyond a limit that was lowered', async () => {
    const { party, zone, items, wait } = waitBesideCached(32, 3);
    zone.max = 20;
    assert.deepEqual([zone.sleepers, zone.stats().used, zone.stats().cached], [1, 29, 0]);
    while (items.length > 20) zone.free(items.pop() as Addr);
    await turn();
    assert.equal(zone.sleepers, 1);
    zone.free(items.pop() as Addr);
    items.push(await wait);
    assert.equal(zone.stats().used, 20);
    for (const item of items) zone.free(item);
    assertClean(party);
  });

  it('gets what a secondary zone lets go of', async () => {
    const party = makeParty();
    const primary = party.uma.zone({ name: 'primary', size: 64 });
    const zone = party.uma.zone({ name: 'secondary', primary, max: 1 });
    const item = zone.tryAlloc() as Addr;
    const wait = zone.allocAsync();
    zone.forget(item);
    zone.free(await wait);
    primary.free(item);
    party.uma.reclaimer.reclaim('drain');
    assertClean(party);
  });

  it('gets what another thread has in its caches, when that one polls', async () => {
    const a = makeParty();
    const b = joinParty(a.machine.handle);
    const zone = a.uma.zone({ name: 'zone', size: 64, max: 40 });
    const theirs = b.uma.zone({ name: 'zone', size: 64 });
    for (const item of takeAll(theirs)) theirs.free(item);
    const cached = cachedHere(b, theirs);
    assert.ok(cached > 0 && cached <= 20, `half of the limit at most: ${cached}`);
    const items = takeAll(zone);
    assert.equal(items.length, 40 - cached);
    const waits = Array.from({ length: cached }, () => zone.allocAsync());
    await turn();
    assert.equal(zone.sleepers, cached);
    b.waiting.poll();
    items.push(...(await Promise.all(waits)));
    assert.equal(new Set(items).size, 40);
    for (const item of items) zone.free(item);
    assertClean(a);
  });

  it('gets what another thread had cached, when that one detaches', async () => {
    const a = makeParty();
    const b = joinParty(a.machine.handle);
    const zone = a.uma.zone({ name: 'zone', size: 64, max: 40 });
    const theirs = b.uma.zone({ name: 'zone', size: 64 });
    for (const item of takeAll(theirs)) theirs.free(item);
    const items = takeAll(zone);
    const wait = zone.allocAsync();
    b.uma.reclaimer.leave();
    b.threads.release();
    items.push(await wait);
    for (const item of items) zone.free(item);
    assertClean(a);
  });

  it('ends a blocking call in time, and not before', () => {
    const { uma } = makeParty();
    const zone = uma.zone({ name: 'zone', size: 64, max: 1 });
    zone.alloc();
    for (const timeout of [0, 1, 30, 150]) {
      const start = performance.now();
      assert.equal(
        codeOf(() => zone.alloc(0, timeout)),
        'TIMED_OUT',
      );
      const took = performance.now() - start;
      assert.ok(took >= timeout && took < timeout + 3000, `${timeout} ms took ${took}`);
    }
    assert.equal(zone.sleepers, 0);
  });
});

describe('no limit, and no pages', () => {
  it('CANFAIL ends at once what would sleep for pages, and only that', async () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 4096 });
    const bounded = party.uma.zone({ name: 'bounded', size: 64, max: 1 });
    const item = bounded.alloc();
    const give = takeAllPages(party);
    // The page of the keg of buckets is the last one.
    while (zone.tryAlloc() !== 0);
    assert.equal(
      codeOf(() => zone.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    assert.equal(await codeOfPromise(() => zone.allocAsync(CANFAIL)), 'OUT_OF_MEMORY');
    assert.equal(zone.tryAlloc(CANFAIL), 0);
    assert.equal(
      codeOf(() => bounded.alloc(CANFAIL, 5)),
      'TIMED_OUT',
    );
    assert.deepEqual([zone.sleepers, bounded.sleepers], [0, 0]);
    give();
    bounded.free(item);
    zone.free(zone.alloc(CANFAIL));
    assertClean(party);
  });

  it('a call waits, and is served when pages come back', async () => {
    const party = makeParty();
    const free = party.pages.freePages();
    const zone = party.uma.zone({ name: 'zone', size: 4096 });
    const give = takeAllPages(party);
    const waits = [zone.allocAsync(), zone.allocAsync(), zone.allocAsync()];
    await turn();
    assert.equal(zone.sleepers, 3);
    give();
    for (const item of await Promise.all(waits)) zone.free(item);
    assertEmpty(party, free);
  });

  it('a call is served from what the same thread has freed in another zone', async () => {
    const party = makeParty({ pageCount: 128 });
    const hoarder = party.uma.zone({ name: 'hoarder', size: 1024 });
    const zone = party.uma.zone({ name: 'zone', size: 4096 });
    const items = takeAll(hoarder);
    const others = takeAll(zone);
    // The first may still find a page: that of its own empty bucket.
    let wait = zone.allocAsync();
    await turn();
    if (zone.sleepers === 0) {
      others.push(await wait);
      wait = zone.allocAsync();
    }
    assert.equal(zone.sleepers, 1);
    for (const item of items) hoarder.free(item);
    for (const item of [...others, await wait]) zone.free(item);
    assertClean(party);
  });

  it('a call is served from what another thread has freed in a zone of its own, when that one polls', async () => {
    const a = makeParty({ pageCount: 128 });
    const b = joinParty(a.machine.handle);
    const hoarder = a.uma.zone({ name: 'hoarder', size: 1024 });
    const zone = b.uma.zone({ name: 'zone', size: 4096 });
    const items = takeAll(hoarder);
    const wait = zone.allocAsync();
    await turn();
    for (const item of items) hoarder.free(item);
    const polling = setInterval(() => a.waiting.poll(), 5);
    zone.free(await wait);
    clearInterval(polling);
    assertClean(a);
  });

  it('a zone takes back from the other zone of its keg', () => {
    const party = makeParty();
    // The bound leaves pages for buckets.
    const backend = party.uma.backend({ name: 'bound', max: 4 });
    const primary = party.uma.zone({ name: 'primary', size: 64, backend });
    const secondary = party.uma.zone({ name: 'secondary', primary, init: () => undefined });
    const items = takeAll(primary);
    assert.equal(secondary.tryAlloc(), 0);
    // One from each slab: the other zone caches them, no page comes free.
    const back = items.filter((_, index) => index % 64 === 0);
    for (const item of back) primary.free(item);
    assert.equal(primary.stats().cached, back.length);
    assert.ok(back.includes(secondary.tryAlloc() as Addr));
    assert.equal(primary.stats().cached, 0);
    assertClean(party);
  });

  it('a blocking call is served by a thread that polls', async () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 4096 });
    const give = takeAllPages(party);
    let polls = 0;
    party.waiting.onPoll(() => {
      if (++polls === 2) give();
    });
    zone.free(zone.alloc(0, 2000));
    assert.equal(polls, 2);
    await until(() => zone.sleepers === 0, 'the line is empty');
    assertClean(party);
  });
});
