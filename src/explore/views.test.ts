import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, type ModelMemory, replay } from './index.js';

/** Runs `body` as the only thread, and gives what it did. */
function stepsOf(body: (m: ModelMemory) => unknown): string[] {
  const scenario = {
    words: 8,
    threads: [body],
    after: () => {
      throw new Error('told');
    },
  };
  return (replay(scenario, '').failure?.trace ?? []).map(
    ({ what, where, value }) => `${what} ${where} ${value}`,
  );
}

test('every element that is read or written is one step', () => {
  assert.deepEqual(
    stepsOf(({ words }) => {
      words[1] = 5;
      words[2] = (words[1] as number) + 1;
    }),
    ['store word 1 5', 'load word 1 5', 'store word 2 6'],
  );
});

test('the methods of typed arrays do what they do', () => {
  const report = explore({
    words: 8,
    threads: [
      ({ words, bytes }) => {
        words.set([3, 1, 2], 1);
        assert.deepEqual([...words], [0, 3, 1, 2, 0, 0, 0, 0]);
        assert.deepEqual(Array.from(words.subarray(1, 4)), [3, 1, 2]);
        assert.deepEqual(words.slice(1, 3), new Int32Array([3, 1]));
        words.copyWithin(2, 1, 4);
        assert.deepEqual([...words], [0, 3, 3, 1, 2, 0, 0, 0]);
        words.fill(9, 5);
        words.fill(7, -2, -1);
        assert.deepEqual([...words], [0, 3, 3, 1, 2, 9, 7, 9]);
        assert.equal(words.indexOf(9), 5);
        assert.equal(words.indexOf(9, 6), 7);
        assert.equal(words.indexOf(4), -1);
        assert(words.some((word) => word === 7));
        assert.equal(words.length, 8);
        assert.equal(bytes.length, 32);
        assert.equal(words.buffer, bytes.buffer);
        assert.equal(words.subarray(2).byteOffset, 8);
        assert.equal(bytes[4], 3);
        assert(words instanceof Int32Array);
      },
    ],
  });
  assert.equal(report.failure, null, report.failure?.message);
});

test('beyond the end there is nothing, and nothing is written', () => {
  const report = explore({
    words: 8,
    threads: [
      ({ words }) => {
        words[8] = 1;
        assert.equal(words[8], undefined);
        assert.equal(words[-1], undefined);
        assert.equal((words as unknown as Record<string, unknown>)['1.5'], undefined);
        assert.throws(() => words.set([1, 2], 7), RangeError);
      },
    ],
  });
  assert.equal(report.failure, null, report.failure?.message);
});

test('a fill is one step, and a place to die for each store', () => {
  assert.deepEqual(
    stepsOf(({ words }) => words.fill(4, 0, 3)),
    ['fill word 0 4'],
  );
  const seen = new Set<string>();
  const report = explore({
    words: 4,
    kill: { deaths: 'at once' },
    threads: [({ words }) => words.fill(4, 0, 4)],
    after: ({ words }) => seen.add(words.join('')),
  });
  assert.equal(report.failure, null, report.failure?.message);
  assert.deepEqual([...seen].sort(), ['0000', '4000', '4400', '4440', '4444']);
});
