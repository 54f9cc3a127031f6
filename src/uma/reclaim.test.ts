/** What is given back on request and by the timer: levels, working sets, threads that are asked. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Addr } from '../record/index.js';
import type { Zone, ZoneOptions } from './index.js';
import { takeAll } from './pair.test-kit.js';
import { Zone as ZoneRecord } from './records.js';
import {
  assertClean,
  assertEmpty,
  codeOf,
  joinParty,
  makeParty,
  type Party,
  property,
} from './uma.test-kit.js';
import { createWorkingSets, IDLE_PERIODS } from './working-set.js';

describe('the working set', () => {
  /** The formulas once more, as plainly as can be. */
  class Plain {
    cached = 0;
    max = 0;
    min = 0;
    batch = 0;
    set = 0;
    long = 0;
    periods = 0;

    change(items: number): void {
      this.cached += items;
      if (this.cached > this.max) {
        this.set = Math.max(this.set, this.max - this.batch);
        this.max = this.cached;
        this.batch = this.cached;
      }
      this.min = Math.min(this.min, this.cached);
      this.batch = Math.min(this.batch, this.cached);
    }

    period(): void {
      this.set = Math.max(Math.floor(0.75 * this.set), this.max - this.batch);
      const beyond = this.min - this.set;
      this.long =
        beyond < 0 ? 0 : this.long >= beyond ? beyond : Math.floor((beyond + 255 * this.long) / 256);
      this.periods = beyond < 0 ? 0 : this.periods + 1;
      this.max -= Math.floor((this.max - this.cached + 1) / 2);
      this.min = this.cached;
      this.batch = this.cached;
    }
  }

  function fresh(): { words: Int32Array; sets: ReturnType<typeof createWorkingSets> } {
    const words = new Int32Array(64);
    return { words, sets: createWorkingSets(words) };
  }

  function change(words: Int32Array, sets: ReturnType<typeof createWorkingSets>, items: number): void {
    words[ZoneRecord.cachedItems] = (words[ZoneRecord.cachedItems] as number) + items;
    sets.changed(0);
  }

  it('is what the formulas of uma(9) give, after any changes', () => {
    const step = fc.oneof(fc.integer({ min: -300, max: 300 }), fc.constant('period' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { words, sets } = fresh();
        const plain = new Plain();
        for (const each of steps) {
          if (each === 'period') {
            sets.endPeriod(0);
            plain.period();
          } else {
            const items = Math.max(each, -plain.cached);
            change(words, sets, items);
            plain.change(items);
          }
          const { cachedMax, cachedMin, batchMin, workingSet, longMin, idlePeriods } = ZoneRecord;
          assert.deepEqual(
            [cachedMax, cachedMin, batchMin, workingSet, longMin, idlePeriods].map((at) => words[at]),
            [plain.max, plain.min, plain.batch, plain.set, plain.long, plain.periods],
          );
        }
      }),
      property(300),
    );
  });

  it('does not rise by a great free; an allocation of as much does', () => {
    const { words, sets } = fresh();
    change(words, sets, 10_000);
    sets.endPeriod(0);
    assert.equal(words[ZoneRecord.workingSet], 0);
    change(words, sets, -4000);
    sets.endPeriod(0);
    assert.equal(words[ZoneRecord.workingSet], 4000);
    for (let period = 0; period < 40; period++) sets.endPeriod(0);
    assert.ok((words[ZoneRecord.workingSet] as number) < 10, 'and fades');
  });

  it('leaves all for 45 periods without a lack, then a quarter less of what was never wanted', () => {
    const { words, sets } = fresh();
    words[ZoneRecord.cachedItems] = 5000;
    words[ZoneRecord.longMin] = 1000;
    words[ZoneRecord.idlePeriods] = IDLE_PERIODS;
    assert.equal(IDLE_PERIODS, 45);
    assert.equal(sets.idleTarget(0), 5000);
    words[ZoneRecord.idlePeriods] = 46;
    assert.equal(sets.idleTarget(0), 4750);
  });

  it('what is taken away to be given back is no demand', () => {
    const { words, sets } = fresh();
    change(words, sets, 1000);
    sets.endPeriod(0);
    sets.reclaimed(0, 600);
    change(words, sets, -600);
    sets.endPeriod(0);
    assert.equal(words[ZoneRecord.workingSet], 0);
  });
});

/** Items of a zone into its list of full buckets. */
function fill({ uma }: Party, zone: Zone, items: number): void {
  for (const item of takeAll(zone, items)) zone.free(item);
  for (const each of uma.zones()) if (each === zone) uma.reclaimer.answerAttention();
}

describe('the timer', () => {
  it('gives back a quarter of what nobody wanted for 45 periods, and nothing before', () => {
    const party = makeParty({ pageCount: 512 });
    const zone = party.uma.zone({ name: 'zone', size: 256 });
    fill(party, zone, 800);
    // All of it in the zone's list, none in this thread's cache.
    party.threads.ask(party.threads.slot, 1);
    party.uma.reclaimer.answerAttention();
    const before = zone.stats().cached;
    assert.ok(before >= 800);
    // In the first periods the most fades: it is counted as drawn until then.
    let periods = 0;
    while (zone.stats().cached === before && periods < 200) {
      party.uma.reclaimer.tick(0);
      periods++;
    }
    assert.ok(periods > IDLE_PERIODS && periods < 100, `after ${periods}`);
    const after = zone.stats().cached;
    assert.ok(after < before && after >= before / 2, `${before} became ${after}`);
    assertClean(party);
  });

  it('does not touch what is in use all the time', () => {
    const party = makeParty();
    const zone = party.uma.zone({ name: 'zone', size: 256 });
    for (let period = 0; period < 100; period++) {
      fill(party, zone, 600);
      party.threads.ask(party.threads.slot, 1);
      party.uma.reclaimer.answerAttention();
      const before = zone.stats().cached;
      party.uma.reclaimer.tick(0);
      assert.equal(zone.stats().cached, before, `period ${period}`);
    }
  });
});

