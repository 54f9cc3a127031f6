/** Kegs over memory that is not ours: what is refused, what comes back, and what a death leaves. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Addr,
  attachMemory,
  createMemory,
  type ForeignKeg,
  type ForeignKegOptions,
  type Memory,
} from '../index.js';
import { codeOf, errorOf, must, property } from './uma.test-kit.js';

const RUN = 4096;

/** A memory of the user's, whose runs come from places that are not in order. */
class Heap {
  readonly runs = new Map<number, number>();
  private next = 0;
  most = Number.POSITIVE_INFINITY;

  readonly options = {
    name: 'heap',
    size: 100,
    runBytes: RUN,
    allocRun: (bytes: number): number => {
      if (this.runs.size >= this.most) return 0;
      // Every run a step of its own, to the left and to the right in turn.
      this.next++;
      const base = 0x8000_0000 + (this.next % 2 === 0 ? 1 : -1) * this.next * 2 * RUN;
      this.runs.set(base, bytes);
      return base;
    },
    freeRun: (base: number, bytes: number): void => {
      assert.equal(this.runs.get(base), bytes);
      this.runs.delete(base);
    },
  } satisfies ForeignKegOptions;
}

function assertSound(memory: Memory): void {
  assert.deepEqual(memory.audit().violations, []);
}

function make(options: Partial<ForeignKegOptions> = {}): { memory: Memory; heap: Heap; keg: ForeignKeg } {
  const memory = createMemory({ bytes: 1 << 20, maxThreads: 4 });
  const heap = new Heap();
  return { memory, heap, keg: memory.foreignKeg({ ...heap.options, ...options }) };
}

