/** Redzones, sites and the words of the reports: what is found, and what is not. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hex, type MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { ZERO, type Zone, type ZoneOptions } from './index.js';
import {
  assertClean,
  brokenRules,
  errorOf,
  joinParty,
  makeParty,
  must,
  type Party,
  property,
  until,
} from './uma.test-kit.js';

function makeZone(options: Partial<ZoneOptions> = {}): { party: Party; zone: Zone } {
  const party = makeParty({ pageCount: 512, maxThreads: 4 });
  return { party, zone: party.uma.zone({ name: 'zone', size: 100, redzone: true, sites: true, ...options }) };
}

/** Flips a bit of each byte, and answers how to undo it. */
function damage({ machine }: Party, addresses: readonly number[]): void {
  for (const address of addresses) machine.bytes[address] = (machine.bytes[address] as number) ^ 0x10;
}

describe('redzones', () => {
  it('stand behind the last copy of a `perThread` item: all copies are zeroed, and are its users’', () => {
    for (const options of [{ redzone: true }, { redzone: true, align: 256 }, {}])
      for (const checkLevel of [0, 3] as const) {
        const party = makeParty({ pageCount: 512, maxThreads: 4, checkLevel });
        const zone = party.uma.zone({ name: 'zone', size: 100, perThread: true, ...options });
        const { bytes } = party.machine;
        for (let round = 0; round < 2; round++) {
          const items = [must(zone.tryAlloc(ZERO)), must(zone.tryAlloc(ZERO))];
          for (const item of items)
            for (let slot = 1; slot <= 4; slot++) {
              const copy = zone.copyOf(item, slot);
              party.uma.access.check(copy, 100);
              assert.ok(bytes.subarray(copy, copy + 100).every((byte) => byte === 0));
              bytes.fill(slot, copy, copy + 100);
            }
          assertClean(party);
          for (const item of items) zone.free(item);
        }
        assertClean(party);
        if (checkLevel === 0 && !('redzone' in options)) continue;
        const item = must(zone.tryAlloc());
        // Four copies, 128 bytes apart; rounded up to the alignment they have some more room.
        damage(party, [item + ('align' in options ? 3 * 256 - 32 : 4 * 128)]);
        assert.equal(errorOf(() => zone.free(item)).code, 'REDZONE_DAMAGED');
        assertClean(party);
      }
  });

  it('say in the words of redzone(9) what was written before and behind an item', () => {
    const cases: [before: number, behind: number, message: (item: string) => string][] = [
      [
        1,
        0,
        (item) =>
          `REDZONE: Buffer underflow detected. 1 byte corrupted before ${item} (100 bytes allocated).`,
      ],
      [
        0,
        3,
        (item) => `REDZONE: Buffer overflow detected. 3 bytes corrupted after ${item} (100 bytes allocated).`,
      ],
      [
        2,
        1,
        (item) =>
          `REDZONE: Buffer underflow detected. 2 bytes corrupted before ${item} (100 bytes allocated).\n` +
          `REDZONE: Buffer overflow detected. 1 byte corrupted after ${item} (100 bytes allocated).`,
      ],
    ];
    for (const [before, behind, message] of cases) {
      const { party, zone } = makeZone();
      const item = zone.tryAlloc() as Addr;
      damage(
        party,
        Array.from({ length: before }, (_, at) => item - 1 - at),
      );
      damage(
        party,
        Array.from({ length: behind }, (_, at) => item + 100 + at),
      );
      assert.deepEqual(brokenRules(party), ['U18']);
      const error = errorOf(() => zone.free(item));
      assert.equal(error.code, 'REDZONE_DAMAGED');
      assert.equal(error.message, message(hex(item)));
      assert.equal(error.zone, 'zone');
      assert.equal(error.owner, party.threads.slot);
      assert.equal(error.address, before > 0 ? item - before : item + 100);
      // Told once: it is free, and whole.
      assert.equal(zone.stats().used, 0);
      assertClean(party);
      assert.equal(zone.tryAlloc(), item);
      zone.free(item);
    }
  });

  it('are found broken when a free item is handed out again', () => {
    const { party, zone } = makeZone();
    const item = zone.tryAlloc() as Addr;
    zone.free(item);
    damage(party, [item - 16]);
    assert.equal(errorOf(() => zone.tryAlloc()).code, 'REDZONE_DAMAGED');
    assert.equal(zone.stats().used, 0);
    assertClean(party);
    assert.equal(zone.tryAlloc(), item);
  });

  it('any changed byte around an item of any size and alignment is found, and none beside it', () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(2048, 4096, 5000, 20_000));
    const shapes = fc.record({ size: sizes, align: fc.constantFrom(16, 32, 64, 256, 1024, 4096) });
    fc.assert(
      fc.property(shapes, fc.nat(), fc.nat(), fc.boolean(), ({ size, align }, which, place, front) => {
        const { party, zone } = makeZone({ size, align });
        const items = Array.from({ length: 7 }, () => zone.tryAlloc(ZERO) as Addr);
        assert.ok(items.every((item) => item !== 0 && item % align === 0));
        // What the user owns he may write, to the last byte.
        for (const item of items) party.machine.bytes.fill(0xff, item, item + size);
        assertClean(party);
        const item = items[which % 7] as Addr;
        const at = front ? item - 1 - (place % 16) : item + size + (place % 16);
        damage(party, [at]);
        for (const each of items) {
          if (each !== item) zone.free(each);
        }
        const error = errorOf(() => zone.free(item));
        assert.deepEqual([error.code, error.address], ['REDZONE_DAMAGED', at]);
        party.uma.reclaimer.reclaim('drain');
        assertClean(party);
        assert.equal(zone.stats().used, 0);
      }),
      property(120),
    );
  });

  it('stand in the padding behind the size, too, and leave what was asked for', () => {
    const { party, zone } = makeZone({ size: 1 });
    assert.equal(zone.size, 1);
    const item = zone.tryAlloc() as Addr;
    for (let at = item + 1; at < item + 16 + 16; at++)
      assert.equal(party.machine.bytes[at], 0x42, `${at - item}`);
    for (let at = item - 16; at < item; at++) assert.equal(party.machine.bytes[at], 0x42, `${at - item}`);
  });

  it('of two items that lie side by side are not the same bytes', () => {
    const { party, zone } = makeZone({ size: 32 });
    const items = Array.from({ length: 20 }, () => zone.tryAlloc() as Addr).sort((a, b) => a - b);
    const [one, other] = items as [Addr, Addr];
    assert.equal(other - one, 64);
    damage(party, [one + 32]);
    zone.free(other);
    assert.equal(errorOf(() => zone.free(one)).code, 'REDZONE_DAMAGED');
  });

  it('keep counters, secondary zones and bulk calls right', () => {
    const { party, zone } = makeZone({ size: 48, referenceCounted: 'layer' });
    const second = party.uma.zone({ name: 'second', primary: zone });
    const out = new Int32Array(40);
    assert.equal(second.tryAllocMany(out, 40), 40);
    const counters = new Set(Array.from(out, (item) => party.uma.counterOf(item)));
    assert.equal(counters.size, 40);
    for (const counter of counters) party.words[counter] = 7;
    assertClean(party);
    damage(party, [(out[3] as number) + 48]);
    assert.equal(errorOf(() => second.freeMany(out, 40)).code, 'REDZONE_DAMAGED');
    // The damaged one has been freed, and those before it.
    second.freeMany(out.subarray(4), 36);
    party.uma.reclaimer.reclaim('drain');
    assert.deepEqual([second.stats().used, zone.stats().used], [0, 0]);
    assertClean(party);
  });

  it('and the sites of a zone need not be named by a second thread, and what it names must agree', () => {
    const { party } = makeZone();
    const other = joinParty(party.machine.handle);
    const expect: [Partial<ZoneOptions>, RegExp][] = [
      [{ redzone: false }, /redzone is true/],
      [{ redzone: true, sites: false }, /sites is true/],
      [{ redzone: true, sites: true, guard: true }, /guard is false/],
    ];
    for (const [options, message] of expect) {
      const open = (): Zone => other.uma.zone({ name: 'zone', size: 100, ...options });
      assert.throws(open, { code: 'LAYOUT_MISMATCH', message });
      assert.throws(() => party.uma.zone({ name: 'zone', size: 100, ...options }), {
        code: 'LAYOUT_MISMATCH',
      });
    }
    assert.deepEqual(other.uma.zone({ name: 'zone', size: 100 }).flags, ['redzone', 'sites']);
  });

  it('of a secondary zone are those of its primary', () => {
    const { party } = makeZone();
    const plain = party.uma.zone({ name: 'plain', size: 100 });
    for (const option of ['redzone', 'sites', 'guard']) {
      assert.throws(() => party.uma.zone({ name: 'second', primary: plain, [option]: true }), {
        code: 'BAD_ARGUMENT',
        message: /for the primary zone to say/,
      });
      assert.throws(() => party.uma.zone({ name: 'other', size: 8, [option]: 1 as never }), {
        code: 'BAD_ARGUMENT',
      });
    }
  });
});

