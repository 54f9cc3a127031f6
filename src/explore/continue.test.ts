/** Explorations that go on where another one has ended: they come to the same, and see no less. */

import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { explore, type Report, type Scenario } from './index.js';
import { textOf } from './states.js';
import * as toys from './toys.test-kit.js';

/** The scenario, with `ends` for each memory and result that it came to. */
function noted(scenario: Scenario, ends: Set<string>): Scenario {
  return {
    ...scenario,
    maxSteps: 500,
    after({ words }, { results, killed }) {
      ends.add(JSON.stringify([[...words], results.map((each) => textOf(each) ?? String(each)), killed]));
    },
  };
}

/** Explores in pieces of a few schedules, each from the position of the last one as a file would keep it. */
function explorePieces(scenario: Scenario, maxSchedules: number): Report[] {
  const reports: Report[] = [];
  let from: Report['position'] = null;
  do {
    const report: Report = explore({ ...scenario, maxSchedules, ...(from === null ? {} : { from }) });
    reports.push(report);
    from = JSON.parse(JSON.stringify(report.position)) as Report['position'];
  } while (from !== null);
  return reports;
}

const right = [toys.counter(true), toys.stack(true), toys.lock(true), toys.mortalLock(true)];

describe('an exploration in pieces', () => {
  for (const scenario of right) {
    test(`${scenario.name}: the same schedules, each once`, () => {
      const ends = [new Set<string>(), new Set<string>()] as const;
      const whole = explore(noted(scenario, ends[0]));
      assert.equal(whole.position, null);
      for (const schedules of [1, 7, whole.schedules - 1, whole.schedules]) {
        const pieces = explorePieces(noted(scenario, ends[1]), schedules);
        const sum = pieces.reduce((total, report) => total + report.schedules, 0);
        assert.deepEqual([sum, pieces.at(-1)?.exhausted], [whole.schedules, true]);
        assert.ok(pieces.slice(0, -1).every(({ exhausted }) => !exhausted));
      }
      assert.deepEqual(ends[1], ends[0]);
    });

    test(`${scenario.name}: pruned, it comes to the same ends`, () => {
      const ends = [new Set<string>(), new Set<string>()] as const;
      const whole = explore({ ...noted(scenario, ends[0]), prune: true });
      const pieces = explorePieces({ ...noted(scenario, ends[1]), prune: true }, 5);
      // What is known is forgotten in between: that costs runs, and leaves nothing out.
      assert.ok(pieces.reduce((total, report) => total + report.schedules, 0) >= whole.schedules);
      assert.deepEqual(ends[1], ends[0]);
    });
  }

  test('finds what is wrong in a later piece', () => {
    const first = explore(toys.stack(false)).schedules;
    const reports = explorePieces(toys.stack(false), Math.floor(first / 2) - 1);
    assert.ok(reports.length > 2);
    assert.deepEqual(
      reports.map(({ failure }) => failure?.kind),
      [...reports.slice(1).map(() => undefined), 'check'],
    );
  });

  test('of another scenario is told', () => {
    const { position } = explore({ ...toys.stack(true), maxSchedules: 20 });
    assert.ok(position !== null);
    const { failure } = explore({ ...toys.counter(true), from: position });
    assert.equal(failure?.kind, 'nondeterminism');
  });
});

test('progress is told every second, and can end it', () => {
  // Each look at the clock is 400 ms after the last one.
  let now = 0;
  mock.method(performance, 'now', () => (now += 400));
  try {
    const told: number[] = [];
    const report = explore({
      ...toys.stack(true),
      preemptions: 4,
      onProgress({ schedules, position }) {
        told.push(schedules);
        assert.ok(position !== null && position.choices.length > 0);
        return told.length < 3;
      },
    });
    assert.deepEqual(told, [192, 320, 448]);
    assert.deepEqual([report.schedules, report.exhausted], [448, false]);
  } finally {
    mock.restoreAll();
  }
});
