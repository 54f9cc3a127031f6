import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MbumaError } from '../check/index.js';
import { type Ring, RingRecord } from './index.js';
import { createRingMemory, type RingMemory, ringRefOf } from './ring.test-support.js';

/** What a ring is, in the plainest terms. */
interface Model {
  readonly capacity: number;
  readonly items: number[];
  closed: boolean;
}

type Command = (model: Model, ring: Ring) => void;

const word = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((value) => value !== 0),
  fc.constantFrom(1, -1, 2 ** 31 - 1, -(2 ** 31)),
);

function refusesWhenClosed(model: Model, call: () => unknown): boolean {
  if (!model.closed) return false;
  assert.throws(call, (error) => error instanceof MbumaError && error.code === 'RING_CLOSED');
  return true;
}

const putOne = word.map(
  (value): Command =>
    (model, ring) => {
      if (refusesWhenClosed(model, () => ring.tryPut(value))) return;
      const room = model.items.length < model.capacity;
      assert.equal(ring.tryPut(value), room);
      if (room) model.items.push(value);
    },
);

const takeOne = fc.constant<Command>((model, ring) => {
  assert.equal(ring.tryTake(), model.items.shift() ?? 0);
});

const putMany = fc.tuple(fc.array(word, { maxLength: 40 }), fc.constantFrom('try', 'blocking')).map(
  ([values, how]): Command =>
    (model, ring) => {
      const items = Int32Array.from([...values, 77, 78]);
      const count = values.length;
      const put = (): number =>
        how === 'try' ? ring.tryPutMany(items, count) : ring.putMany(items, count, 0);
      if (refusesWhenClosed(model, put)) return;
      const accepted = Math.min(count, model.capacity - model.items.length);
      assert.equal(put(), accepted);
      model.items.push(...values.slice(0, accepted));
    },
);

const takeMany = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom('try', 'blocking')).map(
  ([count, how]): Command =>
    (model, ring) => {
      const out = new Int32Array(count + 2).fill(99);
      const taken = how === 'try' ? ring.tryTakeMany(out, count) : ring.takeMany(out, count, 0);
      const expected = model.items.splice(0, count);
      assert.deepEqual([...out.subarray(0, taken)], expected);
      assert.ok(
        out.subarray(taken).every((each) => each === 99),
        'nothing is written behind the words',
      );
    },
);

const putZero = fc.tuple(fc.array(word, { maxLength: 10 }), fc.nat({ max: 10 })).map(
  ([values, at]): Command =>
    (model, ring) => {
      const items = Int32Array.from([...values.slice(0, at), 0, ...values.slice(at)]);
      const room = model.capacity - model.items.length;
      if (model.closed || items.indexOf(0) >= room) return;
      assert.throws(() => ring.tryPutMany(items, items.length), { code: 'BAD_ARGUMENT' });
    },
);

const close = fc.constant<Command>((model, ring) => {
  ring.close();
  model.closed = true;
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: putOne, weight: 8 },
  { arbitrary: takeOne, weight: 8 },
  { arbitrary: putMany, weight: 5 },
  { arbitrary: takeMany, weight: 5 },
  { arbitrary: putZero, weight: 1 },
  { arbitrary: close, weight: 1 },
);

/** Lets the counters start anywhere, so that slots and counters wrap. */
function startAt(memory: RingMemory, name: string, number: number): void {
  const ref = ringRefOf(memory, name);
  const { words } = memory.machine;
  words[ref + RingRecord.head] = number;
  words[ref + RingRecord.tail] = number;
  words[ref + RingRecord.takeLimit] = number;
  words[ref + RingRecord.putLimit] = (number + (words[ref + RingRecord.capacity] as number)) | 0;
}

for (const wasm of [undefined, false]) {
  test(`a ring is a bounded first in, first out list (${wasm === false ? 'plain' : 'wasm'})`, () => {
    let memory = createRingMemory({ wasm });
    let made = 0;
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(1, 2, 8, 1000, 1024, 1025), fc.integer({ min: 1, max: 50 })),
        fc.oneof(fc.constantFrom(0, -5, 0x7fffffff - 10, -(2 ** 31), 1020), fc.integer()),
        fc.array(command, { maxLength: 120 }),
        (capacity, number, commands) => {
          if (made++ % 60 === 59) memory = createRingMemory({ wasm });
          const name = `ring ${made}`;
          const ring = memory.rings.ring({ name, capacity });
          startAt(memory, name, number);
          const model: Model = { capacity, items: [], closed: false };
          for (const each of commands) {
            each(model, ring);
            assert.equal(ring.length, model.items.length);
            assert.equal(ring.closed, model.closed);
          }
          assert.deepEqual(memory.audit(), []);
        },
      ),
      { numRuns: 600 },
    );
  });
}