describe('trim', () => {
  it('leaves what allocations have drawn of late, and gives back what is cached beyond', () => {
    const party = makeParty({ pageCount: 512 });
    const zone = party.uma.zone({ name: 'zone', size: 256 });
    const intoList = (): void => {
      party.threads.ask(party.threads.slot, 1);
      party.uma.reclaimer.answerAttention();
    };
    fill(party, zone, 1200);
    intoList();
    zone.trim();
    // What was put there is no demand: what is left of it is what the next period draws.
    fill(party, zone, 1200);
    intoList();
    const drawn = takeAll(zone, 600);
    for (const item of drawn) zone.free(item);
    intoList();
    assert.ok(zone.stats().cached >= 1200);
    zone.trim();
    const { cached } = zone.stats();
    assert.ok(cached >= 300 && cached < 900, `${cached} are left`);
    for (let period = 0; period < 60; period++) zone.trim();
    assert.ok(zone.stats().cached < 255, 'what nobody wants any more goes');
    fill(party, zone, 1200);
    intoList();
    for (const item of takeAll(zone, 600)) zone.free(item);
    intoList();
    zone.trim();
    assert.ok(zone.stats().cached >= 300);
    zone.drain();
    assert.equal(zone.stats().cached, 0, 'a drain leaves nothing');
    assertClean(party);
  });
});

describe('reclaim', () => {
  it('drain: once is enough, for headers and buckets go after what stood in them', () => {
    const party = makeParty({ pageCount: 512 });
    const free = party.pages.freePages();
    // Off-page headers of all sizes, and buckets.
    for (const [size, counted] of [
      [4096, false],
      [816, true],
      [1120, true],
      [1312, true],
      [3984, true],
    ] as const) {
      const zone = party.uma.zone({ name: `${size}`, size, referenceCounted: counted } as ZoneOptions);
      for (const item of takeAll(zone, 30)) zone.free(item);
    }
    party.uma.reclaimer.reclaim('drain');
    assert.equal(party.pages.freePages(), free);
    assertClean(party);
  });

  it('drain: after all has been freed every page is back, exactly', () => {
    const party = makeParty({ pageCount: 512 });
    const free = party.pages.freePages();
    for (const size of [16, 100, 512, 2048, 9000]) {
      const zone = party.uma.zone({ name: `${size}`, size });
      for (const item of takeAll(zone, 30)) zone.free(item);
    }
    const { items, pages } = party.uma.reclaimer.reclaim('drain');
    assert.ok(items >= 150 && pages > 0);
    assertEmpty(party, free);
  });

  it('threads: each is asked, who has not answered is overdue, and what it does counts as its answer', () => {
    const party = makeParty({ maxThreads: 4 });
    const others = [joinParty(party.machine.handle), joinParty(party.machine.handle)] as const;
    const options = { name: 'zone', size: 256 };
    const zone = party.uma.zone(options);
    for (const { uma } of others) {
      const own = uma.zone(options);
      for (const item of takeAll(own, 20)) own.free(item);
    }
    const names = others.map(({ threads: { slot, generation } }) => ({ slot, generation }));
    const first = party.uma.reclaimer.reclaim('threads');
    assert.deepEqual(first.asked, names);
    assert.deepEqual(first.overdue, [], 'of an earlier request there is none');
    assert.deepEqual(party.uma.reclaimer.overdue(), names);
    others[0].waiting.poll();
    assert.deepEqual(party.uma.reclaimer.overdue(), [names[1]]);
    assert.deepEqual(party.uma.reclaimer.reclaim('threads').overdue, [names[1]]);
    assert.ok(zone.stats().cached > 0, 'the other keeps what it has');
    others[1].waiting.poll();
    others[0].waiting.poll();
    assert.deepEqual(party.uma.reclaimer.overdue(), []);
    assert.equal(zone.stats().cached, 0);
    // Who leaves is asked nothing any more.
    party.uma.reclaimer.reclaim('threads');
    for (const { uma, threads } of others) {
      uma.reclaimer.leave();
      threads.release();
    }
    assert.deepEqual(party.uma.reclaimer.overdue(), []);
    assertClean(party);
  });

  it('refuses a level that is none, and tells an error of `fini` when all is done', () => {
    const party = makeParty();
    assert.equal(
      codeOf(() => party.uma.reclaimer.reclaim('all' as never)),
      'BAD_ARGUMENT',
    );
    const fini = (): never => {
      throw new Error('fini');
    };
    const bad = party.uma.zone({ name: 'bad', size: 4096, fini });
    const good = party.uma.zone({ name: 'good', size: 4096 });
    for (const zone of [bad, good]) for (const item of takeAll(zone, 4)) zone.free(item as Addr);
    assert.throws(() => party.uma.reclaimer.reclaim('drain'), /fini/);
    assert.equal(good.stats().pages + bad.stats().pages, 0);
    assertClean(party);
  });
});
