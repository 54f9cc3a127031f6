/** The three lists of a keg's slabs, after pool(9): which slab stands where, gives next, and goes back. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Machine } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import type { Zone, ZoneOptions } from './index.js';
import { takeAll } from './pair.test-kit.js';
import { KEG_WORDS, Keg, SLAB_HEADER_WORDS, Slab, SlabList } from './records.js';
import { createSlabs } from './slabs.js';
import { assertClean, assertEmpty, codeOf, joinParty, makeParty, must, type Party } from './uma.test-kit.js';

/** Four items a slab, a slab a page, and no caches: so each call is one of the keg. */
function makeZone(options: Partial<ZoneOptions> = {}): { party: Party; zone: Zone; free: number } {
  const party = makeParty();
  const free = party.pages.freePages();
  return { party, free, zone: party.uma.zone({ name: 'zone', size: 1024, noBucket: true, ...options }) };
}

/** The slabs of each list, by the lists themselves. */
function census({ machine, words }: Party, zone: Zone): { full: number; partial: number; empty: number } {
  const keg = machine.area('kegs') + zone.keg * KEG_WORDS;
  const countOf = (head: number): number => {
    let count = 0;
    for (let slab = words[keg + head] as number; slab !== 0; slab = words[slab + Slab.next] as number)
      count++;
    return count;
  };
  const empty = countOf(Keg.empty);
  assert.equal(words[keg + Keg.emptyCount], empty, 'counted as empty');
  return { full: countOf(Keg.full), partial: countOf(Keg.partial), empty };
}

/** Items of three slabs, by their slab. */
function takeThreeSlabs(zone: Zone): readonly [Addr[], Addr[], Addr[]] {
  const items = takeAll(zone, 12).sort((one, other) => one - other);
  assert.equal(new Set(items.map((item) => item >>> 12)).size, 3);
  return [items.slice(0, 4), items.slice(4, 8), items.slice(8)];
}

const pageOf = (item: number): number => item >>> 12;

