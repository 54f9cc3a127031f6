/** Limits of types: exact, changed while they are met, first come first served, blocking and asynchronous. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { assertClean, codeOf } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';

const MIB = 1 << 20;
const KIB = 1024;

function make(max = 64 * KIB): { memory: Memory; type: MallocType; other: Memory; others: MallocType } {
  const memory = createMemory({ bytes: 8 * MIB, maxThreads: 4, timerMs: 0 });
  const type = memory.mallocType({ name: 'bounded', max });
  const other = attachMemory(memory.handle);
  return { memory, type, other, others: other.mallocType({ name: 'bounded' }) };
}

/** Lets what has been woken run. */
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

describe('a limit', () => {
  const patience = { timeout: 20_000 };

  it('lets in just as many bytes, in any thread together, and counts who found it reached', () => {
    const { memory, type, others } = make();
    const blocks = [type, others, type, others].map((each) => each.tryAlloc(16 * KIB) as Addr);
    assert.ok(blocks.every((block) => block !== 0));
    assert.equal(type.tryAlloc(1), 0);
    assert.equal(others.tryAlloc(16 * KIB), 0);
    assert.deepEqual(
      (({ used, bytes, limit, failures, blocked }) => ({ used, bytes, limit, failures, blocked }))(
        type.stats(),
      ),
      { used: 4, bytes: 64 * KIB, limit: 64 * KIB, failures: 2, blocked: 2 },
    );
    type.free(blocks[1] as Addr);
    blocks[1] = others.tryAlloc(16 * KIB) as Addr;
    assert.notEqual(blocks[1], 0);
    for (const block of blocks) type.free(block);
    assert.equal(type.stats().bytes, 0);
    assertClean(memory);
  });

  it('counts rounded sizes, and runs', () => {
    const { memory, type } = make(100 * KIB);
    const small = type.tryAlloc(5000) as Addr;
    assert.equal(type.stats().bytes, 5120);
    assert.equal(type.tryAlloc(96 * KIB), 0);
    const run = type.tryAlloc(88 * KIB) as Addr;
    assert.equal(type.stats().bytes, 5120 + 88 * KIB);
    for (const block of [small, run]) type.free(block);
    assertClean(memory);
  });

  it('serves one who waits for each block that is freed, in order', patience, async () => {
    const { memory, type, others } = make();
    const blocks = Array.from({ length: 4 }, () => type.tryAlloc(16 * KIB) as Addr);
    const got: number[] = [];
    const wait = async (each: MallocType, number: number, size: number): Promise<Addr> => {
      const block = await each.allocAsync(size);
      got.push(number);
      return block;
    };
    // The second wants little, and waits behind the first all the same.
    const waiting = [wait(type, 1, 32 * KIB), wait(others, 2, 16), wait(type, 3, 16 * KIB)];
    assert.equal(others.tryAlloc(16), 0);
    type.free(blocks.pop() as Addr);
    await soon();
    assert.deepEqual(got, []);
    type.free(blocks.pop() as Addr);
    await soon();
    assert.deepEqual(got, [1]);
    others.free(blocks.pop() as Addr);
    await soon();
    assert.deepEqual(got, [1, 2]);
    others.free(blocks.pop() as Addr);
    for (const each of waiting) type.free(await each);
    assert.deepEqual(got, [1, 2, 3]);
    assert.equal(type.stats().bytes, 0);
    assertClean(memory);
  });

  it(
    'raised or lifted, serves who waits; lowered below what is in use, lets nobody in',
    patience,
    async () => {
      const { memory, type, other } = make();
      const blocks = Array.from({ length: 4 }, () => type.tryAlloc(16 * KIB) as Addr);
      const waiting = [type.allocAsync(16 * KIB), type.allocAsync(64 * KIB)];
      other.sysctl.set('vm.malloc.bounded.limit', 128 * KIB);
      blocks.push(await (waiting[0] as Promise<Addr>));
      type.max = 0;
      blocks.push(await (waiting[1] as Promise<Addr>));
      assert.equal(type.stats().bytes, 144 * KIB);
      type.max = 16 * KIB;
      assert.equal(type.max, 16 * KIB);
      assert.equal(type.tryAlloc(16), 0);
      for (const block of blocks.splice(1)) type.free(block);
      assert.equal(type.tryAlloc(16), 0);
      type.free(blocks[0] as Addr);
      type.free(type.alloc(16 * KIB));
      assert.equal(other.sysctl.get('vm.malloc.bounded.mem_use'), 0);
      assertClean(memory);
    },
  );

  it('set while a type is in use, counts what is', () => {
    const { memory, type, others } = make(0);
    const blocks = [type, others, others].map((each) => each.tryAlloc(1000) as Addr);
    type.max = 4096;
    blocks.push(others.tryAlloc(1000) as Addr);
    assert.equal(type.tryAlloc(1), 0);
    assert.equal(type.stats().bytes, 4096);
    for (const block of blocks) type.free(block);
    assert.equal(type.stats().bytes, 0);
    assertClean(memory);
  });

  it('ends a wait by time, by signal, and with the thread', patience, async () => {
    const { memory, type, other, others } = make();
    const blocks = Array.from({ length: 4 }, () => type.tryAlloc(16 * KIB) as Addr);
    assert.equal(
      codeOf(() => type.alloc(16, 0, 30)),
      'TIMED_OUT',
    );
    await assert.rejects(type.allocAsync(16, 0, { signal: AbortSignal.timeout(20) }), {
      name: 'TimeoutError',
    });
    await assert.rejects(type.allocAsync(16, 0, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    const detached = others.allocAsync(16);
    const refused = assert.rejects(detached, { code: 'DETACHED' });
    other.detach();
    await refused;
    for (const each of [() => others.tryAlloc(16), () => others.free(blocks[0] as Addr)])
      assert.equal(codeOf(each), 'DETACHED');
    for (const block of blocks) type.free(block);
    assert.equal(type.stats().bytes, 0);
    assertClean(memory);
  });

  it('more asynchronous calls than the thread has waiters are served all', patience, async () => {
    const { memory, type } = make();
    const blocks = Array.from({ length: 4 }, () => type.tryAlloc(16 * KIB) as Addr);
    const waiting = Array.from({ length: 60 }, async () => type.free(await type.allocAsync(1000)));
    await soon();
    for (const block of blocks) type.free(block);
    await Promise.all(waiting);
    assert.equal(type.stats().bytes, 0);
    assertClean(memory);
  });

  it('keeps none of what a call got that found no memory', () => {
    const { memory, type } = make(64 * MIB);
    const blocks: Addr[] = [];
    for (let block = type.tryAlloc(60_000); block !== 0; block = type.tryAlloc(60_000)) blocks.push(block);
    assert.equal(type.tryAlloc(200_000), 0);
    assert.equal(type.stats().bytes, blocks.length * 65536);
    for (const block of blocks) type.free(block);
    assert.equal(type.stats().bytes, 0);
    assertClean(memory);
  });
});
