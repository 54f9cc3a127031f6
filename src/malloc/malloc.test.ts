/** What one thread gets of malloc: sizes, contents, figures, and what it refuses. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { MemoryOptions } from '../memory-options.js';
import type { Addr } from '../record/index.js';
import { CANFAIL, ZERO } from '../uma/index.js';
import { assertClean, codeOf } from '../uma/uma.test-kit.js';
import { CLASS_SIZES, SMALL_MAX } from './classes.js';
import type { MallocType } from './types.js';

const MIB = 1 << 20;
const PAGE = 4096;

function make(options: Partial<MemoryOptions> = {}): { memory: Memory; temp: MallocType } {
  const memory = createMemory({ bytes: 16 * MIB, maxThreads: 4, timerMs: 0, ...options });
  return { memory, temp: memory.mallocType({ name: 'temp', description: 'short lived' }) };
}

/** Pages that are free when everything that can be given back has been. */
function freePages(memory: Memory): number {
  memory.drain();
  return memory.stats().pages.free;
}

describe('a block', () => {
  it('has the size of the smallest class that is large enough, and whole pages above 64 KiB', () => {
    const { memory, temp } = make();
    for (const [size, usable] of [
      [0, 16],
      [1, 16],
      [16, 16],
      [17, 32],
      [100, 112],
      [129, 160],
      [4096, 4096],
      [5000, 5120],
      [SMALL_MAX, SMALL_MAX],
      [SMALL_MAX + 1, 17 * PAGE],
      [1_000_000, 245 * PAGE],
    ] as const) {
      const block = temp.tryAlloc(size) as Addr;
      assert.equal(temp.usableSize(block), usable);
      temp.free(block);
    }
    assertClean(memory);
  });

  it('of a power of two is a multiple of its size', () => {
    const { memory, temp } = make();
    for (let size = 16; size <= SMALL_MAX; size *= 2) {
      const blocks = Array.from({ length: 5 }, () => temp.tryAlloc(size) as Addr);
      for (const block of blocks) assert.equal(block % size, 0, `${size}`);
      for (const block of blocks) temp.free(block);
    }
    assertClean(memory);
  });

  it('is aligned as asked, up to a megabyte, whatever its size', () => {
    for (const checkLevel of [0, 3] as const) {
      const { memory, temp } = make({ checkLevel });
      const blocks: Addr[] = [];
      for (let alignment = 1; alignment <= MIB; alignment *= 2)
        for (const size of [1, 100, 5000, 70_000]) {
          const block = temp.tryAlignedAlloc(alignment, size) as Addr;
          assert.notEqual(block, 0, `${size} bytes at ${alignment}`);
          assert.equal(block % alignment, 0, `${size} bytes at ${alignment}`);
          assert.ok(temp.usableSize(block) >= size);
          memory.bytes.fill(0x5a, block, block + size);
          blocks.push(block);
        }
      for (const block of blocks) temp.free(block);
      assert.equal(temp.stats().used, 0);
      assertClean(memory);
    }
  });

  it('of a power of two of pages begins at a multiple of its length', () => {
    const { memory, temp } = make();
    const blocks: Addr[] = [temp.tryAlloc(SMALL_MAX + 1) as Addr];
    for (let size = 2 * SMALL_MAX; size <= 4 * MIB; size *= 2) {
      const block = temp.tryAlloc(size) as Addr;
      assert.equal(block % size, 0, `${size} bytes at ${block}`);
      assert.notEqual(block, 0);
      blocks.push(block);
    }
    for (const block of blocks) temp.free(block);
    assertClean(memory);
  });

  it('may be as long as all free pages are in a row', () => {
    const { memory, temp } = make();
    const block = temp.tryAlloc(memory.stats().pages.free * PAGE - 200 * PAGE) as Addr;
    assert.ok(block !== 0 && temp.usableSize(block) > 12 * MIB);
    temp.free(block);
    assertClean(memory);
  });

  it('lies between others as close as pages allow, whatever its length', () => {
    const { memory, temp } = make();
    const length = 17 * PAGE;
    const free = memory.stats().pages.free * PAGE;
    let count = 0;
    while (temp.tryAlloc(length) !== 0) count++;
    assert.ok(count * length > 0.95 * free, `${count} runs of ${length} bytes in ${free}`);
    assertClean(memory);
  });

  it('is zero when that is asked for, whatever was there before', () => {
    const { memory, temp } = make();
    for (const size of [1, 48, 3000, 100_000]) {
      const ways = [
        () => temp.tryAlloc(size, ZERO) as Addr,
        () => temp.tryCalloc(1, size) as Addr,
        () => temp.calloc(1, size),
        () => temp.calloc(1, size, 0, 1000),
      ];
      for (const zeroed of ways) {
        const block = temp.tryAlloc(size) as Addr;
        memory.bytes.fill(0xff, block, block + temp.usableSize(block));
        temp.free(block);
        const each = zeroed();
        const end = each + temp.usableSize(each);
        assert.equal(each, block);
        assert.ok(memory.bytes.subarray(each, end).every((byte) => byte === 0));
        temp.free(each);
      }
    }
    assertClean(memory);
  });

  it('goes back whole: all pages are free again', () => {
    const { memory, temp } = make();
    temp.free(temp.tryAlloc(SMALL_MAX));
    const before = freePages(memory);
    const blocks: Addr[] = [];
    for (let size = 1; size < 300_000; size = Math.ceil(size * 1.3)) blocks.push(temp.tryAlloc(size) as Addr);
    for (const block of blocks) temp.free(block);
    assert.equal(freePages(memory), before);
    assertClean(memory);
  });
});

