import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  type Addr,
  attachMemory,
  CANFAIL,
  createMemory,
  type Memory,
  type MemoryOptions,
  USE_INTERRUPT_RESERVE,
  USE_RESERVE,
  type Zone,
} from './index.js';

const CRITICAL = USE_RESERVE | USE_INTERRUPT_RESERVE;
const PAGE = 4096;

function make(options: Partial<MemoryOptions> = {}): Memory {
  const memory = createMemory({ bytes: 1 << 21, timerMs: 0, wasm: false, ...options });
  memory.onWarning(() => {});
  return memory;
}

function join(memory: Memory): Memory {
  const other = attachMemory(memory.handle);
  other.onWarning(() => {});
  return other;
}

/** Items of one page, without a cache: one free item is one free page. */
function pagesOf(memory: Memory, name = 'pages'): Zone {
  return memory.zone({ name, size: PAGE, noBucket: true });
}

/** Takes all that a call without flags gets. */
function fill(zone: Zone): Addr[] {
  const items: Addr[] = [];
  for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
  return items;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing';
}

const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

describe('classes under real exhaustion', () => {
  const pages = { interruptFreeMin: 3, freeReserved: 10, freeMin: 20, freeTarget: 40 };

  it('leave what is another’s, whatever the depth', () => {
    const memory = make({ pages });
    const zone = pagesOf(memory);
    const normal = fill(zone);
    assert.equal(memory.stats().pages.free, 10);
    assert.equal(memory.stats().pages.isLow, true);
    const take = (flags: number): number => {
      let count = 0;
      for (let item = zone.tryAlloc(flags); item !== 0; item = zone.tryAlloc(flags)) {
        normal.push(item);
        count++;
      }
      return count;
    };
    assert.equal(take(USE_RESERVE), 7);
    assert.equal(memory.stats().pages.free, 3);
    assert.equal(take(USE_INTERRUPT_RESERVE), 3);
    assert.equal(take(CRITICAL), 0);
    assert.equal(memory.stats().pages.free, 0);
    assert.equal(memory.stats().pages.reserveTaken, 10);
    for (const item of normal) zone.free(item);
    memory.drain();
    assert.equal(memory.stats().pages.isLow, false);
    assert.deepEqual(memory.audit().violations, []);
  });

  for (const options of [{ noBucket: true }, {}]) {
    it(`are not held up by a line of those who may take less: ${JSON.stringify(options)}`, async () => {
      const memory = make({ pages: { freeReserved: 100, freeMin: 100, freeTarget: 100 } });
      const zone = memory.zone({ name: 'pages', size: PAGE, ...options });
      const type = memory.mallocType({ name: 'runs' });
      const items = fill(zone);
      fill(pagesOf(memory, 'rest'));
      const controller = new AbortController();
      const waiting = zone.allocAsync(0, { signal: controller.signal }).catch(() => 0);
      const run = type.allocAsync(80_000, 0, { signal: controller.signal }).catch(() => 0);
      await pause(5);
      for (const flags of [USE_RESERVE, USE_INTERRUPT_RESERVE, CRITICAL]) {
        const item = zone.alloc(flags, 0);
        const block = type.alloc(80_000, flags, 0);
        zone.free(item);
        type.free(block);
      }
      controller.abort();
      await Promise.all([waiting, run]);
      for (const item of items) zone.free(item);
      assert.deepEqual(memory.audit().violations, []);
    });
  }

  it('are those of malloc, of blocks and of runs', () => {
    const memory = make({ pages });
    const type = memory.mallocType({ name: 'temp' });
    const blocks: Addr[] = [];
    const take = (size: number, flags: number): number => {
      let count = 0;
      for (let block = type.tryAlloc(size, flags); block !== 0; block = type.tryAlloc(size, flags)) {
        blocks.push(block);
        count++;
      }
      return count;
    };
    take(100_000, 0);
    take(65536, 0);
    take(4096, 0);
    assert.ok(memory.stats().pages.free >= 10);
    assert.ok(take(4096, USE_RESERVE) > 0);
    assert.ok(memory.stats().pages.free >= 3);
    assert.ok(take(4096, USE_INTERRUPT_RESERVE) > 0);
    for (const block of blocks) type.free(block);
    assert.deepEqual(memory.audit().violations, []);
  });

  it('give what a hook needs on the way to the call that it is for', () => {
    const memory = make({ pages });
    const inner = pagesOf(memory, 'inner');
    const held = new Map<Addr, Addr>();
    const outer = memory.zone({
      name: 'outer',
      size: 64,
      ctor(item) {
        const own = inner.tryAlloc();
        if (own === 0) return 1;
        held.set(item, own);
        return 0;
      },
      dtor(item) {
        inner.free(held.get(item) as Addr);
      },
    });
    outer.free(outer.alloc());
    const rest = fill(inner);
    assert.equal(outer.tryAlloc(), 0, 'its constructor finds nothing above the reserve');
    const item = outer.tryAlloc(USE_RESERVE);
    assert.notEqual(item, 0);
    assert.equal(inner.tryAlloc(), 0, 'and the call after it is of class normal');
    outer.free(item);
    for (const each of rest) inner.free(each);
    assert.deepEqual(memory.audit().violations, []);
  });
});

describe('who may take what: free pages, pages of the cache queue, class, and how it waits', () => {
  const pages = { interruptFreeMin: 3, freeReserved: 10, freeMin: 10, freeTarget: 10, cacheMin: 0 };
  const RUN = 18;
  const classes = [
    { name: 'normal', flags: 0, leaves: 10 },
    { name: 'system', flags: USE_RESERVE, leaves: 3 },
    { name: 'interrupt', flags: USE_INTERRUPT_RESERVE, leaves: 0 },
  ];
  const waits = {
    nowait: async (zone: Zone, flags: number) => zone.tryAlloc(flags) || null,
    blocking: async (zone: Zone, flags: number) => zone.alloc(flags, 0),
    awaiting: (zone: Zone, flags: number) => zone.allocAsync(flags, { signal: AbortSignal.timeout(15) }),
  };

  /** A memory with so many free pages, and a run in the cache queue or none; all else is in use. */
  function prepare(free: number, cached: number): { memory: Memory; zone: Zone } {
    const memory = make({ pages });
    const zone = pagesOf(memory);
    const type = memory.mallocType({ name: 'runs' });
    const runs = cached === 0 ? [] : [type.alloc(RUN * PAGE)];
    // What caches and kegs could give back is not what is looked at here.
    for (let pass = 0; pass < 2; pass++) {
      while (memory.stats().pages.free > free) zone.alloc(USE_INTERRUPT_RESERVE);
      memory.drain();
    }
    for (const run of runs) type.setAside(run, 'cache');
    assert.deepEqual([memory.stats().pages.free, memory.stats().pages.cache], [free, cached]);
    return { memory, zone };
  }

  for (const free of [11, 10, 4, 3, 1, 0]) {
    for (const cached of [0, RUN]) {
      for (const { name, flags, leaves } of classes) {
        for (const [how, call] of Object.entries(waits)) {
          it(`${free} free, ${cached} cached, ${name}, ${how}`, async () => {
            const { memory, zone } = prepare(free, cached);
            const item = await call(zone, flags).catch(() => null);
            const mayTake = free + cached - 1 >= leaves;
            assert.equal(item !== null, mayTake);
            const { discarded } = memory.stats().pages;
            assert.equal(discarded, mayTake && free - 1 < 10 ? cached : 0, 'the reserve fills up first');
            if (item !== null) zone.free(item);
            assert.deepEqual(memory.audit().violations, []);
          });
        }
      }
    }
  }
});

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
