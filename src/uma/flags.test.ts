/** What each flag of a zone does, which contradict each other, and what a second thread must agree with. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TRASH_WORD } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { ZERO, type ZoneOptions } from './index.js';
import { takeAll } from './pair.test-kit.js';
import {
  assertClean,
  assertEmpty,
  cachedHere,
  codeOf,
  errorOf,
  joinParty,
  makeParty,
} from './uma.test-kit.js';

describe('flags that contradict each other', () => {
  const pairs: [Partial<ZoneOptions>, RegExp][] = [
    [{ maxBucket: true, noBucket: true }, /maxBucket and noBucket contradict/],
    [{ maxBucket: true, frugal: true }, /maxBucket and frugal contradict/],
    [{ noTouch: true, zeroFresh: true }, /noTouch and zeroFresh contradict/],
    [{ noTouch: true, zero: true }, /noTouch and zero contradict/],
    [{ cacheSpread: true, contiguous: true }, /cacheSpread and contiguous contradict/],
    [{ cacheSpread: true, perThread: true }, /cacheSpread and perThread contradict/],
    [{ perThread: true, referenceCounted: true }, /perThread and referenceCounted contradict/],
    [{ noBucket: true, maxCached: 5 }, /maxCached bounds what is cached/],
    [{ highWater: 5, lowWater: 6 }, /highWater 5 lies below/],
    [{ highWater: 5, reserve: 6 }, /highWater 5 lies below/],
    [{ max: 10, reserve: 10 }, /reserve 10 leaves nothing of a limit of 10/],
  ];
  for (const [options, message] of pairs) {
    it(Object.keys(options).join(' and '), () => {
      const party = makeParty();
      const free = party.pages.freePages();
      const error = errorOf(() => party.uma.zone({ name: 'zone', size: 64, ...options }));
      assert.equal(error.code, 'BAD_ARGUMENT');
      assert.match(error.message, message);
      assert.deepEqual(party.uma.zoneNames(), []);
      assertEmpty(party, free);
    });
  }

  it('are told all at once', () => {
    const { uma } = makeParty();
    const error = errorOf(() =>
      uma.zone({ name: 'zone', size: 64, maxBucket: true, noBucket: true, noTouch: true, zero: true }),
    );
    assert.equal(error.code, 'BAD_CONFIGURATION');
    assert.match(error.message, /maxBucket and noBucket.*; noTouch and zero/);
  });

  it('of the keg are for the primary zone to say', () => {
    const { uma } = makeParty();
    const primary = uma.zone({ name: 'primary', size: 64, noFree: true });
    assert.match(
      errorOf(() => uma.zone({ name: 'other', primary, contiguous: true, reserve: 3 })).message,
      /contiguous: that is for the primary zone to say; reserve: that is for the primary/,
    );
    const secondary = uma.zone({ name: 'second', primary, noFree: true, noTrim: true });
    assert.deepEqual([...secondary.flags].sort(), ['noFree', 'noTrim']);
    assert.deepEqual(primary.flags, ['noFree']);
  });
});

describe('frugal', () => {
  const cachedAtMost = (options: Partial<ZoneOptions>): number[] => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 64, ...options });
    return [1, 9, 90].map((count) => {
      let most = 0;
      for (let live = zone.stats().used; live < count; live++) {
        zone.alloc();
        most = Math.max(most, cachedHere(party, zone));
      }
      return most;
    });
  };

  it('caches none beside the first items, and of many a quarter', () => {
    const [first, few, many] = cachedAtMost({ frugal: true }) as [number, number, number];
    assert.deepEqual([first, few], [0, 1]);
    assert.ok(many > 12 && many <= 23, `${many}`);
    assert.ok((cachedAtMost({})[0] as number) > 23, 'others fill what they have room for');
  });
});

describe('a second thread', () => {
  it('need not name the flags, and is refused when it names others', () => {
    const party = makeParty();
    party.uma.zone({ name: 'zone', size: 64, noTrim: true, contiguous: true });
    const other = joinParty(party.machine.handle);
    const name = 'zone';
    const refused = (options: Partial<ZoneOptions>): string =>
      errorOf(() => other.uma.zone({ name, size: 64, ...options })).message;
    assert.match(refused({ noTrim: false }), /noTrim is true/);
    assert.match(refused({ contiguous: true, noFree: true }), /noFree is false/);
    const backend = other.uma.backend({ name: 'bounded', max: 4 });
    assert.match(refused({ backend }), /its backend is another/);
    assert.deepEqual([...other.uma.zone({ name, size: 64 }).flags].sort(), ['contiguous', 'noTrim']);
  });
});

describe('a flag', () => {
  it('noBucket: nothing is cached, limits and bulk calls work', () => {
    const party = makeParty();
    const free = party.pages.freePages();
    const zone = party.uma.zone({ name: 'zone', size: 64, noBucket: true, max: 10 });
    const items = takeAll(zone, 10);
    assert.equal(zone.tryAlloc(), 0, 'the limit is exact');
    for (const item of items.splice(5)) zone.free(item);
    assert.equal(cachedHere(party, zone), 0);
    assert.equal(zone.stats().cached, 0);
    const out = new Int32Array(8);
    assert.equal(zone.tryAllocMany(out, 8), 5);
    zone.freeMany(out, 5);
    assert.equal(
      codeOf(() => zone.free(out[0] as Addr)),
      'FREE_TWICE',
    );
    for (const item of items) zone.free(item);
    assert.equal(zone.stats().cached, 0);
    assertEmpty(party, free);
  });

  it('zero: every item comes zeroed, in single and bulk calls', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 100, zero: true });
    const isZero = (item: number): boolean =>
      party.words.subarray(item >>> 2, (item + 100) >>> 2).every((word) => word === 0);
    for (let round = 0; round < 50; round++) {
      const item = zone.tryAlloc() as Addr;
      assert.ok(isZero(item), `round ${round}`);
      party.words.fill(-1, item >>> 2, (item + 100) >>> 2);
      zone.free(item);
    }
    const out = new Int32Array(20);
    assert.equal(zone.tryAllocMany(out, 20), 20);
    assert.ok(out.every(isZero));
  });

  it('noTouch: what a user has left is there for the next, at every level, and ZERO is refused', () => {
    const party = makeParty({ checkLevel: 2 });
    const zone = party.uma.zone({ name: 'zone', size: 64, noTouch: true });
    const usual = party.uma.zone({ name: 'usual', size: 64 });
    for (const [each, word] of [
      [zone, 77],
      [usual, TRASH_WORD],
    ] as const) {
      const item = each.tryAlloc() as Addr;
      party.words[item >>> 2] = 77;
      each.free(item);
      assert.equal(party.words[item >>> 2], word, each.name);
    }
    assert.equal(
      codeOf(() => zone.tryAlloc(ZERO)),
      'BAD_ARGUMENT',
    );
    const item = zone.tryAlloc() as Addr;
    assert.equal(party.words[item >>> 2], 77);
    zone.free(item);
    assertClean(party);
  });

  it('noFree: no drain and no shortage gives its pages back', () => {
    const party = makeParty();
    const { uma, pages } = party;
    const zone = uma.zone({ name: 'zone', size: 1024, noFree: true });
    for (const item of takeAll(zone, 40)) zone.free(item);
    const held = zone.stats().pages;
    assert.ok(held >= 10);
    zone.drain();
    uma.reclaimer.reclaim('drain');
    assert.equal(zone.stats().pages, held);
    assert.equal(zone.stats().free, held * 4);
    const other = uma.zone({ name: 'other', size: 4096, max: 10_000 });
    const items: Addr[] = [];
    for (let item = other.tryAlloc(); item !== 0; item = other.tryAlloc()) items.push(item);
    assert.equal(pages.freePages(), 0);
    assert.equal(zone.stats().pages, held, 'nor does a shortage');
    for (const item of items) other.free(item);
    assertClean(party);
  });

  it('noTrim and unmanaged: who passes them by, and who does not', () => {
    const party = makeParty();
    const { uma } = party;
    const options = { size: 1024 };
    const zones = {
      usual: uma.zone({ name: 'usual', ...options }),
      noTrim: uma.zone({ name: 'noTrim', ...options, noTrim: true }),
      unmanaged: uma.zone({ name: 'unmanaged', ...options, unmanaged: true }),
    };
    const pagesOf = (): number[] => Object.values(zones).map((zone) => zone.stats().pages);
    const cachedOf = (): boolean[] => Object.values(zones).map((zone) => zone.stats().cached > 0);
    for (const zone of Object.values(zones)) {
      for (const item of takeAll(zone, 64)) zone.free(item);
      // From the thread's cache to the zone: trimming is for what the zone caches.
      uma.reclaimer.answerAttention();
    }
    const before = pagesOf();
    uma.reclaimer.reclaim('trim');
    const trimmed = pagesOf();
    assert.ok((trimmed[0] as number) < (before[0] as number));
    assert.deepEqual(trimmed.slice(1), before.slice(1));
    uma.reclaimer.reclaim('drain');
    assert.deepEqual(cachedOf(), [false, false, true]);
    zones.unmanaged.drain();
    assert.deepEqual(cachedOf(), [false, false, false]);
    assert.deepEqual(pagesOf(), [0, 0, 0]);
  });

  it('perThread: a copy for each slot, apart from each other, zeroed together', () => {
    const party = makeParty({ maxThreads: 5 });
    const zone = party.uma.zone({ name: 'counters', size: 8, perThread: true });
    assert.equal(zone.size, 8);
    const [one, two] = takeAll(zone, 2) as [Addr, Addr];
    const lines = new Set<number>();
    for (const item of [one, two]) {
      for (let thread = 1; thread <= 5; thread++) {
        const copy = zone.copyOf(item, thread);
        assert.equal(copy % 16, 0);
        lines.add(copy >>> 6);
        party.words[copy >>> 2] = thread;
      }
    }
    assert.equal(lines.size, 10, 'a cache line each');
    assert.equal(zone.copyOf(one), zone.copyOf(one, party.threads.slot));
    for (const thread of [0, 6, 1.5])
      assert.equal(
        codeOf(() => zone.copyOf(one, thread)),
        'BAD_ARGUMENT',
      );
    zone.free(two);
    assert.equal(
      codeOf(() => zone.copyOf(two)),
      'FREE_TWICE',
    );
    const zeroed = zone.tryAlloc(ZERO) as Addr;
    for (let thread = 1; thread <= 5; thread++)
      assert.equal(party.words[zone.copyOf(zeroed, thread) >>> 2], 0);
    const plain = party.uma.zone({ name: 'plain', size: 8 });
    assert.equal(
      codeOf(() => plain.copyOf(plain.tryAlloc() as Addr)),
      'BAD_ARGUMENT',
    );
    plain.drain();
    for (const item of [one, zeroed]) zone.free(item);
  });
});
