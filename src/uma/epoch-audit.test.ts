import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachmentOf } from '../memory.js';
import { makeMemory, openZone, take } from './epochs.test-kit.js';
import {
  BUCKET_MASK,
  BUCKET_TAG,
  CACHE_WORDS,
  GRANULE_SHIFT,
  OWNER_MEMORY,
  ThreadCache,
  ZONE_WORDS,
  Zone as ZoneRecord,
} from './records.js';
import { assertClean } from './uma.test-kit.js';

describe('the audit of an epoch zone finds', () => {
  type Damage = (words: Int32Array, record: number, cache: number, dead: number) => void;

  function findingsOf(change: Damage): string {
    const memory = makeMemory();
    const zone = openZone(memory);
    const items = take(zone, 600);
    for (const item of items) zone.free(item);
    const { machine } = attachmentOf(memory);
    const record = machine.area('zones') + zone.index * ZONE_WORDS;
    const slotCaches = machine.layout.parameters.maxZones + 1;
    const cache = machine.area('thread caches') + (memory.thread * slotCaches + zone.index) * CACHE_WORDS;
    assertClean(memory);
    change(memory.words, record, cache, machine.area('dead bucket'));
    const { violations } = memory.audit();
    return violations.map(({ rule, message }) => `${rule} ${message}`).join('; ');
  }

  const bucketOf = (words: Int32Array, record: number): number =>
    (words[record + ZoneRecord.deferredTop] as number) & ~BUCKET_MASK;
  const cases: [string, Damage, RegExp][] = [
    [
      'a wrong count of what waits',
      (words, record) => {
        words[record + ZoneRecord.deferredItems] = 1;
      },
      /U17 .* others are counted/,
    ],
    [
      'a wrong end of the list',
      (words, record) => {
        words[record + ZoneRecord.deferredLast] = 0;
      },
      /U17 .* the last is/,
    ],
    [
      'a bucket without a tag',
      (words, record) => {
        words[bucketOf(words, record) + BUCKET_TAG] = 0;
      },
      /U17 .* has the tag 0/,
    ],
    [
      'an even tag of what is parked',
      (words, record) => {
        words[record + ZoneRecord.parkedTag] = 2;
      },
      /U14 .* parked items/,
    ],
    [
      'a zone that is of another kind than its keg',
      (words, record) => {
        words[record + ZoneRecord.epoch] = 0;
      },
      /U14 .* says of epochs 0/,
    ],
    [
      'a cache that takes frees into the dead bucket',
      (words, _record, cache, dead) => {
        words[cache + ThreadCache.spare] = dead;
      },
      /U9 .* takes frees into the dead bucket/,
    ],
  ];
  for (const [what, change, expected] of cases) {
    it(what, () => assert.match(findingsOf(change), expected));
  }

  it('an item that is parked and owned', () => {
    const memory = makeMemory();
    const item = openZone(memory).alloc();
    const { machine } = attachmentOf(memory);
    memory.bytes[(machine.area('owners') << 2) + (item >>> GRANULE_SHIFT) + 1] = OWNER_MEMORY;
    const found = memory.audit().violations.map(({ rule, message }) => `${rule} ${message}`);
    assert.match(found.join('; '), /U6 .* is parked, and free or owned/);
  });
});