describe('figures', () => {
  it('count blocks, bytes, requests, failures and sizes', () => {
    const { memory, temp } = make();
    const blocks = [10, 10, 100, 70_000].map((size) => temp.tryAlloc(size) as Addr);
    assert.equal(temp.tryAlloc(1e9), 0);
    const { bytesHigh, ...stats } = temp.stats();
    assert.deepEqual(stats, {
      name: 'temp',
      description: 'short lived',
      used: 4,
      bytes: 16 + 16 + 112 + 18 * PAGE,
      limit: 0,
      requests: 4,
      failures: 1,
      blocked: 0,
      sizes: [16, 112, Number.POSITIVE_INFINITY],
    });
    assert.equal(bytesHigh, stats.bytes);
    assert.deepEqual(memory.stats().malloc, [temp.stats()]);
    for (const block of blocks) temp.free(block);
    assert.equal(temp.stats().used + temp.stats().bytes, 0);
    assert.ok(temp.stats().bytesHigh >= stats.bytes - PAGE);
  });

  it('are those of each type, in any number of them', () => {
    const { memory, temp } = make();
    const other = memory.mallocType({ name: 'other' });
    const blocks = Array.from({ length: 1000 }, (_, at) => (at % 3 ? temp : other).tryAlloc(40) as Addr);
    assert.deepEqual([temp.stats().used, other.stats().used], [666, 334]);
    blocks.forEach((block, at) => void (at % 3 ? temp : other).free(block));
    assert.deepEqual([temp.stats().bytes, other.stats().bytes], [0, 0]);
    assert.equal(memory.mallocType({ name: 'temp', description: 'short lived' }), temp);
    assertClean(memory);
  });
});

describe('alloc', () => {
  it('is as fast as tryAlloc where there is something, and waits by its flags and time where not', () => {
    for (const checkLevel of [0, 1, 2] as const) {
      const { memory, temp } = make({ checkLevel });
      const blocks = [temp.alloc(64), temp.alloc(64, ZERO), temp.alloc(64, 0, 5), temp.alloc(100_000)];
      assert.equal(new Set(blocks).size, 4);
      assert.equal(temp.stats().requests, 4);
      assert.equal(
        codeOf(() => temp.alloc(64, 0, -1)),
        'BAD_ARGUMENT',
      );
      assert.equal(
        codeOf(() => temp.alloc('64' as never)),
        'BAD_ARGUMENT',
      );
      for (const block of blocks) temp.free(block);
      assertClean(memory);
    }
  });
});

