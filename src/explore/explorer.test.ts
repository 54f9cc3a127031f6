import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explore, type ModelMemory, printTrace, randomise, replay, type Scenario } from './index.js';
import { counter, lock, lockOrder, mortalLock, stack, wakeup } from './toys.test-kit.js';

describe('a failing schedule', () => {
  test('is the shortest there is', () => {
    // One switch after the load of the first thread: step 1 starts it, step 2 is before its store.
    assert.equal(explore(counter(false)).failure?.schedule, '2:1');
    for (let seed = 1; seed <= 20; seed++)
      assert.equal(randomise(counter(false), { seed, schedules: 1000 }).failure?.schedule, '2:1');
  });

  test('is told as it was found where that is asked for', () => {
    const found = randomise(counter(false), { seed: 3, schedules: 1000 }).failure?.schedule as string;
    const asFound = { ...counter(false), shorten: false };
    const long = Array.from(
      { length: 20 },
      (_, seed) => randomise(asFound, { seed, schedules: 1000 }).failure,
    );
    assert.ok(long.some((failure) => (failure?.schedule.length ?? 0) > found.length));
    for (const failure of long) assert.equal(replay(asFound, failure?.schedule ?? '').failure?.kind, 'check');
  });

  test('is told step by step', () => {
    const trace = replay(counter(false), '2:1').failure?.trace ?? [];
    assert.deepEqual(
      trace.map(({ thread, what, value }) => `${thread} ${what} ${value}`),
      ['0 atomic load 0', '1 atomic load 0', '1 atomic store 1', '0 atomic store 1'],
    );
    assert.match(printTrace(trace), /^ {3}1 {2}thread 0 {2}atomic load word 0 = 0\n/);
  });

  test('that does not fail any more is told so', () => {
    const report = replay(counter(true), '2:1');
    assert.equal(report.failure, null);
    assert.equal(report.schedules, 1);
  });
});

describe('by chance', () => {
  test('the planted faults are found', () => {
    const wrong: [Scenario, string][] = [
      [counter(false), 'check'],
      [stack(false), 'check'],
      [lock(false), 'race'],
      [lockOrder(false), 'deadlock'],
      [wakeup('no recheck', 100), 'lost wakeup'],
      [mortalLock(false), 'deadlock'],
    ];
    for (const [scenario, kind] of wrong)
      assert.equal(randomise(scenario, { schedules: 20_000 }).failure?.kind, kind, scenario.name);
  });

  test('the right ones pass, with kills and time-outs', () => {
    for (const scenario of [stack(true), lock(true), wakeup('none', 100), mortalLock(true)]) {
      const report = randomise(scenario, { schedules: 2000, timeOutProbability: 0.5 });
      assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
      assert.equal(report.schedules, 2000);
      assert.equal(report.kills > 500, scenario.kill === true);
    }
  });

  test('a seed gives the same schedules', () => {
    const [one, same, other] = [3, 3, 4].map((seed) => randomise(stack(true), { seed, schedules: 50 }).steps);
    assert.equal(one, same);
    assert.notEqual(one, other);
  });
});

describe('state outside of the memory is found:', () => {
  const outside = (body: (m: ModelMemory, state: { count: number }) => void): Scenario => {
    const state = { count: 0 };
    return { words: 4, threads: [0, 1].map(() => (m: ModelMemory) => body(m, state)) };
  };

  test('when it changes from one schedule to the next', () => {
    const scenario = outside(({ atomics }, state) => {
      atomics.add(0, ++state.count);
    });
    assert.equal(explore(scenario).failure?.kind, 'nondeterminism');
  });

  test('when a thread that is run again does something else', () => {
    const scenario = outside(({ atomics }, state) => {
      atomics.add(state.count++ & 1, 1);
      atomics.add(2, 1);
    });
    const { failure } = explore(scenario);
    assert.equal(failure?.kind, 'nondeterminism');
  });

  test('when a failure does not come again', () => {
    const scenario = outside(({ atomics }, state) => {
      atomics.add(0, 1);
      if (state.count++ === 20) throw new Error('once');
    });
    const { failure } = randomise({ ...scenario, detectRaces: false }, { seed: 1, schedules: 100 });
    assert.equal(failure?.kind, 'nondeterminism');
    assert.match(failure?.message ?? '', /did not fail; before: error, .*once/);
  });

  test('when it is seldom: every schedule is run twice', () => {
    const scenario = outside(({ atomics }, state) => {
      atomics.add(0, state.count++ === 4 ? 2 : 1);
    });
    assert.equal(explore({ ...scenario, repeat: true, detectRaces: false }).failure?.kind, 'nondeterminism');
  });
});

