/** `memory.sysctl`: every leaf that there is, what it tells, and what writing it does. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SETTING_RANGES } from './machine/index.js';
import { attachMemory, createMemory } from './memory.js';
import type { Memory } from './memory-api.js';
import type { SysctlLeaf, SysctlValue } from './sysctl/index.js';
import type { SysctlNames } from './sysctl-api.js';
import { hostileValues } from './uma/hostile.test-kit.js';
import { assertClean, codeOf } from './uma/uma.test-kit.js';

const MIB = 1 << 20;

function make(bytes = 4 * MIB): Memory {
  return createMemory({ bytes, maxThreads: 4, maxZones: 32 });
}

/** A memory with something of every kind, and another attachment that has opened nothing. */
function makeFull(): { memory: Memory; other: Memory } {
  const memory = make();
  const points = memory.zone({ name: 'points', size: 48, max: 20 });
  memory.zone({ name: 'counted', size: 300, referenceCounted: true, ctor: () => 0, dtor: () => 0 });
  memory.zone({ name: 'stacked', primary: points, init: () => 0, fini: () => 0 });
  memory.mbufs.free(memory.mbufs.getcl());
  const backend = memory.backend({ name: 'bounded pages', max: 20 });
  memory.zone({ name: 'bounded', size: 100, backend, noTrim: true, perThread: true, maxCached: 50 });
  memory.ring({ name: 'work', capacity: 9 }).tryPut(5);
  memory.ring({ name: 'full', capacity: 100, carries: points }).close();
  const elsewhere = { allocRun: () => 65536, freeRun() {} };
  memory.foreignKeg({ name: 'heap', size: 100, runBytes: 1000, ...elsewhere }).tryTake(new Int32Array(3), 3);
  return { memory, other: attachMemory(memory.handle) };
}

const namesOf = (leaves: Iterable<SysctlLeaf>): string[] => [...leaves].map(({ name }) => name);

/** What does not keep to what is told of it. */
function assertSound({ name, type, value, least, most, description }: SysctlLeaf): void {
  assert.equal(typeof value, { integer: 'number', boolean: 'boolean', string: 'string' }[type], name);
  assert.match(description, /^[A-Z0-9][^\n]{5,120}\.$/, name);
  if (type !== 'integer') {
    assert.deepEqual([least, most], [null, null], name);
    return;
  }
  assert.ok(Number.isSafeInteger(value) && value >= least && value <= most, `${name}: ${value}`);
}

