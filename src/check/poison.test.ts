import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CHECK_LEVEL_MAX, CheckLevel, TRASH_WORD, trashFill, trashFindDamage } from './index.js';

const WORDS = 64;

describe('trash', () => {
  it('reads 0xdeadc0de in every word', () => {
    assert.equal((TRASH_WORD >>> 0).toString(16), 'deadc0de');
    const words = new Int32Array(WORDS);
    trashFill(words, 16, 32);
    assert.ok(words.subarray(4, 12).every((word) => word === TRASH_WORD));
    assert.equal(words.filter((word) => word === TRASH_WORD).length, 8, 'and nothing beside the item');
  });

  it('any change of any byte is found at its word, and nothing beside the item is looked at', () => {
    const places = fc.record({
      address: fc.integer({ min: 1, max: 31 }).map((word) => word * 4),
      size: fc.integer({ min: 1, max: 32 }).map((word) => word * 4),
      byte: fc.nat(),
      change: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(places, ({ address, size, byte, change }) => {
        const words = new Int32Array(WORDS);
        const bytes = new Uint8Array(words.buffer);
        trashFill(words, address, size);
        assert.equal(trashFindDamage(words, address, size), 0);
        bytes[address - 1] = 1;
        if (address + size < bytes.length) bytes[address + size] = 1;
        assert.equal(trashFindDamage(words, address, size), 0);
        const at = address + (byte % size);
        bytes[at] = (bytes[at] as number) ^ change;
        assert.equal(trashFindDamage(words, address, size), at & ~3);
      }),
    );
  });

  it('names the first of several damages', () => {
    const words = new Int32Array(WORDS);
    trashFill(words, 64, 64);
    words[20] = 0;
    words[30] = 0;
    assert.equal(trashFindDamage(words, 64, 64), 80);
  });
});

describe('check levels', () => {
  it('rise from 0 without a gap', () => {
    const levels: number[] = Object.values(CheckLevel);
    assert.deepEqual(
      levels,
      levels.map((_, index) => index),
    );
    assert.equal(CHECK_LEVEL_MAX, levels.length - 1);
  });
});