describe('reports', () => {
  it('name item, zone, owner, who allocated and freed it and where, and show the bytes', () => {
    const { zone } = makeZone();
    const item = zone.tryAlloc() as Addr;
    zone.free(item);
    const error = errorOf(() => zone.free(item));
    assert.equal(error.code, 'FREE_TWICE');
    const here = String.raw`redzone\.test\.js:\d+:\d+`;
    assert.match(
      error.message,
      new RegExp(
        `^Duplicate free of ${hex(item)} from zone zone slab 0x[0-9a-f]+\\(\\d+\\)\n` +
          `Most recently used by zone \\(thread 1 \\(generation \\d+\\), at .*${here}\\)$`,
      ),
    );
    assert.match(
      error.details as string,
      new RegExp(
        `^address +${hex(item)}, byte 0 of it\n` +
          'zone +zone, items of 100 bytes\n' +
          `item +${hex(item)}\n` +
          'owner +nobody: it is free\n' +
          `allocated by thread 1 \\(generation \\d+\\), at .*${here}\n` +
          `freed +by thread 1 \\(generation \\d+\\), at .*${here}\n`,
      ),
    );
    assert.match(error.details as string, /\n {2}0x[0-9a-f]{8} ( [0-9a-f]{2}){16}\n +\^\^/);
  });

  it('have the words of FreeBSD for each misuse', () => {
    const party = makeParty({ checkLevel: 2 });
    const zone = party.uma.zone({ name: 'zone', size: 64 });
    const other = party.uma.zone({ name: 'other', size: 64 });
    const [item, foreign] = [zone.tryAlloc() as Addr, other.tryAlloc() as Addr];
    const expect: [Addr, string, string][] = [
      [
        foreign,
        'FREE_WRONG_ZONE',
        `uma: Freed item ${hex(foreign)} did not belong to zone zone: it belongs to zone other`,
      ],
      [
        4096 as Addr,
        'FREE_FOREIGN',
        'uma: Freed item 0x1000 did not belong to zone zone: it lies in no slab',
      ],
      [(item + 4) as Addr, 'FREE_UNALIGNED', `Unaligned free of ${hex(item + 4)} from zone zone slab `],
    ];
    for (const [address, code, words] of expect) {
      const error = errorOf(() => zone.free(address));
      assert.equal(error.code, code);
      assert.ok(error.message.startsWith(words), error.message);
      assert.ok(error.details?.startsWith(`address   ${hex(address)}, `), error.details);
    }
    const inline = party.uma.zone({ name: 'inline', size: 100 });
    const header = ((must(inline.tryAlloc()) & -4096) + 4080) as Addr;
    const invalid = errorOf(() => inline.free(header));
    assert.equal(invalid.code, 'FREE_FOREIGN');
    assert.match(
      invalid.message,
      new RegExp(
        `^Invalid free of ${hex(header)} from zone inline slab 0x[0-9a-f]+\\(36\\): it lies behind the items$`,
      ),
    );
    zone.free(item);
    const twice = errorOf(() => zone.free(item));
    assert.match(twice.message, new RegExp(`^Duplicate free of ${hex(item)} from zone zone slab `));
    party.words[item >>> 2] = 1;
    const modified = errorOf(() => zone.tryAlloc());
    assert.equal(
      modified.message,
      `Memory modified after free ${hex(item)}(64) val=0x1 @ ${hex(item)} (zone zone)\n` +
        'Most recently used by zone',
    );
    assert.match(modified.details as string, /\n +\^\^$/m);
  });

  it('a use after free names the thread that freed the item, and where', () => {
    const party = makeParty({ checkLevel: 3 });
    const other = joinParty(party.machine.handle);
    const open = (of: Party): Zone => of.uma.zone({ name: 'strict', size: 16 });
    const item = open(party).tryAlloc() as Addr;
    open(other).free(item);
    party.words[item >>> 2] = 9;
    const error = errorOf(() => open(other).tryAlloc());
    assert.equal(error.code, 'MODIFIED_AFTER_FREE');
    assert.match(
      error.message,
      /\nMost recently used by strict \(thread 2 \(generation \d+\), at .*test\.js:\d+:\d+\)$/,
    );
    assert.match(error.details as string, /\nallocated by thread 1 /);
    assert.match(error.details as string, /\nfreed {5}by thread 2 /);
    assertClean(party);
  });

  it('name the place of a call that had to wait', async () => {
    const { party, zone } = makeZone({ max: 1 });
    const place = (): string => {
      const [leak] = party.uma.leaks();
      return (leak?.site ?? '').replace(/.*:(\d+):\d+$/, '$1');
    };
    const first = zone.tryAlloc() as Addr;
    const before = Number(place());
    const waiting = zone.allocAsync();
    await until(() => zone.sleepers === 1, 'it waits');
    zone.free(first);
    const item = await waiting;
    assert.ok(Number(place()) > before, `line ${place()}, and the first was of line ${before}`);
    assert.ok(Number(place()) <= before + 2, 'the line of the call, not of its end');
    zone.free(item);
  });

  it('an item that is in use is not handed out again', () => {
    for (const drained of [false, true]) {
      const party = makeParty({ checkLevel: 2 });
      const zone = party.uma.zone({ name: 'zone', size: 64 });
      const kept = zone.tryAlloc();
      const item = zone.tryAlloc() as Addr;
      zone.free(item);
      if (drained) zone.drain();
      // As if another thread had it: two frees at once have put it here while it is in use.
      party.uma.owners[item >>> 4] = 77;
      const found: MbumaError[] = [];
      const got: number[] = [];
      for (let index = 0; index < 300 && found.length === 0; index++) {
        const error = attempt(() => got.push(zone.tryAlloc()));
        if (error !== null) found.push(error);
      }
      const [error] = found as [MbumaError];
      assert.equal(error.code, 'ALLOC_TWICE');
      assert.equal(error.message, `Duplicate alloc of ${hex(item)} from zone zone: it is in use`);
      assert.deepEqual([error.address, error.zone, error.owner], [item, 'zone', 77]);
      assert.ok(!got.includes(item));
      assert.equal(party.uma.owners[item >>> 4], 77, 'it stays whose it is');
      for (const each of got) zone.free(each as Addr);
      zone.free(kept);
      zone.free(item);
      assert.deepEqual(
        brokenRules(party).filter((rule) => rule !== 'U7'),
        [],
      );
    }
  });
});

function attempt(call: () => unknown): MbumaError | null {
  try {
    call();
    return null;
  } catch (error) {
    return error as MbumaError;
  }
}
