import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PageClass, PageQueue, PageState, thresholdReasons, thresholdsFor } from './index.js';
import { assertClean, type Kit, makeKit } from './phys.test-kit.js';

const { NORMAL, SYSTEM, INTERRUPT } = PageClass;
const { CACHE } = PageQueue;

const THRESHOLDS = {
  interruptFreeMin: 2,
  freeReserved: 6,
  freeMin: 10,
  freeTarget: 20,
  cacheMin: 0,
  inactiveTarget: 0,
};

/** A memory with so many free pages, in as many runs of one page that may be taken, and nothing else free. */
function prepare(free: number, cached: number): Kit {
  const kit = makeKit(200);
  const { pages } = kit;
  pages.setThresholds({ ...THRESHOLDS, interruptFreeMin: 0, freeReserved: 0 });
  const taken: number[] = [];
  while (pages.freePages() > 0) taken.push(pages.tryAllocRun(1, PageState.RUN));
  for (let count = 0; count < free; count++) pages.freeRun(taken.pop() as number, 1);
  for (let count = 0; count < cached; count++) pages.setAside(taken.pop() as number, 1, CACHE);
  pages.setThresholds(THRESHOLDS);
  assert.equal(pages.freePages(), free);
  return kit;
}

/** Free and cached pages before; for each class, what a request of one page leaves of them, or nothing. */
const CELLS: readonly (readonly [
  state: readonly [free: number, cached: number],
  left: Readonly<Record<PageClass, readonly [free: number, cached: number] | null>>,
])[] = [
  [[8, 0], { [NORMAL]: [7, 0], [SYSTEM]: [7, 0], [INTERRUPT]: [7, 0] }],
  [[7, 0], { [NORMAL]: [6, 0], [SYSTEM]: [6, 0], [INTERRUPT]: [6, 0] }],
  [[6, 0], { [NORMAL]: null, [SYSTEM]: [5, 0], [INTERRUPT]: [5, 0] }],
  [[3, 0], { [NORMAL]: null, [SYSTEM]: [2, 0], [INTERRUPT]: [2, 0] }],
  [[2, 0], { [NORMAL]: null, [SYSTEM]: null, [INTERRUPT]: [1, 0] }],
  [[1, 0], { [NORMAL]: null, [SYSTEM]: null, [INTERRUPT]: [0, 0] }],
  [[0, 0], { [NORMAL]: null, [SYSTEM]: null, [INTERRUPT]: null }],
  // Above the reserve nothing that is cached is touched.
  [[8, 3], { [NORMAL]: [7, 3], [SYSTEM]: [7, 3], [INTERRUPT]: [7, 3] }],
  [[7, 1], { [NORMAL]: [6, 1], [SYSTEM]: [6, 1], [INTERRUPT]: [6, 1] }],
  // A cached page is freed, and the request looks again: whoever asks, the reserve fills up first.
  [[6, 1], { [NORMAL]: [6, 0], [SYSTEM]: [6, 0], [INTERRUPT]: [6, 0] }],
  [[6, 5], { [NORMAL]: [6, 4], [SYSTEM]: [6, 4], [INTERRUPT]: [6, 4] }],
  [[0, 8], { [NORMAL]: [6, 1], [SYSTEM]: [6, 1], [INTERRUPT]: [6, 1] }],
  [[0, 7], { [NORMAL]: [6, 0], [SYSTEM]: [6, 0], [INTERRUPT]: [6, 0] }],
  // Too few for the class: they stay as they are.
  [[5, 1], { [NORMAL]: null, [SYSTEM]: [5, 0], [INTERRUPT]: [5, 0] }],
  [[0, 6], { [NORMAL]: null, [SYSTEM]: [5, 0], [INTERRUPT]: [5, 0] }],
  [[0, 3], { [NORMAL]: null, [SYSTEM]: [2, 0], [INTERRUPT]: [2, 0] }],
  [[1, 1], { [NORMAL]: null, [SYSTEM]: null, [INTERRUPT]: [1, 0] }],
  [[0, 1], { [NORMAL]: null, [SYSTEM]: null, [INTERRUPT]: [0, 0] }],
];