describe('what is refused', () => {
  it('sizes that are none, alignments that are none; sizes beyond the memory give nothing', () => {
    const { memory, temp } = make();
    for (const size of [-1, 1.5, Number.NaN, 2 ** 60, '16', null, undefined, {}, 16n])
      assert.equal(
        codeOf(() => temp.tryAlloc(size as number)),
        'BAD_ARGUMENT',
        String(size),
      );
    for (const alignment of [0, 3, -16, 1.5, 2 ** 53 + 2])
      assert.equal(
        codeOf(() => temp.tryAlignedAlloc(alignment, 16)),
        'BAD_ARGUMENT',
        String(alignment),
      );
    for (const flags of [-1, 16, 1.5])
      assert.equal(
        codeOf(() => temp.tryAlloc(16, flags)),
        'BAD_ARGUMENT',
      );
    assert.equal(temp.tryAlloc(2 ** 52), 0);
    assert.equal(temp.tryAlignedAlloc(2 ** 40, 16), 0);
    assert.equal(temp.tryCalloc(2 ** 40, 2 ** 40), 0);
    assert.equal(
      codeOf(() => temp.calloc(2 ** 40, 2 ** 40)),
      'OUT_OF_MEMORY',
    );
    assert.equal(
      codeOf(() => temp.tryCalloc(-1, 16)),
      'BAD_ARGUMENT',
    );
    assertClean(memory);
  });

  it('frees of what is no block, or was freed, or lies inside of one', () => {
    const { memory, temp } = make();
    const zone = memory.zone({ name: 'z', size: 64 });
    const [small, large, item] = [temp.tryAlloc(100), temp.tryAlloc(100_000), zone.tryAlloc()] as Addr[];
    const codes = (block: number): string[] =>
      [() => temp.free(block as Addr), () => void temp.usableSize(block as Addr)].map(codeOf);
    assert.deepEqual(codes((small as number) + 16), ['FREE_UNALIGNED', 'FREE_UNALIGNED']);
    assert.deepEqual(codes((large as number) + PAGE), ['FREE_UNALIGNED', 'FREE_UNALIGNED']);
    assert.deepEqual(codes((large as number) + 16), ['FREE_UNALIGNED', 'FREE_UNALIGNED']);
    assert.deepEqual(codes(item as number), ['FREE_WRONG_TYPE', 'FREE_WRONG_TYPE']);
    assert.deepEqual(codes(16 * MIB - 16), ['FREE_FOREIGN', 'FREE_FOREIGN']);
    assert.deepEqual(codes(16 * MIB), ['BAD_ARGUMENT', 'BAD_ARGUMENT']);
    for (const block of [small, large]) temp.free(block as Addr);
    assert.deepEqual(codes(small as number), ['FREE_TWICE', 'FREE_TWICE']);
    assert.deepEqual(codes(large as number), ['FREE_FOREIGN', 'FREE_FOREIGN']);
    temp.free(0);
    assert.equal(temp.stats().used, 0);
    assertClean(memory);
  });

  it('a run of another type, and a block of a type with zones of its own', () => {
    const { memory, temp } = make();
    const own = memory.mallocType({ name: 'own', zones: 'own' });
    const blocks = [own.tryAlloc(100), own.tryAlloc(100_000)] as Addr[];
    for (const block of blocks)
      assert.equal(
        codeOf(() => temp.free(block)),
        'FREE_WRONG_TYPE',
      );
    const mine = [temp.tryAlloc(100), temp.tryAlloc(100_000)] as Addr[];
    for (const block of mine)
      assert.equal(
        codeOf(() => own.free(block)),
        'FREE_WRONG_TYPE',
      );
    for (const block of blocks) own.free(block);
    for (const block of mine) temp.free(block);
    assertClean(memory);
  });

  it('the end of a zone that blocks lie in', () => {
    const { memory, temp } = make();
    temp.free(temp.tryAlloc(64));
    const zone = memory.zone({ name: 'malloc-64', size: 64, align: 64 });
    assert.deepEqual([() => zone.close(), () => zone.destroy()].map(codeOf), ['ZONE_BUSY', 'ZONE_BUSY']);
    temp.free(temp.tryAlloc(64));
    assertClean(memory);
  });

  it('a zone of a user by the name of one that malloc has not made yet', () => {
    const { memory, temp } = make();
    for (const name of ['malloc-64', 'malloc-1', 'malloc-64#3'])
      for (const open of [() => memory.zone({ name, size: 64 }), () => memory.keg({ name, size: 64 })])
        assert.throws(open, { code: 'BAD_ARGUMENT', message: /malloc makes the zones of that name/ });
    memory.zone({ name: 'malloc-', size: 64 });
    temp.free(temp.alloc(64));
    assertClean(memory);
  });

  it('a type that exists otherwise, and options that are none', () => {
    const { memory } = make();
    const codes = (...options: unknown[]): string[] =>
      options.map((each) => codeOf(() => memory.mallocType(each as { name: string })));
    assert.deepEqual(codes({ name: 'temp' }, { name: 'temp', description: 'short lived', zones: 'own' }), [
      'LAYOUT_MISMATCH',
      'LAYOUT_MISMATCH',
    ]);
    const bad = [
      {},
      null,
      { name: '' },
      { name: 'a', max: -1 },
      { name: 'a', zones: 1 },
      { name: 'a', description: 7 },
    ];
    assert.deepEqual(
      codes(...bad),
      bad.map(() => 'BAD_ARGUMENT'),
    );
    const small = createMemory({ bytes: MIB, maxThreads: 2, maxZones: 16, timerMs: 0 });
    for (let index = 0; index < 300; index++) {
      if (codeOf(() => small.mallocType({ name: `t${index}` })) === 'OUT_OF_MEMORY') return;
    }
    assert.fail('there is no end of types');
  });
});