describe('limits', () => {
  test('a loop without end is a livelock', () => {
    const report = explore({
      words: 2,
      maxSteps: 200,
      threads: [
        ({ atomics }) => {
          while (atomics.load(0) === 0);
        },
      ],
    });
    assert.equal(report.failure?.kind, 'livelock');
  });

  test('a spinning thread lets the others run', () => {
    const report = explore({
      words: 2,
      threads: [
        ({ atomics }) => {
          while (atomics.load(0) === 0);
        },
        ({ atomics }) => atomics.store(0, 1),
      ],
    });
    assert.equal(report.failure, null);
    assert(report.exhausted);
    assert(report.steps < 200);
  });

  test('an exploration ends where it is told to', () => {
    const report = explore({ ...stack(true), preemptions: 4, maxSchedules: 10 });
    assert.equal(report.schedules, 10);
    assert(!report.exhausted);
    assert(!explore({ ...stack(true), preemptions: 20, maxSeconds: 0.01 }).exhausted);
  });

  test('too many threads, or none, are refused', () => {
    for (const count of [0, 17])
      assert.throws(
        () => explore({ words: 1, threads: Array.from({ length: count }, () => () => {}) }),
        /1 to 16/,
      );
  });
});

describe('threads', () => {
  test('may end with an error that is expected, and with no other', () => {
    const scenario: Scenario = {
      words: 2,
      threads: [
        () => {
          throw new RangeError('beyond');
        },
      ],
    };
    assert.match(explore(scenario).failure?.message ?? '', /thread 0 threw RangeError: beyond/);
    const seen: unknown[] = [];
    const report = explore({
      ...scenario,
      expected: (error) => error instanceof RangeError,
      after: (_, { results }) => seen.push(results[0]),
    });
    assert.equal(report.failure, null);
    assert(seen[0] instanceof RangeError);
  });

  test('that swallow what throws them off the stack are thrown off again', () => {
    const body = ({ atomics }: ModelMemory): void => {
      for (let times = 0; times < 2; times++) {
        try {
          atomics.add(0, 1);
        } catch {
        } finally {
          atomics.add(1, 1);
        }
      }
    };
    const report = explore({
      words: 2,
      kill: true,
      threads: [body, body, body],
      after({ words }, { killed }) {
        const [one, other] = words as unknown as [number, number];
        assert(killed.length === 0 ? one === 6 && other === 6 : one >= 4 && one - other <= 1);
      },
    });
    assert.equal(report.failure, null, report.failure?.message);
    assert(report.kills > 10);
  });

  test('sleep until they are woken, first come first served', () => {
    const sleeper = ({ atomics, wait, thread }: ModelMemory): void => {
      // The place in the line says who slept first.
      const turn = atomics.add(1, 1);
      wait(0, 0);
      atomics.store(4 + turn, atomics.add(2, 1));
      atomics.store(8 + thread, 1);
    };
    const report = explore({
      words: 16,
      preemptions: 0,
      threads: [
        sleeper,
        sleeper,
        ({ atomics }) => {
          while (atomics.load(1) < 2);
          while (atomics.notify(0, 1) === 0);
          while (atomics.load(2) < 1);
          while (atomics.notify(0, 1) === 0);
        },
      ],
      after: ({ words }) => assert.deepEqual([words[4], words[5]], [0, 1]),
    });
    assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
  });

  test('have a clock that goes on with their sleeps', () => {
    const report = explore({
      words: 2,
      slicesMayHelp: true,
      threads: [
        ({ wait, now }) => {
          const before = now();
          wait(0, 0, 50);
          const after = now();
          assert(after >= before + 50 && after < before + 60);
          while (now() < after + 100);
        },
      ],
    });
    assert.equal(report.failure, null, report.failure?.message);
  });

  test('may wake for no reason, where that is asked for', () => {
    const scenario: Scenario = {
      words: 2,
      threads: [
        ({ atomics, wait }) => {
          wait(0, 0);
          return atomics.load(0);
        },
        ({ atomics }) => {
          atomics.store(0, 1);
          atomics.notify(0, 1);
        },
      ],
      after: (_, { results }) => assert.equal(results[0], 1),
    };
    assert.equal(explore(scenario).failure, null);
    assert.match(explore({ ...scenario, spuriousWakes: true }).failure?.schedule ?? '', /:w0$/);
  });
});
