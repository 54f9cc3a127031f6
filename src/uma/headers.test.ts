/**
 * Slab headers of all kinds side by side: bitmaps, counters and items never touch each other's words,
 * whatever order of calls; and every path takes a header for what it is. In 2004 it did not: a header with
 * counters was read as one without, and a free list walked off through half a megabyte.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Addr } from '../record/index.js';
import { OWNERLESS, SHARED } from './counters.js';
import { chooseGeometry, type Geometry, headerItemBytes } from './geometry.js';
import type { CountedZone, Zone } from './index.js';
import { COUNTER_STRIDE, KEG_WORDS, Keg, KegFlag, SLAB_HEADER_WORDS, Slab } from './records.js';
import { assertClean, brokenRules, joinParty, makeParty, type Party, property } from './uma.test-kit.js';

/** Kinds of headers: inline and off-page, with no counters, with the zone's, and with those of a layer. */
const KINDS = [
  { name: 'plain inline', size: 100, counted: false },
  { name: 'plain off-page', size: 4096, counted: false },
  { name: 'counted inline', size: 700, counted: true },
  { name: 'counted, header of 1024', size: 816, counted: true },
  { name: 'counted, header of 512', size: 1120, counted: true },
  { name: 'counted, header of 256', size: 1312, counted: true },
  { name: 'counted, header of 128', size: 3984, counted: true },
  { name: 'layer inline', size: 500, counted: 'layer' },
  { name: 'layer off-page', size: 2048, counted: 'layer' },
] as const;

interface Item {
  readonly kind: number;
  readonly cookie: number;
  references: number;
}

interface World {
  readonly parties: readonly Party[];
  readonly zones: readonly (readonly Zone[])[];
  readonly items: Map<Addr, Item>;
}

function makeWorld(): World {
  const first = makeParty({ pageCount: 768 });
  const parties = [first, joinParty(first.machine.handle)];
  const zones = parties.map(({ uma }) =>
    KINDS.map(({ name, size, counted }) => uma.zone({ name, size, referenceCounted: counted })),
  );
  return { parties, zones, items: new Map() };
}

const isCounted = ({ kind }: Item): boolean => KINDS[kind]?.counted === true;

/** Every word of an item, and the counter of a layer, say which item it is. */
function write({ parties, items }: World, item: Addr): void {
  const { words, uma } = parties[0] as Party;
  const { kind, cookie } = items.get(item) as Item;
  const { size, counted } = KINDS[kind] as (typeof KINDS)[number];
  words.fill(cookie, item >> 2, (item + size) >> 2);
  if (counted === 'layer') words[uma.counterOf(item)] = -cookie;
}

/** Nobody else has written there, and the counts are those that are known. */
function checkItem({ parties, zones }: World, address: Addr, item: Item): void {
  const { words, uma } = parties[0] as Party;
  const { size, counted, name } = KINDS[item.kind] as (typeof KINDS)[number];
  for (let word = address >> 2; word < (address + size) >> 2; word++)
    if (words[word] !== item.cookie) assert.fail(`word ${word} of an item of ${name} is ${words[word]}`);
  const counter = uma.counterOf(address);
  assert.equal(counter !== 0, counted !== false, name);
  if (counted === 'layer') assert.equal(words[counter], -item.cookie, name);
  if (counted !== true) return;
  const zone = zones[1]?.[item.kind] as CountedZone;
  assert.equal(zone.references((address + size - 1) as Addr), item.references, name);
}

/**
 * What each word of the memory belongs to, from the headers as they are; fails where two things share one.
 */
function checkDisjoint({ parties, items }: World): void {
  const { words, uma, machine, pages } = parties[0] as Party;
  const taken = new Map<number, string>();
  const take = (first: number, count: number, what: string): void => {
    for (let word = first; word < first + count; word++) {
      assert.equal(taken.get(word), undefined, `word ${word} is ${what}`);
      taken.set(word, what);
    }
  };
  const seen = new Set<number>();
  const read = (index: number): number => words[index] as number;
  const counters = new Set<number>();
  for (let page = machine.layout.firstPage; page < machine.layout.parameters.pageCount; page++) {
    const number = uma.pageKegs[page] as number;
    const slab = pages.objectOf(page);
    if (number === 0 || seen.has(slab)) continue;
    seen.add(slab);
    const keg = machine.area('kegs') + number * KEG_WORDS;
    const count = read(keg + Keg.itemsPerSlab);
    const itemWords = read(keg + Keg.itemSize) >> 2;
    take(slab, SLAB_HEADER_WORDS, 'a header');
    take(slab + SLAB_HEADER_WORDS, Math.ceil(count / 32), 'a bitmap');
    const first = read(slab + Slab.data) >> 2;
    // Headers of others lie in the items of the header kegs.
    const holdsHeaders = (read(keg + Keg.flags) & KegFlag.INTERNAL) !== 0;
    for (let item = 0; item < count && !holdsHeaders; item++)
      take(first + item * itemWords, itemWords, 'an item');
    if ((read(keg + Keg.flags) & KegFlag.REFERENCE_COUNTED) === 0) continue;
    for (let item = 0; item < count; item++) {
      const counter = slab + read(keg + Keg.counterOffset) + item * COUNTER_STRIDE;
      assert.equal(counter % COUNTER_STRIDE, 0, 'a counter has a line of its own');
      take(counter, COUNTER_STRIDE, 'a counter');
      counters.add(counter);
    }
  }
  for (const [address, { kind }] of items) {
    const counter = uma.counterOf(address);
    assert.equal(
      counters.delete(counter),
      KINDS[kind]?.counted !== false,
      'each item has a counter of its own',
    );
  }
}

type Step = readonly [what: number, who: number, kind: number, which: number];

