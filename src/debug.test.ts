/** What a program that looks for a memory bug uses: leaks, checked ranges, records, at every level. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Addr, attachMemory, createMemory, MbumaError, type Memory, struct, u32 } from './index.js';
import { attachmentOf } from './memory.js';

const MIB = 1 << 20;
const file = new URL('./leaks.test-worker.js', import.meta.url);

/** Line of the compiled worker that has the comment. */
function lineOf(comment: string): number {
  return (
    readFileSync(fileURLToPath(file), 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(comment)) + 1
  );
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof MbumaError, String((error as Error)?.stack ?? error));
    return error.code;
  }
  return 'nothing thrown';
}

async function startWorker(
  memory: Memory,
  zones: readonly object[],
): Promise<{ worker: Worker; slot: number }> {
  const worker = new Worker(file, { workerData: { handle: memory.handle, zones } });
  memory.adopt(worker);
  const [slot] = (await once(worker, 'message')) as [number];
  return { worker, slot };
}

describe('leaks', () => {
  it('of two Workers are grouped by zone, place and thread, the most bytes first', async () => {
    const memory = createMemory({ bytes: 4 * MIB });
    const zones = [
      { name: 'told', size: 100, sites: true },
      { name: 'guarded', size: 1000, guard: true },
      { name: 'untold', size: 48 },
    ];
    const mine = zones.map((options) => memory.zone(options));
    const workers = [await startWorker(memory, zones), await startWorker(memory, zones)];
    const slots = workers.map(({ slot }) => slot).sort();
    const found = memory.leaks().map(({ zone, site, thread, count, bytes, addresses }) => {
      assert.equal(addresses.length, count);
      for (const address of addresses) memory.check(address, 1);
      return [zone, site.replace(/.*\/(leaks\.[^:]*):(\d+):\d+$/, '$1:$2'), thread, count, bytes];
    });
    const place = (which: number): string => `leaks.test-worker.js:${lineOf(`// place ${which}`)}`;
    const expected = slots.flatMap((slot) => [
      ['guarded', place(1), slot, 3, 3000],
      ['guarded', place(2), slot, 2, 2000],
      ['told', place(1), slot, 3, 300],
      ['told', place(2), slot, 2, 200],
      ['untold', '', slot, 5, 240],
    ]);
    const order = (rows: unknown[][]): string[] => rows.map((row) => row.join(' ')).sort();
    assert.deepEqual(order(found), order(expected));
    assert.deepEqual(
      found.map((row) => row[4]),
      [3000, 3000, 2000, 2000, 300, 300, 240, 240, 200, 200],
    );
    // Its thread is gone: the place is still known, and who it was.
    const [first] = workers;
    const reaped = new Promise((resolve) => memory.onReaped(resolve));
    await first?.worker.terminate();
    await reaped;
    assert.equal(memory.leaks().length, 10);
    const untold = memory.leaks().filter(({ zone }) => zone === 'untold');
    assert.ok(
      untold.some(({ thread }) => thread === 0),
      'of a zone without sites the owner is known: the memory',
    );
    for (const leak of memory.leaks()) {
      const zone = mine.find(({ name }) => name === leak.zone);
      for (const address of leak.addresses) zone?.free(address as Addr);
    }
    assert.deepEqual(memory.leaks(), []);
    await workers[1]?.worker.terminate();
    assert.ok(memory.audit().clean);
  });
});

