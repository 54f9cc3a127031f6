import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  explore,
  History,
  isLinearizable,
  type ModelMemory,
  printHistory,
  queueSpecification,
  referenceSpecification,
  registerSpecification,
  type Scenario,
  semaphoreSpecification,
} from './index.js';

type Call = [thread: number, name: string, args: unknown[], result: unknown, from: number, to?: number];

function history(...calls: Call[]) {
  return calls.map(([thread, name, args, result, invokedAt, respondedAt]) => ({
    thread,
    name,
    args,
    result,
    invokedAt,
    respondedAt: respondedAt ?? Number.POSITIVE_INFINITY,
  }));
}

describe('a history', () => {
  test('in the order of a queue is linearizable, in another it is not', () => {
    const puts: Call[] = [
      [0, 'put', [1], true, 1, 2],
      [0, 'put', [2], true, 3, 4],
    ];
    assert(isLinearizable(history(...puts, [1, 'take', [], 1, 5, 6]), queueSpecification()));
    assert(!isLinearizable(history(...puts, [1, 'take', [], 2, 5, 6]), queueSpecification()));
    assert(!isLinearizable(history(...puts, [1, 'take', [], null, 5, 6]), queueSpecification()));
    assert(!isLinearizable(history(...puts), queueSpecification(1)), 'there was no room for two');
  });

  test('whose calls overlap may have either order', () => {
    const puts: Call[] = [
      [0, 'put', [1], true, 1, 4],
      [1, 'put', [2], true, 2, 3],
    ];
    for (const first of [1, 2])
      assert(isLinearizable(history(...puts, [1, 'take', [], first, 5, 6]), queueSpecification()));
  });

  test('with a call that was cut short may have it or not, but not before it began', () => {
    const cut: Call = [0, 'put', [1], undefined, 2];
    for (const answer of [1, null])
      assert(isLinearizable(history(cut, [1, 'take', [], answer, 3, 4]), queueSpecification()));
    assert(!isLinearizable(history([1, 'take', [], 1, 0, 1], cut), queueSpecification()));
  });

  test('is judged by the specifications that come with it', () => {
    const both: Call[] = [
      [0, 'acquire', [], true, 1, 2],
      [1, 'acquire', [], true, 3, 4],
    ];
    assert(isLinearizable(history(...both), semaphoreSpecification(2)));
    assert(!isLinearizable(history(...both), semaphoreSpecification(1)));
    const released: Call = [0, 'release', [], true, 1, 2];
    assert(isLinearizable(history(released, [1, 'retain', [], false, 3, 4]), referenceSpecification()));
    assert(!isLinearizable(history(released, [1, 'retain', [], true, 3, 4]), referenceSpecification()));
    const register: Call[] = [
      [0, 'write', [5], undefined, 1, 2],
      [0, 'compareExchange', [5, 6], 5, 3, 4],
      [0, 'add', [1], 6, 5, 6],
    ];
    assert(isLinearizable(history(...register, [1, 'read', [], 7, 7, 8]), registerSpecification()));
    assert(!isLinearizable(history(...register, [1, 'read', [], 6, 7, 8]), registerSpecification()));
  });

  test('is collected and printed', () => {
    const collected = new History();
    collected.invoke(0, 'put', [1]);
    collected.invoke(1, 'take', []);
    collected.respond(1, 1);
    assert.match(printHistory(collected.operations), /thread 0: put\(1\) was cut short\n.*take\(\) = 1/);
    collected.begin();
    assert.deepEqual(collected.operations, []);
  });
});

/** A ring of four words for one putter and one taker; the wrong one publishes the tail too early. */
function ring(right: boolean, kill: boolean): Scenario {
  const [HEAD, TAIL, SLOTS] = [0, 1, 2];
  const put = ({ atomics }: ModelMemory, value: number): boolean => {
    const tail = atomics.load(TAIL);
    if (!right) atomics.store(TAIL, tail + 1);
    atomics.store(SLOTS + (tail & 3), value);
    if (right) atomics.store(TAIL, tail + 1);
    return true;
  };
  const take = ({ atomics }: ModelMemory): number | null => {
    const head = atomics.load(HEAD);
    if (head === atomics.load(TAIL)) return null;
    const value = atomics.load(SLOTS + (head & 3));
    atomics.store(HEAD, head + 1);
    return value;
  };
  return {
    words: 8,
    kill: kill && { threads: [0] },
    threads: [
      (m) => {
        for (const value of [7, 8]) m.operation('put', [value], () => put(m, value));
      },
      (m) => {
        for (let times = 0; times < 3; times++) m.operation('take', [], () => take(m));
      },
    ],
    specification: queueSpecification(),
  };
}

test('every history of a queue is judged', () => {
  const right = explore(ring(true, false));
  assert.equal(right.failure, null);
  assert(right.exhausted);
  const wrong = explore(ring(false, false));
  assert.equal(wrong.failure?.kind, 'check');
  assert.match(wrong.failure?.message ?? '', /no sequential order gives these answers:.*take\(\) = 0/s);
});

test('a killed put has happened or not', () => {
  const report = explore(ring(true, true));
  assert.equal(report.failure, null);
  assert(report.kills > 0);
});

test('a call that throws has answered with its error', () => {
  const report = explore({
    words: 2,
    threads: [
      (m) => {
        try {
          m.operation('read', [], () => {
            throw new TypeError('no');
          });
        } catch {}
      },
    ],
    after(_, { history: operations }) {
      assert.deepEqual(operations[0]?.result, { threw: 'TypeError: no' });
    },
  });
  assert.equal(report.failure, null);
});