describe('every leaf', () => {
  const { memory, other } = makeFull();
  const leaves = memory.sysctl.list();

  it('has a type, a range that it keeps to, a sentence, and a name of its own', () => {
    assert.ok(leaves.length > 200, `${leaves.length} leaves`);
    for (const leaf of leaves) assertSound(leaf);
    assert.equal(new Set(namesOf(leaves)).size, leaves.length);
  });

  it('is found by its name, listed by it, and met on the way through all', () => {
    for (const leaf of leaves) {
      assert.deepEqual(memory.sysctl.describe(leaf.name), leaf);
      assert.equal(memory.sysctl.get(leaf.name), leaf.value);
      assert.deepEqual(memory.sysctl.list(leaf.name), [leaf]);
    }
    assert.deepEqual([...memory.sysctl], leaves);
  });

  it('of the whole memory is the same for a thread that has opened nothing', () => {
    const own = /^(kern\.threads\.self|debug\.fail_point\.)/;
    const shared = (all: readonly SysctlLeaf[]): SysctlLeaf[] => all.filter(({ name }) => !own.test(name));
    assert.deepEqual(shared(other.sysctl.list()), shared(leaves));
  });

  it('that FreeBSD has of a zone is there', () => {
    const names = namesOf(memory.sysctl.list('vm.uma.points')).map((name) => name.slice(14));
    const wanted = [
      ...['size', 'flags', 'bucket_size', 'bucket_size_max'],
      ...['name', 'rsize', 'ppera', 'ipers', 'align', 'reserve', 'efficiency'].map((leaf) => `keg.${leaf}`),
      ...['pages', 'free_items', 'free_slabs'].map((leaf) => `keg.domain.0.${leaf}`),
      ...['items', 'max_items', 'sleepers', 'sleeps', 'bucket_max'].map((leaf) => `limit.${leaf}`),
      ...['nitems', 'imax', 'imin', 'bimin', 'wss', 'limin', 'timin'].map((leaf) => `domain.0.${leaf}`),
      ...['current', 'allocs', 'frees', 'fails'].map((leaf) => `stats.${leaf}`),
    ];
    for (const name of wanted) assert.ok(names.includes(name), name);
  });

  it('that the types know of is there, and of that type', () => {
    const types: Readonly<{ [Name in keyof SysctlNames]: SysctlLeaf['type'] }> = {
      'debug.check_level': 'integer',
      'debug.nosleepwithlocks': 'boolean',
      'hw.pagesize': 'integer',
      'hw.physmem': 'integer',
      'kern.ipc.maxmbufmem': 'integer',
      'kern.ipc.nmbclusters': 'integer',
      'kern.ipc.nmbjumbo16': 'integer',
      'kern.ipc.nmbjumbo9': 'integer',
      'kern.ipc.nmbjumbop': 'integer',
      'kern.ipc.nmbufs': 'integer',
      'kern.threads.attached': 'integer',
      'kern.threads.deaths': 'integer',
      'kern.threads.max': 'integer',
      'kern.threads.self': 'integer',
      'vm.debug.divisor': 'integer',
      'vm.memguard.frequency': 'integer',
      'vm.phys.failures': 'integer',
      'vm.phys.longest_block': 'integer',
      'vm.phys.requests': 'integer',
      'vm.stats.vm.v_free_count': 'integer',
      'vm.stats.vm.v_page_count': 'integer',
      'vm.uma_kmem_limit': 'integer',
      'vm.uma_kmem_total': 'integer',
      'vm.uma_timeout_ms': 'integer',
      'vm.zone_count': 'integer',
      'vm.zone_max': 'integer',
      'vm.zone_warning_seconds': 'integer',
      'vm.zone_warnings': 'boolean',
    };
    for (const [name, type] of Object.entries(types)) assert.equal(memory.sysctl.describe(name).type, type);
    for (const { name, type } of memory.sysctl.list('vm.uma')) {
      const isText = /\.(flags|keg\.name|keg\.backend)$/.test(name);
      assert.equal(type, isText ? 'string' : 'integer', name);
    }
    // The compiler looks at these.
    const count: number = memory.sysctl.get('vm.zone_count');
    const warns: boolean = memory.sysctl.get('vm.zone_warnings');
    const flags: string = memory.sysctl.get('vm.uma.points.flags');
    const size: number = memory.sysctl.get('vm.uma.points.size');
    const any: SysctlValue = memory.sysctl.get('kern.ipc.rings.work.closed');
    assert.deepEqual(
      [count, warns, flags, size, any],
      [memory.stats().zones.length, true, 'LIMIT', 48, false],
    );
  });
});

