/** What can never be had is refused at once, and nobody waits for himself. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Addr,
  CANFAIL,
  createMemory,
  type MallocType,
  type Memory,
  USE_INTERRUPT_RESERVE,
  USE_RESERVE,
} from '../index.js';

function make(options: { max?: number } = {}): { memory: Memory; type: MallocType } {
  const memory = createMemory({ bytes: 16 << 20, timerMs: 0, wasm: false });
  memory.onWarning(() => {});
  return { memory, type: memory.mallocType({ name: 'images', ...options }) };
}

const outOfMemory = { code: 'OUT_OF_MEMORY' };

function assertClean(memory: Memory): void {
  assert.deepEqual(memory.audit().violations, []);
}

describe('a size that cannot be had when all pages are free', () => {
  it('is refused at once in every form, and counted as a failure each time', async () => {
    const { memory, type } = make();
    const all = memory.stats().pages.pages * 4096;
    assert.throws(() => type.alloc(all + 1), outOfMemory);
    assert.throws(() => type.alloc(all + 1, USE_RESERVE | USE_INTERRUPT_RESERVE), outOfMemory);
    await assert.rejects(type.allocAsync(all + 1), outOfMemory);
    assert.equal(type.tryAlloc(all + 1), 0);
    assert.throws(() => type.alignedAlloc(16 << 20, 100), outOfMemory);
    assert.equal(type.stats().failures, 5);
    assertClean(memory);
  });

  it('is told with the alignment, and without a number that nobody gave', () => {
    const { type } = make();
    assert.throws(() => type.alignedAlloc(1 << 30, 1), {
      code: 'OUT_OF_MEMORY',
      message: /never has 1 bytes in one piece at a multiple of 1073741824$/,
    });
    assert.throws(() => type.calloc(1e9, 1e9), {
      code: 'OUT_OF_MEMORY',
      message: /never has so many bytes in one piece$/,
    });
  });

  it('is more than half of the memory', () => {
    const { memory, type } = make();
    type.free(type.alloc(12 << 20));
    assertClean(memory);
  });
});

describe('realloc', () => {
  it('to a smaller block never waits: it stays where it is when there is no other', async () => {
    const { memory, type } = make({ max: 1024 });
    const block = type.alloc(1000);
    memory.bytes.fill(7, block, block + 1000);
    assert.equal(type.realloc(block, 16), block);
    assert.equal(type.tryRealloc(block, 16), block);
    assert.equal(await type.reallocAsync(block, 16), block);
    assert.ok(memory.bytes.subarray(block, block + 16).every((byte) => byte === 7));
    type.max = 0;
    const smaller = type.realloc(block, 16);
    assert.notEqual(smaller, block, 'and moves when there is one');
    type.free(smaller);
    assertClean(memory);
  });

  it('to a block for which the old one leaves no room is refused, and the old one stays', async () => {
    const { memory, type } = make({ max: 1 << 20 });
    const block = type.alloc(600 << 10);
    assert.throws(() => type.realloc(block, 700 << 10), {
      code: 'OUT_OF_MEMORY',
      message: /716800 bytes beside the 614400 of the block until they have moved are more than its limit/,
    });
    await assert.rejects(type.reallocAsync(block, 700 << 10), outOfMemory);
    assert.equal(type.tryRealloc(block, 700 << 10), 0);
    assert.equal(type.stats().failures, 3);
    type.free(block);
    assertClean(memory);
  });
});

describe('arguments', () => {
  it('are judged though they are not needed', () => {
    const { type } = make();
    const block = type.alloc(1000);
    for (const timeoutMs of [-1, 'soon', Number.NaN] as number[])
      assert.throws(() => type.realloc(block, 900, 0, timeoutMs), { code: 'BAD_ARGUMENT' });
    for (const alignment of [2 ** 49 + 1, 2 ** 53 - 1, 3, 0])
      assert.throws(() => type.tryAlignedAlloc(alignment, 1), { code: 'BAD_ARGUMENT' });
    assert.equal(type.tryAlignedAlloc(2 ** 49, 1), 0);
  });
});

describe('a memory without a zone to spare', () => {
  it('lets a block be made smaller where it is, and counts who gets none', () => {
    const memory = createMemory({ bytes: 4 << 20, maxZones: 16, timerMs: 0, wasm: false });
    const type = memory.mallocType({ name: 'images' });
    const run = type.alloc(100_000);
    const small = type.alloc(3000);
    memory.bytes.fill(7, run, run + 5000);
    assert.throws(
      () => {
        for (let size = 16; ; size += 16) type.tryAlloc(size);
      },
      { code: 'TOO_MANY_ZONES' },
    );
    assert.equal(type.stats().failures, 1);
    assert.equal(type.tryRealloc(run, 5000), run);
    assert.equal(type.realloc(run, 5000), run);
    assert.equal(type.realloc(small, 1400), small);
    assert.ok(memory.bytes.subarray(run, run + 5000).every((byte) => byte === 7));
    assertClean(memory);
  });

  it('keeps the names that malloc needs', () => {
    const memory = createMemory({ bytes: 4 << 20, timerMs: 0, wasm: false });
    assert.throws(() => memory.zone({ name: 'malloc cells', size: 64 }), { code: 'BAD_ARGUMENT' });
    memory.zone({ name: 'malloc cell', size: 64 });
    assert.notEqual(memory.mallocType({ name: 'a' }).tryAlloc(10), 0);
    assertClean(memory);
  });
});

describe('a request for more than the limit', () => {
  it('is passed by those who fit, and served when the limit rises', async () => {
    const { memory, type } = make({ max: 1024 });
    const large = type.allocAsync(2000);
    const blocks = [type.tryAlloc(16), type.alloc(16, 0, 100)];
    assert.ok(blocks.every((block) => block !== 0));
    const [first, second] = [type.alloc(500), type.allocAsync(500)];
    assert.equal(type.tryAlloc(16), 0, 'who fits under the limit is not passed');
    type.free(first as Addr);
    type.free(await second);
    type.max = 8192;
    for (const block of [...blocks, await large]) type.free(block as Addr);
    assertClean(memory);
  });

  it('ends at once with CANFAIL', async () => {
    const { memory, type } = make({ max: 1024 });
    assert.throws(() => type.alloc(2000, CANFAIL), {
      code: 'OUT_OF_MEMORY',
      message: /malloc type images: 2000 bytes are more than its limit of 1024/,
    });
    await assert.rejects(type.allocAsync(2000, CANFAIL), outOfMemory);
    assertClean(memory);
  });
});

describe('a run that is set aside', () => {
  it('is no hope for who needs more than it and what is free', () => {
    const { memory, type } = make();
    const aside = type.alloc(70_000);
    for (const size of [1 << 20, 70_000, 4096, 64]) while (type.tryAlloc(size, 12) !== 0);
    type.setAside(aside);
    assert.throws(() => type.alloc(1 << 20, USE_RESERVE | USE_INTERRUPT_RESERVE), {
      code: 'MEMORY_DEADLOCK',
    });
    assert.throws(() => type.alloc(1 << 20, CANFAIL), outOfMemory);
    const { inactive, cache, discarded } = memory.stats().pages;
    assert.deepEqual([inactive + cache, discarded], [18, 0], 'nor is it taken in vain');
    assertClean(memory);
  });
});

describe('memory.check', () => {
  it('knows the blocks that are runs', () => {
    const { memory, type } = make();
    const [block, next] = [type.alloc(70_000), type.alloc(70_000)];
    memory.check(block, 70_000);
    memory.check((block + 70_000) as Addr, 4);
    assert.throws(() => memory.check((block + 18 * 4096 - 4) as Addr, 8), {
      code: 'OUT_OF_BOUNDS',
      message: /not inside block 0x[0-9a-f]+ of malloc type images, which has 73728/,
    });
    type.free(block);
    assert.throws(() => memory.check(block, 4), { code: 'OUT_OF_BOUNDS' });
    memory.check(next, 4);
    type.free(next);
  });
});

describe('a time limit', () => {
  it('is told as it was given, of small blocks too', () => {
    const { type } = make();
    for (const size of [1 << 20, 70_000, 4096, 64]) while (type.tryAlloc(size) !== 0);
    assert.throws(() => type.alloc(64, 0, 30), {
      code: 'TIMED_OUT',
      message: 'malloc type images: no block of 64 bytes within 30 ms',
    });
  });
});

describe('a reclaim handler', () => {
  it('that throws what is no error, or rejects, is reported, and the next is asked', async () => {
    const { memory, type } = make();
    const told: string[] = [];
    memory.onWarning((message) => told.push(message));
    let asked = 0;
    memory.onLowMemory('symbol', () => {
      throw Symbol('no error');
    });
    memory.onLowMemory('promise', (async () => {
      throw new Error('later');
    }) as unknown as () => number);
    memory.onLowMemory('last', () => {
      asked++;
      return 0;
    });
    for (const size of [1 << 20, 70_000, 4096, 64]) while (type.tryAlloc(size) !== 0);
    await new Promise(setImmediate);
    assert.ok(asked > 0);
    assert.ok(
      told.some((text) => /symbol failed: a value of type symbol/.test(text)),
      told[0],
    );
    assert.ok(told.some((text) => /promise answered a promise/.test(text)));
  });
});