describe('the lists of slabs', () => {
  it('have each slab once: full, partial or empty, by the items that are out', () => {
    const { party, zone, free } = makeZone();
    assert.deepEqual(census(party, zone), { full: 0, partial: 0, empty: 0 });
    const [first, second, third] = takeThreeSlabs(zone);
    assert.deepEqual(census(party, zone), { full: 3, partial: 0, empty: 0 });
    for (const item of second.splice(0, 3)) {
      zone.free(item);
      assert.deepEqual(census(party, zone), { full: 2, partial: 1, empty: 0 });
    }
    zone.free(second[0] as Addr);
    assert.deepEqual(census(party, zone), { full: 2, partial: 0, empty: 1 });
    assert.equal(zone.stats().pages, 3);
    zone.free(first[0] as Addr);
    assert.deepEqual(census(party, zone), { full: 1, partial: 1, empty: 1 });
    assert.equal(zone.tryAlloc(), first[0], 'not from the empty one');
    assert.deepEqual(census(party, zone), { full: 2, partial: 0, empty: 1 });
    const item = must(zone.tryAlloc());
    assert.deepEqual(census(party, zone), { full: 2, partial: 1, empty: 0 }, 'the empty one is begun');
    for (const each of [...first, ...third, item]) zone.free(each);
    assert.deepEqual(census(party, zone), { full: 0, partial: 0, empty: 3 });
    assertEmpty(party, free);
  });

  it('let a slab that was full give next: before partial ones that stood there, and empty ones', () => {
    const { party, zone, free } = makeZone();
    const [first, second, third] = takeThreeSlabs(zone);
    for (const item of third) zone.free(item);
    zone.free(first[2] as Addr);
    zone.free(second[1] as Addr);
    assert.deepEqual(census(party, zone), { full: 0, partial: 2, empty: 1 });
    assert.equal(zone.tryAlloc(), second[1], 'that which was full last');
    assert.equal(zone.tryAlloc(), first[2]);
    for (const item of [...first, ...second]) zone.free(item);
    assertEmpty(party, free);
  });

  it('let no empty slab be begun while a partial one has an item', () => {
    const { party, zone, free } = makeZone();
    const [first, second, third] = takeThreeSlabs(zone);
    for (const item of [first[0], second[0], second[1], ...third]) zone.free(item as Addr);
    const out = new Int32Array(4);
    assert.equal(zone.tryAllocMany(out, 4), 4);
    const slabs = [first, second, third].map((items) => pageOf(items[0] as Addr));
    assert.deepEqual(
      [...out].map((item) => slabs.indexOf(pageOf(item))).sort(),
      [0, 1, 1, 2],
      'what the partial ones had, and of the empty one what was lacking',
    );
    zone.freeMany(out, 4);
    for (const item of [...first.slice(1), ...second.slice(2)]) zone.free(item);
    assertEmpty(party, free);
  });

  it('let no slab be made while an item is free, and one as soon as none is', () => {
    const { party, zone, free } = makeZone();
    const slabs = takeThreeSlabs(zone);
    for (const items of slabs) {
      const back = items.splice(1, 2);
      for (const item of back) zone.free(item);
      for (const _ of back) items.push(must(zone.tryAlloc()));
      assert.equal(zone.stats().pages, 3);
    }
    const item = must(zone.tryAlloc());
    assert.equal(zone.stats().pages, 4);
    assert.deepEqual(census(party, zone), { full: 3, partial: 1, empty: 0 });
    for (const each of [...slabs.flat(), item]) zone.free(each);
    assertEmpty(party, free);
  });

  it('are counted: what is free and what is out make up all slabs, after each call', () => {
    const { party, zone, free } = makeZone();
    const items: Addr[] = [];
    const check = (): void => {
      const stats = zone.stats();
      assert.equal(stats.used, items.length);
      assert.equal(stats.free + stats.used, stats.pages * 4);
      const { full, partial, empty } = census(party, zone);
      assert.equal(full + partial + empty, stats.pages);
    };
    for (let round = 0; round < 60; round++) {
      if (round % 5 < 3) items.push(must(zone.tryAlloc()));
      else zone.free(items.splice((round * 7) % items.length, 1)[0] as Addr);
      check();
    }
    for (const item of items.splice(0)) {
      zone.free(item);
      assertClean(party);
    }
    check();
    assertEmpty(party, free);
  });

  it('are never walked: a call touches as many words among 9 slabs as among 3000', () => {
    /** Words read and written by taking and giving one item, with so many slabs in the lists. */
    function touchedAmong(count: number): number {
      const plain = new Int32Array(KEG_WORDS + (count + 1) * 4 * SLAB_HEADER_WORDS);
      let touched = 0;
      const words = new Proxy(plain, {
        get(target, key) {
          touched++;
          return Reflect.get(target, key, target) as unknown;
        },
        set(target, key, value) {
          touched++;
          return Reflect.set(target, key, value, target);
        },
      });
      const slabs = createSlabs({ words } as unknown as Machine);
      const keg = 0;
      const slabAt = (index: number): number => KEG_WORDS + index * 4 * SLAB_HEADER_WORDS;
      const firstItem = (index: number): number => (index + 1) * 4096;
      plain[keg + Keg.itemsPerSlab] = 4;
      // A third of them in each list, in turn, so that none stands beside its like.
      for (let index = 0; index < count; index++) {
        const slab = slabAt(index);
        const bits = [0b0000, 0b0110, 0b1111][index % 3] as number;
        plain[slab + SLAB_HEADER_WORDS] = bits;
        plain[slab + Slab.freeCount] = [0, 2, 4][index % 3] as number;
        plain[slab + Slab.keg] = keg;
        plain[slab + Slab.data] = firstItem(index);
        slabs.insert(keg, slab);
      }
      const out = KEG_WORDS + count * 4 * SLAB_HEADER_WORDS;
      touched = 0;
      // From full to partial and back, and from empty to partial and back, of a slab in the middle.
      const middle = Math.floor(count / 6) * 3;
      assert.ok(slabs.giveItem(keg, slabAt(middle), 1024, 4, firstItem(middle)));
      assert.equal(plain[slabAt(middle) + Slab.list], SlabList.PARTIAL);
      assert.equal(slabs.takeItems(keg, slabAt(middle), 1024, out, 1), 1);
      assert.equal(slabs.takeItems(keg, slabAt(middle + 2), 1024, out, 1), 1);
      assert.ok(slabs.giveItem(keg, slabAt(middle + 2), 1024, 4, plain[out] as number));
      assert.equal(plain[slabAt(middle + 2) + Slab.list], SlabList.EMPTY);
      return touched;
    }
    const few = touchedAmong(9);
    assert.ok(few > 20, `${few} are too few to have been counted`);
    assert.equal(touchedAmong(3000), few);
  });
});