describe('figures', () => {
  it('of a zone are those of its stats', () => {
    const memory = make();
    const zone = memory.zone({ name: 'z', size: 100, max: 40 });
    const items = Array.from({ length: 30 }, () => zone.tryAlloc());
    for (const item of items.slice(0, 10)) zone.free(item);
    const z = (leaf: string): SysctlValue => memory.sysctl.get(`vm.uma.z.${leaf}`);
    const { used, requests, cached, failures, pages, bucketCapacity } = zone.stats();
    assert.deepEqual([z('stats.current'), z('stats.allocs'), z('stats.frees')], [20, 30, 10]);
    assert.deepEqual([used, requests, failures], [20, 30, z('stats.fails')]);
    assert.equal(z('limit.items'), used + cached);
    assert.equal(z('keg.domain.0.pages'), pages);
    assert.equal(z('bucket_size'), bucketCapacity);
    assert.deepEqual([z('keg.rsize'), z('keg.ipers'), z('keg.ppera'), z('keg.align')], [112, 36, 1, 16]);
    assert.equal(z('keg.efficiency'), Math.floor((36 * 112 * 100) / 4096));
    zone.max = 25;
    while (zone.tryAlloc() !== 0);
    assert.equal(z('stats.fails'), 1);
    assert.equal(memory.sysctl.get('vm.uma_kmem_limit'), memory.stats().pages.pages * 4096);
    assert.equal(memory.sysctl.get('vm.stats.vm.v_free_count'), memory.stats().pages.free);
  });

  it('tell what a zone is made of', () => {
    const { sysctl } = makeFull().memory;
    assert.equal(sysctl.get('vm.uma.counted.flags'), 'REFCNT,CTOR,DTOR');
    assert.equal(sysctl.get('vm.uma.stacked.flags'), 'SECONDARY,INIT,FINI');
    assert.equal(sysctl.get('vm.uma.bounded.flags'), 'PCPU,NOTRIM,OFFPAGE');
    assert.equal(sysctl.get('vm.uma.bounded.keg.backend'), 'bounded pages');
    assert.equal(sysctl.get('vm.uma.points.keg.backend'), 'pages');
    assert.equal(sysctl.get('vm.uma_backends.bounded_pages.pages_max'), 20);
    assert.equal(sysctl.get('vm.uma.stacked.keg.name'), 'points');
    assert.equal(sysctl.get('vm.uma.mbuf_cluster.flags'), 'REFCNT,OFFPAGE,LIMIT');
    // Two clusters in a page, and their counters in a header of 256 bytes.
    assert.equal(sysctl.get('vm.uma.mbuf_cluster.keg.efficiency'), Math.floor((4096 * 100) / (4096 + 256)));
    assert.equal(sysctl.get('vm.uma_kegs.slab_header_256.rsize'), 256);
    const heap = sysctl.list('vm.uma_foreign.heap').map(({ name, value }) => `${name.slice(20)} ${value}`);
    assert.deepEqual(heap, [
      ...['free 6', 'ipers 9', 'rsize 104', 'run_bytes 1000', 'runs 1', 'size 100', 'used 3'],
    ]);
    const pages = (keg: string): number => sysctl.get(`vm.uma_kegs.${keg}.domain.0.pages`) as number;
    assert.ok(pages('bucket') > 0 && pages('slab_header_256') > 0);
    const slabs = sysctl.list().filter(({ name }) => /\.domain\.0\.pages$/.test(name));
    const counted = slabs.filter(({ name }) => !/\.(stacked|mbuf_packet)\./.test(name));
    assert.equal(
      counted.reduce((sum, { value }) => sum + (value as number), 0) * 4096,
      sysctl.get('vm.uma_kmem_total'),
    );
  });

  it('of rings and threads', () => {
    const { memory, other } = makeFull();
    const ring = (leaf: string): SysctlValue => other.sysctl.get(`kern.ipc.rings.${leaf}`);
    assert.deepEqual([ring('work.capacity'), ring('work.used'), ring('work.closed')], [9, 1, false]);
    assert.deepEqual([ring('full.closed'), ring('work.keg')], [true, 0]);
    assert.equal(ring('full.keg'), memory.zone({ name: 'points', size: 48 }).keg);
    assert.deepEqual(
      [memory.sysctl.get('kern.threads.self'), other.sysctl.get('kern.threads.self')],
      [memory.thread, other.thread],
    );
    assert.equal(memory.sysctl.get('kern.threads.attached'), 2);
    other.detach();
    assert.equal(memory.sysctl.get('kern.threads.attached'), 1);
    assert.equal(
      codeOf(() => memory.sysctl.get(`kern.thread.${other.thread}.locks`)),
      'NO_SUCH_SYSCTL',
    );
  });

  it('of failpoints', () => {
    const memory = make();
    const zone = memory.zone({ name: 'z', size: 64 });
    memory.failpoints.arm('uma.alloc', { nth: 1 });
    assert.equal(zone.tryAlloc(), 0);
    const site = (leaf: string): SysctlValue => memory.sysctl.get(`debug.fail_point.uma_alloc.${leaf}`);
    assert.deepEqual([site('failures'), site('armed')], [1, true]);
    memory.failpoints.disarm();
    assert.equal(site('armed'), false);
  });

  it('that wait are counted', async () => {
    const memory = make();
    const zone = memory.zone({ name: 'z', size: 64, max: 1 });
    const item = zone.tryAlloc();
    const waiting = zone.allocAsync();
    const taking = memory.ring({ name: 'r', capacity: 1 }).takeAsync();
    assert.equal(memory.sysctl.get('vm.uma.z.limit.sleepers'), 1);
    assert.equal(memory.sysctl.get('vm.uma.z.limit.sleeps'), 1);
    assert.equal(memory.sysctl.get('kern.ipc.rings.r.waiting.take'), 1);
    zone.free(item);
    zone.free(await waiting);
    memory.ring({ name: 'r', capacity: 1 }).close();
    assert.equal(await taking, 0);
    assert.equal(memory.sysctl.get('vm.uma.z.limit.sleepers'), 0);
    assertClean(memory);
  });
});

const ORDERED_THRESHOLDS: readonly string[] = [
  'vm.v_interrupt_free_min',
  'vm.v_free_reserved',
  'vm.v_free_min',
  'vm.v_free_target',
];

