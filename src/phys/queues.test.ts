import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PageQueue, PageState, Phys } from './index.js';
import { assertClean, makeKit } from './phys.test-kit.js';

const { ACTIVE, INACTIVE, CACHE, NONE } = PageQueue;
const { RUN } = PageState;
const bad = { code: 'BAD_ARGUMENT' };

describe('runs that may be taken', () => {
  it('are told by queue, in pages', () => {
    const { pages } = makeKit(100);
    const runs = [3, 1, 2].map((count) => pages.tryAllocRun(count, RUN));
    const queues = [ACTIVE, INACTIVE, CACHE];
    const tickets = runs.map((page, index) =>
      pages.setAside(page, [3, 1, 2][index] as number, queues[index] as PageQueue),
    );
    const { active, inactive, cache } = pages.stats();
    assert.deepEqual([active, inactive, cache], [3, 1, 2]);
    assert.equal(pages.queuedPages(), 6);
    assert.deepEqual(runs.map(pages.queueOf), queues);
    assertClean(pages);
    assert.deepEqual(
      runs.map((page, index) => pages.takeBack(page, tickets[index] as number)),
      [true, true, true],
    );
    assert.deepEqual(runs.map(pages.queueOf), [NONE, NONE, NONE]);
    assert.equal(pages.queuedPages(), 0);
    assertClean(pages);
  });

  it('are taken back once, and by their ticket', () => {
    const { pages } = makeKit(100);
    const page = pages.tryAllocRun(2, RUN);
    const ticket = pages.setAside(page, 2, CACHE);
    assert.equal(pages.takeBack(page, ticket + 1), false);
    assert.equal(pages.takeBack(page + 1, ticket), false);
    assert.equal(pages.takeBack(page, 0), false);
    assert.equal(pages.takeBack(page, ticket), true);
    assert.equal(pages.takeBack(page, ticket), false);
    const again = pages.setAside(page, 2, CACHE);
    assert.notEqual(again, ticket);
    assert.equal(pages.takeBack(page, ticket), false, 'that was another stay');
    assert.equal(pages.takeBack(page, again), true);
    assertClean(pages);
  });

  it('end a request, and ageing, by an error where a queue is damaged', () => {
    for (const queue of [CACHE, INACTIVE]) {
      const { pages, machine } = makeKit(100);
      const phys = machine.area('phys');
      while (pages.tryAllocRun(1, RUN) !== 0);
      machine.words[phys + Phys.queuePages + queue] = 7;
      machine.words[phys + Phys.queueHeads + queue] = pages.pageRef(0);
      const call = queue === CACHE ? () => pages.tryAllocRun(1, RUN) : () => pages.age(1);
      assert.throws(call, { code: 'MEMORY_DAMAGED' });
    }
  });

  it('are not those of another who had the same page later', () => {
    const { pages } = makeKit(100);
    const page = pages.tryAllocRun(1, RUN);
    const ticket = pages.setAside(page, 1, CACHE);
    while (pages.tryAllocRun(1, RUN) !== 0);
    assert.equal(pages.queueOf(page), NONE, 'it was taken, and is used again');
    const other = pages.setAside(page, 1, CACHE);
    assert.equal(pages.takeBack(page, ticket), false);
    assert.equal(pages.takeBack(page, other), true);
    assertClean(pages);
  });

  it('are refused when there is no such run, or it is set aside already', () => {
    const { pages } = makeKit(100);
    const page = pages.tryAllocRun(2, RUN);
    assert.throws(() => pages.setAside(page, 1, CACHE), bad);
    assert.throws(() => pages.setAside(page + 1, 1, CACHE), bad);
    assert.throws(() => pages.setAside(page + 2, 1, CACHE), bad);
    assert.throws(() => pages.setAside(0, 1, CACHE), bad);
    assert.throws(() => pages.setAside(page, 2, NONE), bad);
    assert.throws(() => pages.setAside(page, 2, 4 as PageQueue), bad);
    assert.throws(() => pages.takeBack(1000, 1), bad);
    pages.setAside(page, 2, ACTIVE);
    assert.throws(() => pages.setAside(page, 2, CACHE), bad);
    assertClean(pages);
  });

  it('may be freed where they stand', () => {
    const { pages } = makeKit(100);
    const free = pages.freePages();
    const runs = [1, 2, 3].map((count) => pages.tryAllocRun(count, RUN));
    for (const [index, page] of runs.entries()) pages.setAside(page, index + 1, INACTIVE);
    pages.freeRun(runs[1] as number, 2);
    assertClean(pages);
    assert.equal(pages.stats().inactive, 4);
    pages.freeRun(runs[0] as number, 1);
    pages.freeRun(runs[2] as number, 3);
    assert.equal(pages.freePages(), free);
    assertClean(pages);
  });

  it('age: the oldest inactive ones become cached, the oldest active ones inactive', () => {
    const { pages } = makeKit(100);
    const set = (queue: PageQueue, count: number): number[] =>
      Array.from({ length: count }, () => {
        const page = pages.tryAllocRun(1, RUN);
        pages.setAside(page, 1, queue);
        return page;
      });
    const active = set(ACTIVE, 5);
    const inactive = set(INACTIVE, 5);
    const levels = (): number[] => {
      const { active, inactive, cache } = pages.stats();
      return [active, inactive, cache];
    };
    pages.age(0);
    assert.deepEqual(levels(), [5, 5, 0], 'a small memory keeps nothing ready');
    pages.age(2);
    assert.deepEqual(levels(), [5, 3, 2]);
    assert.deepEqual(inactive.map(pages.queueOf), [CACHE, CACHE, INACTIVE, INACTIVE, INACTIVE]);
    const thresholds = pages.stats().thresholds;
    pages.setThresholds({ ...thresholds, cacheMin: 3, inactiveTarget: 7 });
    pages.age(1);
    assert.deepEqual(levels(), [3, 4, 3]);
    assert.deepEqual(active.map(pages.queueOf), [INACTIVE, INACTIVE, ACTIVE, ACTIVE, ACTIVE]);
    pages.age(1000);
    assert.deepEqual(levels(), [0, 0, 10]);
    assertClean(pages);
  });

  it('behave like a model of lists', () => {
    const step = fc.record({
      kind: fc.constantFrom('take', 'aside', 'back', 'free', 'age', 'stale'),
      count: fc.integer({ min: 1, max: 9 }),
      pick: fc.nat(),
      queue: fc.constantFrom(ACTIVE, INACTIVE, CACHE),
    });
    interface Held {
      readonly page: number;
      readonly count: number;
      ticket: number;
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { pages } = makeKit(64);
        const held: Held[] = [];
        /** Oldest first, by queue. */
        const queues: Held[][] = [[], [], [], []];
        const pagesOf = (queue: number): number =>
          (queues[queue] as Held[]).reduce((sum, { count }) => sum + count, 0);
        const pickFrom = (list: Held[], pick: number): Held | undefined =>
          list.length === 0 ? undefined : list.splice(pick % list.length, 1)[0];
        for (const { kind, count, pick, queue } of steps) {
          if (kind === 'take') {
            const before = pagesOf(CACHE);
            const page = pages.tryAllocRun(count, RUN);
            // The oldest are gone, whether or not it was of use.
            while (pagesOf(CACHE) > pages.stats().cache) (queues[CACHE] as Held[]).shift();
            assert.ok(pagesOf(CACHE) <= before);
            if (page !== 0) held.push({ page, count, ticket: 0 });
          } else if (kind === 'aside') {
            const run = pickFrom(held, pick);
            if (run === undefined) continue;
            run.ticket = pages.setAside(run.page, run.count, queue);
            (queues[queue] as Held[]).push(run);
          } else if (kind === 'back') {
            const run = pickFrom(queues[queue] as Held[], pick);
            if (run === undefined) continue;
            assert.equal(pages.takeBack(run.page, run.ticket), true);
            held.push(run);
          } else if (kind === 'free') {
            const run = pickFrom(held, pick) ?? pickFrom(queues[queue] as Held[], pick);
            if (run !== undefined) pages.freeRun(run.page, run.count);
          } else if (kind === 'age') {
            pages.age(count);
            while (pagesOf(INACTIVE) + pagesOf(CACHE) < count && (queues[ACTIVE] as Held[]).length > 0)
              queues[INACTIVE]?.push(queues[ACTIVE]?.shift() as Held);
            while (pagesOf(CACHE) < count && (queues[INACTIVE] as Held[]).length > 0)
              queues[CACHE]?.push(queues[INACTIVE]?.shift() as Held);
          } else {
            const run = held[pick % Math.max(1, held.length)];
            if (run !== undefined) assert.equal(pages.takeBack(run.page, run.ticket), false);
          }
          const { active, inactive, cache } = pages.stats();
          assert.deepEqual([active, inactive, cache], [ACTIVE, INACTIVE, CACHE].map(pagesOf));
          for (const each of [ACTIVE, INACTIVE, CACHE])
            for (const { page } of queues[each] as Held[]) assert.equal(pages.queueOf(page), each);
        }
        assertClean(pages);
      }),
      { numRuns: 300 },
    );
  });
});
