import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaitQueue } from '../machine/index.js';
import { RingRecord } from './index.js';
import { bury, cleanUp, createRingMemory, type RingMemory, ringRefOf } from './ring.test-support.js';
import type { Style } from './ring.test-worker.js';
import { type Started, start } from './workers.test-support.js';

const NUMBER_MASK = 0xffffff;

/** A lost wakeup shows as a test that does not end. */
const limits = { timeout: 120_000 };

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
  if (crowd.closeAfterMs === undefined)
    assert.deepEqual(
      accepted,
      crowd.putters.map(() => count),
    );
  assert.deepEqual(memory.audit(), []);
  return accepted.reduce((sum, each) => sum + each, 0);
}

for (const capacity of [1, 2, 8, 1000]) {
  test(`2 threads, capacity ${capacity}: single and bulk, blocking and trying`, limits, async () => {
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

  test(`8 threads, capacity ${capacity}: every way of calling at once`, limits, async () => {
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

test('on a plain buffer as well', limits, async () => {
  const memory = createRingMemory({ wasm: false });
  await runCrowd(memory, 'mixed', {
    putters: ['mixed', 'one'],
    takers: ['mixed', 'one'],
    capacity: 4,
    count: 2000,
  });
});

test('closed in the middle of things, every accepted word is taken', limits, async () => {
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

test('blocked takers are served in the order of arrival', limits, async () => {
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

test('a full ring holds its putters back', limits, async () => {
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

test('a thread that is killed while it waits does not swallow words', limits, async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 8 });
  const takers = ringRefOf(memory, 'jobs') + RingRecord.takers;
  const started: Started[] = [];
  for (let index = 0; index < 3; index++) {
    const common = { name: 'jobs', capacity: 8, count: 0, producer: 0, seed: 1 };
    started.push(await start(memory, { ...common, role: 'takeOnce', style: 'one' }));
    while (memory.machine.words[takers + WaitQueue.count] !== index + 1) await sleep(1);
  }
  const [first, killed, last] = started as [Started, Started, Started];
  await killed.worker.terminate();
  bury(memory, killed.name);
  cleanUp(memory, killed.name);
  assert.equal(memory.machine.words[takers + WaitQueue.count], 2);
  assert.deepEqual(memory.audit(), []);
  ring.putMany(Int32Array.of(1, 2), 2);
  assert.deepEqual(await Promise.all([first.result, last.result]), [1, 2]);
  assert.deepEqual(memory.audit(), []);
});
