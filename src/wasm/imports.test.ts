/** The imports called as a module calls them, with signed numbers, and as nobody should. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory, type MallocType, type Memory } from '../index.js';
import { createMallocImports, type MallocImportOptions, type MallocImports } from '../wasm.js';

const EINVAL = 28;
const ENOMEM = 48;
/** In the module's part. */
const ERRNO = 1024;
const PLACE = 2048;

interface Kit {
  readonly memory: Memory;
  readonly type: MallocType;
  readonly imports: MallocImports;
  /** Reads errno, and clears it. */
  errno(): number;
}

function makeKit(options: { max?: number; maxZones?: number } = {}): Kit {
  const { max = 0, maxZones = 128 } = options;
  const memory = createMemory({ bytes: 2 << 20, maxZones, wasm: { reservedBytes: 4096 }, checkLevel: 2 });
  const type = memory.mallocType({ name: 'wasm', max });
  return {
    memory,
    type,
    imports: createMallocImports(memory, { errno: ERRNO }),
    errno() {
      const code = memory.words[ERRNO >>> 2] as number;
      memory.words[ERRNO >>> 2] = 0;
      return code;
    },
  };
}

function assertClean({ memory, type, errno }: Kit): void {
  assert.equal(errno(), 0);
  assert.equal(type.stats().used, 0);
  assert.deepEqual(memory.audit(), { clean: true, violations: [] });
}

