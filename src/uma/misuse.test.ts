/** Misuse: a coded error that names the place, and a memory that is as it was. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { hostileValues, snapshot } from './hostile.test-kit.js';
import { CANFAIL, USE_INTERRUPT_RESERVE, USE_RESERVE, ZERO, type Zone, type ZoneOptions } from './index.js';
import { KEG_WORDS, Keg, ThreadCache } from './records.js';
import { assertClean, assertEmpty, codeOf, joinParty, makeParty, type Party } from './uma.test-kit.js';

interface Scene {
  readonly party: Party;
  readonly zone: Zone;
  readonly item: Addr;
  /** A word in the memory, and outside of any zone. */
  readonly word: Int32Array;
}

function makeScene(options: Partial<ZoneOptions> = {}, wasm = false): Scene {
  const party = makeParty({ pageCount: 64, maxThreads: 2, wasm });
  const zone = party.uma.zone({ name: 'zone', size: 100, ...options });
  const item = zone.tryAlloc() as Addr;
  const page = party.pages.tryAllocRun(1, 3);
  return { party, zone, item, word: new Int32Array(party.words.buffer, page << 12, 1) };
}

/** The memory, but for what only counts: polls of the thread, failures. */
function look({ party, zone, word }: Scene): Buffer {
  return snapshot(party, [
    [party.threads.self, 64],
    [party.cacheOf(zone) + ThreadCache.failures, 2],
    [word.byteOffset >>> 2, 1],
  ]);
}

/** Frees `address` in every way; each is refused with the code, and nothing changes. */
function assertRefused(scene: Scene, address: number, code: string, place: object = {}): void {
  const { zone, word } = scene;
  const before = look(scene);
  word[0] = address;
  const ways: [string, () => void][] = [
    ['free', () => zone.free(address as Addr)],
    ['forget', () => zone.forget(address as Addr)],
    ['freeMany', () => zone.freeMany(Int32Array.of(address), 1)],
    ['freeMany inside the memory', () => zone.freeMany(word, 1)],
  ];
  for (const [way, call] of ways) {
    // What does not fit a word cannot be given in an array.
    if (way.startsWith('freeMany') && (address | 0) !== address) continue;
    assert.throws(call, (error) => {
      assert.ok(error instanceof MbumaError, String(error));
      assert.equal(error.code, code, `${way}: ${error.message}`);
      assert.deepEqual({ ...error, ...place }, { ...error });
      return true;
    });
  }
  assert.ok(before.equals(look(scene)), 'the memory has changed');
}

