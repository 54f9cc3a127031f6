/** Types whose blocks are guarded: on pages of their own, with a redzone behind a run. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory, MbumaError } from '../index.js';
import { attachmentOf } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { MemoryOptions } from '../memory-options.js';
import type { Addr } from '../record/index.js';
import { GUARDED_PAGE, ZERO } from '../uma/index.js';
import { assertClean, codeOf } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';

const MIB = 1 << 20;
const PAGE = 4096;
const SIZES = [0, 16, 100, 1000, 4096, 5000, 65_536];

function make(options: Partial<MemoryOptions> = {}): { memory: Memory; type: MallocType } {
  const memory = createMemory({ bytes: 32 * MIB, maxThreads: 4, maxZones: 100, timerMs: 0, ...options });
  return { memory, type: memory.mallocType({ name: 'texts', guard: true }) };
}

function isGuarded(memory: Memory, block: Addr): boolean {
  const { machine } = attachmentOf(memory);
  const map = machine.halvesAt(machine.area('page kegs'), machine.layout.parameters.pageCount);
  return map[block >>> 12] === GUARDED_PAGE;
}

function errorOf(act: () => unknown): MbumaError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof MbumaError, String(error));
    return error;
  }
  return assert.fail('nothing thrown');
}

describe('a guarded type', () => {
  for (const checkLevel of [0, 1, 2, 3] as const)
    it(`has every block on pages of its own, in all forms, at level ${checkLevel}`, async () => {
      const { memory, type } = make({ checkLevel });
      const other = attachMemory(memory.handle).mallocType({ name: 'texts', guard: true });
      for (const size of SIZES) {
        const blocks = [
          type.alloc(size),
          type.tryAlloc(size, ZERO) as Addr,
          type.calloc(1, size),
          type.realloc(0, size),
          await type.allocAsync(size),
          await type.callocAsync(1, size),
          ...(size <= PAGE ? [type.alignedAlloc(PAGE, size)] : []),
        ];
        for (const block of blocks) {
          assert.ok(isGuarded(memory, block), `${size}`);
          assert.ok(type.usableSize(block) >= size);
          assert.equal(other.usableSize(block), type.usableSize(block));
          memory.bytes.fill(0x77, block, block + type.usableSize(block));
        }
        assertClean(memory);
        for (const block of blocks) other.free(block);
      }
      assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
      assert.ok(memory.stats().guard.quarantined > 0);
      memory.drain();
      assert.equal(memory.stats().guard.quarantined, 0);
      assertClean(memory);
    });

  it('finds what is written around a block, and after its end', () => {
    for (const size of [16, 100, 4096, 20_000]) {
      const { memory, type } = make();
      const [over, under, late] = [type.alloc(size), type.alloc(size), type.alloc(size)];
      const usable = type.usableSize(over);
      memory.bytes[over + usable] = 1;
      memory.bytes[under - 1] = 1;
      for (const [block, at] of [
        [over, over + usable],
        [under, under - 1],
      ] as const) {
        const error = errorOf(() => type.free(block));
        assert.deepEqual([error.code, error.address], ['REDZONE_DAMAGED', at]);
        assert.match(error.details ?? '', /^used for {2}texts|^allocated by thread 1/m);
      }
      type.free(late);
      assert.match(errorOf(() => type.free(late)).message, /MemGuard detected double-free/);
      assert.equal(
        codeOf(() => type.usableSize(late)),
        'FREE_TWICE',
      );
      assert.equal(
        codeOf(() => memory.check(late, 1)),
        'USE_AFTER_FREE',
      );
      memory.bytes[late] = 1;
      assert.equal(
        codeOf(() => memory.drain()),
        'MODIFIED_AFTER_FREE',
      );
      assert.equal(
        codeOf(() => type.free(late)),
        'FREE_FOREIGN',
      );
      assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
      assertClean(memory);
    }
  });

  it('says what is wrong with an address on these pages', () => {
    const { memory, type } = make();
    const others = memory.mallocType({ name: 'others' });
    const block = type.alloc(100);
    for (const [address, code] of [
      [block + 16, 'FREE_UNALIGNED'],
      [block - 16, 'FREE_UNALIGNED'],
      [block + PAGE, 'FREE_UNALIGNED'],
    ] as const)
      assert.equal(
        codeOf(() => type.free(address as Addr)),
        code,
      );
    assert.equal(
      codeOf(() => others.free(block)),
      'FREE_WRONG_TYPE',
    );
    assert.equal(type.stats().used, 1);
    type.free(block);
    assertClean(memory);
  });

  it('has a redzone behind each run, which its caller is not charged for', () => {
    for (const max of [0, MIB]) {
      const { memory, type } = make();
      type.max = max;
      const blocks = [70_000, 100_000, 131_072].map((size) => type.alloc(size));
      const aligned = type.alignedAlloc(1 << 17, 100);
      assert.equal(aligned % (1 << 17), 0);
      assert.deepEqual(
        [...blocks, aligned].map((block) => type.usableSize(block)),
        [18 * PAGE, 25 * PAGE, 32 * PAGE, PAGE],
      );
      assert.equal(type.stats().bytes, (18 + 25 + 32 + 1) * PAGE);
      for (const block of [...blocks, aligned]) {
        const usable = type.usableSize(block);
        memory.bytes.fill(0xaa, block, block + usable);
        assertClean(memory);
        memory.bytes[block + usable + 7] = 1;
        const rules = memory.audit().violations.map(({ rule }) => rule);
        assert.deepEqual(rules, ['L8']);
        const calls = [() => type.tryRealloc(block, 300_000), () => type.free(block)];
        for (const call of calls) {
          const error = errorOf(call);
          assert.deepEqual([error.code, error.address], ['REDZONE_DAMAGED', block + usable + 7]);
          assert.match(error.message, /1 byte corrupted after/);
          assert.match(error.details ?? '', /^used for {2}texts$/m);
        }
        assert.equal(
          codeOf(() => type.free(block)),
          'FREE_FOREIGN',
        );
      }
      assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
      assertClean(memory);
    }
  });

  it('moves a block that is made larger or smaller, with what it holds', () => {
    const { memory, type } = make();
    let block = type.alloc(50);
    memory.bytes.fill(0x3c, block, block + 50);
    for (const size of [5000, 100_000, 300_000, 60]) {
      block = type.realloc(block, size);
      assert.ok(memory.bytes.subarray(block, block + 50).every((byte) => byte === 0x3c));
    }
    type.free(block);
    memory.drain();
    assertClean(memory);
  });

  it('guards as many as the frequency says, and gives blocks when there are no pages for more', () => {
    const { memory, type } = make({ bytes: 8 * MIB });
    memory.sysctl.set('vm.memguard.frequency', 0);
    const plain = [type.alloc(100), type.alloc(70_000)] as const;
    assert.ok(!isGuarded(memory, plain[0]));
    const free = memory.stats().pages.free;
    type.free(plain[1]);
    assert.equal(memory.stats().pages.free, free + 18);
    type.free(plain[0]);
    memory.sysctl.set('vm.memguard.frequency', 100_000);
    const blocks: Addr[] = [];
    for (let block = type.tryAlloc(1000); block !== 0; block = type.tryAlloc(1000)) blocks.push(block);
    const guarded = blocks.filter((block) => isGuarded(memory, block));
    assert.ok(guarded.length > 100 && guarded.length < blocks.length);
    for (const block of blocks) type.free(block);
    const runs: Addr[] = [];
    memory.drain();
    for (let run = type.tryAlloc(MIB); run !== 0; run = type.tryAlloc(MIB)) runs.push(run);
    assert.ok(runs.length > 3);
    for (const run of runs) type.free(run);
    assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
    memory.drain();
    assertClean(memory);
  });

  it('has zones of its own, and says so to who opens it otherwise', () => {
    const { memory, type } = make();
    for (const options of [{}, { zones: 'own' }, { guard: false }] as const)
      assert.equal(
        codeOf(() => memory.mallocType({ name: 'texts', ...options })),
        'LAYOUT_MISMATCH',
      );
    assert.equal(memory.mallocType({ name: 'texts', zones: 'own', guard: true }), type);
    for (const bad of [
      { guard: 1 },
      { guard: 'yes' },
      { guard: true, zones: 'shared' },
      { onOwnerDeath: 'drop' },
      { onOwnerDeath: 1 },
      { onOwnerDeath: 'free' },
      { onOwnerDeath: 'report', zones: 'shared' },
    ])
      assert.equal(
        codeOf(() => memory.mallocType({ name: 'bad', ...bad } as { name: string })),
        'BAD_ARGUMENT',
        JSON.stringify(bad),
      );
    assertClean(memory);
  });
});
