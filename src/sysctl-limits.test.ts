/** What is written to the tree for zones: limits, bounds and marks, by threads that have not opened them, too. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory } from './memory.js';
import type { Memory } from './memory-api.js';
import { assertClean, codeOf } from './uma/uma.test-kit.js';

const MIB = 1 << 20;

function make(): Memory {
  return createMemory({ bytes: 4 * MIB, maxThreads: 4, maxZones: 32 });
}

describe('limits', () => {
  const patience = { timeout: 20_000 };

  it('are raised and lifted where the zone is not open, and who waits is served', patience, async () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    const zone = memory.zone({ name: 'z', size: 64, max: 1 });
    const items = [zone.tryAlloc()];
    for (const limit of [2, 0]) {
      const waiting = zone.allocAsync();
      other.sysctl.set('vm.uma.z.limit.max_items', limit);
      items.push(await waiting);
      assert.equal(zone.max, limit);
    }
    for (const item of items) zone.free(item);
    assertClean(memory);
  });

  it('are lowered below what is out: nothing is lost, what is cached goes back', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    const zone = memory.zone({ name: 'z', size: 64 });
    const items = Array.from({ length: 100 }, () => zone.tryAlloc());
    for (const item of items.splice(10)) zone.free(item);
    assert.ok((memory.sysctl.get('vm.uma.z.limit.items') as number) > 10);
    other.sysctl.set('vm.uma.z.limit.max_items', 5);
    memory.poll();
    assert.equal(memory.sysctl.get('vm.uma.z.limit.items'), 10);
    assert.equal(zone.tryAlloc(), 0);
    for (const item of items) zone.free(item);
    assert.equal(memory.sysctl.get('vm.uma.z.limit.items'), 0);
    assertClean(memory);
  });

  it('of what is cached, and of the pages of a backend, are those of the zone and the backend', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    memory.zone({ name: 'points', size: 48 });
    memory.backend({ name: 'bounded pages', max: 20 });
    other.sysctl.set('vm.uma.points.limit.bucket_max', 7);
    other.sysctl.set('vm.uma_backends.bounded_pages.pages_max', 3);
    assert.equal(memory.zone({ name: 'points', size: 48 }).maxCached, 7);
    assert.equal(memory.backend({ name: 'bounded pages' }).max, 3);
    memory.sysctl.set('vm.uma.points.limit.bucket_max', 0);
    assert.equal(other.sysctl.get('vm.uma.points.limit.bucket_max'), 0);
    assertClean(memory);
  });

  it('of what is cached are refused where nothing is, opened by the thread that writes or not', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    memory.zone({ name: 'single', size: 48, noBucket: true });
    for (const { sysctl } of [memory, other]) {
      assert.equal(
        codeOf(() => sysctl.set('vm.uma.single.limit.bucket_max', 7)),
        'BAD_ARGUMENT',
      );
      sysctl.set('vm.uma.single.limit.bucket_max', 0);
      assert.equal(sysctl.get('vm.uma.single.limit.bucket_max'), 0);
    }
  });

  it('of a zone with `fini`, lowered from elsewhere, lose no cluster of a packet', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    const packets = Array.from({ length: 200 }, () => memory.mbufs.getcl());
    for (const packet of packets) memory.mbufs.free(packet);
    memory.mbufs.zones.packet.trim();
    other.sysctl.set('vm.uma.mbuf_packet.limit.max_items', 1);
    assertClean(memory);
    memory.poll();
    assertClean(memory);
    memory.drain();
    assert.equal(memory.sysctl.get('vm.uma.mbuf_cluster.stats.current'), 0);
  });

  it('of the network buffers are told before there are any, and make them when they are written', () => {
    const memory = createMemory({ bytes: 4 * MIB, mbufs: { max: 77 } });
    const other = attachMemory(memory.handle);
    assert.equal(memory.sysctl.get('kern.ipc.nmbclusters'), 77);
    assert.equal(other.sysctl.get('kern.ipc.nmbclusters'), 1024, 'half of the memory');
    assert.equal(memory.sysctl.get('kern.ipc.nmbufs'), 0);
    assert.equal(memory.sysctl.get('kern.ipc.nmbjumbop'), 512);
    memory.sysctl.list();
    assert.equal(memory.sysctl.get('vm.zone_count'), 0, 'reading makes no zone');
    assert.equal(
      codeOf(() => memory.sysctl.set('kern.ipc.nmbjumbo9', -1)),
      'BAD_ARGUMENT',
    );
    assert.equal(memory.sysctl.get('vm.zone_count'), 0, 'nor does what is refused');
    const { free } = memory.stats().pages;
    memory.sysctl.set('kern.ipc.nmbjumbo9', 3);
    assert.equal(memory.stats().pages.free, free, 'no page is taken');
    assert.equal(memory.mbufs.zones.jumbo9k.max, 3);
    assert.equal(other.sysctl.get('kern.ipc.nmbclusters'), 77);
  });

  it('of the network buffers: when their zones cannot be made, that is told, and nothing is set', () => {
    const memory = createMemory({ bytes: 4 * MIB, maxZones: 16 });
    memory.failpoints.arm('uma.zone', { nth: 2 });
    const set = (): void => memory.sysctl.set('kern.ipc.nmbclusters', 5);
    assert.equal(codeOf(set), 'OUT_OF_MEMORY');
    assert.equal(memory.sysctl.get('kern.ipc.nmbclusters'), 1024);
    memory.failpoints.disarm();
    set();
    assert.equal(memory.mbufs.max, 5);
    assertClean(memory);
    const full = createMemory({ bytes: 4 * MIB, maxZones: 16 });
    for (let zone = 0; zone < 14; zone++) full.zone({ name: `zone ${zone}`, size: 16 });
    assert.equal(
      codeOf(() => full.sysctl.set('kern.ipc.nmbufs', 5)),
      'TOO_MANY_ZONES',
    );
    assertClean(full);
  });

  it('nmbclusters goes up and down, and 0 lifts it, for packets too', () => {
    const memory = make();
    const { mbufs, sysctl } = memory;
    for (const limit of [3, 5, 2, 0]) {
      sysctl.set('kern.ipc.nmbclusters', limit);
      assert.deepEqual([mbufs.max, mbufs.zones.packet.max], [limit, limit]);
      assert.equal(sysctl.get('vm.uma.mbuf_cluster.limit.max_items'), limit);
      const packets: number[] = [];
      for (let m = mbufs.tryGetcl(); m !== 0 && packets.length < 9; m = mbufs.tryGetcl()) packets.push(m);
      assert.equal(packets.length, limit === 0 ? 9 : limit);
      for (const m of packets) mbufs.free(m as never);
      memory.drain();
    }
  });
});

describe('marks', () => {
  it('are those of the keg, written by a thread that has not opened the zone', () => {
    const memory = make();
    const other = attachMemory(memory.handle);
    const zone = memory.zone({ name: 'z', size: 1024, max: 40 });
    memory.zone({ name: 'stacked', primary: zone, init: () => 0 });
    other.sysctl.set('vm.uma.z.keg.high_water', 12);
    other.sysctl.set('vm.uma.z.keg.low_water', 8);
    other.sysctl.set('vm.uma.stacked.keg.reserve', 4);
    assert.deepEqual([zone.highWater, zone.lowWater, zone.reserve], [12, 8, 4]);
    // As many as the low mark are made ahead, and the reserve is left.
    const items = [zone.alloc()];
    assert.ok((memory.sysctl.get('vm.uma.z.keg.domain.0.free_items') as number) >= 8);
    other.sysctl.set('vm.uma.z.keg.low_water', 0);
    for (const item of items) zone.free(item);
    assertClean(memory);
  });

  it('that contradict each other or the limit are refused, and nothing is written', () => {
    const memory = make();
    const zone = memory.zone({ name: 'z', size: 1024, max: 40, lowWater: 8 });
    for (const [mark, items] of [
      ['high_water', 7],
      ['reserve', 40],
      ['reserve', -1],
      ['low_water', 2 ** 32],
    ] as const)
      assert.equal(
        codeOf(() => memory.sysctl.set(`vm.uma.z.keg.${mark}`, items)),
        'BAD_ARGUMENT',
      );
    assert.deepEqual([zone.highWater, zone.lowWater, zone.reserve], [0, 8, 0]);
    assert.equal(
      codeOf(() => memory.sysctl.set('vm.uma_kegs.bucket.reserve', 1)),
      'READ_ONLY',
    );
  });
});
