import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockRank } from '../check/index.js';
import type { Ring } from './index.js';
import { createRingMemory, openRingMemory, type RingMemory } from './ring.test-support.js';

function clean(...memories: RingMemory[]): void {
  for (const memory of memories) assert.deepEqual(memory.audit(), []);
}

const code = (expected: string) => ({ name: 'MbumaError', code: expected });

/** Every call fails like this; looks at all of them at once, so that none fails unseen. */
async function allRejected(calls: readonly Promise<unknown>[], expected: object | Error): Promise<void> {
  await Promise.all(calls.map((call) => assert.rejects(call, expected)));
}

test('a ring is made once and found by its name', () => {
  const memory = createRingMemory();
  const other = openRingMemory(memory.handle);
  const ring = memory.rings.ring({ name: 'jobs', capacity: 5 });
  assert.equal(memory.rings.ring({ name: 'jobs', capacity: 5 }), ring);
  const found = other.rings.ring({ name: 'jobs', capacity: 5 });
  assert.deepEqual([found.name, found.capacity, found.length, found.closed], ['jobs', 5, 0, false]);
  ring.put(7);
  assert.equal(found.take(), 7);
  assert.throws(() => other.rings.ring({ name: 'jobs', capacity: 6 }), code('LAYOUT_MISMATCH'));
  memory.rings.ring({ name: 'jobs2', capacity: 6 }).put(1);
  assert.equal(ring.length, 0);
  clean(memory, other);
});

test('the failpoints of a ring make it look full, or empty', () => {
  const memory = createRingMemory();
  const { failpoints } = memory.machine;
  const ring = memory.rings.ring({ name: 'jobs', capacity: 5 });
  const words = Int32Array.of(1, 2);
  failpoints.arm('ring.put', { from: 1 }, { zones: ['jobs'] });
  assert.deepEqual([ring.tryPut(7), ring.tryPutMany(words, 2), ring.length], [false, 0, 0]);
  // Who waits is not told that there is no room.
  ring.put(7);
  failpoints.disarm();
  failpoints.arm('ring.take', { from: 1 }, { exceptZones: ['other'] });
  assert.deepEqual([ring.tryTake(), ring.tryTakeMany(words, 2), ring.length], [0, 0, 1]);
  assert.equal(ring.take(), 7);
  failpoints.disarm();
  assert.equal(ring.tryPutMany(words, 2), 2);
  assert.equal(ring.tryTake(), 1);
  clean(memory);
});

test('there are at most 64 rings', () => {
  const memory = createRingMemory();
  for (let index = 0; index < 64; index++) memory.rings.ring({ name: `ring ${index}`, capacity: 1 });
  const free = memory.pages.freePages();
  assert.throws(() => memory.rings.ring({ name: 'one more', capacity: 1 }), code('OUT_OF_MEMORY'));
  assert.equal(memory.pages.freePages(), free);
  memory.rings.ring({ name: 'ring 63', capacity: 1 }).put(1);
  clean(memory);
});

test('a ring that cannot be made leaves nothing behind', () => {
  const memory = createRingMemory();
  const free = memory.pages.freePages();
  assert.throws(() => memory.rings.ring({ name: 'big', capacity: 2 ** 28 }), code('OUT_OF_MEMORY'));
  for (const site of ['ring.create', 'phys.run']) {
    memory.machine.failpoints.arm(site, { nth: 1 });
    assert.throws(() => memory.rings.ring({ name: 'big', capacity: 2048 }), code('OUT_OF_MEMORY'));
  }
  assert.equal(memory.pages.freePages(), free);
  assert.equal(memory.rings.ring({ name: 'big', capacity: 2048 }).capacity, 2048);
  assert.equal(memory.pages.freePages(), free - 2);
  clean(memory);
});

