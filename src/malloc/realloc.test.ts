/** Blocks that are made larger and smaller: what stays, what moves, and what is in it then. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { MemoryOptions } from '../memory-options.js';
import type { Addr } from '../record/index.js';
import { ZERO } from '../uma/index.js';
import { assertClean, codeOf } from '../uma/uma.test-kit.js';
import type { MallocType, MallocTypeOptions } from './types.js';

const MIB = 1 << 20;
const PAGE = 4096;
/** The shortest run. */
const SMALL_RUN = 17 * PAGE;

function make(
  options: Partial<MemoryOptions> = {},
  ofType: Partial<MallocTypeOptions> = {},
): { memory: Memory; temp: MallocType } {
  const memory = createMemory({ bytes: 16 * MIB, maxThreads: 4, timerMs: 0, ...options });
  return { memory, temp: memory.mallocType({ name: 'temp', ...ofType }) };
}

describe('realloc', () => {
  it('keeps the contents, grows and shrinks, and stays where little would be won', () => {
    const { memory, temp } = make();
    let block = temp.tryRealloc(0, 10) as Addr;
    memory.bytes.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], block);
    for (const size of [12, 40, 500, 70_000, 300_000, 9000, 100, 10]) {
      block = temp.tryRealloc(block, size) as Addr;
      assert.deepEqual([...memory.bytes.subarray(block, block + 10)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      assert.ok(temp.usableSize(block) >= size);
    }
    const large = temp.tryAlloc(8192) as Addr;
    assert.equal(temp.tryRealloc(large, 5000), large);
    assert.notEqual(temp.tryRealloc(large, 4096), large);
    temp.free(block);
    assert.equal(temp.stats().used, 1);
    assertClean(memory);
  });

  it('zeroes what is new with ZERO, and never frees for a size of 0', () => {
    const { memory, temp } = make();
    const waste = temp.tryAlloc(4000) as Addr;
    memory.bytes.fill(0xee, waste, waste + 4000);
    temp.free(waste);
    const block = temp.tryAlloc(64) as Addr;
    memory.bytes.fill(0x11, block, block + 64);
    const grown = temp.tryRealloc(block, 4000, ZERO) as Addr;
    const bytes = memory.bytes.subarray(grown, grown + temp.usableSize(grown));
    assert.ok(bytes.subarray(0, 64).every((byte) => byte === 0x11));
    assert.ok(bytes.subarray(64).every((byte) => byte === 0));
    const smallest = temp.tryRealloc(grown, 0) as Addr;
    assert.equal(temp.usableSize(smallest), 16);
    temp.free(smallest);
    assertClean(memory);
  });

  it('of no block allocates as its form does: the one that waits never answers 0', () => {
    const { temp } = make();
    temp.max = 64;
    const block = temp.realloc(0, 64, ZERO);
    assert.equal(temp.tryRealloc(0, 64, ZERO), 0);
    assert.equal(
      codeOf(() => temp.realloc(0, 64, ZERO, 20)),
      'TIMED_OUT',
    );
    temp.free(block);
  });

  it('leaves the block as it was when there is no memory', () => {
    const { memory, temp } = make();
    const block = temp.tryAlloc(64) as Addr;
    memory.bytes.fill(0x22, block, block + 64);
    assert.equal(temp.tryRealloc(block, 1e9), 0);
    assert.equal(
      codeOf(() => temp.realloc(block, 1e10)),
      'OUT_OF_MEMORY',
    );
    assert.ok(memory.bytes.subarray(block, block + 64).every((byte) => byte === 0x22));
    temp.free(block);
    assert.equal(temp.stats().used, 0);
    assertClean(memory);
  });
});