describe('slabs that come and go', () => {
  it('go without any lock, and the keg serves another thread meanwhile', () => {
    const party = makeParty();
    const other = joinParty(party.machine.handle);
    let inFini = 0;
    const options = {
      name: 'zone',
      size: 1024,
      noBucket: true,
      highWater: 4,
      init: () => 0,
      fini: (): void => {
        assert.equal(party.locks.holdsAny(), false);
        inFini++;
        theirs.free(must(theirs.tryAlloc()));
      },
    };
    const zone = party.uma.zone(options);
    const theirs = other.uma.zone({ ...options, fini: () => undefined });
    const slabs = takeThreeSlabs(zone);
    // Of this slab the other thread is served: a slab that it begins would be drained in its turn.
    const kept = slabs[2].pop() as Addr;
    for (const item of slabs.flat()) zone.free(item);
    assert.ok(inFini >= 4, 'beyond the high mark one went at once');
    zone.highWater = 0;
    zone.drain();
    assert.equal(inFini, 8);
    assert.equal(zone.stats().pages, 1);
    zone.free(kept);
    assertClean(party);
  });

  it('are made without any lock, and the keg serves another thread meanwhile', () => {
    const party = makeParty();
    const other = joinParty(party.machine.handle);
    let nested = 0;
    const options = { name: 'zone', size: 1024, noBucket: true };
    const taken: Addr[] = [];
    const zone = party.uma.zone({
      ...options,
      init: () => {
        assert.equal(party.locks.holdsAny(), false);
        nested++;
        taken.push(must(theirs.tryAlloc()));
      },
    });
    const theirs = other.uma.zone({ ...options, init: () => undefined });
    const item = must(zone.tryAlloc());
    assert.equal(nested, 4, 'once for each item of the slab');
    assert.equal(new Set([...taken, item]).size, 5);
    for (const each of [...taken, item]) zone.free(each);
    zone.drain();
    assert.equal(zone.stats().pages, 0);
    assertClean(party);
  });

  it('do not go with an item out, however few', () => {
    const { party, zone } = makeZone();
    const slabs = takeThreeSlabs(zone);
    const kept = slabs.map((items) => items.pop() as Addr);
    for (const item of slabs.flat()) zone.free(item);
    assert.equal(zone.drain(), 0);
    assert.equal(zone.stats().pages, 3);
    zone.free(kept.pop() as Addr);
    zone.drain();
    assert.equal(zone.stats().pages, 2);
    assert.equal(party.uma.reclaimer.reclaim('drain').pages, 0, 'nothing to be had, and it says so');
    for (const item of kept) zone.free(item);
    const { pages } = party.uma.reclaimer.reclaim('drain');
    assert.ok(pages >= 2, `${pages}`);
    assertClean(party);
  });

  it('beyond the high mark go at once when it is set, and it is never set below the low mark', () => {
    const { party, zone, free } = makeZone();
    const back = (): void => {
      for (const items of takeThreeSlabs(zone)) for (const item of items) zone.free(item);
    };
    back();
    zone.highWater = 8;
    assert.equal(zone.stats().pages, 2, 'nobody has freed since');
    zone.lowWater = 8;
    zone.highWater = 0;
    back();
    assert.equal(zone.stats().pages, 5, 'eight were to be free besides the twelve');
    zone.highWater = 9;
    assert.equal(zone.stats().pages, 3);
    zone.highWater = 8;
    assert.equal(zone.stats().pages, 2);
    assert.equal(
      codeOf(() => {
        zone.highWater = 7;
      }),
      'BAD_ARGUMENT',
    );
    assert.deepEqual([zone.highWater, zone.stats().pages], [8, 2], 'nothing has changed');
    zone.highWater = 0;
    zone.lowWater = 0;
    assertEmpty(party, free);
  });
});
