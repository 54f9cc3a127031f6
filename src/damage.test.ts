/**
 * Words that nothing uses, or that can have few values, written to: the audit says so. Work on it ends by
 * code.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MbumaError } from './check/index.js';
import { type Machine, SUPERBLOCK, Superblock, ThreadSlot, Waiter } from './machine/index.js';
import { FreeFunctions, Mbuf } from './mbuf/records.js';
import { attachMemory, createMemoryOver } from './memory.js';
import type { Memory } from './memory-api.js';
import { Page } from './phys/index.js';
import type { Addr } from './record/index.js';
import { Ring, RingRegistry } from './ring/records.js';
import type { Zone } from './uma/index.js';
import { Keg, Slab, ThreadCache, UmaState, Zone as ZoneRecord } from './uma/records.js';

interface Place {
  readonly memory: Memory;
  readonly machine: Machine;
  readonly zone: Zone;
  readonly words: Int32Array;
  /** Word index in a boot area. */
  at(area: string, offset: number): number;
  slotAt(slot: number, offset: number): number;
  kegAt(offset: number): number;
  zoneAt(offset: number): number;
  slabAt(offset: number): number;
  cacheAt(slot: number, number: number, offset: number): number;
}

const MAX_THREADS = 3;
const MAX_ZONES = 16;

function prepare(): Place {
  const options = { bytes: 1 << 20, maxThreads: MAX_THREADS, maxZones: MAX_ZONES };
  const { memory, machine } = createMemoryOver(options);
  const zone = memory.zone({ name: 'points', size: 1000 });
  memory.mbufs.registerFree('nothing', () => {});
  memory.ring({ name: 'work', capacity: 4 });
  zone.free(zone.tryAlloc());
  zone.tryAlloc();
  const { words } = memory;
  const at = (area: string, offset: number): number => machine.area(area) + offset;
  const number = (zone as unknown as { index: number }).index;
  const keg = words[at('zones', number * 64 + ZoneRecord.keg)] as number;
  const kegAt = (offset: number): number => at('kegs', keg * 48 + offset);
  const slab = ((words[kegAt(Keg.partial)] as number) || words[kegAt(Keg.full)]) as number;
  return {
    memory,
    machine,
    zone,
    words,
    at,
    slotAt: (slot, offset) => at('threads', slot * 128 + offset),
    kegAt,
    zoneAt: (offset) => at('zones', number * 64 + offset),
    slabAt: (offset) => slab + offset,
    cacheAt: (slot, each, offset) => at('thread caches', (slot * (MAX_ZONES + 1) + each) * 16 + offset),
  };
}

/** A word, and what is written there: a flip of its lowest bit unless something else is said. */
type Plant = readonly [rule: string, what: string, where: (place: Place) => number, value?: number];

