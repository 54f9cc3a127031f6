import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  explore,
  exploreAsync,
  type ModelMemory,
  randomiseAsync,
  replayAsync,
  type Scenario,
} from './index.js';

/** An asynchronous thread sleeps until a flag is set; the wrong one looks only before. */
function wakeup(right: boolean, timeoutMs = Number.POSITIVE_INFINITY): Scenario {
  return {
    words: 2,
    threads: [
      async ({ atomics, waitAsync }) => {
        if (!right && atomics.load(0) === 0) await waitAsync(1, 0, timeoutMs);
        while (right && atomics.load(0) === 0) await waitAsync(0, 0, timeoutMs);
        await null;
        return atomics.add(0, 1);
      },
      ({ atomics }) => {
        atomics.store(0, 1);
        atomics.notify(right ? 0 : 1, 1);
      },
    ],
    after: (_, { results }) => assert.equal(results[0], 1),
  };
}

test('an asynchronous thread is explored', async () => {
  const report = await exploreAsync(wakeup(true));
  assert.equal(report.failure, null, report.failure?.message);
  assert(report.exhausted);
  assert(report.schedules > 5);
  assert.equal((await randomiseAsync(wakeup(true), { schedules: 200 })).failure, null);
});

test('its lost wakeup is found, and found again', async () => {
  for (const [timeoutMs, kind] of [
    [undefined, 'deadlock'],
    [100, 'lost wakeup'],
  ] as const) {
    const scenario = { ...wakeup(false, timeoutMs), after() {} };
    const { failure } = await exploreAsync(scenario);
    assert.equal(failure?.kind, kind);
    const again = await replayAsync(scenario, failure?.schedule ?? '');
    assert.equal(again.failure?.message, failure?.message);
  }
});

test('it is killed like the others', async () => {
  const report = await exploreAsync({
    ...wakeup(true, 50),
    kill: true,
    died: (thread, { atomics }) => {
      if (thread === 1) atomics.store(0, 1);
    },
    after: () => {},
  });
  assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
  assert(report.kills > 10);
});

test('other threads than the first may not be asynchronous, and none without being asked for', async () => {
  const later = async ({ atomics }: ModelMemory): Promise<void> => {
    atomics.load(0);
  };
  assert.match(explore({ words: 1, threads: [later] }).failure?.message ?? '', /use exploreAsync/);
  const { failure } = await exploreAsync({ words: 1, threads: [later, later] });
  assert.match(failure?.message ?? '', /only thread 0/);
});
