/** malloc against a plain list of blocks: contents, overlap, alignment, usable sizes, figures. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { attachMemory, createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { ZERO } from '../uma/index.js';
import { assertClean, property } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';

const MIB = 1 << 20;

interface Block {
  readonly type: number;
  readonly address: Addr;
  /** Bytes that carry the mark. */
  readonly size: number;
  readonly mark: number;
}

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 600 }) },
  { weight: 3, arbitrary: fc.integer({ min: 600, max: 70_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 70_000, max: 400_000 }) },
);
const flags = fc.constantFrom(0, ZERO);
const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('alloc' as const), size, flags }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('aligned' as const),
      size,
      power: fc.integer({ min: 0, max: 16 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('realloc' as const), size, flags, at: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('free' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('limit' as const), max: fc.integer({ min: 0, max: 2 * MIB }) }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;
const step = fc.record({
  command,
  thread: fc.integer({ min: 0, max: 1 }),
  type: fc.integer({ min: 0, max: 4 }),
});

class Model {
  readonly memories: Memory[];
  readonly types: MallocType[][];
  readonly blocks: Block[] = [];
  mark = 0;

  constructor(checkLevel: 0 | 2 | 3) {
    const first = createMemory({ bytes: 4 * MIB, maxThreads: 2, maxZones: 250, timerMs: 0, checkLevel });
    this.memories = [first, attachMemory(first.handle)];
    this.types = this.memories.map((memory) => [
      memory.mallocType({ name: 'first' }),
      memory.mallocType({ name: 'second' }),
      memory.mallocType({ name: 'own', zones: 'own' }),
      memory.mallocType({ name: 'guarded', guard: true }),
      memory.mallocType({ name: 'followed', zones: 'own', onOwnerDeath: 'free' }),
    ]);
  }

  get bytes(): Uint8Array {
    return (this.memories[0] as Memory).bytes;
  }

  add(type: number, address: Addr, size: number): void {
    const usable = ((this.types[0] as MallocType[])[type] as MallocType).usableSize(address);
    assert.ok(usable >= size);
    const end = address + usable;
    for (const { address: other, size: length } of this.blocks)
      assert.ok(end <= other || other + length <= address, 'blocks overlap');
    const mark = ++this.mark & 0xff;
    // The whole of it may be used.
    this.bytes.fill(mark, address, end);
    this.blocks.push({ type, address, size: usable, mark });
  }

  check({ address, size, mark }: Block, length = size): void {
    for (let at = address; at < address + length; at++)
      if (this.bytes[at] !== mark) assert.fail(`byte ${at - address} of ${size} is ${this.bytes[at]}`);
  }

  take(at: number): Block | undefined {
    return this.blocks.length === 0
      ? undefined
      : (this.blocks.splice(at % this.blocks.length, 1)[0] as Block);
  }

  isZero(address: number, end: number): boolean {
    return this.bytes.subarray(address, end).every((byte) => byte === 0);
  }

  run(given: Command, thread: number, number: number): void {
    const type = (this.types[thread] as MallocType[])[number] as MallocType;
    if (given.kind === 'alloc') {
      const address = type.tryAlloc(given.size, given.flags);
      if (address === 0) return;
      if (given.flags === ZERO) assert.ok(this.isZero(address, address + given.size));
      this.add(number, address, given.size);
    } else if (given.kind === 'aligned') {
      const address = type.tryAlignedAlloc(2 ** given.power, given.size);
      assert.equal(address % 2 ** given.power, 0);
      if (address !== 0) this.add(number, address, given.size);
    } else if (given.kind === 'realloc') {
      this.realloc(given, thread);
    } else if (given.kind === 'free') {
      const block = this.take(given.at);
      if (block === undefined) return;
      this.check(block);
      ((this.types[thread] as MallocType[])[block.type] as MallocType).free(block.address);
    } else if (given.kind === 'drain') {
      (this.memories[thread] as Memory).drain();
      for (const memory of this.memories) memory.poll();
    } else {
      type.max = given.max;
    }
  }

  realloc({ at, size, flags }: { at: number; size: number; flags: number }, thread: number): void {
    const block = this.take(at);
    if (block === undefined) return;
    const type = (this.types[thread] as MallocType[])[block.type] as MallocType;
    const usableBefore = type.usableSize(block.address as Addr);
    const address = type.tryRealloc(block.address, size, flags);
    if (address === 0) {
      this.check(block);
      this.blocks.push(block);
      return;
    }
    this.check({ ...block, address }, Math.min(block.size, size));
    const usable = type.usableSize(address);
    const kept = address === block.address ? usableBefore : Math.min(block.size, size);
    if (flags === ZERO) assert.ok(this.isZero(address + kept, address + usable));
    this.add(block.type, address, size);
  }

  end(): void {
    const first = this.types[0] as MallocType[];
    for (let number = 0; number < first.length; number++) {
      const own = this.blocks.filter(({ type }) => type === number);
      const stats = (first[number] as MallocType).stats();
      assert.equal(stats.used, own.length);
      assert.equal(
        stats.bytes,
        own.reduce((sum, each) => sum + each.size, 0),
      );
      assert.ok(stats.bytesHigh >= stats.bytes);
    }
    assertClean(this.memories[0] as Memory);
    for (const block of this.blocks) {
      this.check(block);
      (first[block.type] as MallocType).free(block.address);
    }
    for (const type of first) assert.equal(type.stats().used + type.stats().bytes, 0);
    assertClean(this.memories[0] as Memory);
  }
}

describe('malloc against a plain list', () => {
  for (const [checkLevel, count] of [
    [0, 60],
    [2, 15],
    [3, 15],
  ] as const)
    it(`commands of all kinds by two threads, at check level ${checkLevel}`, () => {
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
          const model = new Model(checkLevel);
          for (const each of steps) model.run(each.command, each.thread, each.type);
          model.end();
        }),
        property(count),
      );
    });
});