describe('memory.check', () => {
  it('passes what lies inside one item in use, and refuses all else, at every level', () => {
    for (const checkLevel of [0, 1, 2, 3] as const) {
      const memory = createMemory({ bytes: MIB, maxZones: 16, checkLevel });
      for (const options of [{}, { redzone: true }, { guard: true }]) {
        const name = `zone of ${Object.keys(options).join() || 'nothing'}`;
        const zone = memory.zone({ name, size: 50, ...options });
        const item = zone.tryAlloc() as Addr;
        for (let at = 0; at < 50; at++) memory.check(item + at, 50 - at);
        for (const [address, length] of [
          [item, 51],
          [item + 49, 2],
          [item + 50, 1],
          [memory.bytes.length - 1, 1],
          [16, 4],
        ] as const) {
          assert.equal(
            codeOf(() => memory.check(address, length)),
            'OUT_OF_BOUNDS',
            `${address - item}, ${length}`,
          );
        }
        for (const [address, length] of [
          [item, 0],
          [item, -1],
          [-1, 4],
          [item + 0.5, 1],
          ['x', 1],
          [item, Number.NaN],
          [memory.bytes.length, 1],
          [memory.bytes.length - 1, 2],
        ]) {
          const call = (): void => memory.check(address as number, length as number);
          assert.equal(codeOf(call), 'BAD_ARGUMENT', `${address}, ${length}`);
        }
        zone.free(item);
        assert.equal(
          codeOf(() => memory.check(item, 4)),
          'USE_AFTER_FREE',
        );
      }
      assert.ok(memory.audit().clean);
    }
  });

  it('is asked by the printer of records from level 2 on', () => {
    const Pair = struct('pair', { x: u32('T', 'One.'), y: u32('T', 'Other.') }, { words: 2 });
    for (const checkLevel of [0, 2] as const) {
      const memory = createMemory({ bytes: MIB, maxZones: 16, checkLevel });
      const zone = memory.zone({ name: 'pairs', size: 8 });
      const item = zone.tryAlloc() as Addr;
      memory.words[item >>> 2] = 41;
      assert.match(memory.print(Pair, item), /x = 41 /);
      zone.free(item);
      const expected = checkLevel === 0 ? 'nothing thrown' : 'USE_AFTER_FREE';
      assert.equal(
        codeOf(() => memory.print(Pair, item)),
        expected,
      );
      assert.equal(
        codeOf(() => memory.print(Pair, 0.5 as Addr)),
        'BAD_ARGUMENT',
      );
      assert.equal(
        codeOf(() => memory.print(null as never, item)),
        'BAD_ARGUMENT',
      );
    }
  });

  it('is asked by the accessors of mbufs from level 2 on', () => {
    for (const checkLevel of [0, 2, 3] as const) {
      const memory = createMemory({ bytes: 2 * MIB, checkLevel });
      const { mbufs } = memory;
      const m = mbufs.tryGetcl() as Addr;
      mbufs.append(m, Uint8Array.of(1, 2, 3));
      const out = new Uint8Array(3);
      const copy = (): void => {
        mbufs.copyOut(m, 0, 3, out);
      };
      copy();
      assert.deepEqual([...out], [1, 2, 3]);
      // Its cluster goes behind its back: as if the buffer had been freed by somebody else.
      const data = mbufs.dataOf(m);
      const { owners } = { owners: memory.bytes.subarray(attachmentOf(memory).machine.area('owners') * 4) };
      const cluster = data & ~15;
      let start = cluster;
      while (owners[start >>> 4] === 0) start -= 16;
      const owner = owners[start >>> 4] as number;
      owners[start >>> 4] = 0;
      assert.equal(codeOf(copy), checkLevel === 0 ? 'nothing thrown' : 'USE_AFTER_FREE');
      owners[start >>> 4] = owner;
      mbufs.free(m);
      assert.equal(
        codeOf(() => mbufs.dataOf(m)),
        'NOT_AN_MBUF',
      );
      memory.drain();
      assert.ok(memory.audit().clean, JSON.stringify(memory.audit().violations));
    }
  });
});

describe('guarded items in a ring that carries them', () => {
  it('belong to their taker, and to nobody who dies while they are in it', () => {
    const memory = createMemory({ bytes: 4 * MIB });
    const other = attachMemory(memory.handle);
    const options = { name: 'guarded', size: 100, guard: true, onOwnerDeath: 'free' } as const;
    const [zone, theirs] = [memory.zone(options), other.zone(options)];
    const ring = memory.ring({ name: 'ring', capacity: 8, carries: zone });
    const items = [1, 2, 3].map(() => theirs.tryAlloc() as Addr);
    const puts = other.ring({ name: 'ring', capacity: 8, carries: theirs });
    for (const item of items.slice(0, 2)) puts.tryPut(item);
    const owner = (item: number): number | undefined =>
      memory.leaks().find(({ addresses }) => addresses.includes(item))?.thread;
    const taken = ring.tryTake();
    assert.equal(taken, items[0]);
    memory.declareDead(other.name);
    const [reaped] = memory.reap();
    assert.deepEqual(reaped?.items, [{ zone: 'guarded', freed: 1, kept: 0, items: [] }]);
    assert.equal(zone.stats().used, 2);
    assert.equal(owner(items[1] as number), 2, 'who allocated it is told, though it has gone');
    for (const item of [taken, ring.tryTake()]) zone.free(item as Addr);
    assert.equal(zone.stats().used, 0);
    assert.ok(memory.audit().clean);
  });
});
