/** Closing and destroying zones: who may, what goes, what stays, and what a number is used for afterwards. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Addr, createMemory } from '../index.js';
import { type CountedZone, NO_MEMORY, type Zone, type ZoneOptions } from './index.js';
import { ZONE_WORDS } from './records.js';
import {
  assertClean,
  codeOf,
  codeOfPromise,
  errorOf,
  joinParty,
  makeParty,
  must,
  type Party,
  type PartyOptions,
} from './uma.test-kit.js';

function makeTwo(options: PartyOptions = {}): { one: Party; other: Party } {
  const one = makeParty(options);
  return { one, other: joinParty(one.machine.handle) };
}

/** Pages that are free when nothing is cached. */
function freePages({ uma, pages }: Party): number {
  uma.reclaimer.reclaim('drain');
  return pages.freePages();
}

/** Every kind of zone, by its options. */
const kinds: Record<string, Partial<ZoneOptions>> = {
  plain: {},
  'off-page': { size: 2000 },
  'with hooks': { ctor() {}, dtor() {}, init() {}, fini() {} },
  'with references': { referenceCounted: true },
  'with epochs': { epoch: true } as Partial<ZoneOptions>,
  guarded: { guard: true },
  'with redzones and sites': { redzone: true, sites: true },
  'without buckets': { noBucket: true },
  'for each thread': { perThread: true },
  'with marks': { reserve: 40, lowWater: 60, highWater: 500 },
  'of largest buckets': { maxBucket: true },
  'with a limit': { max: 100, maxCached: 50 },
};

function fill(zone: Zone, count: number): Addr[] {
  return Array.from({ length: count }, () => must(zone.tryAlloc()));
}

