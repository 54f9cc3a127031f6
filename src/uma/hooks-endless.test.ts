/** Hooks that call their own zone without end: an error with a code, and nothing lost; never the stack's end. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { How, type Zone } from './index.js';
import { assertClean, assertEmpty, codeOf, codeOfPromise, makeParty } from './uma.test-kit.js';

describe('a hook that calls its own zone without end', () => {
  for (const secondary of [false, true]) {
    for (const kind of ['init', 'ctor'] as const) {
      for (const call of ['tryAlloc', 'alloc', 'allocAsync'] as const) {
        it(`${kind} of a ${secondary ? 'secondary' : 'primary'} zone, by ${call}`, async () => {
          const party = makeParty({ pageCount: 1024 });
          const free = party.pages.freePages();
          const { uma } = party;
          let calls = 0;
          const hook = (_item: Addr, how: How): void => {
            calls++;
            if (how === How.NOWAIT) zone.tryAlloc();
            else zone.alloc();
          };
          const layout = secondary ? { primary: uma.zone({ name: 'primary', size: 2000 }) } : { size: 2000 };
          const zone: Zone = uma.zone({ name: 'zone', ...layout, [kind]: hook });
          const code =
            call === 'allocAsync'
              ? await codeOfPromise(() => zone.allocAsync())
              : codeOf(() => (call === 'alloc' ? zone.alloc() : zone.tryAlloc()));
          assert.equal(code, 'HOOK_FAILED');
          assert.ok(calls > 5 && calls <= 64, `${calls} calls`);
          assert.equal(zone.stats().used, 0);
          assertEmpty(party, free);
        });
      }
    }
  }

  it('fini that drains everything, with many slabs: hands run out, and no lock stays', () => {
    for (const slabs of [11, 12, 40]) {
      const party = makeParty({ pageCount: 1024 });
      const free = party.pages.freePages();
      const drain = (): void => void party.uma.reclaimer.reclaim('drain');
      const zone: Zone = party.uma.zone({ name: 'zone', size: 4096, fini: drain });
      const items = Array.from({ length: slabs }, () => zone.tryAlloc());
      for (const item of items) zone.free(item);
      assert.equal(codeOf(drain), slabs === 11 ? 'nothing thrown' : 'HOOK_FAILED');
      assert.equal(party.locks.holdsAny(), false);
      if (slabs > 11) for (let round = 0; round < slabs; round++) codeOf(drain);
      assertEmpty(party, free);
    }
  });

  it('fini that makes the next slab ends with the slabs that there were', () => {
    const party = makeParty();
    let calls = 0;
    const zone: Zone = party.uma.zone({
      name: 'zone',
      size: 1024,
      noBucket: true,
      fini() {
        if (++calls < 1000) zone.free(zone.tryAlloc());
      },
    });
    const items = Array.from({ length: 30 }, () => zone.tryAlloc());
    for (const item of items) zone.free(item);
    const { pages } = zone.stats();
    zone.drain();
    assert.ok(calls < 1000, `${calls} calls for ${pages} slabs`);
    assertClean(party);
  });

  it('dtor and fini that allocate from and free to it end by themselves', () => {
    const party = makeParty({ pageCount: 1024 });
    const free = party.pages.freePages();
    let depth = 0;
    let deepest = 0;
    const again = (): void => {
      if (depth > 40) return;
      deepest = Math.max(deepest, ++depth);
      const item = zone.tryAlloc();
      if (item !== 0) zone.free(item);
      depth--;
    };
    const zone: Zone = party.uma.zone({ name: 'zone', size: 2000, dtor: again, fini: again });
    zone.free(zone.tryAlloc());
    assert.ok(deepest > 10);
    depth = 99;
    assertEmpty(party, free);
  });
});