describe('free: the misuse table', () => {
  it('of 0 does nothing', () => {
    const scene = makeScene();
    const before = look(scene);
    scene.zone.free(0);
    scene.zone.free(-0 as Addr);
    scene.zone.freeMany(new Int32Array(5), 5);
    assert.ok(before.equals(look(scene)));
  });

  it('of an address that is none: BAD_ARGUMENT', () => {
    const scene = makeScene();
    const bytes = scene.party.words.length * 4;
    for (const address of [
      -1,
      -16,
      bytes,
      bytes + 16,
      2 ** 31 - 16,
      2 ** 31,
      2 ** 32 + scene.item,
      2 ** 40,
    ]) {
      assertRefused(scene, address, 'BAD_ARGUMENT');
    }
    for (const address of [scene.item + 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assertRefused(scene, address, 'BAD_ARGUMENT');
    }
  });

  it('of every granule of superblock and boot areas: FREE_FOREIGN', () => {
    const scene = makeScene();
    const end = scene.party.machine.layout.firstPage << 12;
    for (let address = 16; address < end; address += 16 * 61) {
      assertRefused(scene, address, 'FREE_FOREIGN', { address, zone: 'zone' });
    }
  });

  it('of free pages, bucket memory and slab headers: FREE_FOREIGN', () => {
    const scene = makeScene({ size: 2048 });
    const { party, zone, item } = scene;
    const cache = party.cacheOf(zone);
    const bucket = (party.words[cache + ThreadCache.top] as number) & ~255;
    const slab = party.pages.objectOf(item >>> 12);
    assert.notEqual(slab >>> 10, item >>> 12, 'its header is off-page');
    const last = (party.pages.pageCount - 1) << 12;
    for (const address of [bucket << 2, (bucket << 2) + 16, slab << 2, last, last + 64]) {
      assertRefused(scene, address, 'FREE_FOREIGN', { address });
    }
  });

  it('of header, bitmap, counters and padding behind the items: FREE_FOREIGN', () => {
    for (const options of [{ size: 100 }, { size: 100, referenceCounted: true }]) {
      const scene = makeScene(options);
      const { party, item, zone } = scene;
      const keg = party.machine.area('kegs') + zone.keg * KEG_WORDS;
      const read = (field: number): number => party.words[keg + field] as number;
      const start = party.words[party.pages.objectOf(item >>> 12) + 4] as number;
      const end = start + read(Keg.pagesPerSlab) * 4096;
      const items = start + read(Keg.itemsPerSlab) * read(Keg.itemSize);
      assert.ok(read(Keg.headerKeg) === 0 && items < end);
      for (let address = items; address < end; address += 16) assertRefused(scene, address, 'FREE_FOREIGN');
    }
  });

  it('of every other offset inside an item: FREE_UNALIGNED', () => {
    const scene = makeScene();
    for (let offset = 1; offset < 112; offset++) {
      assertRefused(scene, scene.item + offset, 'FREE_UNALIGNED', { address: scene.item + offset });
    }
  });

  it('of an item of another zone: FREE_WRONG_ZONE, whoever owns it', () => {
    const scene = makeScene();
    const other = scene.party.uma.zone({ name: 'other', size: 100 });
    const foreign = other.tryAlloc() as Addr;
    assertRefused(scene, foreign, 'FREE_WRONG_ZONE', { address: foreign, owner: scene.party.threads.slot });
    const b = joinParty(scene.party.machine.handle);
    const theirs = b.uma.zone({ name: 'other', size: 100 }).tryAlloc();
    assertRefused(scene, theirs, 'FREE_WRONG_ZONE', { address: theirs, owner: b.threads.slot });
    assertRefused(scene, foreign + 16, 'FREE_WRONG_ZONE');
  });

  for (const options of [{ redzone: true }, { sites: true }, { guard: true }]) {
    it(`of a zone with ${Object.keys(options)}: the same, and its redzones are nobody's`, () => {
      const scene = makeScene(options);
      const { zone, item } = scene;
      const other = scene.party.uma.zone({ name: 'other', size: 100, ...options });
      const foreign = other.tryAlloc() as Addr;
      for (const offset of [1, 16, 50, 99]) assertRefused(scene, item + offset, 'FREE_UNALIGNED');
      if (!('sites' in options)) {
        // Of a slab with redzones, of the pages of a guarded item.
        for (const offset of [-16, -1, 100, 112]) assertRefused(scene, item + offset, 'FREE_UNALIGNED');
      }
      assertRefused(scene, foreign, 'FREE_WRONG_ZONE', { address: foreign });
      assertRefused(scene, foreign + 4, 'FREE_WRONG_ZONE');
      zone.free(item);
      assertRefused(scene, item, 'FREE_TWICE', { address: item });
      assert.equal(zone.claim(item), false);
      assertClean(scene.party);
    });
  }

  it('twice: FREE_TWICE, wherever the item is by now', () => {
    const scene = makeScene();
    const { zone, party } = scene;
    const held = Array.from({ length: 3 }, () => zone.tryAlloc());
    const item = zone.tryAlloc() as Addr;
    zone.free(item);
    assertRefused(scene, item, 'FREE_TWICE', { address: item, owner: 0 });
    // In the zone's bucket, then in its slab.
    party.uma.reclaimer.answerAttention();
    zone.trim();
    assertRefused(scene, item, 'FREE_TWICE');
    zone.drain();
    assertRefused(scene, item, 'FREE_TWICE');
    assert.equal(held.length, 3);
  });

  it('twice in one bulk call: what comes before has been freed, the rest has not', () => {
    for (const wasm of [false, true]) {
      const { party, zone, item } = makeScene({}, wasm);
      const [a, b, c] = [zone.tryAlloc(), zone.tryAlloc(), zone.tryAlloc()];
      const page = party.pages.tryAllocRun(1, 3);
      const inside = new Int32Array(party.words.buffer, page << 12, 4);
      inside.set([a, b, a, c]);
      assert.equal(
        codeOf(() => zone.freeMany(inside, 4)),
        'FREE_TWICE',
      );
      party.pages.freeRun(page, 1);
      assert.equal(zone.stats().used, 2);
      assert.equal(
        codeOf(() => zone.freeMany(Int32Array.of(c, 7, item), 3)),
        'FREE_FOREIGN',
      );
      zone.free(item);
      assert.equal(zone.stats().used, 0);
      assertClean(party);
    }
  });

  it('of an item that was never allocated: FREE_TWICE', () => {
    const scene = makeScene();
    assertRefused(scene, scene.item + 112, 'FREE_TWICE');
    assertRefused(scene, scene.item - 112, 'FREE_TWICE');
  });

  it('of a counter of the slab: not an item', () => {
    const scene = makeScene({ size: 2048, referenceCounted: true });
    const counter = scene.party.uma.counterOf(scene.item);
    assertRefused(scene, counter << 2, 'FREE_FOREIGN');
  });

  it('of an item of another thread is no misuse', () => {
    const { party, zone, item } = makeScene();
    const b = joinParty(party.machine.handle);
    b.uma.zone({ name: 'zone', size: 100 }).free(item);
    assert.equal(
      codeOf(() => zone.free(item)),
      'FREE_TWICE',
    );
    assertClean(party);
  });

  it('of an item of a thread that leaves at this moment: it is free, and nobody owns it', () => {
    const { party, zone } = makeScene();
    const b = joinParty(party.machine.handle);
    const theirs = b.uma.zone({ name: 'zone', size: 100 });
    const items = Array.from({ length: 8 }, () => theirs.tryAlloc() as Addr).sort((x, y) => x - y);
    // The one that leaves has found the item as its own, and not changed the owner byte yet.
    const { owners } = b.uma;
    let next = 0;
    owners.indexOf = (slot, from) => {
      const found = Uint8Array.prototype.indexOf.call(owners, slot, from);
      if (found === (items[next] as number) >>> 4) zone.free(items[next++] as Addr);
      return found;
    };
    b.uma.reclaimer.leave();
    b.threads.release();
    assert.equal(next, 8);
    for (const item of items) assert.equal(party.uma.owners[item >>> 4], 0);
    assertClean(party);
  });

  it('of what a thread held when it left: still allocated, the memory is its owner', () => {
    const { party, zone } = makeScene();
    const b = joinParty(party.machine.handle);
    const left = b.uma.zone({ name: 'zone', size: 100 }).tryAlloc() as Addr;
    b.uma.reclaimer.leave();
    b.threads.release();
    assert.equal(party.uma.owners[left >>> 4], 255);
    assertClean(party);
    zone.free(left);
    assertClean(party);
  });
});

type Call = (scene: Scene, value: never) => unknown;

const doors: Record<string, Call> = {
  'tryAlloc(flags)': ({ zone }, flags) => zone.tryAlloc(flags),
  'alloc(flags)': ({ zone }, flags) => zone.alloc(flags, 0),
  'alloc(, timeoutMs)': ({ zone }, timeout) => zone.alloc(0, timeout),
  'free(item)': ({ zone }, item) => zone.free(item),
  'forget(item)': ({ zone }, item) => zone.forget(item),
  'tryAllocMany(out)': ({ zone }, out) => zone.tryAllocMany(out, 1),
  'tryAllocMany(, n)': ({ zone }, n) => zone.tryAllocMany(new Int32Array(4), n),
  'freeMany(items)': ({ zone }, items) => zone.freeMany(items, 1),
  'freeMany(, n)': ({ zone }, n) => zone.freeMany(new Int32Array(4), n),
  max: ({ zone }, limit) => {
    zone.max = limit;
  },
  'zone(options)': ({ party }, options) => party.uma.zone(options),
};
for (const option of [
  'name',
  'size',
  'align',
  'max',
  'ctor',
  'dtor',
  'init',
  'fini',
  'primary',
  'referenceCounted',
  'zeroFresh',
  'zero',
  'maxBucket',
  'frugal',
  'noBucket',
  'noFree',
  'noTrim',
  'unmanaged',
  'noTouch',
  'contiguous',
  'cacheSpread',
  'perThread',
  'maxCached',
  'reserve',
  'lowWater',
  'highWater',
  'backend',
  'warning',
  'maxAction',
  'onExhausted',
]) {
  doors[`zone({ ${option} })`] = ({ party }, value) =>
    party.uma.zone({ name: 'another', size: 64, [option]: value });
  doors[`zone({ ${option} }) of a zone that is there`] = ({ party }, value) =>
    party.uma.zone({ name: 'zone', size: 100, [option]: value });
}

describe('hostile values at every door', () => {
  for (const [door, call] of Object.entries(doors)) {
    it(`${door}: accepted whole, or a coded error and nothing changed`, () => {
      let refused = 0;
      let scene = makeScene();
      for (const [name, value] of hostileValues) {
        const { party, zone, item } = scene;
        const before = look(scene);
        try {
          call(scene, value as never);
          scene = makeScene();
        } catch (error) {
          assert.ok(error instanceof MbumaError, `${name}: ${(error as Error)?.stack ?? error}`);
          assert.ok(before.equals(look(scene)), `${name}: the memory has changed`);
          refused++;
        }
        zone.max = 0;
        assertClean(party, name);
        assert.notEqual(party.uma.owners[item >>> 4], 0, `${name}: the item is gone`);
      }
      assert.ok(refused >= 20, `${refused} refused`);
    });
  }

  it('allocAsync(flags) and its options: rejected with a coded error', async () => {
    for (const [name, value] of hostileValues) {
      const scene = makeScene();
      for (const call of [
        () => scene.zone.allocAsync(value as never),
        () => scene.zone.allocAsync(0, value as never),
      ]) {
        const before = look(scene);
        try {
          scene.zone.free(await call());
        } catch (error) {
          // What reading a property of the options throws is the caller's own.
          if (name === 'a revoked proxy') continue;
          assert.ok(error instanceof MbumaError, `${name}: ${(error as Error)?.stack ?? error}`);
          assert.ok(before.equals(look(scene)), `${name}: the memory has changed`);
        }
      }
      assertClean(scene.party, name);
    }
  });

  it('flags: every one that exists, and their sums, and no others', () => {
    const { zone } = makeScene();
    assert.deepEqual([ZERO, CANFAIL, USE_RESERVE, USE_INTERRUPT_RESERVE], [1, 2, 4, 8]);
    for (let flags = 0; flags < 16; flags++) zone.free(zone.tryAlloc(flags));
    for (const flags of [16, 17, 255, -1])
      assert.equal(
        codeOf(() => zone.tryAlloc(flags)),
        'BAD_ARGUMENT',
      );
  });

  it('a bulk call longer than its array: BAD_ARGUMENT, also with the array of the last call', () => {
    const { party, zone } = makeScene();
    const out = new Int32Array(8);
    assert.equal(zone.tryAllocMany(out, 8), 8);
    assert.equal(
      codeOf(() => zone.tryAllocMany(out, 9)),
      'BAD_ARGUMENT',
    );
    zone.freeMany(out, 8);
    for (const n of [9, 2 ** 32, 2 ** 32 + 1, -1, 1.5]) {
      assert.equal(
        codeOf(() => zone.tryAllocMany(out, n)),
        'BAD_ARGUMENT',
      );
      assert.equal(
        codeOf(() => zone.freeMany(out, n)),
        'BAD_ARGUMENT',
      );
    }
    assertClean(party);
  });
});

describe('zones that cannot be', () => {
  it('every reason is told at once', () => {
    const { party } = makeScene();
    assert.throws(
      () => party.uma.zone({ name: '', size: 0, align: 24, max: -1, ctor: 5 as never }),
      (error) => {
        assert.ok(error instanceof MbumaError && error.code === 'BAD_CONFIGURATION');
        for (const word of ['name', 'size', 'align', 'max', 'ctor'])
          assert.match(error.message, new RegExp(word));
        return true;
      },
    );
  });

  it('attaching with another layout: LAYOUT_MISMATCH, from this thread and from another', () => {
    const { party } = makeScene();
    const b = joinParty(party.machine.handle);
    const primary = party.uma.zone({ name: 'primary', size: 100 });
    for (const { uma } of [party, b]) {
      for (const options of [
        { size: 101 },
        { size: 100, align: 64 },
        { size: 100, referenceCounted: true },
      ]) {
        assert.equal(
          codeOf(() => uma.zone({ name: 'zone', ...options })),
          'LAYOUT_MISMATCH',
        );
      }
    }
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'zone', primary })),
      'LAYOUT_MISMATCH',
    );
    assertClean(party);
  });

  it('a primary that is none: of another thread, another memory, or secondary itself', () => {
    const { party, zone } = makeScene();
    const b = joinParty(party.machine.handle);
    const secondary = party.uma.zone({ name: 'secondary', primary: zone });
    for (const primary of [makeScene().zone, b.uma.zone({ name: 'zone', size: 100 }), secondary]) {
      assert.equal(
        codeOf(() => party.uma.zone({ name: 'more', primary })),
        'BAD_ARGUMENT',
      );
    }
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'more', primary: zone, size: 50 })),
      'BAD_ARGUMENT',
    );
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'more', primary: zone, align: 64 })),
      'BAD_ARGUMENT',
    );
  });

  it('too many: TOO_MANY_ZONES, and those that are there work on', () => {
    const party = makeParty({ maxZones: 16 });
    const free = party.pages.freePages();
    const zones = Array.from({ length: 16 }, (_, index) =>
      party.uma.zone({ name: `zone ${index}`, size: 64 }),
    );
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'one more', size: 64 })),
      'TOO_MANY_ZONES',
    );
    for (const zone of zones) zone.free(zone.tryAlloc());
    assert.deepEqual(
      party.uma.zoneNames(),
      zones.map(({ name }) => name),
    );
    assertEmpty(party, free);
  });

  it('the same zone twice is one zone', () => {
    const { party, zone } = makeScene();
    assert.equal(party.uma.zone({ name: 'zone', size: 100 }), zone);
    assert.equal(party.uma.findZone('zone'), zone);
    assert.equal(party.uma.findZone('none'), undefined);
  });
});
