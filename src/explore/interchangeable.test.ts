/** Threads that do the same begin in the order of their numbers: what is left out differs by these alone. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explore, type ModelMemory, type Scenario } from './index.js';
import { counter, lock, wakeup } from './toys.test-kit.js';

/** Who came first, second, ..., of so many threads that come twice. All sequences that there can be. */
function arrivals(
  threads: number,
  options: Partial<Scenario>,
): { sequences: Set<string>; schedules: number } {
  const sequences = new Set<string>();
  const come = ({ words, atomics, thread }: ModelMemory): void => {
    for (let time = 0; time < 2; time++) words[1 + atomics.add(0, 1)] = thread;
  };
  const report = explore({
    words: 16,
    threads: new Array(threads).fill(come),
    preemptions: 3,
    // The words of a dead one may be missing: 9 stands for nobody.
    setup: ({ words }) => void words.fill(9, 1),
    after: ({ words }) => void sequences.add(words.slice(1, 1 + 2 * threads).join('')),
    ...options,
  });
  assert.equal(report.failure, null);
  assert.ok(report.exhausted);
  return { sequences, schedules: report.schedules };
}

/** The same with the threads numbered by who comes first. */
function renumbered(sequence: string): string {
  const order = [...new Set(sequence)].filter((digit) => digit !== '9');
  return [...sequence].map((digit) => (digit === '9' ? '9' : order.indexOf(digit))).join('');
}

const renumberedAll = (sequences: Set<string>): string[] =>
  [...new Set([...sequences].map(renumbered))].sort();

describe('interchangeable threads', () => {
  for (const threads of [2, 3])
    for (const [name, options] of Object.entries({
      alive: {},
      'alive, pruned': { prune: true },
      dying: { kill: true, preemptions: 1 },
      'dying, pruned': { kill: true, preemptions: 1, prune: true },
    }))
      test(`${threads} ${name}: every sequence but for the numbers, in fewer schedules`, () => {
        const all = arrivals(threads, options);
        const some = arrivals(threads, { ...options, interchangeable: true });
        assert.ok([...some.sequences].every((sequence) => all.sequences.has(sequence)));
        assert.deepEqual(renumberedAll(some.sequences), renumberedAll(all.sequences));
        assert.ok(some.schedules < 0.6 * all.schedules, `${some.schedules} of ${all.schedules}`);
      });

  test('faults are found all the same', () => {
    for (const [scenario, kind] of [
      [counter(false), 'check'],
      [lock(false), 'race'],
      [wakeup('no recheck', 100), 'lost wakeup'],
    ] as const)
      assert.equal(explore({ ...scenario, interchangeable: true }).failure?.kind, kind, scenario.name);
  });
});