test('bad arguments are refused and change nothing', async () => {
  const memory = createRingMemory();
  const { rings } = memory;
  const bad = code('BAD_ARGUMENT');
  const numbers: unknown[] = [
    Number.NaN,
    1.5,
    Number.POSITIVE_INFINITY,
    2 ** 31,
    -(2 ** 31) - 1,
    '1',
    1n,
    null,
    {},
  ];
  const coerces = { valueOf: () => assert.fail('an argument was coerced') };
  for (const options of [undefined, null, 1, 'jobs']) assert.throws(() => rings.ring(options as never), bad);
  for (const name of [undefined, '', ' a', 'a\n', 'é', 'x'.repeat(48), 1]) {
    assert.throws(() => rings.ring({ name: name as never, capacity: 1 }), bad);
  }
  for (const capacity of [...numbers, 0, -1, 2 ** 28 + 1, undefined, coerces]) {
    assert.throws(() => rings.ring({ name: 'jobs', capacity: capacity as never }), bad);
  }
  const ring = rings.ring({ name: 'jobs', capacity: 4 });
  ring.put(11);
  for (const word of [...numbers, 0, -0, undefined, coerces]) {
    assert.throws(() => ring.tryPut(word as never), bad);
    assert.throws(() => ring.put(word as never), bad);
    await assert.rejects(ring.putAsync(word as never), bad);
  }
  const four = Int32Array.of(1, 2, 3, 4);
  for (const n of [...numbers, 5, -1, undefined, coerces]) {
    assert.throws(() => ring.tryPutMany(four, n as never), bad);
    assert.throws(() => ring.putMany(four, n as never), bad);
    await assert.rejects(ring.putManyAsync(four, n as never), bad);
    assert.throws(() => ring.tryTakeMany(four, n as never), bad);
    assert.throws(() => ring.takeMany(four, n as never), bad);
    await assert.rejects(ring.takeManyAsync(four, n as never), bad);
  }
  assert.throws(() => ring.takeMany(four, 0), bad);
  for (const items of [undefined, null, [1, 2], new Uint32Array(4), new Float64Array(4), coerces]) {
    assert.throws(() => ring.tryPutMany(items as never, 1), bad);
    assert.throws(() => ring.tryTakeMany(items as never, 1), bad);
  }
  for (const timeout of [Number.NaN, -1, '1', null, coerces]) {
    assert.throws(() => ring.put(1, timeout as never), bad);
    assert.throws(() => ring.take(timeout as never), bad);
    assert.throws(() => ring.putMany(four, 4, timeout as never), bad);
    assert.throws(() => ring.takeMany(four, 4, timeout as never), bad);
  }
  for (const options of [1, null, 'x', { signal: 1 }, { signal: {} }, { signal: null }]) {
    await assert.rejects(ring.takeAsync(options as never), bad);
    await assert.rejects(ring.putAsync(1, options as never), bad);
    await assert.rejects(ring.putManyAsync(four, 4, options as never), bad);
    await assert.rejects(ring.takeManyAsync(four, 4, options as never), bad);
  }
  // A 0 among the items: those behind it must not go in, and those before it neither.
  assert.throws(() => ring.tryPutMany(Int32Array.of(1, 0, 2), 3), bad);
  assert.throws(() => ring.putMany(Int32Array.of(1, 2, 3, 4, 5, 6, 0), 7), bad);
  await assert.rejects(ring.putManyAsync(Int32Array.of(1, 2, 3, 4, 5, 6, 0), 7), bad);
  const gone = new Int32Array(4);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  assert.throws(() => ring.tryPutMany(gone, 4), bad);
  assert.deepEqual([...four], [1, 2, 3, 4]);
  assert.equal(ring.length, 1);
  assert.equal(ring.tryTake(), 11);
  clean(memory);
});

