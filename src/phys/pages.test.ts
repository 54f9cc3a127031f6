import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { MbumaError } from '../check/index.js';
import { createPages, Page, PageState, type Pages } from './index.js';
import { assertClean, freeShape, type Kit, makeKit, type WorkerOrders } from './phys.test-kit.js';

const { SLAB, RUN } = PageState;

/** The blocks that the free pages of `free` can be cut into in one way only. */
function expectedBlocks(free: ReadonlySet<number>, kit: Kit): number[] {
  const byOrder = new Array<number>(20).fill(0);
  const isFreeBlock = (page: number, order: number): boolean => {
    for (let each = page; each < page + 2 ** order; each++) if (!free.has(each)) return false;
    return true;
  };
  for (let page = kit.pages.firstPage; page < kit.pages.pageCount; ) {
    let order = 0;
    if (!free.has(page)) {
      page++;
      continue;
    }
    while (order < 19 && page % 2 ** (order + 1) === 0 && isFreeBlock(page, order + 1)) order++;
    byOrder[order] = (byOrder[order] ?? 0) + 1;
    page += 2 ** order;
  }
  return byOrder;
}

function isBadArgument(error: unknown): boolean {
  return error instanceof MbumaError && error.code === 'BAD_ARGUMENT';
}

describe('page runs: the shape of a fresh memory', () => {
  for (const pageCount of [8, 9, 15, 16, 17, 63, 100, 255, 256, 257, 1000]) {
    it(`of ${pageCount} pages holds every page after the boot areas`, () => {
      const kit = makeKit(pageCount);
      const { pages, machine } = kit;
      assert.equal(pages.pageCount, pageCount);
      assert.equal(pages.firstPage, machine.layout.firstPage);
      assert.equal(pages.freePages(), pageCount - pages.firstPage);
      const all = new Set(Array.from({ length: pages.freePages() }, (_, index) => pages.firstPage + index));
      assert.deepEqual(pages.stats().byOrder, expectedBlocks(all, kit));
      assertClean(pages);
    });
  }

  it('is not made again by a thread that attaches', () => {
    const kit = makeKit(64);
    const page = kit.pages.tryAllocRun(3, SLAB);
    const other = createPages(kit, false);
    assert.equal(other.freePages(), kit.pages.freePages());
    other.freeRun(page, 3);
    assertClean(kit.pages);
  });
});

