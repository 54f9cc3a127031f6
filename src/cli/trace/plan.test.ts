import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyTrace, free, malloc, realloc, traceBytes } from '../testing/traces.test-kit.js';
import { AWAITS, GIVES, makePlan, OPERATION_MASK, RECEIVER_SHIFT, recordOf, STEP_WORDS } from './plan.js';
import { parseTrace } from './trace-file.js';

function stepsOf(words: Int32Array): number[][] {
  return Array.from({ length: words.length / STEP_WORDS }, (_, step) => [
    ...words.subarray(step * STEP_WORDS, (step + 1) * STEP_WORDS),
  ]);
}

test('what one worker gives, the other awaits', () => {
  const trace = parseTrace(
    'a',
    traceBytes([malloc(1, 10), malloc(2, 20, 1), realloc(1, 30, 1), free(2, 1), free(1, 2)]),
  );
  const { steps, received } = makePlan(trace, 3);
  assert.deepEqual(steps.map(stepsOf), [
    [[1 | GIVES | (1 << RECEIVER_SHIFT), 1, 10, 0]],
    [
      [1, 2, 20, 0],
      [4 | AWAITS | GIVES | (2 << RECEIVER_SHIFT), 1, 30, 10],
      [2, 2, 0, 20],
    ],
    [[2 | AWAITS, 1, 0, 30]],
  ]);
  assert.deepEqual(received, [0, 1, 1]);
});

test('one worker gives nothing, and idle ones have nothing to do', () => {
  const trace = parseTrace('a', traceBytes(busyTrace(500, 4, 2)));
  const { steps, received } = makePlan(trace, 1);
  assert.deepEqual(received, [0]);
  assert.ok(stepsOf(steps[0] as Int32Array).every(([head = 0]) => head <= OPERATION_MASK));
  assert.deepEqual(
    makePlan(trace, 6).steps.map(({ length }) => length > 0),
    [true, true, true, true, false, false],
  );
});

test('every record is one step, in order, and every gift is awaited', () => {
  const trace = parseTrace('a', traceBytes(busyTrace(5000, 5, 3)));
  for (const workers of [2, 3, 5]) {
    const { steps, received } = makePlan(trace, workers);
    let gifts = 0;
    for (const [worker, words] of steps.entries()) {
      for (const [step, [head = 0, ...rest]] of stepsOf(words).entries()) {
        const record = recordOf(trace, workers, worker, step) - 1;
        assert.equal(head & OPERATION_MASK, trace.operations[record]);
        const wanted = [trace.objects[record], trace.sizes[record], trace.befores[record]];
        assert.deepEqual(rest, wanted);
        if ((head & GIVES) !== 0) gifts++;
      }
    }
    assert.ok(gifts > 1000);
    const awaited = steps.flatMap(stepsOf).filter(([head = 0]) => (head & AWAITS) !== 0);
    assert.equal(awaited.length, gifts);
    assert.equal(
      received.reduce((sum, count) => sum + count, 0),
      gifts,
    );
  }
});
