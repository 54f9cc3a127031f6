import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Addr, attachMemory, createMemory, type MallocType, type Memory } from '../index.js';

const RUN = 70_000;
/** Bytes of a run of so many. */
const CHARGED = 18 * 4096;

function make(options: { max?: number; zones?: 'own' } = {}): { memory: Memory; type: MallocType } {
  const memory = createMemory({ bytes: 1 << 22, timerMs: 0, wasm: false });
  return { memory, type: memory.mallocType({ name: 'images', ...options }) };
}

/** Takes runs until there is none. */
function fill(type: MallocType): Addr[] {
  const blocks: Addr[] = [];
  for (let block = type.tryAlloc(RUN); block !== 0; block = type.tryAlloc(RUN)) blocks.push(block);
  return blocks;
}

function assertClean(memory: Memory): void {
  assert.deepEqual(memory.audit().violations, []);
}

const code = (expected: string) => ({ code: expected });

describe('blocks that are set aside', () => {
  it('come back as they were, and are counted as freed meanwhile', () => {
    const { memory, type } = make();
    const block = type.alloc(RUN);
    memory.bytes.fill(7, block, block + RUN);
    const ticket = type.setAside(block);
    assert.ok(ticket > 0);
    assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
    assert.equal(memory.stats().pages.inactive, 18);
    assert.ok(memory.leaks().every((leak) => leak.type !== 'images'));
    assertClean(memory);
    assert.equal(type.takeBack(block, ticket), true);
    assert.deepEqual([type.stats().used, type.stats().bytes], [1, CHARGED]);
    assert.ok(memory.bytes.subarray(block, block + RUN).every((byte) => byte === 7));
    assert.equal(type.usableSize(block), CHARGED);
    type.free(block);
    assertClean(memory);
  });

  it('are taken when others need pages, those of `cache` first, the oldest first', () => {
    const { memory, type } = make();
    const queues = ['active', 'cache', 'inactive', 'cache', 'inactive'] as const;
    const aside = queues.map((queue) => {
      const block = type.alloc(RUN);
      return { queue, block, ticket: type.setAside(block, queue) };
    });
    const others = memory.mallocType({ name: 'others' });
    const order: number[] = [];
    const gone = new Set<number>();
    const blocks: Addr[] = [];
    for (let block = others.tryAlloc(RUN); block !== 0; block = others.tryAlloc(RUN)) {
      blocks.push(block);
      for (const [index, { block: mine }] of aside.entries()) {
        if (gone.has(index) || memory.stats().pages.pages === 0) continue;
        // What has been taken is used by somebody else, or free: it is told by looking for it, at the end.
        if (blocks.includes(mine)) {
          gone.add(index);
          order.push(index);
        }
      }
    }
    assert.deepEqual(order, [1, 3, 2, 4, 0]);
    for (const { block, ticket } of aside) assert.equal(type.takeBack(block, ticket), false);
    for (const block of blocks) others.free(block);
    assertClean(memory);
  });

  it('stay where they are while there are free pages', () => {
    const { memory, type } = make();
    const block = type.alloc(RUN);
    const ticket = type.setAside(block, 'cache');
    const others = memory.mallocType({ name: 'others' });
    for (let count = 0; count < 10; count++) others.free(others.alloc(RUN));
    assert.equal(type.takeBack(block, ticket), true);
    assert.equal(memory.stats().pages.discarded, 0);
    type.free(block);
    assertClean(memory);
  });

  it('give room under a limit; and there must be some to take them back', () => {
    const { memory, type } = make({ max: CHARGED });
    const block = type.alloc(RUN);
    assert.equal(type.tryAlloc(16), 0);
    const ticket = type.setAside(block);
    const small = type.tryAlloc(16);
    assert.notEqual(small, 0);
    assert.equal(type.takeBack(block, ticket), false, 'no room');
    type.free(small);
    assert.equal(type.takeBack(block, ticket), false, 'and it is gone now');
    assert.equal(memory.stats().pages.inactive, 0);
    const other = type.alloc(RUN);
    assert.equal(type.takeBack(other, type.setAside(other)), true);
    assert.equal(type.stats().bytes, CHARGED);
    type.free(other);
    assertClean(memory);
  });

  it('serve who waits for room', async () => {
    const { memory, type } = make({ max: CHARGED });
    const block = type.alloc(RUN);
    const waiting = type.allocAsync(RUN);
    await new Promise((done) => setTimeout(done, 5));
    const ticket = type.setAside(block);
    const other = await waiting;
    assert.equal(type.takeBack(block, ticket), false);
    type.free(other);
    assertClean(memory);
  });

  it('are had back by one of all who ask', () => {
    const { memory, type } = make();
    const other = attachMemory(memory.handle);
    const theirs = other.mallocType({ name: 'images' });
    const block = type.alloc(RUN);
    const ticket = type.setAside(block);
    assert.equal(theirs.takeBack(block, ticket), true);
    assert.equal(type.takeBack(block, ticket), false);
    const leak = memory.leaks().find((each) => each.type === 'images');
    assert.equal(leak?.thread, other.thread);
    theirs.free(block);
    other.detach();
    assertClean(memory);
  });

  it('must not be used: whatever needs a block refuses them', () => {
    const { memory, type } = make();
    const block = type.alloc(RUN);
    const ticket = type.setAside(block);
    assert.throws(() => type.free(block), code('FREE_TWICE'));
    assert.throws(() => type.usableSize(block), code('FREE_TWICE'));
    assert.throws(() => type.setAside(block), code('FREE_TWICE'));
    assert.throws(() => type.tryRealloc(block, 10), code('FREE_TWICE'));
    assert.equal(type.takeBack(block, ticket), true);
    type.free(block);
    assert.equal(type.takeBack(block, ticket), false);
    assertClean(memory);
  });

  it('are refused when they are no runs of the type', () => {
    const { memory, type } = make();
    const small = type.alloc(100);
    assert.throws(() => type.setAside(small), code('BAD_ARGUMENT'));
    assert.throws(() => type.setAside(small, 'gone' as 'cache'), code('BAD_ARGUMENT'));
    const other = memory.mallocType({ name: 'others' });
    const run = other.alloc(RUN);
    assert.throws(() => type.setAside(run), code('FREE_WRONG_TYPE'));
    const ticket = other.setAside(run);
    assert.equal(type.takeBack(run, ticket), false, 'another type');
    assert.equal(other.takeBack((run + 4096) as Addr, ticket), false);
    assert.throws(() => other.takeBack(run, 0), code('BAD_ARGUMENT'));
    assert.throws(() => other.takeBack(-1 as Addr, 1), code('BAD_ARGUMENT'));
    assert.equal(other.takeBack(run, ticket), true);
    other.free(run);
    type.free(small);
    assertClean(memory);
  });

  it('are not the dead one’s any more, and go when they are needed', () => {
    const { memory } = make();
    const other = attachMemory(memory.handle);
    const theirs = other.mallocType({ name: 'images' });
    const block = theirs.alloc(RUN);
    const ticket = theirs.setAside(block);
    memory.declareDead(other.name);
    memory.reap();
    const type = memory.mallocType({ name: 'images' });
    assert.equal(type.takeBack(block, ticket), true);
    type.free(block);
    assertClean(memory);
  });

  it('are found by a hundred programs of chance as a map says', () => {
    const { memory, type } = make();
    let state = 1;
    const next = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    const used = new Map<Addr, number>();
    const aside: { block: Addr; ticket: number; word: number }[] = [];
    let kept = 0;
    let lost = 0;
    for (let step = 1; step <= 3000; step++) {
      const [block] = [...used.keys()].slice(next(Math.max(1, used.size)));
      const kind = next(6);
      if (kind === 0 || kind > 3) {
        const fresh = type.tryAlloc(RUN + next(4) * 30_000);
        if (fresh === 0) continue;
        memory.words[fresh >>> 2] = step;
        used.set(fresh, step);
      } else if (kind === 1 && block !== undefined) {
        type.free(block);
        used.delete(block);
      } else if (kind === 2 && block !== undefined) {
        const queue = (['active', 'inactive', 'cache'] as const)[next(3)];
        aside.push({ block, ticket: type.setAside(block, queue), word: used.get(block) as number });
        used.delete(block);
      } else if (aside.length > 0) {
        const [{ block, ticket, word }] = aside.splice(next(aside.length), 1) as [(typeof aside)[0]];
        if (type.takeBack(block, ticket)) {
          assert.equal(memory.words[block >>> 2], word);
          used.set(block, word);
          kept++;
        } else lost++;
      }
    }
    for (const [block, word] of used) {
      assert.equal(memory.words[block >>> 2], word);
      type.free(block);
    }
    assert.ok(kept > 50 && lost > 50, `${kept} kept, ${lost} lost`);
    assertClean(memory);
    assert.equal(fill(type).length > 0, true);
  });
});
