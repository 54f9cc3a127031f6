/** Real Workers that exchange blocks of all sizes, and end and begin while they do. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createMemory } from '../memory.js';
import type { Addr } from '../record/index.js';
import { assertClean, runs, seed } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';
import { requireMark, type Task, typesOf } from './workers.test-worker.js';

function start(task: Task): Promise<number> {
  const worker = new Worker(new URL('./workers.test-worker.js', import.meta.url), { workerData: task });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe('Workers exchange blocks', () => {
  for (const [workers, generations] of [
    [2, 2],
    [4, 2],
    [8, 1],
  ] as const)
    it(`${workers} at a time, ${generations} times: every word is whole, and nothing is left`, {
      timeout: 120_000,
    }, async () => {
      const memory = createMemory({ bytes: 32 << 20, maxThreads: workers + 1, timerMs: 0 });
      const types = typesOf(memory);
      const ring = memory.ring({ name: 'blocks', capacity: 512 });
      let exchanged = 0;
      for (let generation = 0; generation < generations; generation++) {
        const tasks = Array.from({ length: workers }, (_, at) => ({
          handle: memory.handle,
          rounds: runs(6000),
          seed: seed + 100 * generation + at,
        }));
        const done = await Promise.all(tasks.map(start));
        exchanged += done.reduce((sum, each) => sum + each);
      }
      assert.ok(exchanged > 1000 * workers * generations, `${exchanged}`);
      assertClean(memory);
      for (let word = ring.tryTake(); word !== 0; word = ring.tryTake()) {
        const block = (word & -16) as Addr;
        requireMark(memory, block);
        (types[word & 1] as MallocType).free(block);
      }
      for (const type of types) assert.equal(type.stats().used + type.stats().bytes, 0);
      assertClean(memory);
    });
});