describe('page runs: model', () => {
  type Run = { page: number; count: number; use: number };

  /** Of a run that may lie in several blocks; undefined: in one. */
  const alignment = fc.constantFrom(undefined, undefined, 1, 1, 2, 16);

  /** Whether so many pages in a row are free, at a multiple of the alignment. */
  function hasPlace(free: ReadonlySet<number>, pageCount: number, count: number, aligned: number): boolean {
    for (let page = aligned; page + count <= pageCount; page += aligned) {
      let length = 0;
      while (length < count && free.has(page + length)) length++;
      if (length === count) return true;
    }
    return false;
  }

  it('never overlap, conserve every page, and join back to the state of a fresh memory', () => {
    const command = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          take: fc.integer({ min: 1, max: 40 }),
          use: fc.constantFrom(SLAB, RUN),
          alignment,
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ take: fc.integer({ min: 30, max: 390 }), use: fc.constant(RUN), alignment }),
      },
      { weight: 1, arbitrary: fc.record({ resize: fc.nat(), to: fc.integer({ min: 1, max: 60 }) }) },
      { weight: 3, arbitrary: fc.record({ give: fc.nat() }) },
    );
    fc.assert(
      fc.property(
        // With more pages some would be kept back.
        fc.integer({ min: 8, max: 399 }),
        fc.array(command, { maxLength: 120 }),
        (pageCount, commands) => {
          const kit = makeKit(pageCount);
          const { pages } = kit;
          const fresh = freeShape(kit);
          const free = new Set<number>();
          for (let page = pages.firstPage; page < pageCount; page++) free.add(page);
          const runs: Run[] = [];

          function give(index: number): void {
            const [run] = runs.splice(index, 1) as [Run];
            pages.freeRun(run.page, run.count);
            for (let page = run.page; page < run.page + run.count; page++) free.add(page);
          }

          function resize(run: Run, count: number): void {
            const behind = Array.from(
              { length: Math.max(0, count - run.count) },
              (_, n) => run.page + run.count + n,
            );
            const isThere = behind.every((page) => free.has(page));
            assert.equal(
              pages.resizeRun(run.page, run.count, count),
              isThere,
              `from ${run.count} to ${count}`,
            );
            if (!isThere) return;
            for (const page of behind) {
              free.delete(page);
              assert.equal(kit.machine.words[pages.pageRef(page) + Page.state], run.use);
              assert.equal(pages.objectOf(page), 0x1000 + run.page);
            }
            for (let page = run.page + count; page < run.page + run.count; page++) free.add(page);
            run.count = count;
          }

          for (const each of commands) {
            if ('give' in each) {
              if (runs.length > 0) give(each.give % runs.length);
            } else if ('resize' in each) {
              if (runs.length > 0) resize(runs[each.resize % runs.length] as Run, each.to);
            } else {
              const longest = pages.stats().longestBlock;
              const rounded = 2 ** Math.ceil(Math.log2(each.take));
              const aligned = each.alignment ?? rounded;
              const page = pages.tryAllocRun(each.take, each.use, 0, each.alignment);
              const isThere = each.alignment
                ? hasPlace(free, pageCount, each.take, aligned)
                : longest >= rounded;
              assert.equal(page !== 0, isThere, `${each.take} pages at ${aligned}, longest block ${longest}`);
              if (page === 0) continue;
              assert.equal(page % aligned, 0, 'the run is aligned');
              runs.push({ page, count: each.take, use: each.use });
              for (let at = page; at < page + each.take; at++) {
                assert.ok(free.delete(at), `page ${at} was not free`);
                assert.equal(kit.machine.words[pages.pageRef(at) + Page.state], each.use);
                assert.equal(pages.objectOf(at), 0);
              }
              pages.setObject(page, each.take, 0x1000 + page);
              assert.equal(pages.objectOf(page + each.take - 1), 0x1000 + page);
            }
            assert.equal(pages.freePages(), free.size);
            assert.deepEqual(pages.stats().byOrder, expectedBlocks(free, kit));
          }
          assertClean(pages);
          while (runs.length > 0) give(runs.length >> 1);
          assert.deepEqual(freeShape(kit), fresh);
          assertClean(pages);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('page runs: exhaustion and fragmentation', () => {
  function takeAll(pages: Pages, count: number): number[] {
    const taken: number[] = [];
    for (let page = pages.tryAllocRun(count, SLAB); page !== 0; page = pages.tryAllocRun(count, SLAB))
      taken.push(page);
    return taken;
  }

  it('gives every page one by one, then 0, and counts it', () => {
    const kit = makeKit(300);
    const fresh = freeShape(kit);
    const taken = takeAll(kit.pages, 1);
    assert.equal(taken.length, 300 - kit.pages.firstPage);
    assert.equal(kit.pages.freePages(), 0);
    assert.equal(kit.pages.stats().longestBlock, 0);
    assert.equal(kit.pages.stats().failures, 1);
    assert.equal(kit.pages.stats().requests, taken.length + 1);
    assertClean(kit.pages);
    for (const page of taken) kit.pages.freeRun(page, 1);
    assert.deepEqual(freeShape(kit), fresh);
    assertClean(kit.pages);
  });

  it('with every other page free there is no run of two', () => {
    const { pages } = makeKit(256);
    const taken = takeAll(pages, 1);
    for (const page of taken) if (page % 2 === 0) pages.freeRun(page, 1);
    assert.ok(pages.freePages() > 100);
    assert.equal(pages.tryAllocRun(2, RUN), 0);
    assert.equal(pages.stats().longestBlock, 1);
    assertClean(pages);
    for (const page of taken) if (page % 2 === 1) pages.freeRun(page, 1);
    assert.notEqual(pages.tryAllocRun(64, RUN), 0);
    assertClean(pages);
  });

  it('never takes the contents of pages for page records', () => {
    // The records end where the first page begins: a buddy beyond the end would be read from there.
    for (let pageCount = 8; pageCount < 80; pageCount++) {
      for (let order = 0; order < 7; order++) {
        const kit = makeKit(pageCount);
        const { words } = kit.machine;
        for (let at: number = kit.pages.pageRef(pageCount); at + 16 <= words.length; at += 16) {
          words[at + Page.state] = PageState.FREE;
          words[at + Page.order] = order;
        }
        const fresh = freeShape(kit);
        const taken = takeAll(kit.pages, 1);
        for (const page of taken) kit.pages.freeRun(page, 1);
        assert.deepEqual(freeShape(kit), fresh);
        assertClean(kit.pages);
      }
    }
  });

  it('gives the tail of a run back at once', () => {
    const { pages } = makeKit(128);
    const before = pages.freePages();
    const page = pages.tryAllocRun(33, RUN);
    assert.equal(page % 64, 0);
    assert.equal(pages.freePages(), before - 33);
    assert.equal(pages.tryAllocRun(16, RUN) !== 0, true);
    assertClean(pages);
  });

  it('refuses a run longer than the memory, and does not mistake 2^32 for 0', () => {
    const { pages } = makeKit(64);
    for (const count of [65, 64, 2 ** 19, 2 ** 20, 2 ** 31, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      assert.equal(pages.tryAllocRun(count, RUN), 0, String(count));
    }
    assertClean(pages);
  });

  it('takes the smallest block that is long enough', () => {
    const { pages } = makeKit(256);
    const [first] = takeAll(pages, 1) as [number];
    for (let page = 200; page < 208; page++) pages.freeRun(page, 1);
    for (let page = 210; page < 212; page++) pages.freeRun(page, 1);
    pages.freeRun(first, 1);
    assert.equal(pages.tryAllocRun(2, SLAB), 210);
    assert.equal(pages.tryAllocRun(1, SLAB), first);
    assert.equal(pages.tryAllocRun(3, SLAB), 200);
    assert.equal(pages.tryAllocRun(1, SLAB), 203);
    assertClean(pages);
  });

  it('works at the largest size: 2^19 pages', () => {
    const kit = makeKit(2 ** 19);
    const { pages } = kit;
    const fresh = freeShape(kit);
    const page = pages.tryAllocRun(200_000, RUN);
    assert.equal(page, 2 ** 18);
    assert.equal(kit.machine.words[pages.pageRef(page + 199_999) + Page.state], RUN);
    const last = pages.tryAllocRun(1, SLAB);
    pages.freeRun(page, 200_000);
    pages.freeRun(last, 1);
    assert.deepEqual(freeShape(kit), fresh);
    assertClean(pages);
  });
});

describe('page runs: several threads', () => {
  it('never share a page, and leave the memory as it was', async () => {
    const kit = makeKit(200);
    const fresh = freeShape(kit);
    const workers = [11, 22, 33].map((seed) => {
      const workerData: WorkerOrders = { handle: kit.machine.handle, rounds: 6000, seed };
      return new Worker(new URL('./pages.test-worker.js', import.meta.url), { workerData });
    });
    try {
      const reports = await Promise.all(workers.map((worker) => once(worker, 'message')));
      const total = (name: string): number => reports.reduce((sum, [report]) => sum + report[name], 0);
      assert.ok(total('taken') > 1000 && total('refused') > 10, JSON.stringify(reports));
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    assert.deepEqual(freeShape(kit), fresh);
    assertClean(kit.pages);
  });
});

describe('page runs: the failpoint phys.run', () => {
  it('fails the nth call, changes nothing, and is counted', () => {
    const { machine, pages } = makeKit(64);
    machine.failpoints.arm('phys.run', { nth: 2 });
    const before = pages.freePages();
    assert.notEqual(pages.tryAllocRun(1, SLAB), 0);
    assert.equal(pages.tryAllocRun(1, SLAB), 0);
    assert.notEqual(pages.tryAllocRun(1, SLAB), 0);
    assert.equal(pages.freePages(), before - 2);
    assert.equal(pages.stats().failures, 1);
    assertClean(pages);
  });
});

describe('page runs: misuse is refused and changes nothing', () => {
  const HOSTILE: readonly unknown[] = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0.5,
    0.5,
    -1,
    2 ** 53,
    '1',
    1n,
    null,
    undefined,
    true,
    {},
    [1],
    Symbol('one'),
    () => 1,
    { valueOf: () => 1 },
  ];

  function assertRefused(kit: Kit, call: () => unknown, what: string): void {
    const before = kit.machine.words.slice();
    assert.throws(call, isBadArgument, what);
    assert.equal(kit.machine.witness.held(), 0);
    // The layer's lock comes and goes; the slot's lists of locks keep what was in them.
    const area = kit.machine.area('phys');
    assert.deepEqual(kit.machine.words.subarray(area), before.subarray(area), what);
  }

  it('by hostile arguments', () => {
    const kit = makeKit(64);
    const { pages } = kit;
    const page = pages.tryAllocRun(4, RUN);
    for (const value of [...HOSTILE, 0, -0, 2 ** 31 + 0.5]) {
      const bad = value as number;
      assertRefused(kit, () => pages.tryAllocRun(bad, SLAB), `tryAllocRun(${String(value)})`);
      assertRefused(kit, () => pages.tryAllocRun(1, bad), `use ${String(value)}`);
      assertRefused(kit, () => pages.freeRun(page, bad), `freeRun(page, ${String(value)})`);
      assertRefused(kit, () => pages.freeRun(bad, 4), `freeRun(${String(value)})`);
      assertRefused(kit, () => pages.setObject(bad, 1, 7), `setObject(${String(value)})`);
    }
    for (const use of [PageState.FREE, PageState.FREE_TAIL, PageState.BOOT, 5, 2 ** 32 + SLAB]) {
      assertRefused(kit, () => pages.tryAllocRun(1, use), `use ${use}`);
    }
    for (const far of [2 ** 31, 2 ** 32, 2 ** 32 + page, 64, pages.firstPage - 1]) {
      assertRefused(kit, () => pages.freeRun(far, 4), `freeRun(${far})`);
      assertRefused(kit, () => pages.setObject(far, 4, 7), `setObject(${far})`);
    }
    pages.freeRun(page, 4);
    assertClean(pages);
  });

  it('by a wrong length, an inner page, a free page, and twice', () => {
    const kit = makeKit(64);
    const { pages } = kit;
    const page = pages.tryAllocRun(4, SLAB);
    for (const [first, count] of [
      [page, 3],
      [page, 5],
      [page, 1],
      [page + 1, 3],
      [page + 3, 1],
      [page - 1, 5],
    ] as const) {
      assertRefused(kit, () => pages.freeRun(first, count), `freeRun(${first}, ${count})`);
    }
    pages.freeRun(page, 4);
    assertRefused(kit, () => pages.freeRun(page, 4), 'twice');
    assertRefused(kit, () => pages.freeRun(63, 1), 'never taken');
    assertClean(pages);
  });

  it('says what it found, with the address', () => {
    const { pages } = makeKit(64);
    const page = pages.tryAllocRun(4, SLAB);
    assert.throws(() => pages.freeRun(page, 3), {
      code: 'BAD_ARGUMENT',
      address: page * 4096,
      message: `a run of 3 pages at page ${page} is freed: the run there has 4 pages`,
    });
  });

  it('gives object 0 for pages that are not there', () => {
    const { pages } = makeKit(64);
    for (const page of [0, 1, 63, 64, 65, -1, 2 ** 31, 2 ** 32 - 1]) assert.equal(pages.objectOf(page), 0);
  });
});
