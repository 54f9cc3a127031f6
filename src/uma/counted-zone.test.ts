/** Zones whose items have reference counters: what the calls promise, and what they refuse. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAttachment, createMachine, planThreads, publishMachine } from '../machine/index.js';
import { attachMemory, createMemory } from '../memory.js';
import { createPages, planPages } from '../phys/index.js';
import type { Addr } from '../record/index.js';
import { OWNERLESS, REFERENCES, SHARED } from './counters.js';
import { chooseGeometry, type Geometry } from './geometry.js';
import { type CountedZone, createUma, OWNER_MEMORY, planUma, type ZoneOptions } from './index.js';
import { KegFlag, Slab } from './records.js';
import { assertClean, assertEmpty, codeOf, joinParty, makeParty, type Party } from './uma.test-kit.js';

const counted = { name: 'counted', size: 100, referenceCounted: true } as const;

function makeZone(options: Partial<ZoneOptions> = {}): { party: Party; zone: CountedZone; item: Addr } {
  const party = makeParty();
  const zone = party.uma.zone({ ...counted, ...options } as typeof counted);
  return { party, zone, item: zone.tryAlloc() as Addr };
}

/** What the compiler says of a zone: whether it can count. */
type Counts<Type> = Type extends { hold: unknown } ? true : false;

/** Calls, expects the error, and that not a word has changed. */
function assertRefused({ words }: Party, code: string, call: () => unknown): void {
  const before = words.slice();
  assert.equal(codeOf(call), code);
  assert.deepEqual(words, before, 'the memory');
}

