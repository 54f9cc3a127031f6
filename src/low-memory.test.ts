/** Requests that find no pages: handlers, what others cache, deadlocks of memory, waiting for runs. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Addr, CANFAIL, type Memory, type Zone } from './index.js';
import { CRITICAL, codeOf, fill, join, make, PAGE, pagesOf, pause } from './low-memory.test-kit.js';

describe('a call that finds no pages', () => {
  /** What makes something reclaimable, in a memory where nothing is free: a page of `kept`. */
  const reclaimable: Record<string, (memory: Memory, kept: Zone, item: Addr) => () => void> = {
    'nothing to be given back': () => () => {},
    'a page that this thread caches': (_memory, zone, item) => {
      zone.free(item);
      return () => {};
    },
    'a run that is set aside': (memory) => {
      const type = memory.mallocType({ name: 'runs' });
      const [leak] = memory.leaks().filter((each) => each.type === 'runs');
      type.setAside(leak?.addresses[0] as Addr);
      return () => {};
    },
    'a handler that gives': (memory, zone, item) => {
      const remove = memory.onLowMemory('kept', () => {
        zone.free(item);
        remove();
        return PAGE;
      });
      return remove;
    },
  };

  for (const [what, prepare] of Object.entries(reclaimable)) {
    for (const [how, expected] of [
      ['nowait', what.startsWith('nothing') ? '0' : 'ok'],
      ['CANFAIL', what.startsWith('nothing') ? 'OUT_OF_MEMORY' : 'ok'],
      ['wait', what.startsWith('nothing') ? 'TIMED_OUT' : 'ok'],
      ['critical', what.startsWith('nothing') ? 'MEMORY_DEADLOCK' : 'ok'],
    ] as const) {
      it(`with ${what}: ${how} is ${expected}`, () => {
        const memory = make();
        const kept = pagesOf(memory, 'kept');
        const item = kept.alloc();
        memory.mallocType({ name: 'runs' }).alloc(1 << 17);
        const zone = pagesOf(memory);
        fill(zone);
        const remove = prepare(memory, kept, item);
        const call = {
          nowait: () => zone.tryAlloc(),
          CANFAIL: () => zone.alloc(CANFAIL),
          wait: () => zone.alloc(0, 20),
          critical: () => zone.alloc(CRITICAL),
        }[how];
        let got: Addr | 0 = 0;
        const code = codeOf(() => {
          got = call();
        });
        assert.equal(code === 'nothing' ? (got === 0 ? '0' : 'ok') : code, expected);
        if (got !== 0) zone.free(got);
        remove();
        assert.deepEqual(memory.audit().violations, []);
      });
    }
  }

  it('asks other threads first, and fails when they have answered', async () => {
    const memory = make();
    const other = join(memory);
    const zone = pagesOf(memory);
    const type = memory.mallocType({ name: 'other' });
    fill(zone);
    const failed = assert.rejects(type.allocAsync(1 << 17, CANFAIL), { code: 'OUT_OF_MEMORY' });
    const failing = assert.rejects(zone.allocAsync(CANFAIL), { code: 'OUT_OF_MEMORY' });
    await pause(10);
    assert.deepEqual(memory.overdue(), [other.name]);
    other.poll();
    await Promise.all([failing, failed]);
    assert.deepEqual(memory.audit().violations, []);
  });

  it('with CANFAIL does not wait for good for a thread that never answers', () => {
    const memory = make();
    join(memory);
    const zone = pagesOf(memory);
    fill(zone);
    assert.equal(
      codeOf(() => zone.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    assert.equal(
      codeOf(() => memory.mallocType({ name: 't' }).alloc(1 << 17, CANFAIL)),
      'OUT_OF_MEMORY',
    );
  });

  it('does not sleep in a handler', () => {
    const memory = make();
    const messages: string[] = [];
    memory.onWarning((message) => messages.push(message));
    const zone = pagesOf(memory);
    const type = memory.mallocType({ name: 'runs', max: 1 << 20 });
    const mutex = memory.mutex('held');
    fill(zone);
    const other = join(memory).mutex('held').lock();
    for (const [name, sleep] of [
      ['zone', () => zone.alloc()],
      ['run', () => type.alloc(1 << 17)],
      ['room', () => type.alloc(1 << 17, 0, 10)],
      ['mutex', () => mutex.lock()],
    ] as const)
      memory.onLowMemory(name, () => sleep() && 0);
    memory.poll(); // they have come late for the episode
    assert.equal(messages.splice(0).length, 4);
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(messages.length, 4, messages.join('\n'));
    for (const message of messages)
      assert.match(message, /^reclaim handler \w+ failed: .* would block, and a reclaim handler is running/);
    other[Symbol.dispose]?.();
    assert.deepEqual(memory.audit().violations, []);
  });

  it('is reported, with the handlers and what they have said', () => {
    const memory = make();
    const reports: string[] = [];
    memory.onWarning((message) => reports.push(message));
    const zone = pagesOf(memory);
    fill(zone);
    memory.onLowMemory('boaster', () => 12_345);
    memory.onLowMemory('miser', () => 0);
    assert.equal(
      codeOf(() => zone.alloc(0, 450)),
      'TIMED_OUT',
    );
    assert.equal(reports.length, 1, reports.join('\n'));
    assert.match(reports[0] as string, /alloc of zone pages has found no pages 3 times/);
    assert.match(reports[0] as string, /boaster said that it freed 12345 bytes, miser freed nothing/);
    assert.throws(() => zone.alloc(CANFAIL), { code: 'OUT_OF_MEMORY' });
    const [boaster, miser] = memory.stats().reclaimHandlers;
    assert.equal(boaster?.pagesFreed, 0);
    assert.equal(boaster?.bytesSaid, 12_345 * (boaster?.calls ?? 0));
    assert.equal(miser?.calls, boaster?.calls);
  });

  it('is served when another thread frees, at once and not after a slice', async () => {
    const memory = make();
    const other = join(memory);
    const zone = pagesOf(memory);
    const type = memory.mallocType({ name: 'runs' });
    const items = fill(pagesOf(other));
    const waiting = [zone.allocAsync(), type.allocAsync(70_000)];
    await pause(10);
    for (const item of items) pagesOf(other).free(item);
    other.drain();
    const [item, run] = await Promise.all(waiting);
    zone.free(item as Addr);
    type.free(run as Addr);
    assert.deepEqual(memory.audit().violations, []);
  });
});

