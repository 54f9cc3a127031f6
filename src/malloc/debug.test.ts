/** What finds memory bugs, by type: trash, redzones, sites, and blocks that are freed as another's. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory, MbumaError } from '../index.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { assertClean, codeOf } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';

const MIB = 1 << 20;
const KIB = 1024;

interface Scene {
  readonly memory: Memory;
  readonly texts: MallocType;
  readonly icons: MallocType;
}

function make(checkLevel: 0 | 1 | 2 | 3, zones: 'shared' | 'own' = 'shared', max = 0): Scene {
  const memory = createMemory({ bytes: 16 * MIB, maxThreads: 4, maxZones: 200, timerMs: 0, checkLevel });
  const texts = memory.mallocType({ name: 'texts', zones, max });
  return { memory, texts, icons: memory.mallocType({ name: 'icons', max }) };
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

/** Allocates from the type until the block at the address comes, or an error does; all go back. */
function allocateUntil(type: MallocType, size: number, address: number): void {
  const taken: Addr[] = [];
  try {
    for (let block = 0; block !== address; taken.push(block as Addr)) block = type.alloc(size);
  } finally {
    for (const each of taken) type.free(each);
  }
}

describe('a block that is written to when it is free', () => {
  for (const checkLevel of [2, 3] as const)
    for (const zones of ['shared', 'own'] as const)
      it(`names the type that used it last, at level ${checkLevel}, in ${zones} zones`, () => {
        const { memory, texts, icons } = make(checkLevel, zones);
        for (const size of [16, 100, 4096, 30_000]) {
          const block = texts.alloc(size);
          texts.free(block);
          memory.bytes[block + 5] = 1;
          const finder = zones === 'own' ? texts : icons;
          const error = errorOf(() => allocateUntil(finder, size, block));
          assert.equal(error.code, 'MODIFIED_AFTER_FREE');
          assert.equal(error.address, block + 4);
          const place =
            checkLevel === 3 ? / \(thread 1 \(generation \d+\), at .*debug\.test\.js:\d+:\d+\)/ : /^/;
          const last = error.message.split('\n')[1] ?? '';
          assert.ok(last.startsWith('Most recently used by texts'), error.message);
          assert.match(last, place);
          assert.match(error.message, new RegExp(`Memory modified after free 0x${block.toString(16)}\\(`));
          // Told once, and the block is well again.
          allocateUntil(finder, size, block);
        }
        for (const type of [texts, icons]) assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
        assertClean(memory);
      });

  it('says so of one that nothing has used yet', () => {
    const { memory, texts, icons } = make(2);
    const [one, other] = [texts.alloc(1000), texts.alloc(1000)];
    const fresh = Math.max(one, other) + 2 * Math.abs(one - other);
    memory.bytes[fresh] = 1;
    const error = errorOf(() => allocateUntil(icons, 1000, fresh));
    assert.match(error.message, /\nMost recently used by none$/);
    for (const block of [one, other]) texts.free(block);
    assertClean(memory);
  });

  it('names the last of many', () => {
    const { memory, texts, icons } = make(2);
    for (const types of [
      [texts, icons],
      [icons, texts],
    ] as const) {
      let block = 0 as Addr;
      for (const type of types) {
        block = type.alloc(500);
        type.free(block);
      }
      memory.words[block >> 2] = 7;
      const error = errorOf(() => allocateUntil(texts, 500, block));
      assert.match(error.message, new RegExp(`\\nMost recently used by ${types[1].name}$`));
    }
    assertClean(memory);
  });
});

describe('a block that is freed as another type’s', () => {
  it('is refused from level 2 on, and nothing has changed', () => {
    for (const checkLevel of [2, 3] as const)
      for (const max of [0, 100 * KIB]) {
        const { memory, texts, icons } = make(checkLevel, 'shared', max);
        const others = attachMemory(memory.handle).mallocType({ name: 'icons' });
        for (const size of [40, 5000]) {
          const block = texts.alloc(size);
          const before = [texts.stats(), icons.stats()];
          const calls = [icons, others].flatMap((type) => [
            () => type.free(block),
            () => type.usableSize(block),
            () => type.tryRealloc(block, 9000),
          ]);
          for (const call of calls) {
            const error = errorOf(call);
            assert.equal(error.code, 'FREE_WRONG_TYPE');
            assert.equal(error.address, block);
            assert.match(error.message, /is a block of malloc type texts, not icons$/);
            assert.match(error.details ?? '', /^used for {2}texts$/m);
          }
          assert.deepEqual([texts.stats(), icons.stats()], before);
          texts.free(block);
        }
        assertClean(memory);
      }
  });

  it('is not found below; then the audit may, by figures that cannot be', () => {
    const { memory, texts, icons } = make(1);
    icons.free(texts.alloc(40));
    const rules = memory.audit().violations.map(({ rule }) => rule);
    assert.deepEqual(rules, ['L2']);
  });
});

