/** The four hooks: when they run, what their failures do, and what is left behind: nothing. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { type Hook, type HookAnswer, How, NO_MEMORY, type Zone, type ZoneOptions } from './index.js';
import {
  assertClean,
  assertEmpty,
  codeOf,
  codeOfPromise,
  joinParty,
  makeParty,
  type Party,
} from './uma.test-kit.js';

type Kind = 'ctor' | 'dtor' | 'init' | 'fini';
const kinds: readonly Kind[] = ['ctor', 'dtor', 'init', 'fini'];

/** A thread with a zone whose hooks write down what they are called for. */
class Scene {
  readonly party: Party;
  readonly freePages: number;
  readonly zone: Zone;
  readonly log: { kind: Kind; item: number; how: How }[] = [];
  /** What the next calls of a hook do; nothing when there is no more. */
  readonly answers: Record<Kind, ((item: Addr) => HookAnswer)[]> = { ctor: [], dtor: [], init: [], fini: [] };
  /** Items between init and fini, and between ctor and dtor. */
  readonly inited: Set<number> = new Set();
  readonly constructed: Set<number> = new Set();

  constructor(hooked: readonly Kind[], secondary: boolean, options: Partial<ZoneOptions> = {}) {
    this.party = makeParty({ pageCount: 128, maxThreads: 2 });
    this.freePages = this.party.pages.freePages();
    const { uma } = this.party;
    const hooks = Object.fromEntries(hooked.map((kind) => [kind, this.hook(kind)]));
    const size = options.size ?? 256;
    this.zone = secondary
      ? uma.zone({ name: 'secondary', primary: uma.zone({ name: 'zone', size }), ...options, ...hooks })
      : uma.zone({ name: 'zone', size, ...options, ...hooks });
  }

  hook(kind: Kind): Hook {
    return (item, how) => {
      this.log.push({ kind, item, how });
      if (kind === 'dtor') assert.ok(this.constructed.delete(item), 'dtor without ctor');
      if (kind === 'fini') assert.ok(this.inited.delete(item), 'fini without init');
      if (kind === 'ctor') assert.ok(!this.constructed.has(item), 'ctor twice');
      if (kind === 'init') assert.ok(!this.inited.has(item), 'init twice');
      const answer = this.answers[kind].shift()?.(item);
      if (answer !== undefined && answer !== 0) return answer;
      if (kind === 'ctor') this.constructed.add(item);
      if (kind === 'init') this.inited.add(item);
    };
  }

  /** The next call of the hook succeeds `after` times, then answers so. */
  fail(kind: Kind, after: number, answer: (item: Addr) => HookAnswer): void {
    for (let index = 0; index < after; index++) this.answers[kind].push(() => undefined);
    this.answers[kind].push(answer);
  }

  said(kind: Kind): number[] {
    return this.log.filter((each) => each.kind === kind).map(({ item }) => item);
  }

  /** Frees what is in use, gives all back, and checks that nothing is left. */
  end(items: readonly number[] = []): void {
    for (const item of items) this.zone.free(item as Addr);
    for (const kind of kinds) this.answers[kind].length = 0;
    assertClean(this.party);
    assert.equal(this.zone.stats().used, 0);
    assertEmpty(this.party, this.freePages);
    assert.deepEqual(
      [this.inited.size, this.constructed.size],
      [0, 0],
      'every init had its fini, every ctor its dtor',
    );
  }
}

const broken = new Error('broken');
const failures: Record<string, { answer: () => HookAnswer; check: (error: unknown) => boolean }> = {
  'an Error returned': { answer: () => broken, check: (error) => error === broken },
  'an Error thrown': {
    answer: () => {
      throw broken;
    },
    check: (error) => error === broken,
  },
  'a number': {
    answer: () => 77,
    check: (error) => error instanceof MbumaError && error.code === 'HOOK_FAILED' && /77/.test(error.message),
  },
  'something thrown that is no Error': {
    answer: () => {
      throw null;
    },
    check: (error) => error === null,
  },
};

/** What a call came to: an item, none, or the error of the hook. */
function attempt(zone: Zone, check: (error: unknown) => boolean): number | 'failed' {
  try {
    return zone.tryAlloc();
  } catch (error) {
    assert.ok(check(error), String(error));
    return 'failed';
  }
}