describe('a deadlock of memory', () => {
  /** A worker that takes what it gets, and then waits for one more for good. */
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.index).then(({ attachMemory }) => {
      const memory = attachMemory(workerData.handle);
      memory.onWarning(() => {});
      const zone = memory.zone({ name: 'pages', size: 4096, noBucket: true });
      const items = [];
      for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
      parentPort.postMessage(items.length);
      if (workerData.flags === null) {
        Atomics.wait(memory.words, workerData.gate, 0);
        for (const item of items) zone.free(item);
      } else {
        items.push(zone.alloc(workerData.flags));
      }
      memory.detach();
    });`;

  async function start(memory: Memory, gate: Addr, flags: number | null): Promise<Worker> {
    const worker = new Worker(source, {
      eval: true,
      workerData: {
        index: new URL('./index.js', import.meta.url).href,
        handle: memory.handle,
        gate: gate >>> 2,
        flags,
      },
    });
    await once(worker, 'message');
    return worker;
  }

  it('is told to a critical call, when all others wait for good as well', async () => {
    const memory = make();
    const zone = pagesOf(memory);
    const gate = memory.mallocType({ name: 'gate' }).calloc(1, 64);
    const worker = await start(memory, gate, 0);
    const untilItFails = (): void => {
      // What the two can still give back is used up first.
      for (;;) zone.alloc(CRITICAL);
    };
    assert.throws(untilItFails, {
      code: 'MEMORY_DEADLOCK',
      message: /no thread can free any page: all wait for some/,
    });
    memory.adopt(worker);
    await worker.terminate();
    while (memory.stats().threads > 1) memory.reap();
  });

  it('is none while one of them may still free something', async () => {
    const memory = make();
    const zone = pagesOf(memory);
    const gate = memory.mallocType({ name: 'gate' }).calloc(1, 64);
    const worker = await start(memory, gate, null);
    const ended = once(worker, 'exit');
    fill(zone);
    assert.equal(
      codeOf(() => zone.alloc(CRITICAL, 250)),
      'TIMED_OUT',
    );
    Atomics.store(memory.words, gate >>> 2, 1);
    Atomics.notify(memory.words, gate >>> 2);
    const item = zone.alloc(CRITICAL);
    await ended;
    zone.free(item);
    assert.deepEqual(memory.audit().violations, []);
  });
});

describe('waiting for runs', () => {
  it('is first come, first served: a short one does not pass a long one', async () => {
    const memory = make();
    const other = join(memory);
    const type = memory.mallocType({ name: 'runs' });
    const items = fill(pagesOf(other));
    const order: string[] = [];
    const long = type.allocAsync(64 * PAGE).then((block) => {
      order.push('long');
      type.free(block);
    });
    const short = type.allocAsync(17 * PAGE).then((block) => {
      order.push('short');
      type.free(block);
    });
    await pause(5);
    for (const item of items.sort((one, two) => one - two)) {
      pagesOf(other).free(item);
      await new Promise((done) => setImmediate(done));
    }
    // An idle thread gives back what its kegs keep when it is asked and polls; nobody polls for this one.
    other.drain();
    await Promise.all([long, short]);
    assert.deepEqual(order, ['long', 'short']);
    assert.deepEqual(memory.audit().violations, []);
  });

  it('is left by who aborts, and the next is told', async () => {
    const memory = make();
    const other = join(memory);
    const type = memory.mallocType({ name: 'runs' });
    const items = fill(pagesOf(other));
    const controller = new AbortController();
    const long = assert.rejects(type.allocAsync(100 * PAGE, 0, { signal: controller.signal }), {
      name: 'AbortError',
    });
    const short = type.allocAsync(17 * PAGE);
    await pause(5);
    for (const item of items.sort((one, two) => one - two).slice(0, 70)) pagesOf(other).free(item);
    other.drain();
    await pause(20);
    controller.abort();
    await long;
    type.free(await short);
    assert.deepEqual(memory.audit().violations, []);
  });

  it('blocks until its time is up', () => {
    const memory = make();
    const type = memory.mallocType({ name: 'runs' });
    fill(pagesOf(memory));
    assert.equal(
      codeOf(() => type.alloc(70_000, 0, 30)),
      'TIMED_OUT',
    );
    assert.equal(
      codeOf(() => type.alloc(70_000, CRITICAL)),
      'MEMORY_DEADLOCK',
    );
    assert.equal(
      codeOf(() => type.alloc(70_000, CANFAIL)),
      'OUT_OF_MEMORY',
    );
    assert.equal(type.stats().failures, 3);
    assert.deepEqual(memory.audit().violations, []);
  });
});