describe('thresholds', () => {
  it('are raised from the last on, lowered from the first on, and never out of order', () => {
    const { memory, other } = makeFull();
    const pages = memory.stats().pages.pages;
    for (const [index, name] of [...ORDERED_THRESHOLDS].reverse().entries())
      other.sysctl.set(name, 50 - index);
    assert.deepEqual(ORDERED_THRESHOLDS.map(memory.sysctl.get), [47, 48, 49, 50]);
    assert.equal(memory.stats().pages.thresholds.freeReserved, 48);
    for (const [name, value] of [
      ['vm.v_free_reserved', 50],
      ['vm.v_free_reserved', 46],
      ['vm.v_free_target', pages + 1],
      ['vm.v_interrupt_free_min', -1],
    ] as const)
      assert.equal(
        codeOf(() => memory.sysctl.set(name, value)),
        'BAD_ARGUMENT',
        name,
      );
    for (const name of ORDERED_THRESHOLDS) memory.sysctl.set(name, 0);
    assert.deepEqual(ORDERED_THRESHOLDS.map(memory.sysctl.get), [0, 0, 0, 0]);
    assertClean(memory);
  });

  it('say whether the memory is low as soon as they are met', () => {
    const memory = make();
    const zone = memory.zone({ name: 'z', size: 4096 });
    const kept = memory.zone({ name: 'kept', size: 64 }).alloc();
    const { pages, free } = memory.stats().pages;
    memory.sysctl.set('vm.v_free_target', pages);
    memory.sysctl.set('vm.v_free_min', free);
    assert.equal(memory.sysctl.get('vm.phys.low'), false);
    memory.sysctl.set('vm.v_free_min', free + 1);
    assert.equal(memory.sysctl.get('vm.phys.low'), true);
    memory.sysctl.set('vm.v_free_min', free);
    memory.sysctl.set('vm.v_free_target', free);
    assert.equal(memory.sysctl.get('vm.phys.low'), false);
    zone.free(zone.tryAlloc());
    assert.equal(memory.sysctl.get('vm.phys.low'), true);
    assert.equal(memory.sysctl.get('vm.phys.episodes'), 2);
    memory.zone({ name: 'kept', size: 64 }).free(kept);
    assertClean(memory);
  });
});

describe('tunables', () => {
  it('are written, at the edges of their ranges too, and read by every thread', () => {
    const { memory, other } = makeFull();
    // Marks must agree with each other and with the limit: see sysctl-limits.test.ts. Thresholds: above.
    const isMark = (name: string): boolean =>
      /\.keg\.(reserve|low_water|high_water)$/.test(name) || ORDERED_THRESHOLDS.includes(name);
    const writable = memory.sysctl.list().filter((leaf) => leaf.writable && !isMark(leaf.name));
    assert.ok(writable.length >= 6 + 5 + 10, `${writable.length} tunables`);
    for (const { name, type, value, least, most } of writable) {
      const values = type === 'boolean' ? [true, false] : [least, most, value];
      for (const written of values as SysctlValue[]) {
        other.sysctl.set(name, written);
        assert.equal(memory.sysctl.get(name), written, name);
        assert.equal(other.sysctl.get(name), written, name);
      }
      memory.sysctl.set(name, value);
    }
    assert.deepEqual(
      memory.sysctl.list().filter((leaf) => leaf.writable && !isMark(leaf.name)),
      writable,
    );
    assertClean(memory);
  });

  it('are all settings of the memory, in the ranges that these have, and what they are at first', () => {
    const { sysctl } = make();
    const settings = sysctl
      .list()
      .filter(({ name, writable }) => writable && !/^kern\.ipc\.|^vm\.v_/.test(name));
    assert.equal(settings.length, Object.keys(SETTING_RANGES).length);
    const told = settings.map(({ value, least, most }) =>
      least === null ? [Number(value), 0, 1] : [value, least, most],
    );
    const ranges = Object.values(SETTING_RANGES).map(({ initial, least, most }) => [initial, least, most]);
    assert.deepEqual(told.sort(), ranges.sort());
  });

  it('out of range, of another type, or for reading: refused, and nothing has changed', () => {
    const { memory } = makeFull();
    const before = memory.sysctl.list();
    for (const { name, type, least, most, writable } of before) {
      const set = (value: unknown): string => codeOf(() => memory.sysctl.set(name, value as SysctlValue));
      if (!writable) assert.equal(set(1), 'READ_ONLY', name);
      else if (type === 'boolean') assert.deepEqual([set(1), set('true')], ['BAD_ARGUMENT', 'BAD_ARGUMENT']);
      else
        for (const value of [(least as number) - 1, (most as number) + 1, 0.5, true, '1'])
          assert.equal(set(value), 'BAD_ARGUMENT', name);
    }
    assert.deepEqual(memory.sysctl.list(), before);
  });

  it('refuse hostile names and values by a code', () => {
    const { memory } = makeFull();
    const { sysctl } = memory;
    const before = sysctl.list();
    for (const [name, value] of hostileValues) {
      const hostile = value as string;
      const refused = ['BAD_ARGUMENT', 'NO_SUCH_SYSCTL'];
      assert.ok(refused.includes(codeOf(() => sysctl.get(hostile))), name);
      assert.ok(refused.includes(codeOf(() => sysctl.set(hostile, hostile))), name);
      assert.ok(refused.includes(codeOf(() => sysctl.describe(hostile))), name);
      if (value !== undefined && value !== '')
        assert.ok(refused.includes(codeOf(() => sysctl.list(hostile))), name);
      const set = codeOf(() => sysctl.set('kern.ipc.nmbclusters', hostile as unknown as number));
      if (set === 'nothing thrown') sysctl.set('kern.ipc.nmbclusters', 1024);
      else assert.equal(set, 'BAD_ARGUMENT', name);
    }
    assert.deepEqual(sysctl.list(), before);
    assertClean(memory);
  });

  it('belong to threads that are attached', () => {
    const { memory, other } = makeFull();
    other.sysctl.get('vm.zone_count');
    other.detach();
    for (const call of [
      () => other.sysctl.get('vm.zone_count'),
      () => other.sysctl.set('vm.zone_warnings', false),
      () => other.sysctl.list(),
      () => other.sysctl.describe('vm.zone_count'),
      () => [...other.sysctl],
    ])
      assert.equal(codeOf(call), 'DETACHED');
    assert.equal(memory.sysctl.get('vm.zone_warnings'), true);
  });
});