describe('realloc of a run', () => {
  /** A block of so many pages, each byte of which is its page's number, from 1. */
  function paged(memory: Memory, type: MallocType, pages: number): Addr {
    const block = type.alloc(pages * PAGE);
    for (let page = 0; page < pages; page++)
      memory.bytes.fill(page + 1, block + page * PAGE, block + (page + 1) * PAGE);
    return block;
  }

  function assertPaged(memory: Memory, block: Addr, pages: number): void {
    for (let page = 0; page < pages; page++) {
      const bytes = memory.bytes.subarray(block + page * PAGE, block + (page + 1) * PAGE);
      assert.ok(
        bytes.every((byte) => byte === page + 1),
        `page ${page}`,
      );
    }
  }

  const free = (memory: Memory): number => memory.stats().pages.free;

  for (const checkLevel of [0, 3] as const)
    it(`grows and shrinks where it lies, while there are free pages behind it, at check level ${checkLevel}`, () => {
      const { memory, temp } = make({ checkLevel });
      const before = free(memory);
      const block = paged(memory, temp, 20);
      const gap = temp.alloc(40 * PAGE);
      const wall = temp.alloc(100 * PAGE);
      temp.free(gap);
      for (const pages of [21, 25, 19, 17, 30]) {
        const moved = temp.tryRealloc(block, pages * PAGE - 5);
        assert.equal(moved, block, `${pages} pages`);
        assert.equal(temp.usableSize(block), pages * PAGE);
        assert.equal(free(memory), before - pages - 100);
        assert.equal(temp.stats().bytes, (pages + 100) * PAGE);
      }
      assertPaged(memory, block, 17);
      assertClean(memory);
      const length = wall - block + PAGE;
      const moved = temp.tryRealloc(block, length) as Addr;
      assert.notEqual(moved, block, 'pages behind it are in use');
      assertPaged(memory, moved, 17);
      temp.free(moved);
      temp.free(wall);
      assert.equal(temp.stats().bytes, 0);
      assert.equal(free(memory), before);
      assertClean(memory);
    });

  it('zeroes what is new, and nothing else', () => {
    const { memory, temp } = make();
    const block = paged(memory, temp, 20);
    const behind = paged(memory, temp, 40);
    assert.equal(behind, block + 20 * PAGE);
    temp.free(behind);
    assert.equal(temp.realloc(block, 40 * PAGE, ZERO), block);
    assertPaged(memory, block, 20);
    assert.ok(memory.bytes.subarray(block + 20 * PAGE, block + 40 * PAGE).every((byte) => byte === 0));
  });

  it('moves what would not be at a multiple of its length any more', () => {
    const { memory, temp } = make();
    const block = paged(memory, temp, 33);
    const other = temp.tryRealloc(temp.alloc(33 * PAGE), 64 * PAGE) as Addr;
    assert.equal(other % (64 * PAGE), 0);
    assertPaged(memory, block, 33);
    temp.free(block);
    temp.free(other);
    assertClean(memory);
  });

  it('never takes the reserve, and wakes who waits for what it gives back', async () => {
    const { memory, temp } = make();
    const block = temp.alloc(1000 * PAGE);
    const { freeReserved } = memory.stats().pages.thresholds;
    while (temp.tryAlloc(SMALL_RUN) !== 0);
    assert.ok(free(memory) >= freeReserved);
    assert.equal(temp.tryRealloc(block, 1000 * PAGE + SMALL_RUN), 0);
    assert.equal(temp.usableSize(block), 1000 * PAGE);
    const waiter = temp.allocAsync(500 * PAGE);
    assert.equal(temp.realloc(block, 100 * PAGE), block);
    temp.free(await waiter);
    assertClean(memory);
  });

  it('is charged for, and so moves, where the type has a limit; and where it is guarded', () => {
    for (const [options, ofType] of [
      [{}, { max: 8 * MIB }],
      [{ checkLevel: 3 }, { guard: true }],
    ] as const) {
      const { memory, temp } = make(options, ofType);
      const block = paged(memory, temp, 20);
      const moved = temp.realloc(block, 30 * PAGE);
      assert.notEqual(moved, block);
      assertPaged(memory, moved, 20);
      assert.equal(temp.stats().bytes, 30 * PAGE);
      temp.free(moved);
      assertClean(memory);
    }
  });

  it('moves when a failpoint says that there are no pages behind it', () => {
    const { memory, temp } = make();
    const block = paged(memory, temp, 20);
    memory.failpoints.arm('phys.run', { nth: 1 });
    const moved = temp.realloc(block, 30 * PAGE);
    assert.notEqual(moved, block);
    assertPaged(memory, moved, 20);
  });
});
