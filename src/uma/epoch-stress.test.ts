/** Real Workers: readers follow lists without a lock while writers replace and free their nodes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createMemory, type Memory, type ZoneStats } from '../index.js';
import { Board, type Orders, openLists, type Said, serialOf } from './epoch-stress.test-kit.js';
import { assertClean } from './uma.test-kit.js';

const LISTS = 8;
const LENGTH = 6;
const WRITERS = 2;
const ITEMS_PER_PAGE = 64;

interface Crew {
  readonly memory: Memory;
  readonly workers: readonly Worker[];
  readonly board: Int32Array;
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
  const board = new Int32Array(new SharedArrayBuffer(12));
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
    board,
    async end() {
      Atomics.store(board, Board.END, 1);
      // One that has thrown, or runs astray, must not keep the test.
      const timer = setTimeout(() => crew.forEach(({ worker }) => void worker.terminate()), 20_000);
      try {
        const said = await Promise.all(crew.map((each) => each.said));
        return said.filter((each) => each !== null);
      } finally {
        clearTimeout(timer);
        await Promise.all(crew.map(({ worker }) => worker.terminate()));
      }
    },
  };
}

/** Whether the condition came true; a busy machine takes its time. */
async function comes(condition: () => boolean): Promise<boolean> {
  for (let left = 1500; left > 0 && !condition(); left--) await sleep(20);
  return condition();
}

const sum = (all: readonly Said[], role: string, what: 'rounds' | 'wrong'): number =>
  all.filter((each) => each.role === role).reduce((total, each) => total + each[what], 0);

describe('readers without a lock', () => {
  it('never see a node that is reused, and nodes are', async () => {
    const { memory, board, end } = start(true, 2);
    const nodes = () => memory.stats().zones.find(({ name }) => name === 'nodes') as ZoneStats;
    const isReused = () => nodes().requests > 2 * ITEMS_PER_PAGE * nodes().pages;
    const came = await comes(() => isReused() && Atomics.load(board, Board.READS) > 2000);
    const said = await end();
    assert.ok(came, 'much is read and reused');
    assert.equal(said.length, 4);
    assert.equal(sum(said, 'reader', 'wrong'), 0);
    memory.synchronize(5000);
    assertClean(memory);
  });

  it('are waited for no longer when they have been killed, beside a writer', async () => {
    const { memory, workers, end } = start(true, 3);
    for (const victim of [2, 1, 3]) {
      await sleep(300);
      await workers[victim]?.terminate();
    }
    await sleep(300);
    memory.reap();
    memory.synchronize(5000);
    const said = await end();
    assert.equal(sum(said, 'reader', 'wrong'), 0);
    memory.reap();
    assertClean(memory);
  });

  it('do see it in an ordinary zone: the test can fail', async () => {
    const { board, end } = start(false, 2);
    await comes(() => Atomics.load(board, Board.WRONG) > 0);
    const said = await end();
    assert.ok(sum(said, 'reader', 'wrong') > 0);
  });
});
