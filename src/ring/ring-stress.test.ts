import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { WaitQueue } from '../machine/index.js';
import { RingRecord } from './index.js';
import { createRingMemory, type RingMemory, ringRefOf } from './ring.test-support.js';
import type { Style, Task } from './ring.test-worker.js';

const NUMBER_MASK = 0xffffff;

/** Starts a thread; when it is ready, gives the promise of its result. */
async function start(memory: RingMemory, task: Omit<Task, 'handle'>): Promise<{ result: Promise<unknown> }> {
  const workerData: Task = { handle: memory.handle, ...task };
  const worker = new Worker(new URL('./ring.test-worker.js', import.meta.url), { workerData });
  const failed = once(worker, 'error').then(([error]) => {
    throw error;
  });
  const exit = once(worker, 'exit');
  const ready = once(worker, 'message');
  await Promise.race([ready, failed]);
  const [result] = [once(worker, 'message')];
  const done = Promise.race([result, failed]).then(async (message) => {
    await exit;
    return (message as unknown[])[0];
  });
  done.catch(() => {});
  failed.catch(() => {});
  return { result: done };
}

interface Crowd {
  readonly putters: readonly Style[];
  readonly takers: readonly Style[];
  readonly capacity: number;
  readonly count: number;
  /** Closes after so many milliseconds, in the middle of things; else when all is put. */
  readonly closeAfterMs?: number;
}

/** Lets a crowd work on one ring, and proves that each word came through once, and in its putter's order. */
async function runCrowd(memory: RingMemory, name: string, crowd: Crowd): Promise<number> {
  const { capacity, count } = crowd;
  const ring = memory.rings.ring({ name, capacity });
  const common = { name, capacity, count, producer: 0 };
  const takers = await Promise.all(
    crowd.takers.map((style, index) => start(memory, { ...common, role: 'take', style, seed: 1000 + index })),
  );
  const putters = await Promise.all(
    crowd.putters.map((style, index) =>
      start(memory, { ...common, role: 'put', style, producer: index + 1, seed: 1 + index }),
    ),
  );
  if (crowd.closeAfterMs !== undefined) {
    await sleep(crowd.closeAfterMs);
    ring.close();
  }
  const accepted = (await Promise.all(putters.map((putter) => putter.result))) as number[];
  ring.close();
  const taken = (await Promise.all(takers.map((taker) => taker.result))) as number[][];

  const seen = accepted.map((each) => new Uint8Array(each));
  for (const words of taken) {
    const last = accepted.map(() => -1);
    for (const word of words) {
      const producer = (word >>> 24) - 1;
      const number = word & NUMBER_MASK;
      assert.ok(number < (accepted[producer] ?? 0), `word ${word.toString(16)} was never put`);
      assert.ok(number > (last[producer] as number), `putter ${producer + 1} is out of order at ${number}`);
      assert.equal((seen[producer] as Uint8Array)[number], 0, `word ${word.toString(16)} came twice`);
      last[producer] = number;
      (seen[producer] as Uint8Array)[number] = 1;
    }
  }
  for (const [producer, marks] of seen.entries()) {
    assert.equal(marks.indexOf(0), -1, `word ${marks.indexOf(0)} of putter ${producer + 1} is lost`);
  }
  if (crowd.closeAfterMs === undefined) assert.deepEqual(accepted, crowd.putters.map(() => count));
  assert.deepEqual(memory.audit(), []);
  return accepted.reduce((sum, each) => sum + each, 0);
}

for (const capacity of [1, 2, 8, 1000]) {
  test(`2 threads, capacity ${capacity}: single and bulk, blocking and trying`, async () => {
    const memory = createRingMemory();
    let made = 0;
    const count = capacity < 8 ? 2000 : 20_000;
    for (const [put, take] of [
      ['one', 'one'],
      ['many', 'many'],
      ['many', 'one'],
      ['one', 'many'],
      ['try', 'many'],
      ['many', 'try'],
      ['async', 'one'],
      ['asyncMany', 'asyncMany'],
    ] as const) {
      await runCrowd(memory, `ring ${made++}`, { putters: [put], takers: [take], capacity, count });
    }
  });

  test(`8 threads, capacity ${capacity}: every way of calling at once`, async () => {
    const memory = createRingMemory();
    await runCrowd(memory, 'alike', {
      putters: ['many', 'many', 'one', 'one'],
      takers: ['many', 'many', 'one', 'one'],
      capacity,
      count: 2000,
    });
    await runCrowd(memory, 'mixed', {
      putters: ['mixed', 'asyncMany', 'mixed', 'impatient'],
      takers: ['mixed', 'mixed', 'one', 'abortive'],
      capacity,
      count: 1000,
    });
  });
}

test('on a plain buffer as well', async () => {
  const memory = createRingMemory({ wasm: false });
  await runCrowd(memory, 'mixed', { putters: ['mixed', 'one'], takers: ['mixed', 'one'], capacity: 4, count: 2000 });
});

test('closed in the middle of things, every accepted word is taken', async () => {
  const memory = createRingMemory();
  for (let round = 0; round < 12; round++) {
    await runCrowd(memory, `ring ${round}`, {
      putters: ['many', 'one', 'mixed'],
      takers: ['many', 'one', 'mixed'],
      capacity: [1, 2, 8][round % 3] as number,
      count: NUMBER_MASK,
      closeAfterMs: round,
    });
  }
});

test('blocked takers are served in the order of arrival', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 8 });
  const takers = ringRefOf(memory, 'jobs') + RingRecord.takers;
  const results: Promise<unknown>[] = [];
  for (let index = 0; index < 6; index++) {
    const common = { name: 'jobs', capacity: 8, count: 0, producer: 0, seed: 1 };
    results.push((await start(memory, { ...common, role: 'takeOnce', style: 'one' })).result);
    while (memory.machine.words[takers + WaitQueue.count] !== index + 1) await sleep(1);
  }
  assert.equal(ring.putMany(Int32Array.of(1, 2, 3), 3), 3);
  for (const word of [4, 5, 6]) ring.put(word);
  assert.equal(ring.length, 0, 'each word is handed over at once');
  assert.deepEqual(await Promise.all(results), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(memory.audit(), []);
});

test('a full ring holds its putters back', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 8 });
  const ref = ringRefOf(memory, 'jobs');
  const common = { name: 'jobs', capacity: 8, count: 100, seed: 1 };
  const putters = [
    await start(memory, { ...common, role: 'put', style: 'one', producer: 1 }),
    await start(memory, { ...common, role: 'put', style: 'many', producer: 2 }),
  ];
  while (memory.machine.words[ref + RingRecord.putters + WaitQueue.count] !== 2) await sleep(1);
  await sleep(20);
  assert.equal(ring.length, 8);
  assert.deepEqual(memory.audit(), []);
  let taken = 0;
  while (taken < 200) taken += Number(ring.take() !== 0);
  assert.deepEqual(await Promise.all(putters.map((putter) => putter.result)), [100, 100]);
  assert.equal(ring.length, 0);
  assert.deepEqual(memory.audit(), []);
});
