/** Guarded items: overflow and underflow, access after free, quarantine, sampling, limits, hooks. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hex } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { NO_MEMORY, ZERO, type Zone, type ZoneOptions } from './index.js';
import { GUARDED_PAGE } from './records.js';
import {
  assertClean,
  assertEmpty,
  brokenRules,
  codeOf,
  errorOf,
  joinParty,
  makeParty,
  must,
  type Party,
  property,
  takeAllPages,
  until,
} from './uma.test-kit.js';

function makeGuarded(options: Partial<ZoneOptions> = {}, pageCount = 512): { party: Party; zone: Zone } {
  const party = makeParty({ pageCount, maxThreads: 4 });
  return { party, zone: party.uma.zone({ name: 'zone', size: 100, guard: true, ...options }) };
}

function isGuarded({ uma }: Party, item: number): boolean {
  return uma.pageKegs[item >>> 12] === GUARDED_PAGE;
}

describe('a guarded item', () => {
  it('stands alone, ends with its page, keeps its alignment, and goes back to the last page', () => {
    for (const align of [16, 64, 4096]) {
      for (const size of [1, 16, 100, 4080, 4081, 4096, 5000, 8192, 20_000]) {
        const { party, zone } = makeGuarded({ size, align });
        const free = party.pages.freePages();
        const items = [must(zone.tryAlloc()), must(zone.tryAlloc(ZERO)), must(zone.alloc())];
        for (const item of items) {
          assert.equal(item % align, 0);
          assert.ok(isGuarded(party, item));
          if (align === 16)
            assert.ok(((item + size - 1) & 4095) >= 4080, `${size} bytes end at ${item + size}`);
          party.machine.bytes.fill(0xee, item, item + size);
        }
        assertClean(party, `size ${size}, align ${align}`);
        assert.equal(zone.stats().used, 3);
        for (const item of items) zone.free(item);
        assert.equal(zone.stats().used, 0);
        assert.equal(party.uma.guardStats().quarantined, 3);
        assertEmpty(party, free);
      }
    }
  });

  it('of a `perThread` zone has all its copies, zeroed when that is asked for', () => {
    for (const size of [100, 2000]) {
      const { party, zone } = makeGuarded({ size, perThread: true });
      const { bytes } = party.machine;
      for (let round = 0; round < 3; round++) {
        const item = must(zone.tryAlloc(ZERO));
        assert.ok(isGuarded(party, item));
        for (let slot = 1; slot <= 4; slot++) {
          const copy = zone.copyOf(item, slot);
          assert.ok(bytes.subarray(copy, copy + size).every((byte) => byte === 0));
          party.uma.access.check(copy, size);
          bytes.fill(slot, copy, copy + size);
        }
        assertClean(party);
        zone.free(item);
      }
      assertClean(party);
      const item = must(zone.tryAlloc());
      const last = zone.copyOf(item, 4) + ((size + 63) & -64);
      bytes[last] = 1;
      assert.equal(
        codeOf(() => zone.free(item)),
        'REDZONE_DAMAGED',
      );
    }
  });

  it('any byte written before or behind it, to the edges of its pages, is found when it is freed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 100, 4080, 4096, 6000),
        fc.constantFrom(16, 256),
        fc.nat(),
        (size, align, place) => {
          const { party, zone } = makeGuarded({ size, align });
          const item = must(zone.tryAlloc());
          const first = party.pages.objectOf(item >>> 12);
          let from = item >>> 12;
          while (party.pages.objectOf(from - 1) === first) from--;
          let end = item >>> 12;
          while (party.pages.objectOf(end) === first) end++;
          const [start, stop] = [from << 12, end << 12];
          assert.ok(item - start >= 16 && stop - (item + size) >= 4096);
          const outside = stop - start - size;
          for (const at of [0, item - start - 1, item - start, outside - 1, place % outside]) {
            const address = start + at + (at >= item - start ? size : 0);
            party.machine.bytes[address] = (party.machine.bytes[address] as number) ^ 1;
            assert.deepEqual(brokenRules(party), ['U18']);
            party.machine.bytes[address] = (party.machine.bytes[address] as number) ^ 1;
          }
          assertClean(party);
          const at = place % outside;
          const address = start + at + (at >= item - start ? size : 0);
          party.machine.bytes[address] = 1;
          const error = errorOf(() => zone.free(item));
          assert.deepEqual([error.code, error.address, error.zone], ['REDZONE_DAMAGED', address, 'zone']);
          const [what, where] = address < item ? ['underflow', 'before'] : ['overflow', 'after'];
          assert.equal(
            error.message,
            `REDZONE: Buffer ${what} detected. 1 byte corrupted ${where} ${hex(item)} (${size} bytes allocated).`,
          );
          assert.equal(zone.stats().used, 0, 'it is free all the same');
          assertClean(party);
        },
      ),
      property(60),
    );
  });

  it('freed twice, or touched when it is free: both sites are named', () => {
    const { party, zone } = makeGuarded();
    const { access } = party.uma;
    const item = must(zone.tryAlloc());
    access.check(item, 100);
    access.check(item + 99, 1);
    for (const [address, length] of [
      [item - 1, 1],
      [item, 101],
      [item + 100, 1],
      [item - 1, 200],
    ] as const) {
      assert.equal(errorOf(() => access.check(address, length)).code, 'OUT_OF_BOUNDS');
    }
    zone.free(item);
    const sites =
      /\nallocated by thread 1 \(.*guard\.test\.js:\d+:\d+\nfreed {5}by thread 1 \(.*guard\.test\.js:\d+:\d+\n/;
    for (const call of [() => access.check(item, 4), () => zone.free(item)]) {
      const error = errorOf(call);
      assert.match(error.details as string, sites);
      assert.match(error.message, /\nMost recently used by zone \(thread 1 /);
    }
    assert.equal(errorOf(() => access.check(item, 4)).code, 'USE_AFTER_FREE');
    const twice = errorOf(() => zone.free(item));
    assert.equal(twice.code, 'FREE_TWICE');
    assert.ok(twice.message.startsWith(`MemGuard detected double-free of ${hex(item)}\n`));
    assert.equal(errorOf(() => zone.free((item + 16) as Addr)).code, 'FREE_UNALIGNED');
    const other = party.uma.zone({ name: 'other', size: 100 });
    assert.equal(errorOf(() => other.free(item)).code, 'FREE_WRONG_ZONE');
    assert.equal(errorOf(() => zone.claim(other.tryAlloc() as Addr)).code, 'FREE_WRONG_ZONE');
    assert.equal(zone.claim(item), false);
    assertClean(party);
  });

  it('written to after its free is found when it leaves the quarantine, or by the audit before', () => {
    const { party, zone } = makeGuarded();
    const free = party.pages.freePages();
    const item = must(zone.tryAlloc());
    zone.free(item);
    party.words[item >>> 2] = 0x1234;
    assert.deepEqual(brokenRules(party), ['U18']);
    const error = errorOf(() => party.uma.reclaimer.reclaim('drain'));
    assert.equal(error.code, 'MODIFIED_AFTER_FREE');
    assert.ok(
      error.message.startsWith(
        `Memory modified after free ${hex(item)}(100) val=0x1234 @ ${hex(item)} (zone zone)\nMost recently used by zone (thread 1 `,
      ),
      error.message,
    );
    assertEmpty(party, free);
  });

  it('is not reused before a share of all pages has been freed after it, and then the oldest is', () => {
    const { party, zone } = makeGuarded({}, 512);
    const share = (party.pages.pageCount - party.pages.firstPage) >>> 3;
    const order: number[] = [];
    for (let index = 0; index < share; index++) {
      const item = must(zone.tryAlloc());
      assert.ok(!order.slice(-(share >>> 1) + 1).includes(item), `item ${index} comes again at once`);
      order.push(item);
      zone.free(item);
      assert.ok(party.uma.guardStats().quarantinedPages <= share);
    }
    assert.equal(party.uma.guardStats().quarantined, share >>> 1);
    const inQuarantine = order.slice(-(share >>> 1));
    for (const item of inQuarantine) {
      assert.equal(errorOf(() => party.uma.access.check(item, 1)).code, 'USE_AFTER_FREE');
    }
    assertClean(party);
  });

  it('gives way to what has no pages: the ordinary allocator serves, and nothing fails', () => {
    const { party, zone } = makeGuarded({}, 128);
    const free = party.pages.freePages();
    const items: Addr[] = [];
    for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
    const guarded = items.filter((item) => isGuarded(party, item));
    assert.ok(
      guarded.length > 10 && guarded.length < items.length - 100,
      `${guarded.length} of ${items.length}`,
    );
    assert.ok(party.uma.guardStats().declined > 100);
    assertClean(party);
    const other = party.uma.zone({ name: 'other', size: 4000 });
    assert.equal(other.tryAlloc(), 0, 'there is nothing left');
    for (const item of guarded) zone.free(item);
    // What stands in quarantine is not kept from those who need it.
    assert.notEqual(other.tryAlloc(), 0);
    for (const item of items) if (!guarded.includes(item)) zone.free(item);
    assertClean(party);
    party.uma.reclaimer.reclaim('drain');
    assert.ok(party.pages.freePages() >= free - 2);
  });

  it('takes the ordinary way when another has all pages', () => {
    const { party, zone } = makeGuarded({}, 128);
    const one = must(zone.tryAlloc());
    zone.free(one);
    const back = takeAllPages(party);
    assert.notEqual(zone.tryAlloc(), 0, 'the quarantine ends');
    back();
    assertClean(party);
  });
});

describe('guarded zones', () => {
  it('count guarded items in their limit, and serve who waits with the unit of one that is freed', async () => {
    const { party, zone } = makeGuarded({ max: 3 });
    const items = [must(zone.tryAlloc()), must(zone.tryAlloc()), must(zone.tryAlloc())];
    assert.equal(zone.tryAlloc(), 0);
    assert.deepEqual([zone.stats().used, zone.stats().failures], [3, 1]);
    const waiting = zone.allocAsync();
    await until(() => zone.sleepers === 1, 'it waits');
    zone.free(items.pop() as Addr);
    const item = await waiting;
    assert.equal(zone.tryAlloc(), 0);
    items.push(item);
    assertClean(party);
    for (const each of items) zone.free(each);
    assert.equal(zone.stats().used, 0);
    assertClean(party);
  });

  it('run every hook over guarded items, in order, and undo what fails', () => {
    const calls: string[] = [];
    let fail = '';
    const hook = (name: string) => () => {
      calls.push(name);
      return fail === name ? NO_MEMORY : fail === `${name}!` ? new Error(name) : 0;
    };
    const hooks = { init: hook('init'), ctor: hook('ctor'), dtor: hook('dtor'), fini: hook('fini') };
    const { party, zone } = makeGuarded(hooks);
    const free = party.pages.freePages();
    const item = must(zone.tryAlloc());
    zone.free(item);
    assert.deepEqual(calls.splice(0), ['init', 'ctor', 'dtor', 'fini']);
    fail = 'ctor';
    assert.equal(zone.tryAlloc(), 0);
    assert.deepEqual(calls.splice(0), ['init', 'ctor', 'fini']);
    fail = 'ctor!';
    assert.throws(() => zone.tryAlloc(), /ctor/);
    assert.deepEqual(calls.splice(0), ['init', 'ctor', 'fini']);
    fail = 'init!';
    assert.throws(() => zone.tryAlloc(), /init/);
    assert.deepEqual(calls.splice(0), ['init']);
    for (const which of ['dtor!', 'fini!']) {
      fail = '';
      const other = must(zone.tryAlloc());
      calls.splice(0);
      fail = which;
      assert.throws(() => zone.free(other));
      assert.deepEqual(calls.splice(0), ['dtor', 'fini']);
    }
    assert.equal(zone.stats().used, 0);
    fail = '';
    party.uma.reclaimer.reclaim('drain');
    assertEmpty(party, free);
  });

  it('have counters for guarded items, and free many at once', () => {
    const { party, zone } = makeGuarded({ referenceCounted: 'layer' });
    const out = new Int32Array(12);
    assert.equal(zone.tryAllocMany(out, 12), 12);
    const counters = Array.from(out, (item) => party.uma.counterOf(item));
    assert.equal(new Set(counters.map((counter) => counter >>> 4)).size, 12, 'a line each');
    for (const counter of counters) party.words[counter] = 3;
    assertClean(party);
    zone.freeMany(out, 12);
    assert.equal(zone.stats().used, 0);
    assertClean(party);
  });

  it('guard as many of 100,000 as the setting says, the same ones for the same seed', () => {
    const choose = (frequency: number, seed: number, count = 2000): string => {
      const party = makeParty({ pageCount: 1024, maxThreads: 2 });
      party.settings.write('guardFrequency', frequency);
      party.settings.write('guardSeed', seed);
      const zone = party.uma.zone({ name: 'zone', size: 100, guard: true });
      let chosen = '';
      for (let index = 0; index < count; index++) {
        const item = must(zone.tryAlloc());
        chosen += isGuarded(party, item) ? '1' : '0';
        zone.free(item);
      }
      assertClean(party);
      return chosen;
    };
    assert.equal(choose(0, 1, 50), '0'.repeat(50));
    assert.equal(choose(100_000, 1, 50), '1'.repeat(50));
    const some = choose(10_000, 1);
    const share = [...some].filter((each) => each === '1').length;
    assert.ok(share > 140 && share < 260, `${share} of 2000 at 10 %`);
    assert.equal(choose(10_000, 1), some);
    assert.notEqual(choose(10_000, 2), some);
  });

  it('may be freed by another thread, and are told of by the thread that allocated them', () => {
    const { party, zone } = makeGuarded();
    const other = joinParty(party.machine.handle);
    const theirs = other.uma.zone({ name: 'zone', size: 100, guard: true });
    const items = Array.from({ length: 5 }, () => must(zone.tryAlloc()));
    const elsewhere = must(theirs.tryAlloc());
    const leaks = party.uma.leaks();
    assert.deepEqual(
      leaks.map(({ zone: name, thread, count, bytes, addresses }) => [
        name,
        thread,
        count,
        bytes,
        addresses.length,
      ]),
      [
        ['zone', 1, 5, 500, 5],
        ['zone', 2, 1, 100, 1],
      ],
    );
    assert.ok(leaks.every(({ site }) => /guard\.test\.js:\d+:\d+$/.test(site)));
    for (const item of items) theirs.free(item);
    assert.equal(
      codeOf(() => zone.free(items[0] as Addr)),
      'FREE_TWICE',
    );
    zone.free(elsewhere);
    assert.deepEqual(party.uma.leaks(), []);
    for (const each of [party, other]) each.uma.reclaimer.leave();
  });
});
