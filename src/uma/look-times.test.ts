import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attachment } from '../machine/index.js';
import { createLookTimes } from './look-times.js';

test('a look is due at once, after a slice, and after a ring since the last one began', () => {
  let time = 0;
  let rings = 0;
  const slept: number[] = [];
  const times = createLookTimes({
    machine: { now: () => time },
    waiting: {
      rings: () => rings,
      sleepSlice(_waiter: number, mostMs: number) {
        slept.push(mostMs);
        time += mostMs;
        return false;
      },
    },
  } as unknown as Attachment);
  const look = (ringsInIt = 0): void => {
    assert.equal(times.start(), true);
    rings += ringsInIt;
    times.next();
  };

  look();
  assert.equal(times.start(), false);
  times.sleep(1 as never, 30);
  assert.equal(times.start(), false, 'the slice is not over');
  times.sleep(1 as never, Number.POSITIVE_INFINITY);
  assert.deepEqual(slept, [30, 70]);

  // What it gave back itself in the course of a look is heard: it does not sleep before it has looked again.
  look(1);
  times.sleep(1 as never, 30);
  assert.equal(slept.length, 2);
  look();
  assert.equal(times.start(), false);

  rings++;
  look();
  times.hurry();
  look();
});
