/**
 * The check of the checker: each rule finds the fault that it is there for, and no damage stops the audit.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MbumaError } from '../check/index.js';
import { HandKind, ThreadSlot, Waiter } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { layoutOf } from '../record/index.js';
import type { Zone } from './index.js';
import { KEG_WORDS, Keg, Slab, SlabList, ThreadCache, UmaState, Zone as ZoneRecord } from './records.js';
import {
  brokenRules,
  findings,
  joinParty,
  makeParty,
  type Party,
  randomFrom,
  runs,
  seed,
} from './uma.test-kit.js';

/** A memory with something of everything: slabs in all lists, buckets in all places, a waiter. */
interface Scene {
  readonly party: Party;
  readonly words: Int32Array;
  readonly zone: Zone;
  readonly clusters: Zone;
  readonly item: Addr;
  readonly cluster: Addr;
  readonly record: number;
  readonly cache: number;
  readonly keg: number;
  /** A slab of `zone` that has free items and taken ones. */
  readonly slab: number;
  /** Loaded bucket of the cache, with items. */
  readonly bucket: number;
}

function makeScene(): Scene {
  const party = makeParty({ pageCount: 96, maxThreads: 2, maxZones: 16 });
  const { uma, words, machine } = party;
  const zone = uma.zone({ name: 'items', size: 1000 });
  const clusters = uma.zone({ name: 'clusters', size: 2048, referenceCounted: true });
  const packets = uma.zone({ name: 'packets', primary: zone, init: () => undefined });
  const bounded = uma.zone({ name: 'bounded', size: 64, max: 1 });
  const out = new Int32Array(20);
  clusters.tryAllocMany(out, 9);
  const cluster = out[8] as Addr;
  packets.tryAllocMany(out, 5);
  packets.freeMany(out, 3);
  packets.drain();
  bounded.tryAlloc();
  // Another thread leaves full buckets in the list of the zone.
  const other = joinParty(machine.handle);
  const theirs = other.uma.zone({ name: 'items', size: 1000 });
  const many = new Int32Array(60);
  theirs.tryAllocMany(many, 60);
  theirs.freeMany(many, 60);
  other.uma.reclaimer.leave();
  other.threads.release();
  const item = zone.tryAlloc() as Addr;
  zone.free(zone.tryAlloc());
  const keg = machine.area('kegs') + zone.keg * KEG_WORDS;
  // One by one, so that a slab is left with some of its items.
  packets.max = 6;
  for (let index = 0; index < 3 && words[keg + Keg.partial] === 0; index++) packets.tryAlloc();
  const record = party.recordOf(zone);
  const cache = party.cacheOf(zone);
  const scene = {
    party,
    words,
    zone,
    clusters,
    item,
    cluster,
    record,
    cache,
    keg,
    slab: words[keg + Keg.partial] as number,
    bucket: (words[cache + ThreadCache.top] as number) & ~255,
  };
  assert.deepEqual(findings(party), []);
  assert.notEqual(scene.slab, 0, 'a partial slab');
  assert.notEqual(words[record + ZoneRecord.fullCount], 0, 'full buckets');
  assert.ok((words[scene.bucket + 1] as number) > 0);
  return scene;
}

function put(array: Int32Array | Uint8Array | Uint16Array, index: number, value: number): void {
  array[index] = value;
}

/** Adds to a word. */
function bump(words: Int32Array, index: number, by = 1): void {
  words[index] = (words[index] as number) + by;
}

type Plant = (scene: Scene) => void;

