import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createMemory } from '../../index.js';
import { createBufferPlayer } from './buffers.js';
import { fillPattern, findDamage, findNonZero } from './pattern.js';
import { type Allocator, createPlayer, DAMAGED, DONE, NO_MEMORY, type Player } from './player.js';
import { OP_CALLOC, OP_FREE, OP_MALLOC, OP_MEMALIGN, OP_REALLOC } from './trace-file.js';

const BLOCK = 64;

function ground(): { words: Int32Array; bytes: Uint8Array } {
  const buffer = new ArrayBuffer(4096);
  return { words: new Int32Array(buffer), bytes: new Uint8Array(buffer) };
}

suite('the pattern', () => {
  test('of every length: whole, and every byte of it is looked at, and no other', () => {
    for (let length = 0; length <= 40; length++) {
      const { words, bytes } = ground();
      fillPattern(words, bytes, BLOCK, 0, length, 5);
      assert.equal(findDamage(words, bytes, BLOCK, length, 5), -1);
      assert.ok(bytes.subarray(0, BLOCK).every((byte) => byte === 0));
      assert.ok(bytes.subarray(BLOCK + length).every((byte) => byte === 0));
      for (let at = 0; at < length; at++) {
        bytes[BLOCK + at] = (bytes[BLOCK + at] as number) ^ 1;
        const found = findDamage(words, bytes, BLOCK, length, 5);
        assert.ok(found >= 0 && found <= at && at - found < 4, `byte ${at} of ${length}: ${found}`);
        bytes[BLOCK + at] = (bytes[BLOCK + at] as number) ^ 1;
      }
    }
  });

  test('goes on where it ended, at any byte', () => {
    for (let kept = 0; kept <= 12; kept++) {
      const { words, bytes } = ground();
      fillPattern(words, bytes, BLOCK, 0, kept, 9);
      fillPattern(words, bytes, BLOCK, kept, 30, 9);
      assert.equal(findDamage(words, bytes, BLOCK, 30, 9), -1);
    }
  });

  test("another object's, or its own in the wrong place, is damage", () => {
    const { words, bytes } = ground();
    fillPattern(words, bytes, BLOCK, 0, 32, 5);
    assert.equal(findDamage(words, bytes, BLOCK, 32, 6), 0);
    words.copyWithin((BLOCK >> 2) + 1, BLOCK >> 2, (BLOCK >> 2) + 8);
    assert.equal(findDamage(words, bytes, BLOCK, 36, 5), 4);
  });

  test('the largest numbers', () => {
    const { words, bytes } = ground();
    for (const object of [0x7fffffff, 0x80000000, 0xffffffff]) {
      fillPattern(words, bytes, BLOCK, 0, 1023, object);
      assert.equal(findDamage(words, bytes, BLOCK, 1023, object), -1);
    }
  });

  test('zeros', () => {
    const { words, bytes } = ground();
    assert.equal(findNonZero(words, bytes, BLOCK, 19), -1);
    bytes[BLOCK + 19] = 1;
    assert.equal(findNonZero(words, bytes, BLOCK, 19), -1);
    assert.equal(findNonZero(words, bytes, BLOCK, 20), 16);
    bytes[BLOCK + 18] = 1;
    assert.equal(findNonZero(words, bytes, BLOCK, 19), 18);
  });
});

/** All that a player can do, with an object that lives through it. */
function playAll({ play }: Player): number[] {
  return [
    play(OP_MALLOC, 1, 0, 0),
    play(OP_CALLOC, 2, 1001, 0),
    play(OP_MEMALIGN, 3, 100, 0),
    play(OP_REALLOC, 1, 50, 0),
    play(OP_REALLOC, 2, 30_003, 1001),
    play(OP_REALLOC, 3, 7, 100),
    play(OP_REALLOC, 2, 0, 30_003),
    play(OP_FREE, 1, 0, 50),
    play(OP_FREE, 2, 0, 0),
    play(OP_FREE, 3, 0, 7),
  ];
}

suite('the player', () => {
  test('plays everything, filled or not, on malloc and on Buffers', () => {
    const memory = createMemory({ bytes: 4 << 20 });
    const { words, bytes } = memory;
    const type = memory.mallocType({ name: 'blocks' });
    for (const fills of [true, false]) {
      const addresses = new Int32Array(4);
      const wanted = new Array(10).fill(DONE);
      assert.deepEqual(playAll(createPlayer(type, { words, bytes, addresses }, fills)), wanted);
      assert.deepEqual([...addresses], [0, 0, 0, 0]);
      assert.deepEqual(playAll(createBufferPlayer(3, fills)), wanted);
    }
    assert.equal(type.stats().used, 0);
    assert.ok(memory.audit().clean);
  });

  /** Gives the same block to everybody, with whatever is in it, and copies nothing. */
  const careless: Allocator = {
    tryAlloc: () => BLOCK,
    tryCalloc: () => BLOCK,
    tryAlignedAlloc: () => BLOCK,
    tryRealloc: () => 2 * BLOCK,
    free() {},
  };

  test('finds blocks that overlap, what is not zero, what was not copied', () => {
    const fresh = (): Player => createPlayer(careless, { ...ground(), addresses: new Int32Array(3) }, true);
    const overlap = fresh();
    assert.equal(overlap.play(OP_MALLOC, 1, 16, 0), DONE);
    assert.equal(overlap.play(OP_MALLOC, 2, 16, 0), DONE);
    assert.equal(overlap.play(OP_FREE, 1, 0, 16), DAMAGED);
    const dirty = fresh();
    assert.equal(dirty.play(OP_MALLOC, 1, 16, 0), DONE);
    assert.equal(dirty.play(OP_CALLOC, 2, 16, 0), DAMAGED);
    const moved = fresh();
    assert.equal(moved.play(OP_MALLOC, 1, 16, 0), DONE);
    assert.equal(moved.play(OP_REALLOC, 1, 8, 16), DAMAGED);
  });

  test('says when there is no memory, and has changed nothing', () => {
    const empty: Allocator = {
      ...careless,
      tryCalloc: () => 0,
      tryAlignedAlloc: () => 0,
      tryRealloc: () => 0,
    };
    const addresses = new Int32Array(3);
    const { play } = createPlayer(empty, { ...ground(), addresses }, true);
    assert.equal(play(OP_MALLOC, 1, 16, 0), DONE);
    assert.equal(play(OP_REALLOC, 1, 99, 16), NO_MEMORY);
    assert.equal(play(OP_CALLOC, 2, 1, 0), NO_MEMORY);
    assert.equal(play(OP_MEMALIGN, 2, 1, 0), NO_MEMORY);
    assert.deepEqual([...addresses], [0, BLOCK, 0]);
    assert.equal(play(OP_FREE, 1, 0, 16), DONE);
  });
});