describe('imports for a module', () => {
  it('take, resize and give back blocks of the type', () => {
    const kit = makeKit();
    const { memory, type, imports } = kit;
    const block = imports.malloc(100);
    assert.equal(block % 16, 0);
    assert.equal(imports.malloc_usable_size(block), 112);
    memory.fillBytes(block, 0x5a, 100);
    const larger = imports.realloc(block, 5000);
    assert.deepEqual([...memory.bytes.slice(larger, larger + 100)], new Array(100).fill(0x5a));
    const other = imports.realloc(0, 20);
    const smallest = imports.realloc(other, 0);
    assert.equal(imports.malloc_usable_size(smallest), 16);
    assert.equal(type.stats().used, 2);
    imports.free(larger);
    imports.free(smallest);
    imports.free(0);
    assert.equal(imports.malloc_usable_size(0), 0);
    assertClean(kit);
  });

  it('zero what was dirty, to the last byte', () => {
    const kit = makeKit();
    const { memory, imports } = kit;
    for (const size of [1, 16, 100, 5000, 70_001]) {
      const dirty = imports.malloc(size);
      memory.fillBytes(dirty, 0xff, size);
      imports.free(dirty);
      const block = imports.calloc(size, 1);
      assert.ok(memory.bytes.slice(block, block + size).every((byte) => byte === 0));
      imports.free(block);
    }
    assertClean(kit);
  });

  it('take sizes for what they are in C: unsigned', () => {
    const kit = makeKit();
    const { imports, errno } = kit;
    for (const size of [-1, -16, -(2 ** 31), 2 ** 31, 2 ** 32 - 1, 2 ** 31 - 1, 3 << 20]) {
      for (const attempt of [
        () => imports.malloc(size),
        () => imports.calloc(1, size),
        () => imports.calloc(size, 1),
        () => imports.realloc(0, size),
        () => imports.aligned_alloc(16, size),
      ]) {
        assert.equal(attempt(), 0);
        assert.equal(errno(), ENOMEM);
      }
      assert.equal(imports.posix_memalign(PLACE, 16, size), ENOMEM);
    }
    for (const [count, size] of [
      [65536, 65536],
      [-1, -1],
      [2 ** 31, 2],
      [641, 6700417],
    ] as const) {
      assert.equal(imports.calloc(count, size), 0, `${count} times ${size} is no ${(count * size) | 0}`);
      assert.equal(errno(), ENOMEM);
    }
    assertClean(kit);
  });

  it('refuse alignments as C does', () => {
    const kit = makeKit();
    const { memory, imports, errno } = kit;
    memory.words[PLACE >>> 2] = 7;
    for (const alignment of [0, 3, 6, 48, -1, -16]) {
      assert.equal(imports.aligned_alloc(alignment, 64), 0);
      assert.equal(errno(), EINVAL);
      assert.equal(imports.posix_memalign(PLACE, alignment, 64), EINVAL);
    }
    for (const alignment of [1, 2]) {
      assert.equal(imports.posix_memalign(PLACE, alignment, 64), EINVAL);
      imports.free(imports.aligned_alloc(alignment, 64));
    }
    for (const alignment of [-(2 ** 31), 2 ** 30, 4 << 20]) {
      assert.equal(imports.aligned_alloc(alignment, 64), 0);
      assert.equal(errno(), ENOMEM);
      assert.equal(imports.posix_memalign(PLACE, alignment, 64), ENOMEM);
    }
    assert.equal(memory.words[PLACE >>> 2], 7, 'as it was');
    for (let alignment = 4; alignment <= 1 << 18; alignment *= 2) {
      assert.equal(imports.posix_memalign(PLACE, alignment, 24), 0);
      const blocks = [memory.words[PLACE >>> 2] as number, imports.aligned_alloc(alignment, 24)];
      for (const block of blocks) {
        assert.equal(block % alignment, 0);
        imports.free(block);
      }
    }
    assertClean(kit);
  });

  it('leave a block that cannot grow as it was', () => {
    const kit = makeKit({ max: 4096 });
    const { memory, imports, errno } = kit;
    const block = imports.malloc(1000);
    memory.fillBytes(block, 0x11, 1000);
    assert.equal(imports.realloc(block, 4000), 0);
    assert.equal(errno(), ENOMEM);
    assert.ok(memory.bytes.slice(block, block + 1000).every((byte) => byte === 0x11));
    imports.free(block);
    assertClean(kit);
  });

  it('answer NULL where there is no zone left for a size', () => {
    const kit = makeKit({ maxZones: 16 });
    const { memory, imports, errno } = kit;
    const kept = imports.malloc(16);
    for (let n = 0, isFull = false; !isFull; n++) {
      try {
        memory.zone({ name: `filler-${n}`, size: 16 });
      } catch {
        isFull = true;
      }
    }
    for (const attempt of [
      () => imports.malloc(100),
      () => imports.calloc(10, 10),
      () => imports.realloc(kept, 100),
      () => imports.aligned_alloc(128, 100),
    ]) {
      assert.equal(attempt(), 0);
      assert.equal(errno(), ENOMEM);
    }
    assert.equal(imports.posix_memalign(PLACE, 128, 100), ENOMEM);
    imports.free(kept);
    imports.free(imports.malloc(70_000));
    assertClean(kit);
  });

  it('throw for what is no block', () => {
    const kit = makeKit();
    const { memory, imports } = kit;
    const block = imports.malloc(64);
    const item = memory.zone({ name: 'points', size: 48 }).alloc();
    for (const call of [imports.free, imports.malloc_usable_size, (at: number) => imports.realloc(at, 8)]) {
      assert.throws(() => call(item), { code: 'FREE_WRONG_TYPE', address: item });
      assert.throws(() => call(block + 16), { code: 'FREE_UNALIGNED' });
      for (const address of [16, ERRNO, 4096]) assert.throws(() => call(address), { code: 'FREE_FOREIGN' });
      for (const address of [-16, 2 ** 31, 2 << 20])
        assert.throws(() => call(address), { code: 'BAD_ARGUMENT' });
    }
    imports.free(block);
    assert.throws(() => imports.free(block), { code: 'FREE_TWICE', address: block });
    assertClean(kit);
  });

  it('refuse what no module passes', () => {
    const kit = makeKit();
    const { imports } = kit;
    const calls = Object.entries(imports) as [string, (...values: unknown[]) => unknown][];
    assert.equal(calls.length, 7);
    for (const [name, call] of calls)
      for (const value of [
        undefined,
        null,
        '16',
        16n,
        0.5,
        Number.NaN,
        2 ** 32,
        -(2 ** 31) - 1,
        {},
        Symbol('1'),
      ])
        for (let at = 0; at < call.length; at++) {
          const values: unknown[] = new Array(call.length).fill(64);
          values[at] = value;
          if (name === 'realloc') values[0] = at === 0 ? value : 0;
          assert.throws(() => call(...values), { name: 'MbumaError', code: 'BAD_ARGUMENT' }, name);
        }
    for (const place of [0, 2, 2049, -4, 2 << 20, (2 << 20) - 2])
      assert.throws(() => imports.posix_memalign(place, 16, 16), { code: 'BAD_ARGUMENT', message: /^place/ });
    assertClean(kit);
  });

  it('say errno where a function says that it lies', () => {
    const { memory } = makeKit();
    let answer: unknown = 2048;
    const imports = createMallocImports(memory, { errno: () => answer as number });
    assert.equal(imports.malloc(-1), 0);
    assert.equal(memory.words[2048 >>> 2], ENOMEM);
    for (answer of [0, 2, 2049, -4, 2 << 20, '2048', null, Number.NaN])
      assert.throws(() => imports.malloc(-1), { code: 'BAD_ARGUMENT', message: /^errno/ });
    const silent = createMallocImports(memory);
    assert.equal(silent.malloc(-1), 0);
  });

  it('are not made of what they cannot be made of', () => {
    const { memory, type } = makeKit();
    const make = createMallocImports as unknown as (memory: unknown, options?: unknown) => MallocImports;
    for (const value of [
      undefined,
      null,
      1,
      'memory',
      {},
      { ...memory },
      memory.handle,
      Object.create(memory),
    ])
      assert.throws(() => make(value), { code: 'BAD_ARGUMENT', message: /^memory must be what/ });
    for (const value of [null, 1, 'type', Symbol('options'), () => type])
      assert.throws(() => make(memory, value), { code: 'BAD_ARGUMENT', message: /^options/ });
    const other = makeKit();
    const attached = attachMemory(memory.handle);
    const sameName = attached.mallocType({ name: 'wasm' });
    for (const value of [null, 'wasm', {}, other.type, sameName, { ...type }, Object.create(type)])
      assert.throws(() => make(memory, { type: value }), { code: 'BAD_ARGUMENT', message: /^type must be/ });
    for (const errno of [0, 2, -4, 2 << 20, 0.5, '1024', null, {}, 4n])
      assert.throws(() => make(memory, { errno }), { code: 'BAD_ARGUMENT', message: /^errno/ });
    attached.detach();
    assert.throws(() => make(attached), { code: 'DETACHED' });
  });

  it('need a memory that a module can share', () => {
    const refused = (wasm: boolean, message: RegExp): void => {
      const memory = createMemory({ bytes: 1 << 20, wasm });
      assert.throws(() => createMallocImports(memory), { code: 'BAD_CONFIGURATION', message });
    };
    refused(false, /^the memory is no WebAssembly\.Memory/);
    refused(true, /^nothing is reserved/);
    const memory = createMemory({ bytes: 1 << 20, wasm: { heapBase: 1 } });
    memory.mallocType({ name: 'wasm', description: 'something else' });
    assert.throws(() => createMallocImports(memory), { code: 'LAYOUT_MISMATCH' });
    const options: MallocImportOptions = { type: memory.mallocType({ name: 'heap' }) };
    assert.ok(createMallocImports(memory, options).malloc(16) > 0);
  });

  it('end with the attachment', () => {
    const { memory, imports } = makeKit();
    const other = attachMemory(memory.handle);
    const block = imports.malloc(64);
    imports.free(imports.malloc(64));
    memory.detach();
    for (const call of [() => imports.malloc(64), () => imports.free(block), () => imports.calloc(1, 64)])
      assert.throws(call, { code: 'DETACHED' });
    createMallocImports(other).free(block);
    assert.deepEqual(other.audit().violations, []);
  });
});
