/** Every place that can fail fails at every call, once and from then on: errors are ours, nothing leaks. */

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { CANFAIL, NO_MEMORY, ZERO, type Zone } from './index.js';
import { assertClean, assertEmpty, joinParty, makeParty, type Party } from './uma.test-kit.js';

/** Every site below the zones. Who adds one to the sources adds it here, with a scenario that hits it. */
const sites = [
  'phys.run',
  'uma.alloc',
  'uma.backend',
  'uma.bucket',
  'uma.ctor',
  'uma.init',
  'uma.item',
  'uma.limit',
  'uma.lock',
  'uma.slab',
  'uma.zone',
];

const hits = new Map<string, number>();

/** What a scenario got so far, so that it can be freed whatever happens. */
class Holder {
  readonly held: [Zone, number][] = [];

  keep(zone: Zone, item: number): void {
    if (item !== 0) this.held.push([zone, item]);
  }

  /** Only the errors of this library come out, and only those that lack of memory has. */
  attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      assert.ok(error instanceof MbumaError, String((error as Error)?.stack ?? error));
      assert.ok(['OUT_OF_MEMORY', 'TIMED_OUT'].includes(error.code), error.stack);
    }
  }

  free(): void {
    for (const [zone, item] of this.held.splice(0)) zone.free(item as Addr);
  }
}

type Scenario = (party: Party, holder: Holder) => void;

const scenarios: Record<string, Scenario> = {
  'single items of several zones'(party, holder) {
    for (const size of [16, 256, 1024, 4096, 9216]) {
      holder.attempt(() => {
        const zone = party.uma.zone({ name: `size ${size}`, size });
        for (let index = 0; index < 12; index++) holder.keep(zone, zone.tryAlloc(index % 2 === 0 ? 0 : ZERO));
      });
    }
  },
  'bulk calls'(party, holder) {
    holder.attempt(() => {
      const zone = party.uma.zone({ name: 'zone', size: 500 });
      const out = new Int32Array(100);
      const got = zone.tryAllocMany(out, 100);
      zone.freeMany(out, Math.floor(got / 2));
      for (const item of out.subarray(Math.floor(got / 2), got)) holder.keep(zone, item);
      const more = zone.tryAllocMany(out, 100);
      for (const item of out.subarray(0, more)) holder.keep(zone, item);
    });
  },
  'calls that may sleep'(party, holder) {
    holder.attempt(() => {
      const zone = party.uma.zone({ name: 'zone', size: 2048, max: 3 });
      for (let index = 0; index < 4; index++) {
        holder.attempt(() => holder.keep(zone, zone.alloc(CANFAIL, 0)));
        holder.attempt(() => holder.keep(zone, zone.alloc(0, 0)));
      }
    });
  },
  'frees into full caches'(party, holder) {
    holder.attempt(() => {
      const zone = party.uma.zone({ name: 'zone', size: 2048 });
      const items = Array.from({ length: 60 }, () => zone.tryAlloc());
      for (const item of items) zone.free(item);
      holder.keep(zone, zone.tryAlloc());
      zone.trim();
      zone.drain();
    });
  },
  'a zone on a zone, with hooks that allocate'(party, holder) {
    holder.attempt(() => {
      const { uma, words } = party;
      const parts = uma.zone({ name: 'parts', size: 2048, referenceCounted: true });
      const primary = uma.zone({ name: 'primary', size: 256 });
      const zone = uma.zone({
        name: 'packets',
        primary,
        init: (item) => {
          const part = parts.tryAlloc();
          words[item >>> 2] = part;
          return part === 0 ? NO_MEMORY : 0;
        },
        fini: (item) => parts.free(words[item >>> 2] as Addr),
      });
      const made = uma.zone({ name: 'made', size: 600, init: () => 0, ctor: () => 0, dtor: () => 0 });
      for (let index = 0; index < 3; index++) holder.keep(made, made.tryAlloc());
      for (let index = 0; index < 20; index++) holder.keep(zone, zone.tryAlloc());
      holder.keep(primary, primary.tryAlloc());
      holder.free();
      zone.drain();
      holder.keep(zone, zone.tryAlloc());
    });
  },
  'kegs that share a backend'(party, holder) {
    holder.attempt(() => {
      const backend = party.uma.backend({ name: 'shared', max: 6 });
      const zones = [1000, 2000].map((size) => party.uma.zone({ name: `${size}`, size, backend }));
      for (let round = 0; round < 20; round++) for (const zone of zones) holder.keep(zone, zone.tryAlloc());
      holder.free();
      for (const zone of zones) holder.keep(zone, zone.tryAlloc());
    });
  },
  'a second thread takes and frees'(party, holder) {
    const other = joinParty(party.machine.handle);
    holder.attempt(() => {
      const zone = party.uma.zone({ name: 'zone', size: 700, max: 30 });
      for (let index = 0; index < 25; index++) holder.keep(zone, zone.tryAlloc());
      const theirs = other.uma.zone({ name: 'zone', size: 700 });
      for (const [, item] of holder.held.splice(0, 20)) theirs.free(item as Addr);
      for (let index = 0; index < 15; index++) holder.keep(zone, zone.tryAlloc());
    });
    other.uma.reclaimer.leave();
    other.threads.release();
  },
};

