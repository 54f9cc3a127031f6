/** What a call that finds no pages gets from caches, handlers and runs that are set aside: as much as it needs. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Addr, attachMemory, CANFAIL, createMemory, type MallocType, type Memory } from './index.js';

const IMAGE_BYTES = 70_000;

/** A memory full of images, those of `cached`. */
function makeFull(): { memory: Memory; images: MallocType; texts: MallocType; cached: Addr[] } {
  const memory = createMemory({ bytes: 16 << 20, timerMs: 0, wasm: false });
  memory.onWarning(() => {});
  const images = memory.mallocType({ name: 'images' });
  const cached: Addr[] = [];
  for (let image = images.tryAlloc(IMAGE_BYTES); image !== 0; image = images.tryAlloc(IMAGE_BYTES))
    cached.push(image);
  return { memory, images, texts: memory.mallocType({ name: 'texts' }), cached };
}

/** A handler that frees images until as many bytes are free as are wanted; what it was asked for. */
function giveImages(memory: Memory, images: MallocType, cached: Addr[]): number[] {
  const asked: number[] = [];
  memory.onLowMemory('images', (bytesWanted) => {
    asked.push(bytesWanted);
    let freed = 0;
    for (
      let image = cached.pop();
      image !== undefined;
      image = freed < bytesWanted ? cached.pop() : undefined
    ) {
      images.free(image);
      freed += IMAGE_BYTES;
    }
    return freed;
  });
  return asked;
}

function assertClean(memory: Memory): void {
  assert.deepEqual(memory.audit().violations, []);
}

describe('a request that finds no pages', () => {
  for (const size of [200, 4096, 9000, 16_384, 65_536, 100_000])
    it(`of ${size} bytes has them from a handler, each time`, () => {
      const { memory, images, texts, cached } = makeFull();
      const asked = giveImages(memory, images, cached);
      for (let turn = 0; turn < 60; turn++) assert.notEqual(texts.tryAlloc(size), 0, `${turn}`);
      assert.ok(asked.length > 0 && asked.length < 60, `${asked.length}`);
      assertClean(memory);
    });

  for (const queue of ['active', 'inactive', 'cache'] as const)
    it(`has them from what is set aside as ${queue}`, () => {
      const { memory, images, texts, cached } = makeFull();
      const zone = memory.zone({ name: 'large items', size: 100_000 });
      for (const image of cached) images.setAside(image, queue);
      for (let turn = 0; turn < 40; turn++) {
        assert.notEqual(texts.tryAlloc(65_536), 0);
        assert.notEqual(zone.tryAlloc(), 0);
      }
      assert.ok(memory.stats().pages.discarded > 0);
      assertClean(memory);
    });

  it('asks for twice as much when what was given lies in pieces', () => {
    const { memory, images, texts, cached } = makeFull();
    // Every other one first: no two of them lie in a row.
    const even = cached.filter((_image, index) => index % 2 === 0);
    const odd = cached.filter((_image, index) => index % 2 === 1);
    const asked = giveImages(memory, images, [...odd, ...even]);
    memory.poll();
    asked.length = 0;
    assert.notEqual(texts.tryAlloc(6_000_000), 0);
    assert.ok(asked.length > 1, `${asked}`);
    assert.ok((asked.at(-1) as number) > (asked[0] as number));
    assertClean(memory);
  });

  it('ends when handlers free nothing, having asked each once', () => {
    const { memory, texts } = makeFull();
    let calls = 0;
    memory.onLowMemory('miser', () => {
      calls++;
      return 1 << 20;
    });
    memory.poll();
    calls = 0;
    assert.equal(texts.tryAlloc(65_536), 0);
    assert.equal(texts.tryAlloc(100_000), 0);
    assert.equal(calls, 2);
    assertClean(memory);
  });

  it('makes a ring of what zones cache, of what is set aside, or of what a handler frees', () => {
    const cases = ['zones', 'set aside', 'handler'] as const;
    for (const source of cases) {
      const { memory, images, cached } = makeFull();
      if (source === 'handler') giveImages(memory, images, cached);
      else if (source === 'set aside') for (const image of cached) images.setAside(image);
      else {
        for (const image of cached) images.free(image);
        const zone = memory.zone({ name: 'z', size: 2048 });
        const items: Addr[] = [];
        for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
        for (const item of items) zone.free(item);
      }
      assert.equal(memory.ring({ name: 'words', capacity: 1 << 16 }).capacity, 1 << 16, source);
      assertClean(memory);
    }
  });

  it('makes no ring of nothing', () => {
    const { memory } = makeFull();
    assert.throws(() => memory.ring({ name: 'words', capacity: 1 << 16 }), { code: 'OUT_OF_MEMORY' });
    assertClean(memory);
  });
});

describe('another thread', () => {
  it('is told how much is wanted, and gives it in one answer', async () => {
    const { memory, images, cached } = makeFull();
    const other = attachMemory(memory.handle);
    other.onWarning(() => {});
    const asked = giveImages(memory, images, cached);
    memory.poll();
    asked.length = 0;
    const wanted = 5_000_000;
    const block = other.mallocType({ name: 'big' }).allocAsync(wanted, CANFAIL);
    const poll = setInterval(() => memory.poll(), 1);
    try {
      assert.notEqual(await block, 0);
    } finally {
      clearInterval(poll);
    }
    assert.ok(asked.length <= 2, `${asked}`);
    assert.ok((asked[0] as number) >= wanted, `${asked}`);
    other.detach();
    assertClean(memory);
  });

  it('asks nothing more when the call has ended', async () => {
    const { memory, images, cached } = makeFull();
    const other = attachMemory(memory.handle);
    other.onWarning(() => {});
    await assert.rejects(other.mallocType({ name: 'texts' }).allocAsync(5_000_000, CANFAIL), {
      code: 'OUT_OF_MEMORY',
    });
    const asked = giveImages(memory, images, cached);
    memory.poll();
    assert.ok(
      asked.every((bytes) => bytes < 5_000_000),
      `${asked}`,
    );
    other.detach();
    assertClean(memory);
  });
});

describe('a handler that is registered when the memory is low', () => {
  it('is asked at the next poll', () => {
    const { memory, images, cached } = makeFull();
    memory.poll();
    const asked = giveImages(memory, images, cached);
    memory.poll();
    assert.equal(asked.length, 1);
    assert.equal(memory.stats().pages.isLow, false);
    memory.poll();
    assert.equal(asked.length, 1, 'once in an episode');
  });
});
