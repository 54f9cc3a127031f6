/** The forms that wait without blocking: calloc, realloc and alignedAlloc of a limit, or of no memory. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { CANFAIL, ZERO } from '../uma/index.js';
import { assertClean } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';

const MIB = 1 << 20;
const KIB = 1024;
const patience = { timeout: 20_000 };

interface Pair {
  readonly memory: Memory;
  readonly type: MallocType;
  readonly other: Memory;
  /** The same type, as another thread has it. */
  readonly others: MallocType;
}

function make(max = 64 * KIB, checkLevel: 0 | 1 | 2 | 3 = 0): Pair {
  const memory = createMemory({ bytes: 8 * MIB, maxThreads: 4, timerMs: 0, checkLevel });
  const type = memory.mallocType({ name: 'bounded', max });
  const other = attachMemory(memory.handle);
  return { memory, type, other, others: other.mallocType({ name: 'bounded' }) };
}

/** Lets what has been woken run. */
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

function fill({ bytes }: Memory, block: Addr, length: number): void {
  for (let at = 0; at < length; at++) bytes[block + at] = (at * 7) & 0xff;
}

function isFilled({ bytes }: Memory, block: Addr, length: number): boolean {
  return bytes.subarray(block, block + length).every((byte, at) => byte === ((at * 7) & 0xff));
}

/** Blocks that leave no room. */
function fillUp(type: MallocType): Addr[] {
  const blocks: Addr[] = [];
  for (let block = type.tryAlloc(16 * KIB); block !== 0; block = type.tryAlloc(16 * KIB)) blocks.push(block);
  return blocks;
}

/** Nothing is in use of it, and the memory is whole. */
function assertNothingLeft({ memory, type }: Pair): void {
  assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
  assertClean(memory);
}

describe('callocAsync', () => {
  it('waits for room, and gives zeros', patience, async () => {
    for (const checkLevel of [0, 2] as const) {
      const pair = make(64 * KIB, checkLevel);
      const { memory, type, others } = pair;
      const blocks = fillUp(type);
      for (const block of blocks) memory.bytes.fill(0xff, block, block + 16 * KIB);
      const waiting = [type.callocAsync(16, KIB), others.callocAsync(3, 5461)];
      for (const block of blocks) type.free(block);
      for (const each of waiting) {
        const block = await each;
        const usable = type.usableSize(block);
        assert.equal(usable, 16 * KIB);
        assert.ok(memory.bytes.subarray(block, block + usable).every((byte) => byte === 0));
        type.free(block);
      }
      assertNothingLeft(pair);
    }
  });

  it('refuses a product that no memory has, and what is no count', patience, async () => {
    const pair = make();
    const { type } = pair;
    for (const [count, size] of [
      [2 ** 40, 2 ** 40],
      [2 ** 53 - 1, 2 ** 53 - 1],
      [1, 2 ** 31],
    ] as const)
      await assert.rejects(type.callocAsync(count, size), { code: 'OUT_OF_MEMORY' });
    for (const bad of [-1, 1.5, Number.NaN, 2 ** 53, '16', null, 16n, {}]) {
      await assert.rejects(type.callocAsync(bad as number, 16), { code: 'BAD_ARGUMENT' });
      await assert.rejects(type.callocAsync(16, bad as number), { code: 'BAD_ARGUMENT' });
    }
    type.free(await type.callocAsync(0, 2 ** 40));
    assertNothingLeft(pair);
  });
});

describe('alignedAllocAsync', () => {
  it('waits for room, and keeps the alignment, of small blocks and of runs', patience, async () => {
    const pair = make(256 * KIB, 3);
    const { type, others } = pair;
    const blocks = fillUp(type);
    const waiting = [64, 4096, 65_536].map((alignment) => others.alignedAllocAsync(alignment, 100));
    await soon();
    for (const block of blocks) type.free(block);
    const got = await Promise.all(waiting);
    assert.deepEqual(
      got.map((block, at) => block % ([64, 4096, 65_536][at] as number)),
      [0, 0, 0],
    );
    for (const block of got) type.free(block);
    for (const alignment of [0, 3, -16, 1.5, Number.NaN, '64'])
      await assert.rejects(type.alignedAllocAsync(alignment as number, 16), { code: 'BAD_ARGUMENT' });
    await assert.rejects(type.alignedAllocAsync(2 ** 40, 16), { code: 'OUT_OF_MEMORY' });
    assertNothingLeft(pair);
  });
});

