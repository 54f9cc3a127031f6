import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { alignUp, ceilLog2, countBits, floorLog2, isPowerOfTwo, lowestBit } from './index.js';

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const positive = fc.integer({ min: 1, max: 2 ** 31 - 1 });

/** Bits of a word, lowest first, the slow way. */
function bitsOf(value: number): number[] {
  return [...(value >>> 0).toString(2).padStart(32, '0')].reverse().map(Number);
}

describe('bits', () => {
  it('alignUp gives the smallest multiple that is at least the value', () => {
    assert.equal(alignUp(0, 16), 0);
    assert.equal(alignUp(1, 16), 16);
    assert.equal(alignUp(16, 16), 16);
    assert.equal(alignUp(2 ** 31 - 1, 4096), 2 ** 31);
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: 20 }), (value, shift) => {
        const unit = 2 ** shift;
        const aligned = alignUp(value, unit);
        assert.ok(aligned >= value && aligned - value < unit && aligned % unit === 0);
      }),
    );
  });

  it('isPowerOfTwo', () => {
    for (let shift = 0; shift < 31; shift++) assert.ok(isPowerOfTwo(2 ** shift));
    for (const value of [0, -1, -2, 3, 5, 6, 7, 12, 2 ** 30 + 1, 2 ** 31 - 1, -(2 ** 31)]) {
      assert.equal(isPowerOfTwo(value), false, String(value));
    }
  });

  it('floorLog2 and ceilLog2 enclose the value', () => {
    assert.equal(ceilLog2(0), 0);
    assert.equal(ceilLog2(1), 0);
    fc.assert(
      fc.property(positive, (value) => {
        const floor = floorLog2(value);
        const ceil = ceilLog2(value);
        assert.ok(2 ** floor <= value && value < 2 ** (floor + 1));
        assert.ok(2 ** ceil >= value && (ceil === 0 || 2 ** (ceil - 1) < value));
      }),
    );
  });

  it('lowestBit and countBits agree with the slow way', () => {
    assert.equal(countBits(0), 0);
    assert.equal(countBits(-1), 32);
    assert.equal(lowestBit(-(2 ** 31)), 31);
    fc.assert(
      fc.property(word, (value) => {
        const bits = bitsOf(value);
        assert.equal(countBits(value), bits.filter((bit) => bit === 1).length);
        if (value !== 0) assert.equal(lowestBit(value), bits.indexOf(1));
      }),
    );
  });
});