describe('a zone with reference counters', () => {
  it('gives items with one reference, however they are allocated', async () => {
    const { party, zone, item } = makeZone();
    const many = new Int32Array(300);
    assert.equal(zone.tryAllocMany(many, 300), 300);
    const items = [item, zone.alloc(), zone.alloc(0, 10), await zone.allocAsync(), ...many] as Addr[];
    for (const each of items) assert.equal(zone.references(each), 1);
    assertClean(party);
    for (const each of items.slice(0, 4)) zone.free(each);
    zone.freeMany(many, 300);
    for (const each of items) assert.equal(zone.references(each), 0);
    assertClean(party);
  });

  it('counts from 0 on a page that held something else', () => {
    // Headers on the page, and off it.
    for (const size of [700, 3984]) {
      const party = makeParty();
      const { words, machine } = party;
      words.fill(-1, machine.layout.firstPage << 10);
      const zone = party.uma.zone({ ...counted, size });
      const items = Array.from({ length: 20 }, () => zone.tryAlloc() as Addr);
      for (const item of items) assert.equal(zone.references(item), 1);
      for (const item of items) assert.equal(zone.drop(item), true);
      // What was never handed out stands at 0, too: the audit looks at every counter.
      assertClean(party);
    }
  });

  it('frees with the last reference, and not before', () => {
    const destructed: number[] = [];
    const { party, zone, item } = makeZone({ dtor: (each) => void destructed.push(each) });
    zone.hold(item);
    zone.hold(item);
    assert.equal(zone.references(item), 3);
    assert.deepEqual([zone.drop(item), zone.drop(item), zone.stats().used], [false, false, 1]);
    assert.deepEqual([zone.references(item), destructed], [1, []]);
    assert.equal(zone.drop(item), true);
    assert.deepEqual([zone.references(item), destructed, zone.stats().used], [0, [item], 0]);
    assertClean(party);
  });

  it('finds the counter from any address of the item, in slabs of any form', () => {
    // 784: to multiply by the inverse of 784 gives less than 1 for the second item.
    for (const size of [1, 100, 700, 784, 816, 1312, 2048, 3984, 20_000, 300_000]) {
      const party = makeParty({ pageCount: 1024 });
      const free = party.pages.freePages();
      const zone = party.uma.zone({ ...counted, size });
      const items = Array.from({ length: 5 }, () => zone.tryAlloc() as Addr);
      for (const item of items) {
        const inside = [item, item + 1, item + (size >> 1), item + size - 1] as Addr[];
        inside.forEach((address, held) => {
          zone.hold(address);
          assert.equal(zone.references(address), held + 2, `${size} bytes`);
        });
        for (const address of inside) assert.equal(zone.drop(address), false);
      }
      assert.deepEqual(
        items.map((item) => zone.references(item)),
        [1, 1, 1, 1, 1],
      );
      for (const item of items) assert.equal(zone.drop((item + size - 1) as Addr), true);
      assertEmpty(party, free);
    }
  });

  it('may be freed by whoever drops last, through any zone of the keg', () => {
    const { party, zone, item } = makeZone();
    const other = joinParty(party.machine.handle);
    const theirs = other.uma.zone(counted);
    const second = other.uma.zone({ name: 'second', primary: theirs });
    zone.hold(item);
    assert.equal(zone.drop(item), false);
    assert.equal(theirs.drop(item), true);
    const next = second.tryAlloc() as Addr;
    assert.equal(theirs.references(next), 1);
    assert.equal(second.drop(next), true);
    assertClean(party);
  });

  it('counts nothing while a constructor or destructor runs', () => {
    const codes: string[] = [];
    let zone: CountedZone | undefined;
    const attempt = (item: number): void => {
      codes.push(
        codeOf(() => zone?.hold(item as Addr)),
        codeOf(() => zone?.drop(item as Addr)),
      );
    };
    const party = makeParty();
    zone = party.uma.zone({ ...counted, ctor: attempt, dtor: attempt });
    assert.equal(zone.drop(zone.alloc()), true);
    assert.deepEqual(codes, ['ITEM_FREE', 'FREE_TWICE', 'ITEM_FREE', 'FREE_TWICE']);
    assertClean(party);
  });

  it('takes an item back whose constructor or destructor throws', () => {
    const party = makeParty();
    let broken = true;
    const hook = (): void => {
      if (broken) throw new Error('broken');
    };
    const zone = party.uma.zone({ ...counted, ctor: hook, dtor: hook });
    assert.throws(() => zone.tryAlloc(), /broken/);
    assertClean(party);
    broken = false;
    const item = zone.alloc();
    broken = true;
    assert.throws(() => zone.drop(item), /broken/);
    assert.equal(zone.references(item), 0);
    assertClean(party);
  });

  it('wakes who waits, with the last reference', async () => {
    const { party, zone, item } = makeZone({ max: 1 });
    const waiting = zone.allocAsync();
    zone.hold(item);
    zone.drop(item);
    assert.equal(zone.sleepers, 1);
    assert.equal(zone.drop(item), true);
    // Granted and not taken yet: it has an owner, and no count.
    assertClean(party);
    const got = await waiting;
    assert.deepEqual([got, zone.references(got)], [item, 1]);
    zone.drop(got);
    assertClean(party);
  });

  it('is no zone without counters, by its type', () => {
    const party = makeParty();
    const plain = party.uma.zone({ name: 'plain', size: 64 });
    const layer = party.uma.zone({ name: 'layer', size: 64, referenceCounted: 'layer' });
    const said: [Counts<typeof plain>, Counts<typeof layer>, Counts<CountedZone>] = [false, false, true];
    assert.deepEqual(
      [plain, layer, makeZone().zone].map((zone) => 'hold' in zone),
      said,
    );
    for (const zone of [plain, layer]) {
      assert.equal('hold' in zone, false);
      const item = zone.tryAlloc() as Addr;
      assert.equal(party.uma.counterOf(item) !== 0, zone === layer);
      zone.free(item);
    }
    const { zone } = makeZone();
    const second: CountedZone = party.uma.zone({ name: 'other', size: 64, referenceCounted: true });
    assert.equal(typeof second.hold, typeof zone.hold);
    for (const options of [{ referenceCounted: true }, { referenceCounted: 'layer' }, {}] as const) {
      for (const name of ['plain', 'layer', 'other']) {
        const wanted = { plain: undefined, layer: 'layer', other: true }[name];
        const code = codeOf(() => party.uma.zone({ name, size: 64, ...options } as ZoneOptions));
        // What is not said is not held against anybody.
        const said: unknown = (options as ZoneOptions).referenceCounted;
        const agrees = said === undefined || said === wanted;
        assert.equal(code, agrees ? 'nothing thrown' : 'LAYOUT_MISMATCH', `${name} as ${wanted}`);
      }
    }
    assertClean(party);
  });
});

