import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, type ModelMemory } from './index.js';

/** Threads that each do so many atomic operations. */
function schedulesOf(counts: readonly number[], preemptions: number): { schedules: number; orders: number } {
  const orders = new Set<string>();
  const { schedules, failure, exhausted } = explore({
    words: 1,
    preemptions,
    // What each operation found is what tells one order from another.
    threads: counts.map((count) => ({ atomics }: ModelMemory) => {
      const found: number[] = [];
      for (let times = 0; times < count; times++) found.push(atomics.add(0, 1));
      return found;
    }),
    after: (_, { results }) => orders.add(JSON.stringify(results)),
  });
  assert.equal(failure, null);
  assert(exhausted);
  return { schedules, orders: orders.size };
}

test('every order is run, and each once', () => {
  // Of n and m operations there are (n + m)! / n! m! orders.
  assert.deepEqual(schedulesOf([3, 3], 99), { schedules: 20, orders: 20 });
  assert.deepEqual(schedulesOf([4, 4], 99), { schedules: 70, orders: 70 });
  assert.deepEqual(schedulesOf([2, 2, 2], 99), { schedules: 90, orders: 90 });
  assert.deepEqual(schedulesOf([1, 1, 1, 1], 99), { schedules: 24, orders: 24 });
});

test('a bound on preemptions leaves out just those orders that need more', () => {
  assert.deepEqual(schedulesOf([3, 3], 0), { schedules: 2, orders: 2 });
  // From each of both starts one switch after the first or the second operation.
  assert.deepEqual(schedulesOf([3, 3], 1), { schedules: 6, orders: 6 });
});
