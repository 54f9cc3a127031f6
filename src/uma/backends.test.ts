/** Pages that kegs share: the bound, and how kegs are drained for one another. After pool_allocator of pool(9). */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { type Backend, CANFAIL, type Zone, type ZoneOptions } from './index.js';
import { takeAll } from './pair.test-kit.js';
import { KEG_WORDS, Keg } from './records.js';
import {
  assertClean,
  assertEmpty,
  brokenRules,
  codeOf,
  codeOfPromise,
  joinParty,
  makeParty,
  type Party,
} from './uma.test-kit.js';

interface Scene {
  readonly party: Party;
  readonly backend: Backend;
  readonly free: number;
  zone(name: string, options?: Partial<ZoneOptions>): Zone;
}

/** A backend of 8 pages, and zones of one item a page that cache nothing: so it is known who has what. */
function makeScene(max = 8): Scene {
  const party = makeParty();
  const backend = party.uma.backend({ name: 'shared', max });
  const free = party.pages.freePages();
  return {
    party,
    backend,
    free,
    zone: (name, options) => party.uma.zone({ name, size: 4096, backend, noBucket: true, ...options }),
  };
}

/** So many pages in slabs without an item in use. */
function leaveEmpty(zone: Zone, pages: number): void {
  for (const item of takeAll(zone, pages)) zone.free(item);
}

function end({ party, backend, free }: Scene): void {
  party.uma.reclaimer.reclaim('drain');
  assert.equal(backend.stats().pagesUsed, 0);
  assertEmpty(party, free);
}

