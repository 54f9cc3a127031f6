/** Two threads with one zone, for schedules of the two. */

import assert from 'node:assert/strict';
import type { Addr } from '../record/index.js';
import type { Zone, ZoneOptions } from './index.js';
import { assertEmpty, joinParty, makeParty, type Party } from './uma.test-kit.js';

export interface Pair {
  readonly a: Party;
  readonly b: Party;
  readonly zoneA: Zone;
  readonly zoneB: Zone;
  readonly freePages: number;
}

/** B's polls are A's too: so A answers while B sleeps. */
export function makePair(options: Partial<ZoneOptions> = {}, ofB: Partial<ZoneOptions> = {}): Pair {
  const a = makeParty({ maxThreads: 2, pageCount: 128 });
  const b = joinParty(a.machine.handle);
  const freePages = a.pages.freePages();
  const zone = { name: 'zone', size: 256, ...options };
  return { a, b, zoneA: a.uma.zone(zone), zoneB: b.uma.zone({ ...zone, ...ofB }), freePages };
}

export function takeAll(zone: Zone, count: number): Addr[] {
  const items: Addr[] = [];
  for (let index = 0; index < count; index++) {
    const item = zone.tryAlloc();
    assert.notEqual(item, 0, `item ${index} of ${count}`);
    items.push(item as Addr);
  }
  return items;
}

export function end({ a, b, zoneA, freePages }: Pair, items: Iterable<number>): void {
  for (const item of items) zoneA.free(item as Addr);
  b.uma.reclaimer.reclaim('drain');
  assert.equal(zoneA.sleepers, 0, 'somebody is left in the line');
  assertEmpty(a, freePages);
  assert.equal(zoneA.stats().used, 0);
}