describe('a foreign keg', () => {
  it('cuts runs into aligned items that do not overlap, and gives the runs back', () => {
    const { memory, heap, keg } = make({ align: 32 });
    const out = new Int32Array(500);
    assert.equal(keg.tryTake(out, 500), 500);
    const items = [...out].map((item) => item >>> 0).sort((one, other) => one - other);
    for (const [index, item] of items.entries()) {
      assert.equal(item % 32, 0);
      if (index > 0) assert.ok(item - (items[index - 1] as number) >= 128);
      const run = [...heap.runs.keys()].find((base) => item >= base && item + 100 <= base + RUN);
      assert.ok(run !== undefined, 'it lies in a run');
    }
    assert.deepEqual(keg.stats(), { name: 'heap', size: 100, runs: 16, bytes: 65536, used: 500, free: 12 });
    assertSound(memory);
    assert.equal(keg.drain(), 0, 'no run is empty');
    keg.give(out, 500);
    assertSound(memory);
    assert.equal(keg.drain(), 65536);
    assert.equal(heap.runs.size, 0);
    assertSound(memory);
  });

  it('has none when the other memory has none', () => {
    const { memory, heap, keg } = make();
    heap.most = 2;
    const out = new Int32Array(200);
    assert.equal(keg.tryTake(out, 200), 78);
    assert.equal(keg.tryTake(out, 1), 0);
    assertSound(memory);
  });

  it('refuses an address that is none of its items, and nothing changes', () => {
    const { memory, keg } = make();
    const out = new Int32Array(60);
    keg.tryTake(out, 60);
    keg.give(out.subarray(50), 10);
    const inUse = new Set([...out.subarray(0, 50)].map((item) => item >>> 0));
    const before = JSON.stringify(keg.stats());
    const any = fc.oneof(
      fc.constantFrom(...[...out].flatMap((item) => [item >>> 0, (item >>> 0) + 1, (item >>> 0) + 99])),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: 0x8000_0000 - 16 * RUN, max: 0x8000_0000 + 16 * RUN }),
    );
    fc.assert(
      fc.property(any, (address) => {
        if (inUse.has(address)) return;
        const { code, zone, message } = errorOf(() => keg.give(new Int32Array([address]), 1));
        const start = keg.find(address);
        const expected = start === 0 ? 'FREE_FOREIGN' : start === address ? 'FREE_TWICE' : 'FREE_UNALIGNED';
        assert.equal(code, expected);
        assert.equal(zone, 'heap');
        assert.match(message, /^foreign keg heap: /);
        assert.equal(JSON.stringify(keg.stats()), before);
      }),
      { ...property(2000), endOnFailure: true },
    );
    assertSound(memory);
  });

  it('finds the item of any address of it', () => {
    const { keg } = make();
    const out = new Int32Array(100);
    keg.tryTake(out, 100);
    for (const item of [...out].map((each) => each >>> 0))
      for (const inside of [0, 1, 50, 99]) assert.equal(keg.find(item + inside), item);
    assert.equal(keg.find(0), 0);
    assert.equal(
      codeOf(() => keg.find(-1)),
      'BAD_ARGUMENT',
    );
  });

  it('refuses runs that cannot be, and keeps no header for them', () => {
    const memory = createMemory({ bytes: 1 << 20 });
    const heap = new Heap();
    let answer: unknown = 0;
    const keg = memory.foreignKeg({ ...heap.options, allocRun: () => answer as number });
    const out = new Int32Array(1);
    for (const bad of [-4096, 0.5, 4097, 2 ** 32 - 100, Number.NaN, undefined, 'x', null]) {
      answer = bad;
      assert.equal(
        codeOf(() => keg.tryTake(out, 1)),
        'HOOK_FAILED',
        String(bad),
      );
      assertSound(memory);
    }
    answer = 8192;
    assert.equal(keg.tryTake(new Int32Array(39), 39), 39);
    assert.match(errorOf(() => keg.tryTake(out, 1)).message, /which it has already/);
    answer = 8192 + 2048;
    assert.equal(
      codeOf(() => keg.tryTake(out, 1)),
      'HOOK_FAILED',
      'it overlaps another',
    );
    assertSound(memory);
  });

  it('tells what allocRun and freeRun throw; nothing is half done', () => {
    const { memory, keg } = make({
      allocRun() {
        throw new RangeError('no room');
      },
    });
    assert.throws(() => keg.tryTake(new Int32Array(1), 1), /no room/);
    assertSound(memory);
    const other = make({
      freeRun() {
        throw new RangeError('kept');
      },
    });
    const out = new Int32Array(1);
    other.keg.tryTake(out, 1);
    other.keg.give(out, 1);
    assert.throws(() => other.keg.drain(), /kept/);
    assert.equal(other.keg.stats().runs, 0);
    assertSound(other.memory);
  });

  it('is shared by threads, which must agree', () => {
    const { memory, heap, keg } = make();
    const other = attachMemory(memory.handle);
    const theirs = other.foreignKeg(heap.options);
    const out = new Int32Array(50);
    keg.tryTake(out, 50);
    theirs.give(out, 50);
    assert.equal(keg.stats().used, 0);
    assert.equal(
      codeOf(() => other.foreignKeg({ ...heap.options, size: 99 })),
      'LAYOUT_MISMATCH',
    );
    assertSound(memory);
  });

  it('is refused with all reasons at once', () => {
    const memory = createMemory({ bytes: 1 << 20 });
    const { options } = new Heap();
    const error = errorOf(() => memory.foreignKeg({ ...options, size: 0, align: 3, allocRun: 1 as never }));
    assert.equal(error.code, 'BAD_CONFIGURATION');
    assert.match(error.message, /size.*align.*allocRun/);
    assert.equal(
      codeOf(() => memory.foreignKeg({ ...options, size: 1, align: 1, runBytes: 1 << 24 })),
      'BAD_ARGUMENT',
    );
    for (let index = 0; index < 16; index++) memory.foreignKeg({ ...options, name: `k${index}` });
    assert.equal(
      codeOf(() => memory.foreignKeg({ ...options, name: 'one more' })),
      'TOO_MANY_ZONES',
    );
    assertSound(memory);
  });

  it('has a cache, owners and limits with a zone in front', () => {
    const { memory, heap, keg } = make();
    const zone = memory.zone({
      name: 'front',
      max: 100,
      import: (words, n) => keg.tryTake(words, n),
      release: (words, n) => keg.give(words, n),
    });
    const items = Array.from({ length: 100 }, () => must(zone.tryAlloc()));
    assert.equal(new Set(items.map((item) => memory.words[item >>> 2])).size, 100);
    assert.equal(zone.tryAlloc(), 0);
    for (const item of items) zone.free(item as Addr);
    zone.destroy();
    assert.equal(keg.stats().used, 0);
    keg.drain();
    assert.equal(heap.runs.size, 0);
    assertSound(memory);
  });

  it('behaves as a set of free items, whatever is done', () => {
    const step = fc.record({ what: fc.constantFrom('take', 'give', 'drain', 'short'), n: fc.nat(120) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const { memory, heap, keg } = make();
        const held: number[] = [];
        const out = new Int32Array(120);
        for (const { what, n } of steps) {
          if (what === 'take') held.push(...out.subarray(0, keg.tryTake(out, n)));
          else if (what === 'drain') keg.drain();
          else if (what === 'short') heap.most = heap.runs.size + (n % 3);
          else {
            const back = Int32Array.from(held.splice(0, n));
            keg.give(back, back.length);
          }
          assert.equal(keg.stats().used, held.length);
          assert.equal(new Set(held).size, held.length);
          assert.equal(keg.stats().runs, heap.runs.size);
        }
        assertSound(memory);
      }),
      { ...property(150), endOnFailure: true },
    );
  });
});

