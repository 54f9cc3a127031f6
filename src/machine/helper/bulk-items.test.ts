import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPlainHelper, createWasmMemory, type Helper, instantiateHelper } from './index.js';

// The layout of these tests, in bytes. Items are 64 bytes apart, from page 16 (keg 3) on.
const OWNERS = 0x4000;
const PAGE_KEGS = 0xc000;
const ITEMS = 0x10000;
const SLOTS = 0xe000;
const LIST = 0xd000;
const KEG = 3;
const OTHER_KEG = 4;
const SLOT_OF_THREAD = 9;

interface Arena {
  readonly helper: Helper;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

function arena(kind: Helper['kind']): Arena {
  const memory = createWasmMemory(3);
  assert(memory !== null);
  const words = new Int32Array(memory.buffer, 0, memory.buffer.byteLength / 4);
  const bytes = new Uint8Array(memory.buffer, 0, memory.buffer.byteLength);
  const helper = kind === 'wasm' ? instantiateHelper(memory) : createPlainHelper(words, bytes);
  assert(helper !== null);
  helper.setMaps(OWNERS, PAGE_KEGS, bytes.length, SLOT_OF_THREAD);
  const pageKegs = new Uint16Array(memory.buffer, PAGE_KEGS, 48);
  pageKegs.fill(KEG, 16, 24);
  pageKegs.fill(OTHER_KEG, 24, 32);
  return { helper, words, bytes };
}

const item = (index: number): number => ITEMS + index * 64;

for (const kind of ['wasm', 'plain'] as const) {
  test(`${kind}: takeItems moves, marks and clears just the slots asked for`, () => {
    for (let count = 0; count <= 13; count++) {
      const { helper, words, bytes } = arena(kind);
      for (let at = -1; at <= count; at++) words[SLOTS / 4 + at] = item(20 + at);
      words[LIST / 4 + count] = 77;
      helper.takeItems(SLOTS, count, LIST);
      for (let at = 0; at < count; at++) {
        assert.equal(words[LIST / 4 + at], item(20 + at));
        assert.equal(words[SLOTS / 4 + at], 0);
        assert.equal(bytes[OWNERS + item(20 + at) / 16], SLOT_OF_THREAD);
      }
      assert.equal(words[LIST / 4 + count], 77);
      assert.equal(words[SLOTS / 4 - 1], item(19));
      assert.equal(words[SLOTS / 4 + count], item(20 + count));
    }
  });

  test(`${kind}: giveItems stops before each kind of bad item, wherever it stands`, () => {
    const bad: Record<string, (list: number[], at: number) => number> = {
      'freed already': () => item(100),
      'twice in the list': (list, at) => (at === 0 ? item(100) : (list[at - 1] as number)),
      'far twice in the list': (list, at) => (at < 3 ? item(100) : (list[at - 3] as number)),
      unaligned: () => item(40) + 4,
      interior: () => item(40) + 16,
      'of another keg': () => 25 * 4096,
      'on a page of no keg': () => 33 * 4096,
      null: () => 0,
      negative: () => -64,
      'behind the memory': () => 3 * 65536,
      huge: () => 0x7ffffff0,
    };
    for (const [name, make] of Object.entries(bad)) {
      for (let count = 1; count <= 12; count++) {
        for (let at = 0; at < count; at++) {
          const { helper, words, bytes } = arena(kind);
          const list = Array.from({ length: count }, (_, index) => item(index * 3));
          list[at] = make(list, at);
          words.set(list, LIST / 4);
          for (let index = 0; index < 50; index++) bytes[OWNERS + item(index) / 16] = 5;
          bytes[OWNERS + (25 * 4096) / 16] = 5;
          bytes[OWNERS + (33 * 4096) / 16] = 5;
          const done = helper.giveItems(LIST, count, SLOTS, KEG);
          assert.equal(done, at, `${name} at ${at} of ${count}`);
          for (let index = 0; index < count + 4; index++) {
            assert.equal(words[SLOTS / 4 + index], index < at ? list[index] : 0, `${name}: slot ${index}`);
          }
          for (let index = 0; index < 50; index++) {
            const given = list.slice(0, at).includes(item(index));
            assert.equal(bytes[OWNERS + item(index) / 16], given ? 0 : 5, `${name}: owner of item ${index}`);
          }
        }
      }
    }
  });
}

test('both helpers leave the same memory for any list', () => {
  const entry = fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: 200 }).map(item) },
    { weight: 1, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) },
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), (list) => {
      const sides = (['wasm', 'plain'] as const).map((kind) => {
        const { helper, words, bytes } = arena(kind);
        for (let index = 0; index < 180; index++) bytes[OWNERS + item(index) / 16] = 1 + (index % 250);
        words.set(list, LIST / 4);
        const done = helper.giveItems(LIST, list.length, SLOTS, KEG);
        helper.takeItems(SLOTS, done, LIST);
        return { done, memory: Buffer.from(bytes) };
      });
      assert.equal(sides[0]?.done, sides[1]?.done);
      assert(sides[0]?.memory.equals(sides[1]?.memory ?? Buffer.alloc(0)));
    }),
    { numRuns: 300 },
  );
});