describe('hooks: when they run', () => {
  it('of a primary zone: init and fini by slab, ctor and dtor by item', () => {
    const scene = new Scene(kinds, false, { size: 1000 });
    const { zone } = scene;
    const first = zone.tryAlloc() as Addr;
    // Slabs of four; the bucket was filled from several.
    const slabItems = scene.said('init');
    assert.equal(slabItems.length % 4, 0);
    assert.deepEqual(scene.said('ctor'), [first]);
    assert.equal(scene.log[0]?.kind, 'init');
    zone.free(first);
    assert.deepEqual(scene.said('dtor'), [first]);
    assert.equal(zone.tryAlloc(), first, 'last in, first out');
    assert.deepEqual(scene.said('init'), slabItems, 'not again');
    zone.free(first);
    zone.drain();
    const gone = scene.said('fini');
    assert.deepEqual(
      gone.slice(0, 4),
      gone.slice(0, 4).sort((a, b) => b - a),
      'last item first',
    );
    assert.deepEqual([...gone].sort(), [...slabItems].sort());
    scene.end();
  });

  it('of a secondary zone: init and fini where items enter and leave its cache', () => {
    const scene = new Scene(kinds, true, { max: 40 });
    const { zone } = scene;
    const first = zone.tryAlloc() as Addr;
    const entered = scene.said('init');
    assert.ok(entered.includes(first) && entered.length <= 20, 'only what the bucket took');
    zone.free(first);
    assert.deepEqual([scene.said('dtor'), scene.said('fini')], [[first], []]);
    zone.drain();
    assert.deepEqual(scene.said('fini').sort(), entered.sort());
    scene.end();
  });

  it('init before ctor, dtor before fini, when nothing is cached', () => {
    const scene = new Scene(kinds, true, { max: 1 });
    const item = scene.zone.tryAlloc() as Addr;
    scene.zone.free(item);
    assert.deepEqual(
      scene.log.map(({ kind }) => kind),
      ['init', 'ctor', 'dtor', 'fini'],
    );
    scene.end();
  });

  it('says whether they may sleep', async () => {
    const scene = new Scene(kinds, true, { max: 1 });
    const { zone, log } = scene;
    const hows = (): How[] => log.splice(0).map(({ how }) => how);
    zone.free(zone.tryAlloc());
    assert.deepEqual(hows(), [How.NOWAIT, How.NOWAIT, How.NOWAIT, How.NOWAIT]);
    zone.free(zone.alloc());
    assert.deepEqual(hows(), [How.WAITOK, How.WAITOK, How.NOWAIT, How.NOWAIT]);
    zone.free(await zone.allocAsync());
    assert.deepEqual(
      hows(),
      [How.NOWAIT, How.NOWAIT, How.NOWAIT, How.NOWAIT],
      'the event loop must not sleep',
    );
    const held = zone.alloc();
    const wait = zone.allocAsync();
    log.length = 0;
    zone.max = 2;
    const second = await wait;
    assert.deepEqual(hows(), [How.NOWAIT, How.NOWAIT]);
    scene.end([held, second]);
  });

  it('must not sleep for a second slab when the first gave something', () => {
    const scene = new Scene(['init'], false, { size: 1000, maxBucket: true });
    scene.zone.free(scene.zone.alloc());
    const hows = scene.log.map(({ how }) => how);
    assert.deepEqual(hows.slice(0, 4), [2, 2, 2, 2]);
    assert.ok(hows.length > 8 && hows.slice(4).every((how) => how === How.NOWAIT));
    scene.inited.clear();
    scene.party.uma.reclaimer.reclaim('drain');
    assertClean(scene.party);
  });

  it('each kind alone', () => {
    for (const kind of kinds) {
      for (const secondary of [false, true]) {
        const scene = new Scene([kind], secondary);
        if (kind === 'dtor') scene.constructed.add = () => scene.constructed;
        const items = Array.from({ length: 50 }, () => scene.zone.tryAlloc());
        if (kind === 'dtor') for (const item of items) Set.prototype.add.call(scene.constructed, item);
        if (kind === 'fini') scene.inited.delete = () => true;
        for (const item of items) scene.zone.free(item as Addr);
        scene.constructed.clear();
        scene.inited.delete = () => true;
        scene.party.uma.reclaimer.reclaim('drain');
        assertClean(scene.party);
        assert.equal(scene.party.pages.freePages(), scene.freePages);
        assert.ok(scene.said(kind).length >= 50, `${kind} ran ${scene.said(kind).length} times`);
      }
    }
  });
});