const faults: readonly (readonly [rule: string, what: string, plant: Plant])[] = [
  ['U1', 'a count of free items that is wrong', ({ words, slab }) => bump(words, slab + Slab.freeCount)],
  ['U1', 'a bit that is set too much', ({ words, slab }) => put(words, slab + 8, -1)],
  [
    'U1',
    'a bit beyond the items',
    ({ words, slab }) => put(words, slab + 8, (words[slab + 8] as number) | (2 ** 30)),
  ],
  [
    'U2',
    'a slab on the wrong list',
    ({ words, keg, slab }) => {
      words[keg + Keg.full] = slab;
    },
  ],
  [
    'U2',
    'a slab that names the wrong list',
    ({ words, slab }) => put(words, slab + Slab.list, SlabList.FULL),
  ],
  ['U2', 'a list that runs in a circle', ({ words, slab }) => put(words, slab + Slab.next, slab)],
  ['U2', 'a list that leaves the memory', ({ words, slab }) => put(words, slab + Slab.next, 0x7fffff00)],
  ['U2', 'a list that names no slab', ({ words, keg }) => put(words, keg + Keg.empty, -5)],
  ['U2', 'a wrong previous link', ({ words, slab }) => put(words, slab + Slab.previous, slab)],
  ['U3', 'a wrong count of slabs', ({ words, keg }) => bump(words, keg + Keg.slabCount)],
  ['U3', 'a wrong count of empty slabs', ({ words, keg }) => bump(words, keg + Keg.emptyCount)],
  ['U3', 'a wrong count of free items', ({ words, keg }) => bump(words, keg + Keg.freeItems, -1)],
  ['U3', 'a slab that is on no list', ({ words, keg }) => put(words, keg + Keg.partial, 0)],
  ['U4', 'a slab of another keg', ({ words, slab }) => bump(words, slab + Slab.keg, KEG_WORDS)],
  ['U4', 'items elsewhere', ({ words, slab }) => bump(words, slab + Slab.data, 16)],
  ['U4', 'another first page', ({ words, slab }) => bump(words, slab + Slab.page)],
  [
    'U4',
    'a page that is mapped to another keg',
    ({ party, item }) => put(party.uma.pageKegs, item >>> 12, 1),
  ],
  ['U4', 'a page that is mapped to none', ({ party, item }) => put(party.uma.pageKegs, item >>> 12, 0)],
  ['U4', 'a free page that is mapped', ({ party, zone }) => put(party.uma.pageKegs, 95, zone.keg)],
  [
    'U4',
    'a page whose object is another slab',
    ({ party, item, slab }) => party.pages.setObject(item >>> 12, 1, slab + 8),
  ],
  [
    'U5',
    'an item that is owned and cached',
    ({ party, words, bucket }) => put(party.uma.owners, (words[bucket + 1] as number) >>> 4, 1),
  ],
  [
    'U5',
    'an item that is owned and free in its slab',
    ({ party, words, slab }) => {
      const index = 31 - Math.clz32(words[slab + 8] as number);
      party.uma.owners[((words[slab + Slab.data] as number) + index * 1008) >>> 4] = 1;
    },
  ],
  [
    'U5',
    'an item that is cached twice',
    ({ words, bucket }) => put(words, bucket + 2, words[bucket + 1] as number),
  ],
  [
    'U5',
    'an item that is cached and free in its slab',
    ({ words, slab, bucket }) => {
      const index = 31 - Math.clz32(words[slab + 8] as number);
      words[bucket + 1] = (words[slab + Slab.data] as number) + index * 1008;
    },
  ],
  [
    'U5',
    'an item of another keg in a bucket',
    ({ words, bucket, cluster }) => put(words, bucket + 1, cluster),
  ],
  ['U5', 'the inside of an item in a bucket', ({ words, bucket }) => bump(words, bucket + 1, 16)],
  ['U5', 'an item that nobody has', ({ party, item }) => put(party.uma.owners, item >>> 4, 0)],
  ['U6', 'an owner inside an item', ({ party, item }) => put(party.uma.owners, (item >>> 4) + 3, 1)],
  ['U6', 'an owner in a free page', ({ party }) => put(party.uma.owners, 95 << 8, 1)],
  ['U6', 'an owner of a bucket', ({ party, bucket }) => put(party.uma.owners, bucket >>> 2, 1)],
  ['U7', 'a wrong count of items out', ({ words, record }) => bump(words, record + ZoneRecord.itemsOut)],
  ['U8', 'a wrong count of full buckets', ({ words, record }) => bump(words, record + ZoneRecord.fullCount)],
  [
    'U8',
    'a wrong count of cached items',
    ({ words, record }) => bump(words, record + ZoneRecord.cachedItems),
  ],
  [
    'U8',
    'a wrong count of empty buckets',
    ({ words, record }) => bump(words, record + ZoneRecord.emptyCount),
  ],
  [
    'U8',
    'a bucket in a list and in a cache',
    ({ words, record, cache }) =>
      put(words, record + ZoneRecord.fullTop, words[cache + ThreadCache.top] as number),
  ],
  [
    'U8',
    'a list of buckets that runs in a circle',
    ({ words, record }) => {
      const top = words[record + ZoneRecord.fullTop] as number;
      words[top & ~255] = top;
    },
  ],
  ['U8', 'a cache that names no bucket', ({ words, cache }) => put(words, cache + ThreadCache.spare, 77)],
  [
    'U8',
    'a cache that names something far away',
    ({ words, cache }) => put(words, cache + ThreadCache.top, -256),
  ],
  [
    'U8',
    'an empty list with items',
    ({ words, record }) => {
      words[record + ZoneRecord.emptyTop] = words[record + ZoneRecord.fullTop] as number;
      words[record + ZoneRecord.fullTop] = 0;
    },
  ],
  ['U9', 'a hand that is open', ({ party }) => void party.hands.open(HandKind.BUCKET, 1, 0, 0, 0)],
  [
    'U9',
    'a change that was begun',
    ({ words, party }) => put(words, party.threads.self + ThreadSlot.intent, 1),
  ],
  [
    'U9',
    'a dead cache that takes frees',
    ({ words, party, clusters }) => {
      clusters.drain();
      words[party.cacheOf(clusters) + ThreadCache.freeLimit] = 1;
    },
  ],
  [
    'U9',
    'a cache that takes more than a bucket holds',
    ({ words, cache }) => put(words, cache + ThreadCache.freeLimit, 256),
  ],
  [
    'U9',
    'something in the dead bucket',
    ({ words, party }) => put(words, party.machine.area('dead bucket') + 1, 4096),
  ],
  ['U10', 'something above the top', ({ words, bucket, item }) => put(words, bucket + 255, item)],
  [
    'U11',
    'a bucket that nobody has',
    ({ words, party, cache }) => {
      bump(words, cache + ThreadCache.freeLimit, 0);
      words[cache + ThreadCache.top] = party.machine.area('dead bucket');
      words[cache + ThreadCache.freeLimit] = 0;
    },
  ],
  [
    'U11',
    'a header that nobody has',
    ({ words, party, clusters }) => {
      const keg = party.machine.area('kegs') + clusters.keg * KEG_WORDS;
      words[keg + Keg.full] = words[(words[keg + Keg.full] as number) + Slab.next] as number;
    },
  ],
  ['U12', 'a keg of another item size', ({ words, keg }) => bump(words, keg + Keg.itemSize, 16)],
  ['U12', 'a keg of more items a slab', ({ words, keg }) => bump(words, keg + Keg.itemsPerSlab, 1 << 30)],
  ['U12', 'a keg with another header', ({ words, keg }) => bump(words, keg + Keg.headerOffset, 4)],
  [
    'U12',
    'more kegs than there can be',
    ({ words, party }) => bump(words, party.machine.area('uma') + UmaState.kegCount, 1 << 30),
  ],
  [
    'U12',
    'more zones than there can be',
    ({ words, party }) => bump(words, party.machine.area('uma') + UmaState.zoneCount, 1 << 30),
  ],
  ['U12', 'a zone on a keg that is none', ({ words, record }) => put(words, record + ZoneRecord.keg, 1000)],
  ['U14', 'a zone of another number', ({ words, record }) => bump(words, record + ZoneRecord.number)],
  [
    'U12',
    'a zone with buckets that are too large',
    ({ words, record }) => put(words, record + ZoneRecord.bucketCapacity, 300),
  ],
];