const PLANTS: readonly Plant[] = [
  ['A1', 'another magic', () => SUPERBLOCK + Superblock.magic],
  ['A1', 'another hash of the layouts', () => SUPERBLOCK + Superblock.layoutHash],
  ['A1', 'too many threads counted', () => SUPERBLOCK + Superblock.attached, 3],
  ['A1', 'fewer deaths than none', () => SUPERBLOCK + Superblock.deaths, -1],
  ['A1', 'a reserved word', () => SUPERBLOCK + Superblock.reserved],
  ['A2', 'a thread in slot 0', ({ slotAt }) => slotAt(0, ThreadSlot.state)],
  ['A2', 'a word in a slot that was never taken', ({ slotAt }) => slotAt(2, ThreadSlot.heartbeat)],
  ['A2', 'a state that there is not', ({ slotAt }) => slotAt(2, ThreadSlot.state), (1 << 11) | 6],
  ['A2', 'a thread that nobody is', ({ slotAt }) => slotAt(1, ThreadSlot.agent), 0],
  ['A2', 'a lock held at rest', ({ slotAt }) => slotAt(1, ThreadSlot.heldCount), 1],
  ['A2', 'more locks than can be held', ({ slotAt }) => slotAt(1, ThreadSlot.heldCount), 9],
  ['A2', 'an intent at rest', ({ slotAt }) => slotAt(1, ThreadSlot.intent), 1],
  ['A2', 'a request that there is not', ({ slotAt }) => slotAt(1, ThreadSlot.attention), 1 << 20],
  ['A2', 'a fraction of a sleep', ({ slotAt }) => slotAt(1, ThreadSlot.sleeps), 5],
  ['A3', 'a waiter of another slot', ({ at }) => at('waiters', 32 * 8 + Waiter.slot), 2],
  ['A3', 'an idle waiter in a line', ({ at }) => at('waiters', 32 * 8 + Waiter.queue), 4096],
  ['A3', 'a waiter of nobody', ({ at }) => at('waiters', Waiter.grant)],
  ['A4', 'so many zones that none can be told', ({ at }) => at('uma', UmaState.zoneCount), 1 << 30],
  ['P10', 'a spare word of a page', ({ at }) => at('pages', 100 * 16 + Page.spare)],
  ['U1', 'a bit beyond the items', ({ slabAt }) => slabAt(8), -1],
  ['U17', 'a divisor where nothing is checked', ({ slabAt }) => slabAt(Slab.divisor)],
  ['U14', 'a spare word of a keg', ({ kegAt }) => kegAt(Keg.spare0)],
  ['U14', 'another name of a keg', ({ kegAt }) => kegAt(Keg.name)],
  ['U14', 'the name of no text', ({ zoneAt }) => zoneAt(ZoneRecord.name), 7],
  ['U14', 'a keg that is none', ({ at }) => at('kegs', 0)],
  ['U14', 'a zone that is none', ({ at }) => at('zones', MAX_ZONES * 64 + 63)],
  ['U14', 'hooks that there are not', ({ zoneAt }) => zoneAt(ZoneRecord.hooks), 16],
  ['U14', 'an end that there is not', ({ zoneAt }) => zoneAt(ZoneRecord.onOwnerDeath), 3],
  ['U14', 'another greatest bucket', ({ zoneAt }) => zoneAt(ZoneRecord.capacityMax), 254],
  ['U14', 'a zone stacked on another keg', ({ zoneAt }) => zoneAt(ZoneRecord.primary), 2],
  ['U14', 'fewest cached of more than there are', ({ zoneAt }) => zoneAt(ZoneRecord.cachedMin), 999],
  ['U14', 'a cache of nobody', ({ cacheAt }) => cacheAt(0, 1, ThreadCache.top)],
  ['U14', 'a cache for no zone', ({ cacheAt }) => cacheAt(1, 0, ThreadCache.requests)],
  ['U14', 'a spare word of a cache', ({ cacheAt }) => cacheAt(1, 1, ThreadCache.spareWords)],
  ['U14', 'more requests than there can be', ({ cacheAt }) => cacheAt(1, 1, ThreadCache.requestsHigh), -1],
  ['U15', 'a lock of the registry', ({ at }) => at('uma', UmaState.lock)],
  ['U15', 'a lock of a keg', ({ kegAt }) => kegAt(Keg.lock)],
  ['U15', 'a lock of a zone', ({ zoneAt }) => zoneAt(ZoneRecord.lock)],
  ['R11', 'a ring that is not there', ({ at }) => at('rings', 16 + 96 + Ring.capacity)],
  ['R11', 'a spare word of the registry', ({ at }) => at('rings', RingRegistry.spare)],
  ['R11', 'a ring whose name is no text', ({ at }) => at('rings', 16 + Ring.name), 7],
  ['M10', 'a free function without a name', ({ at }) => at('mbuf free functions', FreeFunctions.names), 7],
  ['M10', 'a count of free functions', ({ at }) => at('mbuf free functions', FreeFunctions.count), 65],
  ['M10', 'a name beyond the count', ({ at }) => at('mbuf free functions', FreeFunctions.names + 20)],
];

