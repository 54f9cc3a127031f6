import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PageClass, PageState } from './index.js';
import { assertClean, type Kit, makeKit } from './phys.test-kit.js';

const settle = (): void => {};

/** A full memory, and the pages that handlers can free. */
function prepare(): Kit & { taken: number[] } {
  const kit = makeKit(200);
  const taken: number[] = [];
  while (kit.pages.freePages() > 0) taken.push(kit.pages.tryAllocRun(1, PageState.RUN));
  return { ...kit, taken };
}

describe('reclaim handlers', () => {
  it('run in order, until what is wanted is free', () => {
    const { pages, taken } = prepare();
    const calls: string[] = [];
    const handler = (name: string, count: number) => (bytesWanted: number) => {
      calls.push(`${name} ${bytesWanted}`);
      for (let each = 0; each < count; each++) pages.freeRun(taken.pop() as number, 1);
      return count * 4096;
    };
    pages.lowMemory.register('first', handler('first', 1));
    pages.lowMemory.register('second', handler('second', 2));
    pages.lowMemory.register('third', handler('third', 4));
    assert.equal(pages.lowMemory.relieve(3, settle), 3);
    assert.deepEqual(calls, ['first 12288', 'second 8192']);
    assert.match(
      pages.lowMemory.lastRun(),
      /first said that it freed 4096 bytes, second said that it freed 8192 bytes, third was not asked/,
    );
    assert.deepEqual(
      pages.lowMemory.stats().map(({ calls, bytesSaid, pagesFreed }) => [calls, bytesSaid, pagesFreed]),
      [
        [1, 4096, 1],
        [1, 8192, 2],
        [0, 0, 0],
      ],
    );
    assertClean(pages);
  });

  it('are believed nothing: who has freed into caches is followed by who settles, and by the next', () => {
    const { pages, taken } = prepare();
    const cached: number[] = [];
    pages.lowMemory.register('into caches', () => cached.push(taken.pop() as number) * 4096);
    pages.lowMemory.register('boaster', () => 1 << 30);
    pages.lowMemory.register('last', () => {
      pages.freeRun(taken.pop() as number, 1);
      return 4096;
    });
    const freed = pages.lowMemory.relieve(2, () => {
      for (const page of cached.splice(0)) pages.freeRun(page, 1);
    });
    assert.equal(freed, 2);
    assert.deepEqual(
      pages.lowMemory.stats().map(({ pagesFreed }) => pagesFreed),
      [1, 0, 1],
    );
  });

  it('that fail are told of, and the next is asked', () => {
    const { pages } = prepare();
    const messages: string[] = [];
    pages.lowMemory.onFailure((message) => messages.push(message));
    const answers: readonly (() => unknown)[] = [
      () => {
        throw new Error('no such cache');
      },
      () => undefined,
      () => Promise.resolve(1),
      () => -1,
      () => Number.NaN,
      () => Number.POSITIVE_INFINITY,
      () => '4096',
    ];
    for (const [index, answer] of answers.entries())
      pages.lowMemory.register(`h${index}`, answer as () => number);
    assert.equal(pages.lowMemory.relieve(1, settle), 0);
    assert.deepEqual(messages, [
      'reclaim handler h0 failed: no such cache',
      'reclaim handler h1 answered undefined',
      'reclaim handler h2 answered a promise: it must not be async',
      'reclaim handler h3 answered -1',
      'reclaim handler h4 answered NaN',
      'reclaim handler h5 answered Infinity',
      'reclaim handler h6 answered "4096"',
    ]);
    assert.equal(
      pages.lowMemory.stats().every(({ failures, calls }) => failures === 1 && calls === 1),
      true,
    );
  });

  it('run in class system, and one at a time', () => {
    const { pages } = prepare();
    let depth = 0;
    pages.lowMemory.register('outer', () => {
      depth++;
      assert.equal(pages.setClass(PageClass.SYSTEM), PageClass.SYSTEM);
      assert.equal(pages.lowMemory.isRunning(), true);
      assert.equal(pages.lowMemory.relieve(1, settle), 0);
      pages.lowMemory.poll(settle);
      return 0;
    });
    pages.lowMemory.relieve(1, settle);
    assert.equal(depth, 1);
    assert.equal(pages.lowMemory.isRunning(), false);
    assert.equal(pages.setClass(PageClass.NORMAL), PageClass.NORMAL);
    assert.equal(pages.lowMemory.stats()[0]?.failures, 0);
  });

  it('run by polls once in an episode, until the target is met', () => {
    const { pages, taken } = prepare();
    const thresholds = { ...pages.stats().thresholds, freeMin: 4, freeTarget: 8 };
    for (let count = 0; count < 20; count++) pages.freeRun(taken.pop() as number, 1);
    pages.setThresholds(thresholds);
    let calls = 0;
    pages.lowMemory.register('handler', () => {
      calls++;
      return 0;
    });
    pages.lowMemory.poll(settle);
    assert.equal(calls, 0, 'it is not low');
    while (pages.freePages() > 3) taken.push(pages.tryAllocRun(1, PageState.RUN));
    pages.lowMemory.poll(settle);
    pages.lowMemory.poll(settle);
    assert.equal(calls, 1);
    while (pages.freePages() < 8) pages.freeRun(taken.pop() as number, 1);
    while (pages.freePages() > 3) taken.push(pages.tryAllocRun(1, PageState.RUN));
    pages.lowMemory.poll(settle);
    assert.equal(calls, 2);
    assertClean(pages);
  });

  it('have names of their own, and may be taken out, by themselves too', () => {
    const { pages } = prepare();
    const calls: string[] = [];
    const remove = pages.lowMemory.register('once', () => {
      calls.push('once');
      remove();
      return 0;
    });
    pages.lowMemory.register('always', () => calls.push('always') * 0);
    assert.throws(() => pages.lowMemory.register('once', () => 0), { code: 'BAD_ARGUMENT' });
    pages.lowMemory.relieve(1, settle);
    pages.lowMemory.relieve(1, settle);
    remove();
    assert.deepEqual(calls, ['once', 'always', 'always']);
    pages.lowMemory.register('once', () => 0);
    assert.equal(pages.lowMemory.stats().length, 2);
  });

  it('come after what is set aside has aged', () => {
    const { pages, taken } = prepare();
    const page = taken.pop() as number;
    const ticket = pages.setAside(page, 1, 1);
    pages.lowMemory.register('handler', () => 0);
    pages.lowMemory.relieve(1, settle);
    assert.equal(pages.stats().cache, 1);
    assert.notEqual(pages.tryAllocRun(1, PageState.RUN), 0);
    assert.equal(pages.takeBack(page, ticket), false);
    assertClean(pages);
  });
});
