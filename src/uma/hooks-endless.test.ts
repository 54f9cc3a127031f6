/** Hooks that call their own zone without end: an error with a code, and nothing lost; never the stack's end. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { How, type Zone } from './index.js';
import { assertEmpty, codeOf, codeOfPromise, makeParty } from './uma.test-kit.js';

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