describe('a zone that is destroyed', () => {
  for (const [kind, options] of Object.entries(kinds)) {
    it(`${kind}: gives every page back, and leaves its name`, () => {
      const party = makeParty({ pageCount: 1024 });
      const before = freePages(party);
      const zone = party.uma.zone({ name: 'gone', size: 100, ...options });
      zone.preallocate(100);
      for (const item of fill(zone, 60)) zone.free(item);
      // Of an epoch zone, what was freed waits for readers: there are none.
      party.uma.putAwayFreed();
      const end = performance.now() + 5000;
      while (zone.stats().deferred > 0 && performance.now() < end) {
        party.epochs.advance();
        zone.drain();
      }
      zone.destroy();
      assert.equal(party.uma.findZone('gone'), undefined);
      assert.deepEqual(party.uma.zoneNames(), []);
      assert.equal(freePages(party), before);
      assertClean(party);
      const next = party.uma.zone({ name: 'gone', size: 48 });
      assert.equal(next.index, zone.index, 'the number is given anew');
      assert.equal(next.keg, zone.keg);
      assert.equal(next.stats().requests, 0);
      for (const item of fill(next, 300)) next.free(item);
      assertClean(party);
    });
  }

  it('runs fini over every item that init has seen, and over no other', () => {
    const party = makeParty();
    let alive = 0;
    const zone = party.uma.zone({
      name: 'counted',
      size: 64,
      init: () => void alive++,
      fini: () => void alive--,
    });
    for (const item of fill(zone, 200)) zone.free(item);
    assert.ok(alive >= 200);
    zone.destroy();
    assert.equal(alive, 0);
  });

  it('tells the error of fini when it is gone', () => {
    const party = makeParty();
    const before = freePages(party);
    const zone = party.uma.zone({
      name: 'bad fini',
      size: 64,
      fini() {
        throw new RangeError('fini');
      },
    });
    zone.free(zone.tryAlloc());
    assert.throws(() => zone.destroy(), /fini/);
    assert.deepEqual(party.uma.zoneNames(), []);
    assert.equal(freePages(party), before);
    assertClean(party);
  });

  it('is not destroyed while an item is in use, says whose it is, and works on', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'leaky', size: 64, sites: true, max: 10 });
    const [kept, ...others] = fill(zone, 3);
    for (const item of others) zone.free(item);
    const error = errorOf(() => zone.destroy());
    assert.equal(error.code, 'ZONE_NOT_EMPTY');
    assert.equal(error.message, 'zone leaky was not empty (1 item)');
    assert.equal(error.zone, 'leaky');
    assert.match(error.details ?? '', /^1 of thread 1 from .*zone-end\.test/);
    assertClean(party);
    zone.free(kept as Addr);
    assert.equal(fill(zone, 10).length, 10);
    assert.equal(zone.tryAlloc(), 0);
  });

  it('of an epoch zone says that items wait for readers', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'read', size: 64, epoch: true } as ZoneOptions);
    zone.free(zone.tryAlloc());
    const error = errorOf(() => zone.destroy());
    assert.equal(error.code, 'ZONE_NOT_EMPTY');
    assert.match(error.message, /1 of them freed and waiting for readers/);
    assertClean(party);
  });

  it('is refused while others have it open, and says who', () => {
    const { one, other } = makeTwo();
    const zone = one.uma.zone({ name: 'shared', size: 64 });
    const theirs = other.uma.zone({ name: 'shared', size: 64 });
    const item = must(theirs.tryAlloc());
    const error = errorOf(() => zone.destroy());
    assert.equal(error.code, 'ZONE_BUSY');
    assert.equal(error.owner, other.threads.slot);
    theirs.close();
    assert.equal(
      codeOf(() => zone.destroy()),
      'ZONE_NOT_EMPTY',
    );
    zone.free(item);
    zone.destroy();
    assertClean(one);
    assertClean(other);
  });

  it('is refused while a secondary zone stands on it, which can go by itself', () => {
    const party = makeParty();
    const primary = party.uma.zone({ name: 'primary', size: 64 });
    const secondary = party.uma.zone({ name: 'secondary', size: 64, primary });
    for (const item of fill(secondary, 50)) secondary.free(item);
    assert.equal(
      codeOf(() => primary.destroy()),
      'ZONE_BUSY',
    );
    secondary.destroy();
    assertClean(party);
    for (const item of fill(primary, 50)) primary.free(item);
    primary.destroy();
    assertClean(party);
  });

  it('is refused for noFree, for who waits, and with a call of this thread in line', async () => {
    const party = makeParty();
    const forever = party.uma.zone({ name: 'forever', size: 64, noFree: true });
    assert.equal(
      codeOf(() => forever.destroy()),
      'ZONE_BUSY',
    );
    const zone = party.uma.zone({ name: 'small', size: 64, max: 1 });
    const item = must(zone.tryAlloc());
    const stop = new AbortController();
    const waiting = codeOfPromise(() => zone.allocAsync(0, { signal: stop.signal }).catch(() => 0 as Addr));
    assert.equal(
      codeOf(() => zone.destroy()),
      'ZONE_BUSY',
    );
    assert.equal(
      codeOf(() => zone.close()),
      'ZONE_BUSY',
    );
    stop.abort();
    await waiting;
    zone.free(item);
    zone.destroy();
    assertClean(party);
  });

  it('gives back the buckets of its caches, those that are empty, too', () => {
    const { one, other } = makeTwo();
    const before = freePages(one);
    const zone = one.uma.zone({ name: 'gone', size: 100 });
    const items = [must(zone.tryAlloc())];
    while (zone.stats().cached > 0) items.push(must(zone.tryAlloc()));
    // They go back through another thread: the buckets of this one stay empty.
    const theirs = other.uma.zone({ name: 'gone', size: 100 });
    for (const item of items) theirs.free(item);
    theirs.close();
    zone.destroy();
    assert.equal(freePages(one), before);
    assertClean(one);
  });

  it('is opened by nobody meanwhile, and what is drained meanwhile is drained once', () => {
    const { one, other } = makeTwo();
    const before = freePages(one);
    const alive = new Set<number>();
    const codes = new Set<string>();
    let nested = false;
    const hooks = {
      init: (item: Addr): void => void alive.add(item),
      fini: (item: Addr): void => {
        assert.ok(alive.delete(item));
        codes.add(codeOf(() => other.uma.zone({ name: 'going', size: 1000, ...hooks })));
        // What is drained in a hook runs hooks: one level of that is enough.
        if (nested) return;
        nested = true;
        one.uma.reclaimer.tick(0);
        one.uma.reclaimer.reclaim('drain');
        other.uma.reclaimer.reclaim('threads');
        one.waiting.poll();
        nested = false;
      },
    };
    const zone = one.uma.zone({ name: 'going', size: 1000, ...hooks });
    for (const item of fill(zone, 60)) zone.free(item);
    zone.destroy();
    assert.deepEqual([...codes], ['ZONE_BUSY']);
    assert.equal(alive.size, 0);
    assert.equal(freePages(one), before);
    assertClean(one);
  });

  it('is out of the timer’s and every reclaim’s reach: its record stays empty', () => {
    const party = makeParty();
    const record = party.recordOf(party.uma.zone({ name: 'gone', size: 64 }));
    const zone = party.uma.zone({ name: 'gone', size: 64 });
    for (const item of fill(zone, 300)) zone.free(item);
    zone.destroy();
    for (let period = 0; period < 3; period++) party.uma.reclaimer.tick(0);
    for (const level of ['trim', 'drain', 'threads'] as const) party.uma.reclaimer.reclaim(level);
    assert.ok(party.words.subarray(record, record + ZONE_WORDS).every((word) => word === 0));
    assertClean(party);
  });

  it('in a hook, while everything is drained, is refused: its number could be another one’s at once', () => {
    for (const end of ['destroy', 'close'] as const) {
      const party = makeParty();
      const before = freePages(party);
      const others: Zone[] = [];
      const first = party.uma.zone({
        name: 'first',
        size: 4096,
        fini: () => {
          for (const other of others) other[end]();
        },
      });
      others.push(party.uma.zone({ name: 'second', size: 1000 }));
      for (const zone of [first, ...others]) for (const item of fill(zone, 20)) zone.free(item);
      assert.equal(
        codeOf(() => party.uma.reclaimer.reclaim('drain')),
        'ZONE_BUSY',
      );
      assert.deepEqual(party.uma.zoneNames(), ['first', 'second']);
      assert.equal(party.pages.freePages(), before, 'everything was drained all the same');
      assertClean(party);
    }
  });

  it('leaves holes that are filled, and numbers above them that go on', () => {
    const { one, other } = makeTwo({ maxZones: 16 });
    const open = (party: Party, name: string, size: number): Zone => party.uma.zone({ name, size });
    const zones = Array.from({ length: 16 }, (_, index) => open(one, `z${index}`, 64 + index * 16));
    const last = open(other, 'z15', 64 + 15 * 16);
    const kept = must(last.tryAlloc());
    assert.equal(
      codeOf(() => open(one, 'too many', 64)),
      'TOO_MANY_ZONES',
    );
    for (const zone of zones.slice(0, 15)) zone.destroy();
    assert.deepEqual(one.uma.zoneNames(), ['z15']);
    assert.equal(one.uma.stats().length, 1);
    assertClean(one);
    const fresh = Array.from({ length: 15 }, (_, index) => open(one, `n${index}`, 4096 - index * 256));
    for (const zone of fresh) for (const item of fill(zone, 5)) zone.free(item);
    // The other thread has known kegs of these numbers by another size.
    const seen = open(other, 'n3', 4096 - 3 * 256);
    const item = must(seen.tryAlloc());
    assert.equal(seen.size, 4096 - 3 * 256);
    seen.free(item);
    last.free(kept);
    assertClean(one);
    assertClean(other);
  });

  it('can be made and destroyed again for as long as one likes', () => {
    const party = makeParty();
    const before = freePages(party);
    for (let round = 0; round < 300; round++) {
      const zone = party.uma.zone({ name: `round ${round}`, size: 16 << (round % 9) });
      for (const item of fill(zone, 20)) zone.free(item);
      zone.destroy();
    }
    assert.equal(freePages(party), before);
    assertClean(party);
  });
});

