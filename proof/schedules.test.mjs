// The exhaustive rows, a little of them.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { scenarios } from './scenarios/index.mjs';
import { run, runThree } from './schedules.mjs';

const named = (...names) => {
  const found = scenarios.filter(({ name }) => names.includes(name));
  assert.equal(found.length, names.length);
  return found;
};

function assertPassed(row, count) {
  assert.deepEqual(row.findings, []);
  assert.equal(row.ok, true);
  assert.equal(row.controls, 2);
  assert.equal(row.figures.scenarios, count);
}

test('two threads, and what was explored is not explored again', async () => {
  const only = named('ring: each puts and takes');
  let state;
  const save = (saved) => {
    state = structuredClone(saved);
  };
  const row = await run({ only, save });
  assertPassed(row, 1);
  assert.ok(row.figures.kills > 100);
  const again = await run({ only: [...only, ...named('ring: two takers')], state, save });
  assertPassed(again, 2);
  assert.equal(state.done.length, 4);
  assert.ok(again.figures.schedules < 2 * row.figures.schedules);
});

test('an exploration that is broken off goes on where it was', async () => {
  const only = named('ring: each puts and takes');
  const whole = (await run({ only })).figures.schedules;
  let state;
  // Seconds fly, so that it tells how far it is.
  let now = 0;
  mock.method(performance, 'now', () => (now += 100));
  try {
    const broken = run({
      only,
      save(saved) {
        state = structuredClone(saved);
        if (state.current !== null && state.done.length === 1) throw new Error('ended');
      },
    });
    await assert.rejects(broken, /^Error: ended$/);
  } finally {
    mock.restoreAll();
  }
  const before = state.schedules + state.current.sums.schedules;
  assert.ok(state.current.sums.schedules > 100 && before < whole, `${before} of ${whole}`);
  const row = await run({ only, state });
  assertPassed(row, 1);
  // Of what was known then it knows nothing.
  const { schedules } = row.figures;
  assert.ok(schedules >= whole && schedules < 2 * whole, `${schedules} of ${whole}`);
});

// Two are not enough for these: a waiter that looked at the first in its line took one who had just left for
// damage, and two who waited for a cluster of a dead thread woke each other without end.
test('three threads', async () => {
  const only = named(
    'a history of a limit of one',
    'mbuf: one waits for a cluster that is in a cached packet',
  );
  assertPassed(await runThree({ only }), 2);
});