function act(world: World, [what, who, kind, which]: Step, cookie: number): void {
  const { zones, items } = world;
  const zone = zones[who]?.[kind] as Zone;
  const mine = [...items].filter(([, item]) => item.kind === kind);
  const [address, item] = mine[which % Math.max(1, mine.length)] ?? [0 as Addr, null];
  if (what < 4) {
    for (let count = 1 + (which % 12); count > 0; count--) {
      const got = what === 0 ? zone.tryAlloc(1) : zone.tryAlloc();
      if (got === 0) return;
      assert.equal(items.has(got), false, 'nobody has it');
      items.set(got, { kind, cookie: cookie * 16 + count, references: 1 });
      write(world, got);
    }
  } else if (what === 4) {
    zone.drain();
  } else if (item === null) {
    zone.trim();
  } else if (isCounted(item) && what < 8) {
    (zone as CountedZone).hold(address);
    item.references++;
  } else if (isCounted(item) && what < 14) {
    const last = (zone as CountedZone).drop((address + (which % zone.size)) as Addr);
    assert.equal(last, item.references === 1);
    if (--item.references === 0) items.delete(address);
  } else if (item.references > 1) {
    assert.throws(() => zone.free(address), { code: 'STILL_REFERENCED' });
  } else {
    items.delete(address);
    zone.free(address);
  }
}

function zoneOf({ zones }: World, who: number, kind: number): CountedZone {
  return zones[who]?.[kind] as CountedZone;
}

const step = fc.tuple(fc.nat(17), fc.nat(1), fc.nat(KINDS.length - 1), fc.nat(1000));

describe('slab headers of all kinds', () => {
  it('are here: inline and off-page, of every size that counters need', () => {
    const headers = KINDS.map(({ size, counted }) => {
      const { offPage, headerWords } = chooseGeometry({
        size,
        align: 16,
        flags: counted === false ? 0 : KegFlag.REFERENCE_COUNTED,
      }) as Geometry;
      return offPage ? headerItemBytes(headerWords) : 0;
    });
    assert.deepEqual(headers, [0, 64, 0, 1024, 512, 256, 128, 0, 256]);
  });

  it('are never taken for one another, and share no word', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 60, maxLength: 250, size: 'max' }), (steps) => {
        const world = makeWorld();
        steps.forEach((each, at) => {
          act(world, each, at + 1);
          if (at % 25 !== 0) return;
          assertClean(world.parties[0] as Party);
          checkDisjoint(world);
          for (const [address, item] of world.items) checkItem(world, address, item);
        });
        for (const [address, item] of world.items) {
          checkItem(world, address, item);
          for (let left = item.references; left > 1; left--)
            assert.equal(zoneOf(world, 0, item.kind).drop(address), false);
          zoneOf(world, item.cookie & 1, item.kind).free(address);
        }
        for (const party of [...world.parties, ...world.parties]) party.uma.reclaimer.reclaim('drain');
        assertClean(world.parties[0] as Party);
        for (const { used, pages } of world.parties[0]?.uma.stats() ?? [])
          assert.deepEqual([used, pages], [0, 0]);
      }),
      property(15),
    );
  });
});

describe('counters that are a layer’s', () => {
  it('stay as they are when items change hands', () => {
    const { parties, zones } = makeWorld();
    const { uma, words } = parties[0] as Party;
    KINDS.forEach(({ counted }, kind) => {
      if (counted !== 'layer') return;
      const zone = zones[0]?.[kind] as Zone;
      const item = zone.tryAlloc() as Addr;
      const counter = uma.counterOf(item);
      for (const value of [-5, 0, 1 << 28]) {
        words[counter] = value;
        uma.carry(zone.keg, item, 2);
        assert.ok(zone.claim(item));
        assert.equal(words[counter], value);
      }
      zone.free(item);
    });
  });
});

describe('the audit of counters', () => {
  const plants: readonly (readonly [
    what: string,
    rule: string,
    kind: number,
    word: number,
    value: number,
  ])[] = [
    ['an item in use without references', 'U21', 3, 0, 0],
    ['bits that mean nothing', 'U21', 3, 0, (1 << 30) | 1],
    ['a negative count', 'U21', 3, 0, -1],
    ['flags without references', 'U21', 3, 0, OWNERLESS],
    ['several references of which one is left', 'U21', 3, 0, SHARED | 2],
    ['a word between two counters', 'U14', 3, 1, 7],
    ['the last word between two counters', 'U14', 3, COUNTER_STRIDE - 1, 7],
    ['a word between two counters of a layer', 'U14', 8, 1, 7],
  ];
  for (const [what, rule, kind, word, value] of plants) {
    it(`finds ${what}`, () => {
      const { parties, zones } = makeWorld();
      const party = parties[0] as Party;
      const item = zoneOf({ parties, zones, items: new Map() }, 0, kind).tryAlloc() as Addr;
      const at = party.uma.counterOf(item) + word;
      const before = party.words[at] as number;
      party.words[at] = value;
      assert.deepEqual(brokenRules(party), [rule]);
      party.words[at] = before;
      assertClean(party);
    });
  }

  it('finds references to an item that is free, in a bucket or in its slab', () => {
    const { parties, zones } = makeWorld();
    const party = parties[0] as Party;
    const zone = zones[0]?.[3] as Zone;
    const [stays, item] = [zone.tryAlloc() as Addr, zone.tryAlloc() as Addr];
    const counter = party.uma.counterOf(item);
    zone.free(item);
    for (const where of ['bucket', 'slab']) {
      party.words[counter] = 1;
      assert.deepEqual(brokenRules(party), ['U21'], where);
      party.words[counter] = 0;
      assertClean(party);
      zone.drainHere();
    }
    zone.free(stays);
  });
});
