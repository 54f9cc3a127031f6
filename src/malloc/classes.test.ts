import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLASS_OF, CLASS_SIZES, GRANULES_OF, powerClassOf, SMALL_MAX } from './classes.js';

test('classes rise to the largest small block, and lose no more than a fifth of 64 bytes and more', () => {
  assert.equal(CLASS_SIZES[0], 16);
  assert.equal(CLASS_SIZES.at(-1), SMALL_MAX);
  for (let index = 1; index < CLASS_SIZES.length; index++) {
    const [before, size] = [CLASS_SIZES[index - 1] as number, CLASS_SIZES[index] as number];
    assert.ok(size > before && size % 16 === 0);
    if (before >= 64) assert.ok((size - (before + 1)) / size <= 0.2, `${size}`);
  }
});

test('the table names the smallest class that is large enough, for every size', () => {
  let index = 0;
  for (let size = 0; size <= SMALL_MAX; size++) {
    if (size > (CLASS_SIZES[index] as number)) index++;
    assert.equal(CLASS_OF[(size + 15) >>> 4], index);
    assert.equal(GRANULES_OF[(size + 15) >>> 4], (CLASS_SIZES[index] as number) / 16);
  }
});

test('powers of two have classes of their own', () => {
  for (let size = 1; size <= SMALL_MAX; size = size * 2 + 1) {
    const power = CLASS_SIZES[powerClassOf(size)] as number;
    assert.ok(power >= size && Number.isInteger(Math.log2(power)) && (power === 16 || power / 2 < size));
  }
  assert.equal(powerClassOf(SMALL_MAX + 1), -1);
});