describe('a zone that is closed', () => {
  it('refuses every call and accessor, and can be opened again', () => {
    for (const options of [{}, { referenceCounted: true }, { epoch: true }]) {
      const party = makeParty();
      const zone = party.uma.zone({ name: 'shut', size: 64, ...options } as ZoneOptions) as CountedZone;
      const item = must(zone.tryAlloc());
      zone.close();
      const calls: (() => unknown)[] = [
        () => zone.tryAlloc(),
        () => zone.alloc(),
        () => zone.allocAsync(),
        () => zone.free(item),
        () => zone.tryAllocMany(new Int32Array(1), 1),
        () => zone.freeMany(new Int32Array([item]), 1),
        () => zone.claim(item),
        () => zone.forget(item),
        () => zone.stats(),
        () => zone.trim(),
        () => zone.drain(),
        () => zone.preallocate(1),
        () => zone.max,
        () => {
          zone.max = 5;
        },
        () => zone.sleepers,
        () => zone.flags,
        () => zone.close(),
        () => zone.destroy(),
      ];
      for (const call of calls) assert.equal(codeOf(call), 'ZONE_CLOSED', String(call));
      assert.equal(zone.name, 'shut');
      assertClean(party);
      const again = party.uma.zone({ name: 'shut', size: 64, ...options } as ZoneOptions);
      assert.notEqual(again, zone);
      again.free(item);
      assertClean(party);
    }
  });

  it('gives what it cached to the other threads', () => {
    const { one, other } = makeTwo({ pageCount: 64 });
    const zone = one.uma.zone({ name: 'given', size: 2048, max: 40 });
    const theirs = other.uma.zone({ name: 'given', size: 2048, max: 40 });
    for (const item of fill(zone, 40)) zone.free(item);
    zone.close();
    assert.equal(fill(theirs, 40).length, 40);
    assertClean(other);
  });

  it('keeps the counts of the thread that has closed it', () => {
    const { one, other } = makeTwo();
    const zone = one.uma.zone({ name: 'counts', size: 64 });
    const theirs = other.uma.zone({ name: 'counts', size: 64 });
    for (const item of fill(zone, 7)) zone.free(item);
    zone.close();
    assert.equal(theirs.stats().requests, 7);
  });

  it('does not keep hooks of a thread that has closed it', () => {
    const { one, other } = makeTwo();
    const seen: string[] = [];
    const open = (party: Party, who: string): Zone =>
      party.uma.zone({
        name: 'hooked',
        size: 64,
        init: () => void seen.push(`init ${who}`),
        fini: () => void seen.push(`fini ${who}`),
      });
    const zone = open(one, 'one');
    const theirs = open(other, 'other');
    zone.free(zone.tryAlloc());
    zone.close();
    one.uma.reclaimer.reclaim('drain');
    assert.ok(!seen.includes('fini one'));
    theirs.destroy();
    assert.ok(seen.includes('fini other'));
    assertClean(other);
  });
});

describe('layers above', () => {
  it('keep the zones of packets, and those that a ring carries', () => {
    const memory = createMemory({ bytes: 1 << 20 });
    memory.mbufs.free(must(memory.mbufs.tryGet()));
    const zone = memory.zone({ name: 'mbuf', size: 256, align: 256 });
    for (const call of [() => zone.close(), () => zone.destroy()])
      assert.match(errorOf(call).message, /zone mbuf is used by memory.mbufs/);
    const carried = memory.zone({ name: 'carried', size: 64 });
    memory.ring({ name: 'belt', capacity: 8, carries: carried });
    assert.match(errorOf(() => carried.destroy()).message, /ring belt carries/);
    carried.close();
    assert.equal(memory.audit().violations.length, 0);
  });
});

it('a destroy that fails for want of memory in a hook leaves nothing half done', () => {
  const party = makeParty();
  let answer = 0;
  const zone = party.uma.zone({ name: 'odd', size: 64, init: () => answer });
  answer = NO_MEMORY;
  assert.equal(zone.tryAlloc(), 0);
  zone.destroy();
  assertClean(party);
});