test('waits end when the time is up, and say how far they came', () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 3 });
  const out = new Int32Array(8);
  const start = performance.now();
  assert.equal(ring.take(30), 0);
  assert.equal(ring.takeMany(out, 8, 30), 0);
  assert.ok(performance.now() - start >= 58);
  assert.equal(ring.take(0), 0);
  assert.equal(ring.putMany(Int32Array.of(1, 2, 3, 4, 5), 5, 30), 3);
  assert.equal(ring.putMany(Int32Array.of(4, 5), 2, 0), 0);
  assert.throws(() => ring.put(4, 30), code('TIMED_OUT'));
  assert.throws(() => ring.put(4, 0), code('TIMED_OUT'));
  assert.equal(ring.takeMany(out, 8), 3);
  assert.deepEqual([...out.subarray(0, 4)], [1, 2, 3, 0]);
  clean(memory);
});

test('a closed ring refuses words and gives what is left', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 4 });
  const out = new Int32Array(8);
  ring.putMany(Int32Array.of(1, 2, 3), 3);
  ring.close();
  ring.close();
  assert.equal(ring.closed, true);
  const closed = code('RING_CLOSED');
  assert.throws(() => ring.tryPut(4), closed);
  assert.throws(() => ring.put(4), closed);
  assert.throws(() => ring.tryPutMany(out.fill(5), 2), closed);
  assert.throws(() => ring.putMany(out, 2), closed);
  await assert.rejects(ring.putAsync(4), closed);
  await assert.rejects(ring.putManyAsync(out, 2), closed);
  assert.equal(ring.take(), 1);
  assert.equal(await ring.takeAsync(), 2);
  assert.equal(ring.takeMany(out, 8), 1);
  assert.equal(out[0], 3);
  assert.equal(ring.take(), 0);
  assert.equal(ring.takeMany(out, 8), 0);
  assert.equal(await ring.takeAsync(), 0);
  assert.equal(await ring.takeManyAsync(out, 8), 0);
  clean(memory);
});

test('close ends the waits', async () => {
  const memory = createRingMemory();
  const full = memory.rings.ring({ name: 'full', capacity: 1 });
  const empty = memory.rings.ring({ name: 'empty', capacity: 1 });
  full.put(1);
  const puts = [full.putAsync(2), full.putManyAsync(Int32Array.of(3, 4), 2)];
  const takes = [empty.takeAsync(), empty.takeManyAsync(new Int32Array(2), 2)];
  await sleep(5);
  full.close();
  empty.close();
  await allRejected(puts, code('RING_CLOSED'));
  assert.deepEqual(await Promise.all(takes), [0, 0]);
  assert.equal(full.take(), 1);
  assert.equal(full.take(), 0);
  clean(memory);
});

test('a put of many that the close interrupts says how many were accepted', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 2 });
  const put = ring.putManyAsync(Int32Array.of(1, 2, 3, 4, 5), 5);
  assert.equal(ring.take(), 1);
  await sleep(5);
  ring.close();
  assert.equal(await put, 3);
  assert.deepEqual([ring.take(), ring.take(), ring.take()], [2, 3, 0]);
  clean(memory);
});

test('those who wait are served in the order of arrival, whichever thread they are of', async () => {
  const first = createRingMemory();
  const second = openRingMemory(first.handle);
  const rings = [first, second].map((memory) => memory.rings.ring({ name: 'jobs', capacity: 2 })) as [
    Ring,
    Ring,
  ];
  const takes: Promise<number>[] = [];
  for (let index = 0; index < 10; index++) takes.push((rings[index % 2] as Ring).takeAsync());
  for (let word = 1; word <= 10; word++) assert.equal(rings[0].tryPut(word), true);
  assert.deepEqual(await Promise.all(takes), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

  const puts: Promise<void>[] = [];
  for (let word = 1; word <= 10; word++) puts.push((rings[word % 2] as Ring).putAsync(word));
  assert.equal(rings[0].length, 2);
  const got: number[] = [];
  for (let word = 1; word <= 10; word++) got.push(rings[1].tryTake());
  assert.deepEqual(got, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  await Promise.all(puts);
  clean(first, second);
});

test('a try does not overtake those who wait', async () => {
  const memory = createRingMemory();
  const other = openRingMemory(memory.handle);
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  const found = other.rings.ring({ name: 'jobs', capacity: 1 });
  const take = ring.takeAsync();
  assert.equal(found.tryPut(1), true);
  assert.equal(found.tryTake(), 0);
  assert.equal(await take, 1);
  found.put(2);
  const put = ring.putAsync(3);
  assert.equal(found.tryTake(), 2);
  assert.equal(found.tryPut(4), false);
  assert.equal(found.tryPutMany(Int32Array.of(4), 1), 0);
  await put;
  assert.equal(found.tryTake(), 3);
  clean(memory, other);
});

test('many words wake as many takers as there are words', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 8 });
  const takes = Array.from({ length: 5 }, () => ring.takeAsync());
  ring.putMany(Int32Array.of(1, 2, 3), 3);
  assert.deepEqual(await Promise.all(takes.slice(0, 3)), [1, 2, 3]);
  assert.equal(ring.length, 0);
  ring.putMany(Int32Array.of(4, 5, 6), 3);
  assert.deepEqual(await Promise.all(takes.slice(3)), [4, 5]);
  assert.equal(ring.take(), 6);
  clean(memory);
});