describe('leaks', () => {
  it('tell the type of blocks in zones of its own at every check level', () => {
    for (const checkLevel of [0, 3] as const) {
      const memory = createMemory({ bytes: 4 << 20, timerMs: 0, checkLevel });
      memory.mallocType({ name: 'others' });
      const own = memory.mallocType({ name: 'own', zones: 'own' });
      own.alloc(100);
      assert.deepEqual(
        memory
          .leaks()
          .map(({ zone, type }) => [zone, type])
          .filter(([zone]) => zone?.startsWith('malloc-')),
        [['malloc-112#2', 'own']],
      );
    }
  });

  it('are told by type, runs too', () => {
    for (const checkLevel of [0, 2, 3] as const) {
      const { memory, texts, icons } = make(checkLevel);
      const other = attachMemory(memory.handle);
      const blocks = [
        ...[1, 2, 3].map(() => texts.alloc(100)),
        icons.alloc(100),
        ...[1, 2].map(() => other.mallocType({ name: 'icons' }).alloc(70_000)),
        texts.alloc(200_000),
      ];
      const told = memory.leaks().filter(({ zone }) => zone.startsWith('malloc-') || zone === 'malloc runs');
      const rows = told.map(({ zone, type, thread, count, bytes, site }) => {
        assert.equal(/debug\.test\.js:\d+:\d+$/.test(site), checkLevel === 3, `${zone} ${site}`);
        return [zone, type, thread, count, bytes].join(' ');
      });
      const small =
        checkLevel === 0 ? ['malloc-112  1 4 448'] : ['malloc-112 icons 1 1 112', 'malloc-112 texts 1 3 336'];
      assert.deepEqual(
        rows.sort(),
        [...small, 'malloc runs icons 2 2 147456', 'malloc runs texts 1 1 200704'].sort(),
      );
      const all = told.flatMap(({ addresses }) => addresses);
      assert.deepEqual([...all].sort(), [...blocks].sort());
      // It has left: what it had is nobody's who is here.
      other.detach();
      assert.equal(memory.leaks().find(({ bytes }) => bytes === 147_456)?.thread, 0);
      // Told by who has not used malloc, too.
      const stranger = attachMemory(memory.handle);
      assert.deepEqual(stranger.leaks(), memory.leaks());
      stranger.detach();
      blocks.forEach((block, at) => void (at === 3 || at === 4 || at === 5 ? icons : texts).free(block));
      const left = memory.leaks().filter(({ zone }) => zone !== 'malloc cells');
      assert.deepEqual(left, []);
      assertClean(memory);
    }
  });
});

describe('a block with redzones', () => {
  it('has them around what its caller may use, of any form', () => {
    for (const max of [0, 512 * KIB]) {
      const { memory, texts } = make(3, 'shared', max);
      for (const size of [1, 16, 100, 112, 4096, 5000, 65_536]) {
        const forms = [
          () => texts.alloc(size),
          () => texts.calloc(1, size),
          // A larger one that is aligned is a run, where slabs have redzones.
          ...(size <= 4096 ? [() => texts.alignedAlloc(64, size)] : []),
          () => texts.realloc(texts.alloc(1), size),
        ];
        for (const form of forms) {
          const block = form();
          const usable = texts.usableSize(block);
          assert.ok(usable >= size);
          memory.bytes.fill(0xaa, block, block + usable);
          memory.bytes[block + usable] = 1;
          const error = errorOf(() => texts.free(block));
          assert.equal(error.code, 'REDZONE_DAMAGED');
          assert.equal(error.address, block + usable);
          assert.match(error.message, new RegExp(`\\(${usable} bytes allocated\\)`));
          assert.match(error.details ?? '', /^used for {2}texts$/m);
          assert.match(error.details ?? '', /^allocated by thread 1 .*debug\.test\.js/m);
          // Told when it is free, and counted so.
          assert.deepEqual([texts.stats().used, texts.stats().bytes], [0, 0]);
          assert.equal(
            codeOf(() => texts.free(block)),
            'FREE_TWICE',
          );
        }
      }
      assertClean(memory);
    }
  });

  it('is not moved when they are damaged: told once, it is in use as before', async () => {
    const { memory, texts } = make(3);
    const block = texts.alloc(100);
    memory.bytes.fill(0x11, block, block + 112);
    const calls = [
      () => texts.tryRealloc(block, 5000),
      () => texts.realloc(block, 5000),
      () => texts.reallocAsync(block, 70_000),
    ];
    for (const call of calls) {
      memory.bytes[block - 1] = 3;
      await assert.rejects(async () => call(), { code: 'REDZONE_DAMAGED', address: block - 1 });
      assert.deepEqual([texts.stats().used, texts.stats().bytes], [1, 112]);
    }
    const larger = texts.realloc(block, 5000);
    assert.ok(memory.bytes.subarray(larger, larger + 112).every((byte) => byte === 0x11));
    texts.free(larger);
    assertClean(memory);
  });
});