describe('misuse of references, with the memory as it was', () => {
  it('free of an item that others refer to: STILL_REFERENCED', () => {
    const { party, zone, item } = makeZone();
    zone.hold(item);
    assertRefused(party, 'STILL_REFERENCED', () => zone.free(item));
    assertRefused(party, 'STILL_REFERENCED', () => zone.freeMany(Int32Array.of(item), 1));
    zone.drop(item);
    zone.free(item);
    assertRefused(party, 'FREE_TWICE', () => zone.free(item));
    assertClean(party);
  });

  it('drop, free and hold of an item that is free: FREE_TWICE, and ITEM_FREE', () => {
    const { party, zone, item } = makeZone();
    zone.hold(item);
    zone.drop(item);
    zone.drop(item);
    for (const address of [item, item + 5] as Addr[]) {
      assertRefused(party, 'FREE_TWICE', () => zone.drop(address));
      assertRefused(party, 'ITEM_FREE', () => zone.hold(address));
      assert.equal(zone.references(address), 0);
    }
    assertRefused(party, 'FREE_TWICE', () => zone.free(item));
    assertClean(party);
  });

  it('free of an address inside: FREE_UNALIGNED, though hold and drop take it', () => {
    const { party, zone, item } = makeZone();
    assertRefused(party, 'FREE_UNALIGNED', () => zone.free((item + 16) as Addr));
    assertRefused(party, 'FREE_UNALIGNED', () => zone.claim((item + 16) as Addr));
    zone.drop((item + 16) as Addr);
    assertClean(party);
  });

  it('what is no item of the zone: BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_ZONE', () => {
    const { party, zone, item } = makeZone();
    const plain = party.uma.zone({ name: 'plain', size: 100 }).alloc();
    const other = party.uma.zone({ name: 'other', size: 300, referenceCounted: true }).alloc();
    const counter = party.uma.counterOf(item) << 2;
    for (const call of [zone.hold, zone.drop, zone.references] as ((item: Addr) => unknown)[]) {
      const refused = (code: string, address: unknown): void =>
        assertRefused(party, code, () => call.call(zone, address as Addr));
      for (const value of [undefined, null, '16', 0.5, item + 0.5, Number.NaN, -16, 2 ** 32, {}, [item]])
        refused('BAD_ARGUMENT', value);
      for (const value of [0, 4, party.words.length * 4 - 1, counter, counter + 4])
        refused('FREE_FOREIGN', value);
      for (const value of [plain, other, other + 7]) refused('FREE_WRONG_ZONE', value);
    }
    assertRefused(party, 'BAD_ARGUMENT', () => zone.tryAllocMany([] as never, 1));
    assertRefused(party, 'BAD_ARGUMENT', () => zone.freeMany(new Int32Array(1), 2));
    zone.free(0);
    assertClean(party);
  });

  it('an address behind the last item of a slab: FREE_FOREIGN, whatever stands where its counter would', () => {
    const { party, zone, item } = makeZone({ size: 816 });
    const { words, pages, uma } = party;
    const geometry = chooseGeometry({
      size: 816,
      align: 16,
      flags: KegFlag.REFERENCE_COUNTED,
    }) as Geometry;
    const slab = pages.objectOf(item >>> 12);
    const behind = (words[slab + Slab.data] as number) + geometry.itemsPerSlab * geometry.itemSize;
    assert.equal(uma.pageKegs[behind >>> 12], zone.keg, 'the slab has a rest');
    words[slab + geometry.headerWords] = 1;
    for (const call of [zone.hold, zone.drop, zone.references, zone.free] as ((item: Addr) => unknown)[])
      assertRefused(party, 'FREE_FOREIGN', () => call.call(zone, behind as Addr));
  });

  it('a slab that says that its counters are outside of the memory: MEMORY_DAMAGED', () => {
    const { party, zone, item } = makeZone();
    const { words, pages } = party;
    const slab = words.length - 8;
    words[slab + Slab.data] = item;
    pages.setObject(item >>> 12, 1, slab);
    for (const call of [zone.hold, zone.drop, zone.free, zone.references] as ((item: Addr) => unknown)[])
      assertRefused(party, 'MEMORY_DAMAGED', () => call.call(zone, item));
  });

  it('more references than can be counted: TOO_MANY_REFERENCES', () => {
    const { party, zone, item } = makeZone();
    const counter = party.uma.counterOf(item);
    party.words[counter] = REFERENCES - 1;
    zone.hold(item);
    assertRefused(party, 'TOO_MANY_REFERENCES', () => zone.hold(item));
    assert.equal(zone.drop(item), false);
    assert.equal(zone.references(item), REFERENCES - 1);
    assertClean(party);
  });

  it('of a thread that has left: DETACHED', () => {
    const memory = createMemory({ bytes: 1 << 20, maxThreads: 3 });
    const gone = attachMemory(memory.handle);
    const [zone, theirs] = [memory.zone(counted), gone.zone(counted)];
    const item = theirs.alloc();
    zone.hold(item);
    gone.detach();
    assert.throws(() => theirs.drop(item), { code: 'DETACHED' });
    assert.throws(() => theirs.hold(item), { code: 'DETACHED' });
    assert.deepEqual([zone.drop(item), zone.references(item), zone.drop(item)], [false, 1, true]);
    assertClean(memory);
  });
});

