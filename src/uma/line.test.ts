/** What ends a wait besides an item: a hook's failure, a lack of waiters, the thread itself. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { NO_MEMORY } from './index.js';
import { end, makePair, takeAll } from './pair.test-kit.js';
import {
  assertClean,
  assertEmpty,
  codeOf,
  codeOfPromise,
  joinParty,
  makeParty,
  takeAllPages,
  turn,
  until,
} from './uma.test-kit.js';

describe('a hook that fails in the line', () => {
  const broken = new Error('broken');
  for (const answer of ['throws', 'Error', 'lacks'] as const) {
    it(`leaves it: init ${answer} when a unit has been granted`, async () => {
      let failing = false;
      const init = (): number | Error => {
        if (!failing) return 0;
        if (answer === 'throws') throw broken;
        return answer === 'Error' ? broken : NO_MEMORY;
      };
      const a = makeParty();
      const primary = a.uma.zone({ name: 'primary', size: 64 });
      const zone = a.uma.zone({ name: 'secondary', primary, max: 2, init });
      const items = [zone.tryAlloc(), zone.tryAlloc()] as Addr[];
      const wait = zone.allocAsync();
      failing = true;
      zone.max = 3;
      if (answer === 'lacks') {
        assert.equal(zone.sleepers, 0, 'granted');
        await until(() => zone.sleepers === 1, 'it stands in line for memory');
        failing = false;
        items.push(await wait);
      } else {
        await assert.rejects(wait, broken);
        assert.equal(zone.sleepers, 0);
        failing = false;
        items.push(...takeAll(zone, 1));
      }
      assert.equal(zone.tryAlloc(), 0, 'the limit is exact still');
      for (const item of items) zone.free(item);
      a.uma.reclaimer.reclaim('drain');
      assertClean(a);
    });
  }

  it('leaves it: init throws when the head of the line gets pages', () => {
    const a = makeParty();
    let failing = false;
    const init = (): void => {
      if (failing) throw broken;
    };
    const zone = a.uma.zone({ name: 'zone', size: 4096, init });
    const give = takeAllPages(a);
    a.waiting.onPoll(() => {
      failing = true;
      give();
    });
    assert.throws(() => zone.alloc(0, 2000), broken);
    assert.equal(zone.sleepers, 0);
    failing = false;
    const item = zone.alloc(0, 0);
    zone.free(item);
    a.uma.reclaimer.reclaim('drain');
    assertClean(a);
  });

  it('leaves it: onExhausted throws between two sleeps', () => {
    const a = makeParty();
    let failing = false;
    const onExhausted = (): boolean => {
      if (failing) throw broken;
      return false;
    };
    const zone = a.uma.zone({ name: 'zone', size: 4096, onExhausted });
    const give = takeAllPages(a);
    a.waiting.onPoll(() => {
      failing = true;
    });
    assert.throws(() => zone.alloc(0, 2000), broken);
    assert.equal(zone.sleepers, 0);
    give();
    assertClean(a);
  });

  it('must not block while its caller stands in line', () => {
    const a = makeParty();
    const bounded = a.uma.zone({ name: 'bounded', size: 64, max: 1 });
    const item = bounded.alloc();
    const codes: string[] = [];
    const onExhausted = (): boolean => {
      if (zone.sleepers > 0) codes.push(codeOf(() => bounded.alloc(0, 10)));
      return false;
    };
    const zone = a.uma.zone({ name: 'zone', size: 4096, onExhausted });
    a.uma.reclaimer.reclaim('drain');
    const give = takeAllPages(a);
    assert.equal(
      codeOf(() => zone.alloc(0, 20)),
      'TIMED_OUT',
    );
    assert.ok(codes.length > 0 && codes.every((code) => code === 'WOULD_BLOCK'), codes.join());
    give();
    bounded.free(item);
    assertClean(a);
  });

  it('may block when the grant has been taken', () => {
    const a = makeParty();
    const bounded = a.uma.zone({ name: 'bounded', size: 64, max: 1 });
    const item = bounded.alloc();
    const primary = a.uma.zone({ name: 'primary', size: 64 });
    let blocking = false;
    const init = (): void => {
      if (blocking)
        assert.equal(
          codeOf(() => bounded.alloc(0, 5)),
          'TIMED_OUT',
        );
    };
    const zone = a.uma.zone({ name: 'secondary', primary, max: 1, init });
    const first = zone.alloc();
    a.waiting.onPoll(() => {
      blocking = true;
      zone.max = 2;
    });
    const second = zone.alloc(0, 1000);
    zone.free(first);
    zone.free(second);
    bounded.free(item);
    a.uma.reclaimer.reclaim('drain');
    assertClean(a);
  });
});

describe('more asynchronous calls than a thread has waiters', () => {
  it('are served in their order, and can be aborted while they queue at home', async () => {
    const pair = makePair({ max: 4 });
    const items = takeAll(pair.zoneA, 4);
    const order: number[] = [];
    const controller = new AbortController();
    const calls = Array.from({ length: 80 }, async (_, index) => {
      if (index % 10 !== 9) {
        const item = await pair.zoneA.allocAsync();
        order.push(index);
        return item;
      }
      await assert.rejects(pair.zoneA.allocAsync(0, { signal: controller.signal }), { name: 'AbortError' });
      return 0;
    });
    assert.equal(pair.zoneA.sleepers, 31);
    controller.abort();
    for (const call of calls) {
      const next = items.shift();
      if (next !== undefined) pair.zoneA.free(next);
      const item = await call;
      if (item !== 0) items.push(item);
    }
    assert.deepEqual(
      order,
      Array.from({ length: 80 }, (_, index) => index).filter((index) => index % 10 !== 9),
    );
    end(pair, items);
  });
});

describe('a thread that detaches while its calls wait', () => {
  it('takes them out of the lines; they end with DETACHED', async () => {
    const pair = makePair({ max: 1 });
    const items = takeAll(pair.zoneA, 1);
    const calls = Array.from({ length: 40 }, () => codeOfPromise(() => pair.zoneB.allocAsync()));
    await turn();
    assert.equal(pair.zoneA.sleepers, 31);
    const granted = codeOfPromise(() => pair.zoneB.allocAsync());
    pair.zoneA.free(items.shift() as Addr);
    pair.b.uma.reclaimer.leave();
    pair.b.threads.release();
    assert.equal(pair.zoneA.sleepers, 0);
    assert.deepEqual(new Set(await Promise.all([...calls, granted])), new Set(['DETACHED']));
    assertClean(pair.a);
    // The slot goes to another thread, whose calls wait and are served.
    items.push(...takeAll(pair.zoneA, 1));
    const heir = joinParty(pair.a.machine.handle);
    assert.equal(heir.threads.slot, pair.b.threads.slot);
    const zone = heir.uma.zone({ name: 'zone', size: 256 });
    const wait = zone.allocAsync();
    pair.zoneA.free(items.shift() as Addr);
    zone.free(await wait);
    heir.uma.reclaimer.reclaim('drain');
    assertEmpty(pair.a, pair.freePages);
  });
});
