/** Epoch zones against a plain reference: nothing is reused that an open section could have seen. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Addr, Memory, Zone } from '../index.js';
import { makeOrdered } from './epochs.test-kit.js';
import { assertClean, property } from './uma.test-kit.js';

const THREADS = 3;

/** What the reference knows. */
class Model {
  readonly held: Addr[] = [];
  /** The section of each thread; 0: it reads nothing. */
  readonly sections: number[] = Array(THREADS).fill(0);
  /** The sections that were open when an item was freed. */
  readonly freed = new Map<number, ReadonlySet<number>>();
  began = 0;
  reused = 0;

  take(item: Addr): void {
    const open = this.freed.get(item);
    if (open !== undefined) {
      for (const section of this.sections) assert.ok(!open.has(section), `${item} is reused, and read`);
      this.reused++;
    }
    this.freed.delete(item);
    this.held.push(item);
  }

  give(at: number): Addr {
    const [item] = this.held.splice(at % this.held.length, 1) as [Addr];
    this.freed.set(item, new Set(this.sections.filter((section) => section !== 0)));
    return item;
  }
}

type Step = (model: Model, memory: Memory, zone: Zone, who: number, value: number) => void;

const steps: Readonly<Record<string, Step>> = {
  take(model, _memory, zone, _who, value) {
    for (let index = 0; index < value % 40; index++) {
      const item = zone.tryAlloc();
      if (item !== 0) model.take(item);
    }
  },
  give(model, _memory, zone, _who, value) {
    for (let index = 0; index < value % 50 && model.held.length > 0; index++) zone.free(model.give(value));
  },
  takeMany(model, _memory, zone, _who, value) {
    const out = new Int32Array(value % 60);
    const count = zone.tryAllocMany(out, out.length);
    for (const item of out.subarray(0, count)) model.take(item as Addr);
  },
  enter(model, memory, _zone, who) {
    if (model.sections[who] !== 0) return;
    memory.enter();
    model.sections[who] = ++model.began;
  },
  leave(model, memory, _zone, who) {
    if (model.sections[who] === 0) return;
    memory.leave();
    model.sections[who] = 0;
  },
  drain(_model, _memory, zone) {
    zone.drain();
  },
  trim(_model, _memory, zone) {
    zone.trim();
  },
  poll(_model, memory) {
    memory.poll();
  },
  limit(_model, _memory, zone, _who, value) {
    zone.max = value % 3 === 0 ? 0 : 1 + (value % 200);
  },
  fail(_model, memory, _zone, _who, value) {
    if (value % 2 === 0) memory.failpoints.arm('uma.bucket', { from: 1 });
    else memory.failpoints.disarm();
  },
};

const names = Object.keys(steps);
const commands = fc.array(
  fc.tuple(fc.constantFrom(...names), fc.nat({ max: THREADS - 1 }), fc.nat({ max: 0xffff })),
  { minLength: 20, maxLength: 120, size: 'max' },
);

let reused = 0;

function replay(
  list: readonly (readonly [string, number, number])[],
  checkLevel: 0 | 1 | 2,
  size: number,
): void {
  const memories = makeOrdered(THREADS, checkLevel);
  const [first] = memories as [Memory];
  const free = first.stats().pages.free;
  const zones = memories.map((memory) => memory.zone({ name: 'e', size, epoch: true }));
  const model = new Model();
  for (const [name, who, value] of list)
    (steps[name] as Step)(model, memories[who] as Memory, zones[who] as Zone, who, value);
  const { used, deferred } = (zones[0] as Zone).stats();
  assert.ok(used + deferred >= model.held.length);
  for (const [who, memory] of memories.entries()) {
    memory.failpoints.disarm();
    if (model.sections[who] !== 0) memory.leave();
  }
  assertClean(first, 'before the end');
  while (model.held.length > 0) zones[0]?.free(model.give(0));
  for (const memory of [...memories, ...memories]) {
    memory.drain();
    first.synchronize(0);
  }
  first.drain();
  assertClean(first, 'at the end');
  assert.equal(first.stats().pages.free, free, 'pages');
  reused += model.reused;
}

describe('epoch zones against a reference', () => {
  for (const checkLevel of [0, 1, 2] as const) {
    for (const size of [16, 100, 2000]) {
      it(`items of ${size} bytes, check level ${checkLevel}`, () => {
        fc.assert(
          fc.property(commands, (list) => replay(list, checkLevel, size)),
          property(40),
        );
      });
    }
  }

  it('has reused what could be', () => {
    assert.ok(reused > 1000, `${reused} items`);
  });
});