describe('reallocAsync', () => {
  it('stays where it can, moves where it must, zeroes what is new', patience, async () => {
    const pair = make(0);
    const { memory, type } = pair;
    let block = await type.reallocAsync(0, 100);
    fill(memory, block, 100);
    assert.equal(await type.reallocAsync(block, 112), block);
    for (const size of [5000, 70_000, 300_000, 200]) {
      block = await type.reallocAsync(block, size);
      assert.ok(isFilled(memory, block, 100), `${size}`);
      assert.ok(type.usableSize(block) >= size);
    }
    const before = type.usableSize(block);
    memory.bytes.fill(0xff, block, block + before);
    block = await type.reallocAsync(block, 3000, ZERO);
    const bytes = memory.bytes.subarray(block, block + type.usableSize(block));
    assert.ok(bytes.subarray(0, before).every((byte) => byte === 0xff));
    assert.ok(bytes.subarray(before).every((byte) => byte === 0));
    type.free(block);
    assertNothingLeft(pair);
  });

  it('waits for room; what is written meanwhile is moved, too', patience, async () => {
    const pair = make();
    const { memory, type, others } = pair;
    const [block, ...blocks] = fillUp(type) as [Addr, ...Addr[]];
    const waiting = others.reallocAsync(block, 32 * KIB);
    await soon();
    fill(memory, block, 16 * KIB);
    for (const each of blocks) type.free(each);
    const larger = await waiting;
    assert.ok(isFilled(memory, larger, 16 * KIB));
    type.free(larger);
    assertNothingLeft(pair);
  });

  it('ended by a signal, or by detaching, has not touched the block', patience, async () => {
    const pair = make();
    const { memory, type, other, others } = pair;
    const [block, ...blocks] = fillUp(type) as [Addr, ...Addr[]];
    fill(memory, block, 16 * KIB);
    await assert.rejects(type.reallocAsync(block, 40_000, 0, { signal: AbortSignal.timeout(20) }), {
      name: 'TimeoutError',
    });
    const signal = AbortSignal.abort();
    for (const call of [
      () => type.reallocAsync(block, 40_000, 0, { signal }),
      // Where nothing had to be waited for, too: who has been told to stop does nothing more.
      () => type.reallocAsync(block, 16 * KIB, 0, { signal }),
      () => type.reallocAsync(0, 16, 0, { signal }),
      () => type.callocAsync(1, 16, 0, { signal }),
      () => type.alignedAllocAsync(64, 16, 0, { signal }),
    ])
      await assert.rejects(call, { name: 'AbortError' });
    const detached = assert.rejects(others.reallocAsync(block, 40_000), { code: 'DETACHED' });
    await soon();
    other.detach();
    await detached;
    await assert.rejects(type.reallocAsync(block, 2 ** 40), { code: 'OUT_OF_MEMORY' });
    assert.ok(isFilled(memory, block, 16 * KIB));
    for (const each of [block, ...blocks]) type.free(each);
    assertNothingLeft(pair);
  });

  it('finds that the block was freed meanwhile, and gives the new one back', patience, async () => {
    for (const checkLevel of [0, 3] as const) {
      const pair = make(64 * KIB, checkLevel);
      const { type, others } = pair;
      const [block, ...blocks] = fillUp(type) as [Addr, ...Addr[]];
      const waiting = [type.reallocAsync(block, 24 * KIB), type.reallocAsync(block, 20 * KIB)];
      await soon();
      others.free(block);
      const refused = waiting.map((each) => assert.rejects(each, { code: 'FREE_TWICE', address: block }));
      for (const each of blocks) type.free(each);
      await Promise.all(refused);
      assertNothingLeft(pair);
    }
  });

  it('of two at once for one block, moves it once', patience, async () => {
    const pair = make();
    const { memory, type, others } = pair;
    const [block, ...blocks] = fillUp(type) as [Addr, ...Addr[]];
    fill(memory, block, 16 * KIB);
    const waiting = [type.reallocAsync(block, 20 * KIB), others.reallocAsync(block, 20 * KIB)];
    for (const each of blocks) type.free(each);
    const ends = await Promise.allSettled(waiting);
    assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    for (const end of ends) {
      if (end.status === 'rejected') assert.equal(end.reason.code, 'FREE_TWICE');
      else {
        assert.ok(isFilled(memory, end.value, 16 * KIB));
        type.free(end.value);
      }
    }
    assertNothingLeft(pair);
  });

  it('finds that another thread has got a block in its place', patience, async () => {
    const pair = make();
    const { type, others } = pair;
    const [block, ...blocks] = fillUp(type) as [Addr, ...Addr[]];
    const waiting = type.reallocAsync(block, 40_000);
    await soon();
    // The limit goes: so the other one does not have to stand in line behind the one that waits.
    others.free(block);
    assert.equal(others.tryAlloc(16), 0);
    const free = pair.other.mallocType({ name: 'another' });
    const taken: Addr[] = [];
    for (let each = 0; each !== block; taken.push(each as Addr)) each = free.tryAlloc(16 * KIB);
    const refused = assert.rejects(waiting, {
      code: 'FREE_TWICE',
      message: /thread 2 has allocated it anew/,
    });
    for (const each of blocks) type.free(each);
    await refused;
    for (const each of taken) free.free(each);
    assertNothingLeft(pair);
  });

  it('of a run that was freed meanwhile is refused as well', patience, async () => {
    const pair = make(400 * KIB);
    const { type, others } = pair;
    // Where there are few places for it, another soon gets the same.
    const take = (from: MallocType): Addr => from.alignedAlloc(128 * KIB, 100 * KIB, CANFAIL);
    const [run, rest] = [take(type), type.tryAlloc(300 * KIB)] as [Addr, Addr];
    const waiting = assert.rejects(type.reallocAsync(run, 250 * KIB), { code: 'FREE_WRONG_TYPE' });
    await soon();
    others.free(run);
    const another = pair.other.mallocType({ name: 'another' });
    const taken: Addr[] = [];
    while (taken.at(-1) !== run) taken.push(take(another));
    type.free(rest);
    await waiting;
    for (const each of taken) another.free(each);
    // The new one may begin where the old one did.
    const [small, other] = [type.tryAlloc(150 * KIB), type.tryAlloc(150 * KIB)] as [Addr, Addr];
    const late = assert.rejects(type.reallocAsync(small, 240 * KIB), { code: 'FREE_TWICE', address: small });
    await soon();
    others.free(small);
    type.free(other);
    await late;
    assertNothingLeft(pair);
  });

  it('gets memory that another frees, small blocks and runs', patience, async () => {
    for (const size of [100, 100_000]) {
      const pair = make(0);
      const { memory, type, others } = pair;
      const blocks: Addr[] = [];
      for (let each = type.tryAlloc(size); each !== 0; each = type.tryAlloc(size)) blocks.push(each);
      const block = blocks.pop() as Addr;
      fill(memory, block, size);
      await assert.rejects(type.reallocAsync(block, size * 4, CANFAIL), { code: 'OUT_OF_MEMORY' });
      const waiting = [type.reallocAsync(block, size * 4), type.callocAsync(4, size)] as const;
      await soon();
      for (const each of blocks.splice(0)) others.free(each);
      const [larger, zeros] = await Promise.all(waiting);
      assert.ok(isFilled(memory, larger, size));
      assert.ok(memory.bytes.subarray(zeros, zeros + 4 * size).every((byte) => byte === 0));
      for (const each of [larger, zeros]) type.free(each);
      assertNothingLeft(pair);
    }
  });

  it('refuses what is no block, no size, no flags, no options', patience, async () => {
    const pair = make();
    const { type } = pair;
    const block = type.tryAlloc(64) as Addr;
    type.free(block);
    await assert.rejects(type.reallocAsync(block, 100), { code: 'FREE_TWICE' });
    const sound = type.tryAlloc(64) as Addr;
    const calls = [
      () => type.reallocAsync(sound, -1),
      () => type.reallocAsync(-16 as Addr, 100),
      () => type.reallocAsync('16' as never, 100),
      ...[16, -1, 2 ** 32 + 4, '4', Symbol('4'), 4n].flatMap((flags) => [
        () => type.reallocAsync(sound, 100, flags as number),
        () => type.callocAsync(1, 100, flags as number),
        () => type.alignedAllocAsync(64, 100, flags as number),
      ]),
      ...[null, 1, { signal: 1 }, { signal: { throwIfAborted() {} } }].flatMap((options) => [
        () => type.reallocAsync(sound, 48, 0, options as object),
        () => type.reallocAsync(0, 100, 0, options as object),
        () => type.callocAsync(1, 100, 0, options as object),
        () => type.alignedAllocAsync(64, 100, 0, options as object),
      ]),
    ];
    for (const call of calls) await assert.rejects(call, { code: 'BAD_ARGUMENT' }, String(call));
    // The same of the forms that do not wait: a flag that is none does not become one by adding another.
    for (const flags of [2 ** 32, '4', Symbol('4')] as number[]) {
      assert.throws(() => type.tryCalloc(1, 16, flags), { code: 'BAD_ARGUMENT' });
      assert.throws(() => type.calloc(1, 16, flags), { code: 'BAD_ARGUMENT' });
      assert.throws(() => type.tryRealloc(sound, 1000, flags), { code: 'BAD_ARGUMENT' });
    }
    type.free(sound);
    assertNothingLeft(pair);
  });
});
