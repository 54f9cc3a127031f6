/** Sampling: which items are checked, what the figures say, and what a change of the divisor does. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TRASH_WORD } from '../check/index.js';
import type { Addr } from '../record/index.js';
import type { Zone } from './index.js';
import { assertClean, codeOf, joinParty, makeParty, type Party } from './uma.test-kit.js';

const ITEMS = 400;

function makeSampled(divisor: number): { party: Party; zone: Zone } {
  const party = makeParty({ checkLevel: 3, pageCount: 512 });
  party.settings.write('checkDivisor', divisor);
  return { party, zone: party.uma.zone({ name: 'zone', size: 64 }) };
}

const take = (zone: Zone): Addr[] => Array.from({ length: ITEMS }, () => zone.tryAlloc() as Addr);

/** Whether a write behind the item, and one to it when it is free, are found. */
function isFound({ machine, words }: Party, zone: Zone, item: Addr): [behind: boolean, free: boolean] {
  const byte = machine.bytes[item + 64] as number;
  machine.bytes[item + 64] = byte ^ 1;
  const behind = codeOf(() => zone.free(item)) === 'REDZONE_DAMAGED';
  machine.bytes[item + 64] = byte;
  const before = words[item >>> 2] as number;
  words[item >>> 2] = before ^ 1;
  let free = false;
  // The item that was freed last is the first to come again.
  try {
    assert.equal(zone.tryAlloc(), item);
  } catch (error) {
    free = (error as { code?: string }).code === 'MODIFIED_AFTER_FREE';
    assert.equal(zone.tryAlloc(), item);
  }
  return [behind, free];
}

describe('the divisor of checks', () => {
  for (const divisor of [0, 1, 2, 7, 100]) {
    it(`${divisor}: ${divisor === 0 ? 'no' : `every ${divisor}th`} item is filled, verified, and has redzones`, () => {
      const { party, zone } = makeSampled(divisor);
      const items = take(zone);
      const checked = items.filter((item) => party.words[item >>> 2] === TRASH_WORD);
      const expected = divisor === 0 ? 0 : ITEMS / divisor;
      assert.ok(Math.abs(checked.length - expected) <= 0.35 * expected + 6, `${checked.length} of ${ITEMS}`);
      if (divisor === 1) assert.equal(checked.length, ITEMS);
      const stats = zone.stats();
      assert.deepEqual([stats.checked, stats.skipped], [checked.length, ITEMS - checked.length]);
      for (const item of items.slice(0, 60)) {
        const wanted = checked.includes(item);
        assert.deepEqual(isFound(party, zone, item), [wanted, wanted]);
      }
      for (const item of items) zone.free(item);
      party.uma.reclaimer.reclaim('drain');
      assertClean(party);
    });
  }

  it('that is changed holds for new slabs: no item that was not filled is ever verified', () => {
    for (const [before, after] of [
      [0, 1],
      [1, 0],
      [3, 2],
      [50, 1],
    ] as const) {
      const { party, zone } = makeSampled(before);
      const items = take(zone);
      for (const item of items) party.words.fill(7, item >>> 2, (item >>> 2) + 16);
      party.settings.write('checkDivisor', after);
      for (const item of items.slice(100)) zone.free(item);
      for (let round = 0; round < 3; round++) {
        const more = take(zone);
        for (const item of more) {
          assert.notEqual(item, 0);
          party.words.fill(8, item >>> 2, (item >>> 2) + 16);
        }
        for (const item of more) zone.free(item);
        zone.drain();
      }
      for (const item of items.slice(0, 100)) zone.free(item);
      party.uma.reclaimer.reclaim('drain');
      assertClean(party);
      assert.equal(zone.stats().pages, 0);
    }
  });

  it('leaves figures behind when a thread detaches', () => {
    const { party, zone } = makeSampled(2);
    const other = joinParty(party.machine.handle);
    const theirs = other.uma.zone({ name: 'zone', size: 64 });
    for (const item of take(theirs)) theirs.free(item);
    const { checked, skipped } = zone.stats();
    assert.equal(checked + skipped, ITEMS);
    other.uma.reclaimer.leave();
    other.threads.release();
    const after = zone.stats();
    assert.deepEqual([after.checked, after.skipped], [checked, skipped]);
  });
});