test('an asynchronous take of many gets what is there when its turn comes', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 8 });
  const out = new Int32Array(4);
  const take = ring.takeManyAsync(out, 4);
  ring.putMany(Int32Array.of(1, 2, 3, 4, 5), 5);
  assert.equal(await take, 4);
  assert.deepEqual([...out], [1, 2, 3, 4]);
  assert.equal(ring.take(), 5);
  clean(memory);
});

test('an asynchronous put of many waits for room, in order', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 3 });
  const items = Int32Array.from({ length: 100 }, (_, index) => index + 1);
  const put = ring.putManyAsync(items, 100);
  items.fill(-1); // The call has its own copy.
  const got: number[] = [];
  while (got.length < 100) got.push(await ring.takeAsync());
  assert.deepEqual(
    got,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.equal(await put, 100);
  clean(memory);
});

test('an aborted wait leaves the line and loses nothing', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  const reason = new Error('no more');
  const controller = new AbortController();
  const { signal } = controller;
  const abandoned = ring.takeAsync({ signal });
  const abandonedMany = ring.takeManyAsync(new Int32Array(2), 2, { signal });
  const patient = ring.takeAsync();
  controller.abort(reason);
  await allRejected([abandoned, abandonedMany], reason);
  ring.put(1);
  assert.equal(await patient, 1);
  await assert.rejects(ring.takeAsync({ signal }), reason);

  ring.put(2);
  const second = new AbortController();
  const put = ring.putAsync(3, { signal: second.signal });
  const putMany = ring.putManyAsync(Int32Array.of(4, 5), 2, { signal: second.signal });
  second.abort();
  await allRejected([put, putMany], { name: 'AbortError' });
  assert.deepEqual([ring.tryTake(), ring.tryTake()], [2, 0]);
  clean(memory);
});

test('a word that was handed over before the abort is delivered', async () => {
  const memory = createRingMemory();
  const other = openRingMemory(memory.handle);
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  const controller = new AbortController();
  const take = ring.takeAsync({ signal: controller.signal });
  other.rings.ring({ name: 'jobs', capacity: 1 }).put(1);
  controller.abort();
  assert.equal(await take, 1);

  const second = new AbortController();
  const put = ring.putManyAsync(Int32Array.of(2, 3, 4), 3, { signal: second.signal });
  assert.equal(ring.tryTake(), 2);
  second.abort();
  assert.equal(await put, 2);
  assert.equal(ring.tryTake(), 3);
  assert.equal(ring.tryTake(), 0);
  clean(memory, other);
});