describe('the audit finds', () => {
  for (const [rule, what, plant] of faults) {
    it(`${rule}: ${what}`, () => {
      const scene = makeScene();
      plant(scene);
      const found = brokenRules(scene.party);
      assert.ok(found.includes(rule), `found ${findings(scene.party).join('; ')}`);
    });
  }

  it('nothing where a bucket stands on a page that held something else', () => {
    const party = makeParty();
    const { uma, words, machine } = party;
    const first = machine.layout.firstPage << 10;
    const rest = words.slice(0, first);
    words.fill(-1);
    words.set(rest);
    const zone = uma.zone({ name: 'zone', size: 2048 });
    zone.free(zone.tryAlloc());
    assert.deepEqual(findings(party), []);
  });

  it('U9: a cache that takes frees while somebody waits', async () => {
    const { party, words } = makeScene();
    const zone = party.uma.zone({ name: 'zone', size: 64, max: 16 });
    const out = new Int32Array(16);
    zone.tryAllocMany(out, 16);
    const wait = zone.allocAsync();
    assert.deepEqual(brokenRules(party), [], 'a waiter is no damage');
    words[party.cacheOf(zone) + ThreadCache.freeLimit] = 4;
    assert.deepEqual(brokenRules(party), ['U9']);
    words[party.cacheOf(zone) + ThreadCache.freeLimit] = 0;
    zone.freeMany(out, 16);
    await wait;
  });

  it('U13: a line whose count, ends or links are wrong', async () => {
    const { party, words } = makeScene();
    const zone = party.uma.zone({ name: 'zone', size: 64, max: 1 });
    const item = zone.tryAlloc();
    const waits = [zone.allocAsync(), zone.allocAsync()];
    const record = party.recordOf(zone);
    const head = words[record + ZoneRecord.waitHead] as number;
    const places = [
      record + ZoneRecord.waitHead,
      record + ZoneRecord.waitTail,
      record + ZoneRecord.waitCount,
      head + Waiter.next,
      head + Waiter.previous,
      head + Waiter.queue,
    ];
    for (const place of places) {
      for (const wrong of [0, head, 8, 0x7fffffff, -1]) {
        const right = words[place] as number;
        if (wrong === right) continue;
        words[place] = wrong;
        assert.ok(brokenRules(party).includes('U13'), `word ${place - record} is ${wrong}`);
        words[place] = right;
      }
    }
    assert.deepEqual(brokenRules(party), []);
    zone.free(item);
    zone.free(await (waits[0] as Promise<Addr>));
    zone.free(await (waits[1] as Promise<Addr>));
  });
});