describe('a count of 1', () => {
  /** Zones over a machine that tells of every atomic operation on a word. */
  function watch(): { zone: CountedZone; atomicsAt: (item: Addr) => number } {
    const planners = [planThreads, planPages, planUma];
    const machine = createMachine(
      { pageCount: 256, maxThreads: 2, maxZones: 8, checkLevel: 0, wasm: false, reservedPages: 0 },
      planners,
      1,
    );
    const seen = new Map<number, number>();
    for (const [name, operation] of Object.entries(machine.atomics)) {
      const watched = (index: number, ...rest: number[]): unknown => {
        seen.set(index, (seen.get(index) ?? 0) + 1);
        return (operation as (...values: number[]) => unknown)(index, ...rest);
      };
      Object.assign(machine.atomics, { [name]: watched });
    }
    const attachment = createAttachment(machine);
    const uma = createUma({ ...attachment, pages: createPages(attachment, true) }, true);
    publishMachine(machine);
    return {
      zone: uma.zone(counted),
      atomicsAt: (item) => seen.get(uma.counterOf(item)) ?? 0,
    };
  }

  it('is never touched atomically: not by alloc, free, the last drop, nor by the hold that ends it', () => {
    const { zone, atomicsAt } = watch();
    const items = Array.from({ length: 400 }, () => zone.tryAlloc() as Addr);
    items.forEach((item, at) => {
      if (at % 3 === 0) zone.free(item);
      else if (at % 3 === 1) assert.equal(zone.drop(item), true);
      else zone.hold(item);
      assert.equal(atomicsAt(item), 0);
    });
    const shared = items[2] as Addr;
    assert.equal(zone.drop(shared), false);
    assert.equal(atomicsAt(shared), 1, 'one exchange, for there may be another thread');
    assert.equal(zone.drop(shared), true);
    assert.ok(atomicsAt(shared) > 1, 'one look at least, for others may have written to the item');
  });

  it('is looked at atomically once after others have had the item', () => {
    const { zone, atomicsAt } = watch();
    const item = zone.alloc();
    zone.hold(item);
    zone.drop(item);
    assert.ok(zone.claim(item));
    const before = atomicsAt(item);
    zone.hold(item);
    assert.equal(atomicsAt(item), before);
  });
});