describe('the audit of a memory finds', () => {
  it('nothing where nothing is wrong', () => {
    assert.deepEqual(prepare().memory.audit(), { clean: true, violations: [] });
  });

  for (const [rule, what, where, value] of PLANTS) {
    it(`${rule}: ${what}`, () => {
      const place = prepare();
      const word = where(place);
      place.words[word] = value ?? (place.words[word] as number) ^ 1;
      const { clean, violations } = place.memory.audit();
      assert.equal(clean, false);
      assert.ok(
        violations.some((violation) => violation.rule === rule),
        JSON.stringify(violations),
      );
    });
  }

  it('U16: an owner that is not here', () => {
    const { memory, machine, zone } = prepare();
    const item = zone.tryAlloc();
    machine.bytesAt(machine.area('owners'), memory.bytes.length >> 4)[item >>> 4] = 2;
    assert.deepEqual(
      memory.audit().violations.map(({ rule }) => rule),
      ['U16'],
    );
  });
});

describe('work on a damaged memory ends with MEMORY_DAMAGED', () => {
  const damages: Record<string, (place: Place) => void> = {
    'a slab that counts free items and has none': ({ words, slabAt, zone }) => {
      words.fill(0, slabAt(8), slabAt(24));
      words[slabAt(0)] = 1000;
      for (let index = 0; index < 2000; index++) zone.tryAlloc();
    },
    'a slab of another keg': ({ words, slabAt, zone }) => {
      words[slabAt(Slab.keg)] = 77;
      for (let index = 0; index < 2000; index++) zone.tryAlloc();
    },
    'a list of slabs that leads out of the memory': ({ words, kegAt, zone }) => {
      words[kegAt(Keg.partial)] = 0x7fffffff;
      for (let index = 0; index < 2000; index++) zone.tryAlloc();
    },
    'an empty slab that is none': ({ words, kegAt, zone }) => {
      words[kegAt(Keg.empty)] = -5;
      zone.drain();
    },
    'a free item that is in a bucket': ({ words, at, zone }) => {
      const item = zone.tryAlloc();
      const slab = words[at('pages', (item >>> 12) * 16 + Page.object)] as number;
      words.fill(-1, slab + 8, slab + 9);
      zone.free(item);
      zone.drain();
    },
    'a list of blocks that begins nowhere': ({ words, at, memory }) => {
      for (let order = 0; order < 20; order++) words[at('phys', 24 + order)] = 0x7ffffff0;
      memory.ring({ name: 'more', capacity: 4 });
    },
    'a line of waiters that begins with none': ({ words, zoneAt, memory }) => {
      words[zoneAt(ZoneRecord.waitHead)] = 0x7ffffff0;
      memory.drain();
    },
    'more zones than there can be': ({ words, at, memory }) => {
      words[at('uma', UmaState.zoneCount)] = 1 << 30;
      memory.stats();
    },
    'a zone of a keg that there is not': ({ words, zoneAt, memory }) => {
      words[zoneAt(ZoneRecord.keg)] = 9999;
      attachMemory(memory.handle).zone({ name: 'points', size: 1000 });
    },
    'a cache whose top is out of the memory': ({ words, cacheAt, zone, memory }) => {
      const { index } = zone as unknown as { index: number };
      words[cacheAt(1, index, ThreadCache.top)] = 0x7ffffff0;
      zone.tryAllocMany(memory.words.subarray(8, 16), 8);
    },
    'more kegs than there can be, when a zone goes': ({ words, at, memory }) => {
      const zone = memory.zone({ name: 'going', size: 64 });
      words[at('uma', UmaState.kegCount)] = 1 << 30;
      zone.destroy();
    },
    'a guarded item whose pages are not the map’s, when it leaves quarantine': ({ words, at, memory }) => {
      const zone = memory.zone({ name: 'guarded', size: 64, guard: true });
      const item = zone.tryAlloc() as Addr;
      zone.free(item);
      words[item >>> 2] = 1;
      words.fill(0, at('page kegs', item >>> 13), at('page kegs', item >>> 13) + 1);
      memory.drain();
    },
    'a packet whose bytes are out of the memory': ({ words, memory: { mbufs } }) => {
      const m = mbufs.tryGetcl() as Addr;
      words[(m >> 2) + Mbuf.data] = 0x7fffff00;
      words[(m >> 2) + Mbuf.length] = 100;
      mbufs.copyOut(m, 0, 100, new Uint8Array(100));
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`at ${what}`, () => {
      assert.throws(
        () => damage(prepare()),
        (error) => error instanceof MbumaError && error.code === 'MEMORY_DAMAGED',
      );
    });
  }
});