/** Where the metadata lies: first word and count of each piece. */
function metadata({ party, words, keg, zone, clusters, bucket }: Scene): Record<string, [number, number][]> {
  const { area } = party.machine;
  const kegOf = (number: number): number => area('kegs') + number * KEG_WORDS;
  const headers: [number, number][] = [];
  for (const each of [zone, clusters]) {
    for (const list of [Keg.partial, Keg.empty, Keg.full]) {
      const slab = words[kegOf(each.keg) + list] as number;
      // Header and bitmap: of the spare word and the bits that no item has, nothing depends.
      if (slab !== 0) headers.push([slab, 7], [slab + 8, 1]);
    }
  }
  return {
    'slab headers': headers,
    'keg records': [
      [keg + 1, 6],
      [keg + 16, 11],
    ],
    buckets: [[bucket, 256]],
    owners: [[area('owners'), 96 * 64]],
    'page kegs': [[area('page kegs'), 48]],
    'zone records': [
      [party.recordOf(zone) + 1, 9],
      [party.recordOf(zone) + 12, 3],
      [party.recordOf(zone) + 16, 2],
    ],
    'thread caches': [
      [party.cacheOf(zone), 2],
      [party.cacheOf(zone) + 3, 1],
    ],
    counts: [[area('uma') + 1, 2]],
  };
}

describe('random damage', () => {
  const random = randomFrom(seed);
  const perPiece = runs(150);

  it('never stops the audit, nor makes it throw an error that is not ours; most of it is found', () => {
    const scene = makeScene();
    const { party, words } = scene;
    const found: Record<string, number> = {};
    const pieces = Object.entries(metadata(scene));
    assert.ok(pieces.length * perPiece >= 1000);
    for (const [name, ranges] of pieces) {
      let caught = 0;
      for (let run = 0; run < perPiece; run++) {
        const flips = Array.from({ length: 1 + random(4) }, () => {
          const [first, count] = ranges[random(ranges.length)] as [number, number];
          return { word: first + random(count), bit: 1 << random(32) };
        });
        const before = flips.map(({ word }) => words[word] as number);
        for (const { word, bit } of flips) words[word] = (words[word] as number) ^ bit;
        const start = performance.now();
        try {
          if (brokenRules(party).length > 0) caught++;
        } catch (error) {
          assert.ok(error instanceof MbumaError, `${name}: ${(error as Error).stack}`);
          caught++;
        }
        assert.ok(performance.now() - start < 2000, `${name}: the audit took too long`);
        for (const [index, { word }] of [...flips.entries()].reverse()) words[word] = before[index] as number;
      }
      found[name] = caught / perPiece;
    }
    assert.deepEqual(findings(party), [], 'all is as it was');
    for (const [name, share] of Object.entries(found)) {
      assert.ok(share >= 0.9, `${name}: only ${share} found of ${JSON.stringify(found)}`);
    }
  });

  it('of any word of the memory does not stop it either', () => {
    const { party, words } = makeScene();
    const end = party.machine.layout.firstPage << 10;
    for (let run = 0; run < runs(300); run++) {
      // Not in the locks of the page layer, nor in thread slots: those are other layers' to check.
      const start = party.machine.area('uma');
      const word = start + random(end - start);
      const right = words[word] as number;
      words[word] = [-1, 0x7fffffff, right ^ (1 << random(32)), random(0x7fffffff), words.length - 4][
        random(5)
      ] as number;
      try {
        findings(party);
      } catch (error) {
        assert.ok(error instanceof MbumaError, `${word}: ${(error as Error).stack}`);
      }
      words[word] = right;
    }
    assert.deepEqual(findings(party), []);
  });

  it('is found by a thread that attaches after it too', () => {
    const { party, words, keg } = makeScene();
    bumpEach(words, keg);
    const other = joinParty(party.machine.handle);
    assert.ok(brokenRules(other).includes('U12'));
  });
});

/** A keg whose every number is nonsense. */
function bumpEach(words: Int32Array, keg: number): void {
  for (let word = 17; word < 16 + layoutOf(Slab).words; word++) words[keg + word] = 0x7fffffff;
}