describe('names', () => {
  it('of zones with odd characters, and of those that become the same', () => {
    const memory = make();
    const names = ['a b', 'a.b', 'a-b', 'a=b', 'a/b\\c', 'a_b_1', '"$x"', 'keg', '__proto__', '.'];
    names.forEach((name, index) => {
      memory.zone({ name, size: 16 * (index + 1) });
    });
    const keys = ['a_b', 'a_b_1', 'a_b_2', 'a_b_3', 'a_b_c', 'a_b_1_1', '"$x"', 'keg', '__proto__', '_'];
    keys.forEach((key, index) => {
      assert.equal(memory.sysctl.get(`vm.uma.${key}.size`), 16 * (index + 1), key);
      assert.equal(memory.sysctl.get(`vm.uma.${key}.keg.name`), names[index]);
    });
    assert.equal(new Set(namesOf(memory.sysctl.list())).size, memory.sysctl.list().length);
    memory.ring({ name: 'x y', capacity: 3 });
    memory.ring({ name: 'x-y', capacity: 4 });
    assert.equal(memory.sysctl.get('kern.ipc.rings.x_y_1.capacity'), 4);
  });
});

describe('while a Worker allocates', () => {
  it('every figure keeps to its range, limits can be written, and the memory stays sound', async () => {
    const memory = make();
    const zone = memory.zone({ name: 'z', size: 100, onOwnerDeath: 'free' });
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData.url).then(({ attachMemory }) => {
        const memory = attachMemory(workerData.handle);
        const zone = memory.zone({ name: 'z', size: 100, onOwnerDeath: 'free' });
        const ring = memory.ring({ name: 'stop', capacity: 1 });
        const items = [];
        let rounds = 0;
        parentPort.postMessage('ready');
        for (; ring.tryTake() === 0; rounds++) {
          for (let at = 0; at < 500; at++) { const item = zone.tryAlloc(); if (item !== 0) items.push(item); }
          memory.mbufs.free(memory.mbufs.getcl());
          for (const item of items.splice(0)) zone.free(item);
        }
        memory.detach();
        parentPort.postMessage(rounds);
      });`;
    const ring = memory.ring({ name: 'stop', capacity: 1 });
    const url = new URL('./index.js', import.meta.url).href;
    const worker = new Worker(script, { eval: true, workerData: { handle: memory.handle, url } });
    const next = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    await next();
    const allocs: number[] = [];
    for (let round = 0; round < 60; round++) {
      for (const leaf of memory.sysctl) assertSound(leaf);
      memory.sysctl.set('vm.uma.z.limit.max_items', [0, 100, 1000][round % 3] as number);
      memory.sysctl.set('kern.ipc.nmbclusters', 100 + round);
      allocs.push(memory.sysctl.get('vm.uma.z.stats.allocs'));
    }
    const rounds = next();
    ring.put(1);
    assert.ok(((await rounds) as number) > 0);
    await new Promise((resolve) => worker.once('exit', resolve));
    assert.ok((allocs[59] as number) > (allocs[0] as number), 'it worked meanwhile');
    assert.deepEqual(
      [...allocs].sort((a, b) => a - b),
      allocs,
    );
    assert.equal(zone.stats().used, 0);
    assertClean(memory);
  });
});