describe('hooks: init fails at item k', () => {
  for (const secondary of [false, true]) {
    for (const [name, { answer, check }] of Object.entries(failures)) {
      it(`of ${secondary ? 'a bucket' : 'the slabs'}, ${name}: what was ready is kept or undone`, () => {
        for (let k = 0; k <= 62; k++) {
          const scene = new Scene(kinds, secondary, { max: 0 });
          const items: number[] = [];
          scene.fail('init', k, answer);
          const got = attempt(scene.zone, check);
          // A bucket of 62 is filled from four slabs of 16. What is in hand is enough.
          const inHand = secondary ? k : Math.floor(k / 16) * 16;
          assert.equal(got === 'failed', inHand === 0, `k = ${k}`);
          if (got !== 'failed') items.push(got);
          const { used, failures: failed } = scene.zone.stats();
          assert.deepEqual([used, failed], got === 'failed' ? [0, 1] : [1, 0]);
          if (!secondary) {
            const undone = scene.said('fini');
            assert.equal(undone.length, k % 16, 'fini for what init had done of that slab');
            assert.deepEqual(
              undone,
              [...undone].sort((a, b) => b - a),
              'last first',
            );
          } else {
            assert.deepEqual(scene.said('fini'), []);
          }
          assertClean(scene.party, `k = ${k}`);
          // The next attempt succeeds: nothing is broken for good.
          items.push(scene.zone.tryAlloc());
          assert.ok(items.every((item) => item > 0));
          scene.end(items);
        }
      });
    }

    it(`of ${secondary ? 'a bucket' : 'the slabs'}, for lack of memory: 0, and nothing is left`, () => {
      for (let k = 0; k <= 40; k++) {
        const scene = new Scene(kinds, secondary, { max: 0 });
        for (let round = 0; round < 50; round++) {
          scene.fail('init', k % 4, () => NO_MEMORY);
        }
        const got = scene.zone.tryAlloc();
        assert.equal(got !== 0, secondary && k % 4 > 0, `k = ${k}`);
        assertClean(scene.party, `k = ${k}`);
        scene.end(got === 0 ? [] : [got]);
      }
    });
  }
});

describe('hooks: ctor fails', () => {
  for (const secondary of [false, true]) {
    for (const [name, { answer, check }] of Object.entries(failures)) {
      it(`${secondary ? 'secondary' : 'primary'}, ${name}: no dtor, the item goes back, accounts exact`, async () => {
        const scene = new Scene(kinds, secondary, { max: 3 });
        const { zone } = scene;
        const held = [zone.tryAlloc(), zone.tryAlloc()];
        for (let round = 0; round < 20; round++) {
          scene.fail('ctor', 0, answer);
          assert.equal(attempt(zone, check), 'failed');
          scene.fail('ctor', 0, answer);
          assert.throws(() => zone.alloc(), check);
          scene.fail('ctor', 0, answer);
          await assert.rejects(zone.allocAsync(), check);
          assert.equal(zone.stats().used, 2);
        }
        assert.equal(scene.said('dtor').length, 0);
        assert.equal(zone.stats().failures, 60);
        held.push(zone.tryAlloc());
        assert.notEqual(held[2], 0, 'no unit of the limit got lost');
        assert.equal(zone.tryAlloc(), 0);
        // Granted to a waiter, the constructor fails as well: the item goes to the next.
        scene.fail('ctor', 0, answer);
        const waits = [zone.allocAsync(), zone.allocAsync()];
        zone.free(held.pop() as Addr);
        await assert.rejects(waits[0] as Promise<Addr>, check);
        held.push(await (waits[1] as Promise<Addr>));
        scene.end(held as number[]);
      });
    }

    it(`${secondary ? 'secondary' : 'primary'}, for lack of memory: 0 from tryAlloc, OUT_OF_MEMORY from alloc`, () => {
      const scene = new Scene(kinds, secondary);
      scene.fail('ctor', 0, () => NO_MEMORY);
      assert.equal(scene.zone.tryAlloc(), 0);
      scene.fail('ctor', 0, () => NO_MEMORY);
      assert.equal(
        codeOf(() => scene.zone.alloc()),
        'OUT_OF_MEMORY',
      );
      assert.equal(scene.zone.stats().failures, 2);
      scene.end();
    });

    it(`${secondary ? 'secondary' : 'primary'}, in the middle of a bulk call: what came before stays the caller's`, () => {
      const scene = new Scene(kinds, secondary);
      scene.fail('ctor', 5, () => broken);
      const out = new Int32Array(10);
      // Whether it says how many there are or throws: what is the caller's stands in `out`.
      try {
        assert.equal(scene.zone.tryAllocMany(out, 10), 5);
      } catch (error) {
        assert.equal(error, broken);
      }
      assert.equal(out.indexOf(0), 5);
      assert.equal(scene.zone.stats().used, 5);
      scene.end([...out.subarray(0, 5)]);
    });
  }

  it('for lack of memory in an asynchronous call: OUT_OF_MEMORY, never 0', async () => {
    const scene = new Scene(['ctor'], false);
    for (let round = 0; round < 4; round++) scene.fail('ctor', 0, () => NO_MEMORY);
    assert.equal(await codeOfPromise(() => scene.zone.allocAsync()), 'OUT_OF_MEMORY');
    assert.equal(scene.zone.sleepers, 0);
  });
});