describe('a backend', () => {
  it('bounds the pages of all its kegs together, exactly', () => {
    const scene = makeScene();
    const [a, b] = [scene.zone('a'), scene.zone('b')];
    const items = [...takeAll(a, 5), ...takeAll(b, 3)];
    assert.equal(scene.backend.stats().pagesUsed, 8);
    assert.equal(a.tryAlloc(), 0);
    assert.equal(b.tryAlloc(), 0);
    assert.equal(
      codeOf(() => b.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    assert.ok(scene.party.pages.freePages() > 100, 'the memory has pages');
    const other = scene.party.uma.zone({ name: 'other', size: 4096 });
    items.push(...takeAll(other, 1));
    other.free(items.pop() as Addr);
    scene.backend.max = 9;
    items.push(a.tryAlloc() as Addr);
    assert.notEqual(items.at(-1), 0, 'raised');
    scene.backend.max = 2;
    assert.equal(a.tryAlloc(), 0, 'lowered below use: nothing is lost, and nothing more to be had');
    scene.backend.max = 0;
    items.push(...takeAll(b, 20));
    assert.equal(scene.backend.stats().pagesUsed, 29);
    for (const item of items) (scene.party.uma.pageKegs[item >>> 12] === a.keg ? a : b).free(item);
    end(scene);
  });

  it('drains one keg for another, whose items lie in caches', () => {
    const scene = makeScene();
    const [a, b] = [scene.zone('a', { noBucket: false }), scene.zone('b')];
    leaveEmpty(a, 8);
    assert.ok(a.stats().cached >= 4);
    const item = b.tryAlloc() as Addr;
    assert.notEqual(item, 0);
    assert.equal(scene.backend.stats().reclaims, 1);
    assert.equal(a.stats().cached, 0);
    b.free(item);
    end(scene);
  });

  it('takes turns: who gave last is asked last, and it stops at the first that gave something', () => {
    const scene = makeScene(3);
    const asked: string[] = [];
    const zones = ['a', 'b', 'c'].map((name) =>
      scene.zone(name, {
        onExhausted: () => {
          asked.push(name);
          return false;
        },
      }),
    );
    const taker = scene.zone('taker');
    for (const zone of zones) leaveEmpty(zone, 1);
    assert.equal(scene.backend.stats().pagesUsed, 3);
    const items = [taker.tryAlloc() as Addr];
    assert.deepEqual(asked.splice(0), ['a']);
    items.push(taker.tryAlloc() as Addr);
    assert.deepEqual(asked.splice(0), ['b']);
    items.push(taker.tryAlloc() as Addr);
    assert.deepEqual(asked.splice(0), ['c']);
    assert.ok(items.every((item) => item !== 0));
    assert.equal(taker.tryAlloc(), 0);
    assert.deepEqual(asked.splice(0), ['a', 'b', 'c'], 'none has anything: each was asked once');
    assert.equal(scene.backend.stats().shortages, 1);
    for (const item of items) taker.free(item);
    end(scene);
  });

  it('runs the hook of a drained zone first, without a lock; it may free, and allocate', () => {
    const scene = makeScene(4);
    const { party } = scene;
    const held: Addr[] = [];
    const own = party.uma.zone({ name: 'own', size: 64 });
    const a = scene.zone('a', {
      onExhausted: () => {
        assert.equal(party.locks.holdsAny(), false);
        own.free(own.tryAlloc() as Addr);
        for (const item of held.splice(0)) a.free(item);
        return true;
      },
    });
    held.push(...takeAll(a, 4));
    const b = scene.zone('b');
    const item = b.tryAlloc() as Addr;
    assert.notEqual(item, 0);
    assert.deepEqual(held, []);
    b.free(item);
    end(scene);
  });

  it('a hook that needs pages of the same backend does without them: no recursion', () => {
    const scene = makeScene(2);
    let depth = 0;
    let deepest = 0;
    const hungry = (): boolean => {
      deepest = Math.max(deepest, ++depth);
      assert.equal(b.tryAlloc(), 0);
      depth--;
      return false;
    };
    const a = scene.zone('a', { onExhausted: hungry });
    const b = scene.zone('b');
    const items = takeAll(a, 2);
    assert.equal(b.tryAlloc(), 0);
    assert.equal(deepest, 1);
    for (const item of items) a.free(item);
    end(scene);
  });

  it('ends when draining frees something, and it is not enough', () => {
    const scene = makeScene(4);
    const a = scene.zone('a');
    const large = scene.zone('large', { size: 4 * 4096 });
    const kept = takeAll(a, 2);
    leaveEmpty(a, 1);
    assert.equal(large.tryAlloc(), 0, 'a slab of four pages has no room beside two');
    assert.equal(
      codeOf(() => large.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    for (const item of kept) a.free(item);
    const item = large.tryAlloc() as Addr;
    assert.notEqual(item, 0);
    large.free(item);
    end(scene);
  });

  it('leaves marks, noFree and unmanaged zones alone', () => {
    const scene = makeScene(8);
    const zones = [
      scene.zone('reserve', { reserve: 2 }),
      scene.zone('low', { lowWater: 2 }),
      scene.zone('noFree', { noFree: true }),
      scene.zone('unmanaged', { unmanaged: true }),
    ];
    for (const zone of zones) leaveEmpty(zone, 2);
    assert.equal(scene.backend.stats().pagesUsed, 8);
    assert.equal(scene.zone('taker').tryAlloc(), 0);
    zones.forEach((zone, at) => {
      assert.equal(zone.stats().pages, 2, `${at}`);
    });
    assertClean(scene.party);
  });

  it('who sleeps for pages of it gets them when another frees', async () => {
    const scene = makeScene(2);
    const [a, b] = [scene.zone('a'), scene.zone('b')];
    const items = takeAll(a, 2);
    assert.equal(
      codeOf(() => b.alloc(0, 0)),
      'TIMED_OUT',
    );
    const waiting = b.allocAsync();
    for (const item of items) a.free(item);
    const item = await waiting;
    assert.notEqual(item, 0);
    b.free(item);
    end(scene);
    assert.equal(await codeOfPromise(() => b.allocAsync(99)), 'BAD_ARGUMENT');
  });

  it('outlives its zones: what one that is destroyed had is the others’, and turns go on', () => {
    const scene = makeScene(4);
    const [a, b] = [scene.zone('a'), scene.zone('b')];
    leaveEmpty(a, 3);
    b.free(b.tryAlloc() as Addr);
    assert.equal(scene.backend.stats().pagesUsed, 4);
    a.destroy();
    assert.equal(scene.backend.stats().pagesUsed, 1);
    assert.equal(
      codeOf(() => a.destroy()),
      'ZONE_CLOSED',
    );
    const items = takeAll(b, 4);
    assert.equal(b.tryAlloc(), 0);
    for (const item of items) b.free(item);
    // Its number is another's now, of another size.
    const again = scene.zone('another', { size: 8192 });
    assert.equal(again.index, a.index);
    const item = again.tryAlloc() as Addr;
    assert.notEqual(item, 0, 'what b had was drained for it');
    assert.equal(scene.backend.stats().reclaims, 1);
    again.free(item);
    end(scene);
  });

  it('is found by its name from every thread; its first bound stands', () => {
    const { party, backend } = makeScene();
    const other = joinParty(party.machine.handle);
    const found = other.uma.backend({ name: 'shared', max: 99 });
    assert.equal(found.max, 8);
    found.max = 5;
    assert.equal(backend.max, 5);
    assert.equal(other.uma.backend({ name: 'shared' }), found);
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'z', size: 64, backend: found })),
      'BAD_ARGUMENT',
    );
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'z', size: 64, backend: {} as Backend })),
      'BAD_ARGUMENT',
    );
  });

  it('of the memory’s own pages has no bound; there are 16 in all', () => {
    const { party } = makeScene();
    const own = party.uma.backend({ name: 'pages' });
    assert.equal(own.max, 0);
    assert.equal(
      codeOf(() => {
        own.max = 5;
      }),
      'BAD_ARGUMENT',
    );
    for (let number = 3; number <= 16; number++) party.uma.backend({ name: `${number}` });
    assert.equal(
      codeOf(() => party.uma.backend({ name: 'one more' })),
      'TOO_MANY_BACKENDS',
    );
    for (const wrong of [undefined, null, 5, {}, { name: '' }, { name: 'x', max: -1 }])
      assert.equal(
        codeOf(() => party.uma.backend(wrong as never)),
        'BAD_ARGUMENT',
      );
    assertClean(party);
  });

  it('a keg that names a backend which there is not is damaged', () => {
    const scene = makeScene();
    const { keg } = scene.zone('a');
    const { machine, words } = scene.party;
    words[machine.area('kegs') + keg * KEG_WORDS + Keg.backend] = 1 << 30;
    const other = joinParty(machine.handle);
    const backend = other.uma.backend({ name: 'shared' });
    assert.equal(backend.max, 8);
    const zone = other.uma.zone({ name: 'a', size: 4096 });
    assert.equal(
      codeOf(() => zone.tryAlloc()),
      'MEMORY_DAMAGED',
    );
  });

  it('U17: the audit compares what it counts with what its kegs have', () => {
    const scene = makeScene();
    leaveEmpty(scene.zone('a'), 3);
    const at = scene.party.machine.area('backends') + 2 * 32 + 2;
    assert.equal(scene.party.words[at], 3);
    scene.party.words[at] = 4;
    assert.deepEqual(brokenRules(scene.party), ['U17']);
  });
});