function run(scenario: Scenario, arm: (party: Party) => void): number {
  const party = makeParty({ pageCount: 512, maxThreads: 2, checkLevel: 2 });
  const free = party.pages.freePages();
  const holder = new Holder();
  arm(party);
  scenario(party, holder);
  const failed = party.machine.failpoints.list().reduce((sum, site) => sum + site.failures, 0);
  for (const { name, hits: count } of party.machine.failpoints.list()) {
    hits.set(name, (hits.get(name) ?? 0) + count);
  }
  assertClean(party, 'while the site fails');
  party.machine.failpoints.disarm();
  holder.free();
  // Without the fault all of it goes well, on the same memory.
  const again = new Holder();
  scenario(party, again);
  assert.ok(again.held.length > 0);
  again.free();
  assertEmpty(party, free);
  for (const { used } of party.uma.stats()) assert.equal(used, 0);
  return failed;
}

describe('failpoints', () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    for (const site of sites) {
      it(`${site} fails in "${name}" at every call, once and from then on`, () => {
        for (let nth = 1; ; nth++) {
          const once = run(scenario, ({ machine }) => machine.failpoints.arm(site, { nth }));
          run(scenario, ({ machine }) => machine.failpoints.arm(site, { from: nth }));
          if (once === 0) break;
        }
      });
    }

    it(`any of them fails in "${name}" now and then`, () => {
      for (let seed = 1; seed <= 40; seed++) {
        run(scenario, ({ machine }) => {
          for (const site of sites)
            machine.failpoints.arm(site, { probability: 0.2, seed: seed * 7 + site.length });
        });
      }
    });
  }

  it('of a zone fail its every allocation, also of what is cached, and no other zone', () => {
    const party = makeParty({ pageCount: 512, maxThreads: 2 });
    const { failpoints } = party.machine;
    const points = party.uma.zone({ name: 'points', size: 64 });
    const others = party.uma.zone({ name: 'others', size: 64 });
    for (const zone of [points, others]) zone.free(zone.tryAlloc());
    const out = new Int32Array(4);
    failpoints.arm('uma.alloc', { from: 1 }, { zones: ['points', 'late'] });
    const late = party.uma.zone({ name: 'late', size: 64 });
    for (const zone of [points, late]) {
      assert.equal(zone.tryAlloc(), 0);
      assert.equal(zone.tryAlloc(ZERO), 0);
      assert.equal(zone.tryAllocMany(out, 4), 0);
      assert.throws(() => zone.alloc(CANFAIL), { code: 'OUT_OF_MEMORY', zone: zone.name });
      // Who may wait gets its item from the line.
      zone.free(zone.alloc(0, 1000));
    }
    assert.notEqual(others.tryAlloc(), 0);
    failpoints.arm('uma.*', { every: 3 }, { exceptZones: ['others'] });
    assert.deepEqual(
      Array.from({ length: 6 }, () => points.tryAlloc() !== 0),
      [true, true, false, true, true, false],
    );
    assert.equal(others.tryAllocMany(out, 4), 4);
    failpoints.disarm('uma.*');
    const { hits: before } = failpoints.site('uma.alloc');
    assert.notEqual(points.tryAlloc(), 0);
    assert.equal(failpoints.site('uma.alloc').hits, before, 'the fast path is back');
    assertClean(party, 'afterwards');
  });

  it('are those of the list, and no others', () => {
    const { machine } = makeParty();
    assert.deepEqual(
      machine.failpoints
        .list()
        .map(({ name }) => name)
        .sort(),
      [...sites].sort(),
    );
  });

  after(() => {
    for (const site of sites) assert.ok((hits.get(site) ?? 0) > 0, `${site} was never hit`);
  });
});