describe('hooks: dtor and fini fail', () => {
  for (const [name, { answer, check }] of Object.entries(failures)) {
    it(`${name}: told after the item is safe`, () => {
      for (const secondary of [false, true]) {
        const scene = new Scene(kinds, secondary, { size: 1000 });
        const { zone } = scene;
        const items = Array.from({ length: 9 }, () => zone.tryAlloc() as Addr);
        scene.fail('dtor', 0, answer);
        assert.throws(() => zone.free(items.pop() as Addr), check);
        assert.equal(zone.stats().used, 8);
        for (const item of items) zone.free(item);
        // In the first of several slabs or buckets: the others go all the same.
        scene.fail('fini', 0, answer);
        assert.throws(() => zone.drain(), check);
        scene.party.uma.reclaimer.reclaim('drain');
        assert.equal(zone.stats().cached, 0);
        scene.end();
      }
    });
  }
});

describe('hooks: calls out of hooks', () => {
  it('init and ctor allocate from another zone, dtor and fini free there', () => {
    for (const secondary of [false, true]) {
      for (const [make, undo] of [
        ['init', 'fini'],
        ['ctor', 'dtor'],
      ] as const) {
        const party = makeParty({ pageCount: 256 });
        const free = party.pages.freePages();
        const { uma, words } = party;
        const parts = uma.zone({ name: 'parts', size: 512 });
        const primary = secondary ? { primary: uma.zone({ name: 'primary', size: 64 }) } : { size: 64 };
        const zone = uma.zone({
          name: 'zone',
          ...primary,
          [make]: (item: Addr) => {
            const part = parts.tryAlloc();
            if (part === 0) return NO_MEMORY;
            words[item >>> 2] = part;
            return 0;
          },
          [undo]: (item: Addr) => parts.free(words[item >>> 2] as Addr),
        });
        const items: Addr[] = [];
        for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
        assert.ok(items.length > 100);
        assert.equal(new Set(items.map((item) => words[item >>> 2])).size, items.length);
        assertClean(party);
        for (const item of items) zone.free(item);
        assertEmpty(party, free);
      }
    }
  });

  for (const kind of ['init', 'ctor'] as const) {
    for (const secondary of [false, true]) {
      for (const max of [0, 1, 3, 40]) {
        it(`${kind} allocates from its own ${secondary ? 'secondary' : 'primary'} zone, limit ${max}`, () => {
          const party = makeParty({ pageCount: 256 });
          const free = party.pages.freePages();
          const { uma } = party;
          const nested: number[] = [];
          let depth = 0;
          const hook = (): void => {
            if (depth > 2) return;
            depth++;
            nested.push(zone.tryAlloc());
            depth--;
          };
          const layout = secondary ? { primary: uma.zone({ name: 'primary', size: 2000 }) } : { size: 2000 };
          const zone: Zone = uma.zone({ name: 'zone', max, ...layout, [kind]: hook });
          const items = [zone.tryAlloc(), zone.tryAlloc(), ...nested].filter((item) => item !== 0);
          assert.equal(new Set(items).size, items.length, 'an item twice');
          assert.ok(max === 0 || items.length <= max);
          assertClean(party);
          depth = 9;
          for (const item of items) zone.free(item as Addr);
          assertEmpty(party, free);
        });
      }
    }
  }
});

describe('hooks and other threads', () => {
  it('every thread registers the kinds that the zone has', () => {
    const all = { ctor: () => 0, dtor: () => 0, init: () => 0, fini: () => 0 };
    const a = makeParty({ maxThreads: 2 });
    a.uma.zone({ name: 'all', size: 64, ...all });
    a.uma.zone({ name: 'none', size: 64 });
    const b = joinParty(a.machine.handle);
    assert.equal(
      codeOf(() => b.uma.zone({ name: 'all', size: 64 })),
      'HOOKS_MISSING',
    );
    for (const kind of kinds) {
      const { [kind]: _, ...others } = all;
      assert.equal(
        codeOf(() => b.uma.zone({ name: 'all', size: 64, ...others })),
        'HOOKS_MISSING',
      );
      assert.equal(
        codeOf(() => b.uma.zone({ name: 'none', size: 64, [kind]: () => 0 })),
        'HOOKS_MISSING',
      );
    }
    const zone = b.uma.zone({ name: 'all', size: 64, ...all });
    zone.free(zone.tryAlloc());
    assertClean(a);
  });
});