describe('when there is no memory', () => {
  it('try gives 0, CANFAIL an error, and a time limit is kept', () => {
    for (const size of [100, 5000, 100_000]) {
      const { memory, temp } = make({ bytes: 4 * MIB });
      const blocks: Addr[] = [];
      for (let block = temp.tryAlloc(size); block !== 0; block = temp.tryAlloc(size)) blocks.push(block);
      assert.equal(
        codeOf(() => temp.alloc(size, CANFAIL)),
        'OUT_OF_MEMORY',
      );
      assert.equal(
        codeOf(() => temp.alloc(size, 0, 30)),
        'TIMED_OUT',
      );
      for (const block of blocks) temp.free(block);
      const again = temp.alloc(size);
      temp.free(again);
      assert.equal(temp.stats().used, 0);
      assertClean(memory);
    }
  });

  it('an asynchronous call gets what comes free', { timeout: 20_000 }, async () => {
    for (const size of [100, 100_000]) {
      const { memory, temp } = make({ bytes: 4 * MIB });
      const blocks: Addr[] = [];
      for (let block = temp.tryAlloc(size); block !== 0; block = temp.tryAlloc(size)) blocks.push(block);
      const waiting = temp.allocAsync(size);
      const aborted = temp.allocAsync(size, 0, { signal: AbortSignal.timeout(20) });
      await assert.rejects(aborted, { name: 'TimeoutError' });
      for (const block of blocks.splice(0)) temp.free(block);
      temp.free(await waiting);
      assert.equal(temp.stats().used, 0);
      assertClean(memory);
    }
  });

  it('types and classes that cannot be made are told', () => {
    const memory = createMemory({ bytes: 4 * MIB, maxZones: 16, maxThreads: 2, timerMs: 0 });
    const temp = memory.mallocType({ name: 'temp' });
    const codes = new Set<string>();
    for (const size of CLASS_SIZES) codes.add(codeOf(() => temp.tryAlloc(size)));
    assert.ok(codes.has('TOO_MANY_ZONES'), [...codes].join());
    assertClean(memory);
  });
});
