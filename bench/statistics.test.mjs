import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interleave, median, pairedRatio, rotate } from './statistics.mjs';

test('the median does not depend on order, and is between two for an even number', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([10, 9]), 9.5);
  assert.ok(Number.isNaN(median([])));
});

test('the median compares numbers, not their text', () => {
  assert.equal(median([100, 20, 3]), 20);
});

test('a paired ratio is blind to a machine that slows down in the middle', () => {
  const pairs = [
    { ours: 5, theirs: 10 },
    { ours: 10, theirs: 20 },
    { ours: 11, theirs: 22 },
  ];
  assert.equal(pairedRatio(pairs), 0.5);
});

test('every peer runs next to the process of ours that it is compared with', () => {
  for (let count = 0; count <= 6; count++) {
    const peers = Array.from({ length: count }, (_, i) => `peer ${i}`);
    const { order, pairs } = interleave(peers);
    assert.deepEqual(pairs.map((pair) => pair.peer).sort(), peers);
    for (const { peer, oursAt, theirsAt } of pairs) {
      assert.equal(order[oursAt], null);
      assert.equal(order[theirsAt], peer);
      assert.equal(Math.abs(oursAt - theirsAt), 1);
    }
  }
});

test('rotation keeps every value and changes who is first', () => {
  const values = ['x', 'y', 'z'];
  const firsts = new Set();
  for (let round = 0; round < 6; round++) {
    const turned = rotate(values, round);
    firsts.add(turned[0]);
    assert.deepEqual([...turned].sort(), values);
  }
  assert.ok(firsts.size > 1);
  assert.deepEqual(rotate([], 5), []);
});
