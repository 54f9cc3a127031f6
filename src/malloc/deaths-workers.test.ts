/** Real Workers, ended at any moment, with blocks of types that follow a death. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { assertClean, randomFrom, runs, seed } from '../uma/uma.test-kit.js';
import { type Task, typesOf } from './deaths.test-worker.js';
import type { MallocType } from './types.js';

const WORKERS = 3;

/** Some of the blocks that dead threads have left to the memory. */
function leaksOf(memory: Memory): Addr[] {
  const left = memory.leaks().filter(({ type, thread }) => type === 'named' && thread === 0);
  return left.flatMap(({ addresses }) => addresses as Addr[]);
}

describe('Workers that are ended', () => {
  for (const checkLevel of [0, 2] as const)
    it(`leave nothing charged that is not in use, at level ${checkLevel}`, { timeout: 60_000 }, async () => {
      const memory = createMemory({
        bytes: 32 << 20,
        maxThreads: WORKERS + 1,
        maxZones: 200,
        timerMs: 0,
        checkLevel,
      });
      const types = typesOf(memory);
      const named = types[3] as MallocType;
      const random = randomFrom(seed);
      let freed = 0;
      memory.onReaped(({ items, errors }) => {
        assert.deepEqual(errors, []);
        for (const each of items) freed += each.freed;
      });
      for (let round = 0; round < runs(12); round++) {
        const workers = Array.from({ length: WORKERS }, (_, at) => {
          const task: Task = { handle: memory.handle, seed: seed + round * WORKERS + at };
          const worker = new Worker(new URL('./deaths.test-worker.js', import.meta.url), {
            workerData: task,
          });
          memory.adopt(worker);
          return { worker, begun: new Promise((resolve) => worker.once('message', resolve)) };
        });
        await Promise.all(workers.map(({ begun }) => begun));
        await new Promise((resolve) => setTimeout(resolve, random(40)));
        // Some while the others go on.
        for (const { worker } of workers) {
          await worker.terminate();
          memory.poll();
        }
        // One of them may have cleaned up after another; so what stayed is found as a leak.
        while (memory.stats().threads > 1) await new Promise((resolve) => setTimeout(resolve, 5));
        for (let left = leaksOf(memory); left.length > 0; left = leaksOf(memory))
          for (const block of left) named.free(block);
        assert.deepEqual(
          types.map((type) => type.stats().bytes),
          [0, 0, 0, 0],
        );
        assertClean(memory);
        // The whole limit is there.
        const all = (types[0] as MallocType).tryAlloc(390_000);
        assert.notEqual(all, 0);
        (types[0] as MallocType).free(all);
      }
      assert.ok(freed > 5 * runs(12), `${freed}`);
    });

  it('leave their room to who waits for it', { timeout: 60_000 }, async () => {
    const memory = createMemory({ bytes: 32 << 20, maxThreads: 3, maxZones: 200, timerMs: 0 });
    const [bounded] = typesOf(memory) as [MallocType];
    for (let round = 0; round < runs(3); round++) {
      const task: Task = { handle: memory.handle, seed: seed + round };
      const worker = new Worker(new URL('./deaths.test-worker.js', import.meta.url), { workerData: task });
      memory.adopt(worker);
      await new Promise((resolve) => worker.once('message', resolve));
      const waiting = bounded.allocAsync(390_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await worker.terminate();
      bounded.free(await waiting);
      assert.equal(bounded.stats().bytes, 0);
    }
    assertClean(memory);
  });
});