test('more asynchronous calls than a thread has waiters, and none is forgotten', async () => {
  const memory = createRingMemory();
  const idle = memory.rings.ring({ name: 'idle', capacity: 1 });
  const ring = memory.rings.ring({ name: 'jobs', capacity: 4 });
  const idlers = Array.from({ length: 40 }, () => idle.takeAsync());
  // All waiters sleep for another ring: these get on all the same.
  const takes = Array.from({ length: 50 }, () => ring.takeAsync());
  const puts = Array.from({ length: 50 }, (_, index) => ring.putAsync(index + 1));
  const got = await Promise.all(takes);
  await Promise.all(puts);
  assert.deepEqual(
    got.sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, index) => index + 1),
  );
  const words = Promise.all(idlers);
  for (let word = 1; word <= 40; word++) await idle.putAsync(word);
  assert.deepEqual(
    await words,
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
  clean(memory);
});

test('waits that find no waiter can be aborted', async () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  const controller = new AbortController();
  memory.machine.failpoints.arm('ring.waiter', { from: 1 });
  const takes = Array.from({ length: 3 }, () => ring.takeAsync({ signal: controller.signal }));
  await sleep(15);
  ring.put(5);
  assert.equal(await takes[0], 5);
  controller.abort();
  await allRejected(takes.slice(1), { name: 'AbortError' });
  assert.equal(ring.length, 0);
  clean(memory);
});

test('detaching ends the waits and refuses every call', async () => {
  const memory = createRingMemory();
  const other = openRingMemory(memory.handle);
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  const found = other.rings.ring({ name: 'jobs', capacity: 1 });
  const detached = code('DETACHED');
  const takes = Array.from({ length: 40 }, () => found.takeAsync());
  const last = found.takeAsync();
  await sleep(1);
  ring.put(9);
  other.rings.detach();
  other.threads.release();
  await allRejected([...takes.slice(1), last], detached);
  assert.equal(await takes[0], 9, 'a word handed over before is delivered');
  const one = new Int32Array(1).fill(1);
  for (const call of [
    () => found.tryPut(1),
    () => found.put(1),
    () => found.tryTake(),
    () => found.take(),
    () => found.tryPutMany(one, 1),
    () => found.putMany(one, 1),
    () => found.tryTakeMany(one, 1),
    () => found.takeMany(one, 1),
    () => found.close(),
    () => found.length,
    () => found.closed,
    () => other.rings.ring({ name: 'more', capacity: 1 }),
  ]) {
    assert.throws(call, detached);
  }
  await assert.rejects(found.takeAsync(), detached);
  await assert.rejects(found.putAsync(1), detached);
  await assert.rejects(found.putManyAsync(one, 1), detached);
  await assert.rejects(found.takeManyAsync(one, 1), detached);
  clean(memory);
});

test('where blocking is not allowed, a call that would block says so', () => {
  const memory = createRingMemory({ mayBlock: false });
  const ring = memory.rings.ring({ name: 'jobs', capacity: 2 });
  const would = code('WOULD_BLOCK');
  const items = Int32Array.of(1, 2, 3);
  assert.throws(() => ring.take(), would);
  assert.throws(() => ring.takeMany(items, 3), would);
  assert.equal(ring.take(0), 0);
  assert.equal(ring.putMany(items, 3), 2, 'what was accepted is told');
  assert.throws(() => ring.put(4), would);
  assert.throws(() => ring.putMany(items, 3), would);
  assert.deepEqual([ring.take(), ring.take()], [1, 2]);
  clean(memory);
});

test('a call that would sleep while a lock is held says so', () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  const lock = memory.machine.area('rings') + 8; // An unused word.
  memory.locks.acquire(lock, LockRank.REGISTRY);
  assert.throws(() => ring.take(), code('SLEEP_WITH_LOCK'));
  memory.locks.release(lock);
  clean(memory);
});

test('a poll that fails while a thread sleeps takes it out of the line', () => {
  const memory = createRingMemory();
  const ring = memory.rings.ring({ name: 'jobs', capacity: 1 });
  let polls = 0;
  memory.waiting.onPoll(() => {
    if (polls++ === 0) throw new Error('poll');
  });
  assert.throws(() => ring.take(), { message: 'poll' });
  clean(memory);
});