describe('classes of requests', () => {
  for (const [[free, cached], cells] of CELLS) {
    for (const [name, pageClass] of Object.entries(PageClass)) {
      it(`${free} free and ${cached} cached: ${name.toLowerCase()}`, () => {
        const { pages } = prepare(free, cached);
        const { reserveTaken } = pages.stats();
        const expected = cells[pageClass];
        assert.equal(pages.setClass(pageClass), NORMAL);
        const page = pages.tryAllocRun(1, PageState.RUN);
        assert.equal(pages.setClass(NORMAL), pageClass);
        const stats = pages.stats();
        assert.equal(page !== 0, expected !== null);
        assert.deepEqual([stats.free, stats.cache], expected ?? [free, cached]);
        const isReserve = expected !== null && expected[0] < THRESHOLDS.freeReserved;
        assert.equal(stats.reserveTaken - reserveTaken, isReserve ? 1 : 0);
        assert.equal(stats.discarded, expected === null ? 0 : cached - expected[1]);
        assert.equal(stats.isLow, true);
        assertClean(pages);
      });
    }
  }

  it('frees what is cached until there is a run that is long enough', () => {
    const { pages } = prepare(0, 0);
    const kit = makeKit(200);
    const runs: number[] = [];
    while (kit.pages.freePages() > 0) runs.push(kit.pages.tryAllocRun(1, PageState.RUN));
    // In the order of their places: runs of two, four and more come about as neighbours go.
    for (const page of runs.sort((one, other) => one - other)) kit.pages.setAside(page, 1, CACHE);
    const page = kit.pages.tryAllocRun(16, PageState.RUN);
    assert.notEqual(page, 0);
    assert.equal(page % 16, 0);
    assert.ok(kit.pages.stats().discarded >= 16);
    assert.ok(kit.pages.stats().cache > 0, 'no more than it takes');
    assertClean(kit.pages);
    assertClean(pages);
  });

  it('has a long run of the cache taken whole, the oldest first', () => {
    const { pages } = makeKit(200);
    const old = pages.tryAllocRun(8, PageState.RUN);
    const young = pages.tryAllocRun(8, PageState.RUN);
    const oldTicket = pages.setAside(old, 8, CACHE);
    const youngTicket = pages.setAside(young, 8, CACHE);
    while (pages.freePages() > 0) pages.tryAllocRun(1, PageState.RUN);
    assert.notEqual(pages.tryAllocRun(1, PageState.RUN), 0);
    assert.equal(pages.stats().free, 7);
    assert.equal(pages.takeBack(old, oldTicket), false);
    assert.equal(pages.takeBack(young, youngTicket), true);
    assertClean(pages);
  });

  it('tells when the memory becomes low, and when it is no more', () => {
    const { pages } = prepare(20, 0);
    assert.deepEqual([pages.stats().isLow, pages.stats().episodes], [false, 1]);
    const runs: number[] = [];
    const take = (): void => void runs.push(pages.tryAllocRun(1, PageState.RUN));
    const give = (): void => pages.freeRun(runs.pop() as number, 1);
    while (pages.freePages() > 10) take();
    assert.equal(pages.stats().isLow, false);
    take();
    assert.deepEqual([pages.stats().isLow, pages.stats().episodes], [true, 2]);
    give();
    take();
    assert.deepEqual([pages.stats().isLow, pages.stats().episodes], [true, 2], 'until the target is met');
    while (pages.freePages() < 20) give();
    assert.equal(pages.stats().isLow, false);
    assertClean(pages);
  });

  it('wakes the starving when enough is free, and those of the reserve at once', () => {
    const rung: string[] = [];
    const { pages, waiting } = prepare(0, 0);
    const runs = Array.from({ length: 30 }, (_, index) => pages.pageCount - 31 + index);
    (waiting as { ringAll: () => void }).ringAll = () => void rung.push(`at ${pages.freePages()}`);
    const give = (): void => pages.freeRun(runs.pop() as number, 1);
    pages.starve();
    while (pages.freePages() < 12) give();
    assert.deepEqual(rung, ['at 10'], 'at the threshold, and once');
    while (pages.freePages() > 0) {
      pages.setClass(INTERRUPT);
      pages.tryAllocRun(1, PageState.RUN);
    }
    pages.starve();
    pages.freeRun(runs.pop() as number, 1);
    assert.deepEqual(rung, ['at 10', 'at 1']);
    assertClean(pages);
  });

  it('begins anew with class normal', () => {
    const { pages } = makeKit(200);
    assert.equal(pages.setClass(SYSTEM), NORMAL);
    assert.equal(pages.setClass(NORMAL), SYSTEM);
  });
});

describe('thresholds', () => {
  it('are none in a small memory, and a quarter of a hundredth in a large one', () => {
    assert.deepEqual(new Set(Object.values(thresholdsFor(199))), new Set([0]));
    assert.deepEqual(thresholdsFor(262_144), {
      interruptFreeMin: 163,
      freeReserved: 655,
      freeMin: 1310,
      freeTarget: 5895,
      cacheMin: 5895,
      inactiveTarget: 8842,
    });
  });

  it('are in order for any size', () => {
    for (let pages = 1; pages < 600_000; pages += 997)
      assert.deepEqual(thresholdReasons(thresholdsFor(pages), pages), []);
  });

  it('tell everything that is wrong with them', () => {
    const wrong = { ...THRESHOLDS, interruptFreeMin: 7, freeTarget: 9, cacheMin: 101 };
    assert.deepEqual(thresholdReasons(wrong, 100), [
      'cacheMin is 101, and there are 100 pages',
      'interruptFreeMin is 7, more than freeReserved, which is 6',
      'freeMin is 10, more than freeTarget, which is 9',
    ]);
  });
});