describe('a foreign keg that is destroyed', () => {
  const uses = (keg: ForeignKeg): (() => unknown)[] => [
    () => keg.tryTake(new Int32Array(1), 1),
    () => keg.give(new Int32Array([100]), 1),
    () => keg.find(100),
    () => keg.drain(),
    () => keg.stats(),
    () => keg.destroy(),
  ];

  it('gives all its runs back, and refuses every handle', () => {
    const { memory, heap, keg } = make();
    const theirs = attachMemory(memory.handle).foreignKeg(heap.options);
    const out = new Int32Array(100);
    keg.tryTake(out, 100);
    theirs.give(out, 100);
    keg.destroy();
    assert.equal(heap.runs.size, 0);
    for (const use of [...uses(keg), ...uses(theirs)]) assert.equal(codeOf(use), 'ZONE_CLOSED');
    assertSound(memory);
  });

  it('stays while items are in use', () => {
    const { memory, heap, keg } = make();
    const out = new Int32Array(100);
    keg.tryTake(out, 100);
    keg.give(out.subarray(1), 99);
    const { code, message } = errorOf(() => keg.destroy());
    assert.deepEqual([code, message], ['ZONE_NOT_EMPTY', 'foreign keg heap has 1 item in use, and stays']);
    // The run that has it stays as well.
    assert.deepEqual(
      [heap.runs.size, keg.stats().used, keg.find((out[0] as number) >>> 0)],
      [1, 1, (out[0] as number) >>> 0],
    );
    assertSound(memory);
    keg.give(out, 1);
    keg.destroy();
    assertSound(memory);
  });

  it('leaves its name and its place to others, of which old handles know nothing', () => {
    const { memory, heap, keg } = make();
    const others = Array.from({ length: 15 }, (_, index) =>
      memory.foreignKeg({ ...heap.options, name: `other ${index}` }),
    );
    assert.equal(
      codeOf(() => memory.foreignKeg({ ...heap.options, name: 'one more' })),
      'TOO_MANY_ZONES',
    );
    keg.destroy();
    const again = memory.foreignKeg({ ...heap.options, size: 64 });
    const out = new Int32Array(2);
    assert.equal(again.tryTake(out, 2), 2);
    for (const use of uses(keg)) assert.equal(codeOf(use), 'ZONE_CLOSED');
    assert.equal(again.stats().used, 2);
    assertSound(memory);
    again.give(out, 2);
    for (const each of [again, ...others]) each.destroy();
    assertSound(memory);
    assert.equal(heap.runs.size, 0);
  });

  it('while it asks for a run: that one goes back, too', () => {
    const { memory, heap } = make();
    let isAsked = false;
    const keg: ForeignKeg = memory.foreignKeg({
      ...heap.options,
      name: 'short',
      allocRun(bytes) {
        const base = heap.options.allocRun(bytes);
        isAsked = true;
        keg.destroy();
        return base;
      },
    });
    assert.equal(
      codeOf(() => keg.tryTake(new Int32Array(1), 1)),
      'ZONE_CLOSED',
    );
    assert.ok(isAsked);
    assert.equal(heap.runs.size, 0);
    assertSound(memory);
  });
});