describe('references after a death', () => {
  const policies = ['free', 'keep', 'report'] as const;
  function open(onOwnerDeath: (typeof policies)[number]) {
    const memory = createMemory({ bytes: 1 << 20, maxThreads: 4, maxZones: 16 });
    const mortal = attachMemory(memory.handle);
    const options = { ...counted, onOwnerDeath };
    const [zone, theirs] = [memory.zone(options), mortal.zone(options)];
    const die = () => {
      memory.declareDead(mortal.name);
      const [reaped] = memory.reap();
      assertClean(memory);
      return reaped?.items.map(({ freed, kept }) => ({ freed, kept })) ?? [];
    };
    return { memory, zone, theirs, die };
  }

  it('the one that the thread owned is given up: the last frees', () => {
    const { zone, theirs, die } = open('free');
    const alone = theirs.alloc();
    const shared = theirs.alloc();
    theirs.hold(shared);
    assert.deepEqual(die(), [{ freed: 1, kept: 1 }]);
    assert.deepEqual([zone.references(alone), zone.references(shared)], [0, 1]);
    assert.equal(zone.drop(shared), true);
    assert.equal(zone.stats().used, 0);
  });

  it('what it has given up while alive is not given up again', () => {
    const { zone, theirs, die } = open('free');
    const item = theirs.alloc();
    theirs.hold(item);
    theirs.hold(item);
    theirs.drop(item);
    theirs.drop(item);
    assert.deepEqual(die(), [{ freed: 0, kept: 1 }]);
    assert.equal(zone.references(item), 1);
    assert.equal(zone.drop(item), true);
  });

  it('what it claimed is its own, whoever owned it before', () => {
    const { zone, theirs, die } = open('free');
    const item = zone.alloc();
    zone.hold(item);
    zone.drop(item);
    assert.ok(theirs.claim(item));
    assert.deepEqual(die(), [{ freed: 1, kept: 0 }]);
    assert.equal(zone.references(item), 0);
  });

  it('what was claimed from it stays', () => {
    const { zone, theirs, die } = open('free');
    const item = theirs.alloc();
    assert.ok(zone.claim(item));
    assert.deepEqual(die(), []);
    assert.equal(zone.drop(item), true);
  });

  for (const policy of policies.slice(1)) {
    it(`all stay when the zone says ${policy}, and can be dropped`, () => {
      const { zone, theirs, die } = open(policy);
      const items = [theirs.alloc(), theirs.alloc()];
      theirs.hold(items[1] as Addr);
      assert.deepEqual(die(), [{ freed: 0, kept: 2 }]);
      assert.deepEqual(
        items.map((item) => zone.references(item)),
        [1, 2],
      );
      assert.deepEqual(
        [0, 1, 1].map((at) => zone.drop(items[at] as Addr)),
        [true, false, true],
      );
    });
  }

  it('an item of a thread that died while it allocated has no count: it has one as soon as it is named', () => {
    const { party, zone } = makeZone();
    for (const use of ['hold', 'drop', 'free', 'claim', 'references'] as const) {
      const item = zone.alloc();
      // As it is after the owner byte, before the count, and when the memory has inherited it.
      party.words[party.uma.counterOf(item)] = 0;
      party.uma.owners[item >>> 4] = OWNER_MEMORY;
      assertClean(party);
      zone[use](item);
      assertClean(party);
      const references = zone.references(item);
      assert.equal(references, { hold: 2, drop: 0, free: 0, claim: 1, references: 1 }[use]);
      for (let left = references; left > 0; left--) zone.drop(item);
      assert.equal(zone.references(item), 0);
      assertClean(party);
    }
  });

  it('a ring that carries the items hands over a reference', () => {
    const { memory, zone, theirs, die } = open('free');
    const ring = memory.ring({ name: 'ring', capacity: 8, carries: zone });
    const item = theirs.alloc();
    theirs.hold(item);
    theirs.drop(item);
    ring.put(item);
    assert.equal(ring.tryTake(), item);
    assert.deepEqual(die(), [], 'it is not the dead thread’s any more');
    assert.equal(zone.drop(item), true);
    assertClean(memory);
  });
});

it('the flags of a counter are no references', () => {
  assert.equal(REFERENCES & (OWNERLESS | SHARED), 0);
  assert.ok(REFERENCES + (OWNERLESS | SHARED) < 2 ** 31);
});
