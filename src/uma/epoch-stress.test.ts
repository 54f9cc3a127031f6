/** Real Workers: readers follow lists without a lock while writers replace and free their nodes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createMemory, type Memory } from '../index.js';
import { type Orders, openLists, type Said, serialOf } from './epoch-stress.test-kit.js';
import { assertClean, runs } from './uma.test-kit.js';

const LISTS = 8;
const LENGTH = 6;
const WRITERS = 2;

interface Crew {
  readonly memory: Memory;
  readonly workers: readonly Worker[];
  /** Ends all that go still; what they say. */
  end(): Promise<Said[]>;
}

function start(epoch: boolean, readers: number): Crew {
  const memory = createMemory({ bytes: 16 << 20, maxThreads: 8, maxZones: 16 });
  const zone = openLists(memory, epoch);
  const root = memory.zone({ name: 'root', size: 64 }).alloc() >>> 2;
  for (let list = 0; list < LISTS; list++) {
    let next = 0;
    for (let node = 0; node < LENGTH; node++) {
      const item = zone.alloc();
      const serial = list * LENGTH + node + 1;
      memory.words.set([next, serial, serialOf(item, serial)], item >>> 2);
      next = item;
    }
    memory.words[root + list] = next;
  }
  const board = new Int32Array(new SharedArrayBuffer(4));
  const crew = Array.from({ length: readers + WRITERS }, (_, number) => {
    const role = number < WRITERS ? ('writer' as const) : ('reader' as const);
    const orders: Orders = {
      handle: memory.handle,
      role,
      number,
      epoch,
      board,
      root,
      lists: LISTS,
      length: LENGTH,
    };
    const worker = new Worker(new URL('./epoch-stress.test-worker.js', import.meta.url), {
      workerData: orders,
    });
    memory.adopt(worker);
    const said = new Promise<Said | null>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => resolve(null));
    });
    said.catch(() => undefined);
    return { worker, said };
  });
  return {
    memory,
    workers: crew.map(({ worker }) => worker),
    async end() {
      Atomics.store(board, 0, 1);
      const said = await Promise.all(crew.map((each) => each.said));
      await Promise.all(crew.map(({ worker }) => worker.terminate()));
      return said.filter((each) => each !== null);
    },
  };
}

const sum = (all: readonly Said[], role: string, what: 'rounds' | 'wrong'): number =>
  all.filter((each) => each.role === role).reduce((total, each) => total + each[what], 0);

describe('readers without a lock', () => {
  it('never see a node that is reused, and nodes are', async () => {
    const { memory, end } = start(true, 2);
    await sleep(runs(1500));
    const said = await end();
    assert.equal(said.length, 4);
    assert.equal(sum(said, 'reader', 'wrong'), 0);
    assert.ok(sum(said, 'reader', 'rounds') > 1000);
    const nodes = memory.stats().zones.find(({ name }) => name === 'nodes');
    const places = (nodes?.pages ?? 0) * 64;
    assert.ok((nodes?.requests ?? 0) > 2 * places, `${nodes?.requests} requests, room for ${places}`);
    memory.synchronize(5000);
    assertClean(memory);
  });

  it('are waited for no longer when they have been killed', async () => {
    const { memory, workers, end } = start(true, 3);
    for (const victim of [2, 3]) {
      await sleep(300);
      await workers[victim]?.terminate();
    }
    await sleep(300);
    memory.reap();
    memory.synchronize(5000);
    assert.deepEqual(memory.stats().epochs.overdue, []);
    const said = await end();
    assert.equal(sum(said, 'reader', 'wrong'), 0);
    memory.reap();
    assertClean(memory);
  });

  it('do see it in an ordinary zone: the test can fail', async () => {
    const { end } = start(false, 2);
    await sleep(runs(1000));
    const said = await end();
    assert.ok(sum(said, 'reader', 'wrong') > 0);
  });
});
