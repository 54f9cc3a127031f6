/** Whoever adopts a thread cleans up after it, whatever it died of, and never before it has. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { attachMemory, createMemory } from './memory.js';
import type { Memory } from './memory-api.js';
import type { Addr } from './record/index.js';
import { hostileValues } from './uma/hostile.test-kit.js';
import { assertClean, codeOf } from './uma/uma.test-kit.js';

/** To adopt keeps no process alive: somebody has to, while the tests wait for the ends of threads. */
let alive: NodeJS.Timeout;
before(() => {
  alive = setInterval(() => {}, 1000);
});
after(() => clearInterval(alive));

const MIB = 1 << 20;
const items = { name: 'items', size: 64, onOwnerDeath: 'free' } as const;
const index = JSON.stringify(new URL('./index.js', import.meta.url).href);

function make(): Memory {
  return createMemory({ bytes: 2 * MIB, maxThreads: 4, maxZones: 16 });
}

/** A worker that runs `body` with `memory` and `zone`, then says how many items it has, and idles. */
function start(handle: unknown, body: string, transfer: MessagePort[] = [], options = 'undefined'): Worker {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { setInterval } = require('node:timers');
    import(${index}).then(({ attachMemory }) => {
      const attach = () => attachMemory(workerData.handle, ${options});
      const idle = () => { parentPort.postMessage('ready'); setInterval(() => {}, 1000); };
      const busy = (ms) => {
        parentPort.postMessage('ready');
        for (const end = Date.now() + ms; Date.now() < end; );
      };
      const open = (memory) => memory.zone(${JSON.stringify(items)});
      ${body}
    });`;
  const [port] = transfer;
  return new Worker(code, { eval: true, workerData: { handle, port }, transferList: transfer });
}

const holding =
  'const memory = attach(); const zone = open(memory); for (let n = 0; n < 100; n++) zone.alloc();';

function freed(reaped: readonly { items: readonly { freed: number }[] }[]): number {
  return reaped.flatMap((each) => each.items).reduce((sum, each) => sum + each.freed, 0);
}

describe('adopting a Worker of Node', () => {
  const deaths: Record<string, string> = {
    'terminate()': 'idle();',
    'process.exit': 'process.exit(7);',
    'an uncaught throw': 'throw Object.assign(new Error("planned"));',
    'having nothing more to do': '',
  };
  for (const [what, end] of Object.entries(deaths)) {
    it(`cleans up after ${what}`, async () => {
      const memory = make();
      const zone = memory.zone(items);
      const worker = start(memory.handle, holding + end);
      worker.on('error', ({ message }) => assert.equal(message, 'planned'));
      const { ended, handle } = memory.adopt(worker);
      assert.equal(handle, memory.handle);
      if (what === 'terminate()') {
        await once(worker, 'message');
        assert.equal(memory.stats().threads, 2);
        await worker.terminate();
      }
      assert.equal(freed(await ended), 100);
      assert.equal(memory.stats().threads, 1);
      assert.equal(zone.stats().used, 0);
      assertClean(memory);
    });
  }

  it('finds both attachments of one thread', async () => {
    const memory = make();
    memory.zone(items);
    const worker = start(memory.handle, `${holding} attach(); idle();`);
    const { ended } = memory.adopt(worker);
    await once(worker, 'message');
    assert.equal(memory.stats().threads, 3);
    void worker.terminate();
    assert.deepEqual(
      (await ended).map(({ thread }) => thread),
      [2, 3],
    );
  });

  it('has nothing to do for one that has detached, or never attached', async () => {
    const memory = make();
    for (const body of ['attach().detach();', '']) {
      assert.deepEqual(await memory.adopt(start(memory.handle, body)).ended, []);
    }
    assertClean(memory);
  });

  it('is the same when asked for twice, also after the end; before the end it can be given up', async () => {
    const memory = make();
    memory.zone(items);
    const worker = start(memory.handle, holding);
    const first = memory.adopt(worker);
    assert.equal(memory.adopt(worker), first);
    first.dispose();
    assert.equal(worker.listenerCount('exit'), 0);
    const second = memory.adopt(worker);
    assert.notEqual(second, first);
    assert.equal(freed(await second.ended), 100);
    assert.equal(memory.adopt(worker), second);
  });

  it('that has ended before is refused: its number is gone', async () => {
    const memory = make();
    const worker = start(memory.handle, '');
    await once(worker, 'exit');
    assert.throws(() => memory.adopt(worker), { code: 'BAD_ARGUMENT', message: /has ended/ });
  });

  it('does nothing once the adopter has detached', async () => {
    const memory = make();
    const witness = attachMemory(memory.handle);
    const worker = start(memory.handle, holding);
    const { ended } = memory.adopt(worker);
    memory.detach();
    assert.deepEqual(await ended, []);
    assert.equal(
      codeOf(() => memory.adopt(worker)),
      'DETACHED',
    );
    assert.equal(witness.stats().threads, 2);
  });

  it('does not keep the process alive', () => {
    const code = `
      import { Worker, MessageChannel } from 'node:worker_threads';
      import { createMemory } from ${index};
      const memory = createMemory({ bytes: ${MIB} });
      const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
      worker.unref();
      memory.adopt(worker).ended.then(() => console.log('ended'));
      memory.adopt(new MessageChannel().port1);
      console.log('last line');`;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.deepEqual([stdout, status], ['last line\n', 0]);
  });

  it('refuses what is no thread, however it behaves', () => {
    const memory = make();
    const fake = Object.create(Worker.prototype) as object;
    for (const value of [...hostileValues, fake, { threadId: 1 }, 'locks', () => {}]) {
      assert.equal(
        codeOf(() => memory.adopt(value as object)),
        'BAD_ARGUMENT',
      );
    }
    const { port1 } = new MessageChannel();
    assert.equal(
      codeOf(() => attachMemory(memory.handle, { port: port1 })),
      'BAD_ARGUMENT',
    );
    const { handle } = memory.adopt(port1);
    for (const port of [{}, 7, memory]) {
      assert.equal(
        codeOf(() => attachMemory(handle, { port: port as object })),
        'BAD_ARGUMENT',
      );
    }
    for (const change of [
      { agent: 0 },
      { agent: 3 },
      { agent: 'x' },
      { agent: -1 },
      { agent: -1.5 },
      { lock: 7 },
    ]) {
      assert.equal(
        codeOf(() => attachMemory({ ...handle, ...change } as never)),
        'BAD_HANDLE',
      );
    }
    port1.close();
  });
});

describe('adopting by a port', () => {
  it('cleans up when the other end dies with its thread', async () => {
    const memory = make();
    const zone = memory.zone(items);
    const { port1, port2 } = new MessageChannel();
    const { handle, ended } = memory.adopt(port1);
    assert.equal(memory.adopt(port1).handle, handle);
    const worker = start(handle, `${holding} idle();`, [port2], '{ port: workerData.port }');
    await once(worker, 'message');
    assert.equal(memory.stats().threads, 2);
    await worker.terminate();
    assert.equal(freed(await ended), 100);
    assert.equal(zone.stats().used, 0);
    assertClean(memory);
  });

  it('keeps apart threads that were adopted by different ports', async () => {
    const memory = make();
    memory.zone(items);
    const [one, two] = [new MessageChannel(), new MessageChannel()];
    const adoptions = [memory.adopt(one.port1), memory.adopt(two.port1)] as const;
    const threads = [one, two].map(({ port2 }, at) =>
      start(adoptions[at]?.handle, `${holding} idle();`, [port2], '{ port: workerData.port }'),
    );
    await Promise.all(threads.map((each) => once(each, 'message')));
    await threads[1]?.terminate();
    assert.equal(freed(await adoptions[1].ended), 100);
    assert.equal(memory.stats().threads, 2);
    await threads[0]?.terminate();
    assert.equal(freed(await adoptions[0].ended), 100);
    assertClean(memory);
  });
});

describe('adopting by a Web Lock', () => {
  it('is refused in Node, which does not give on the locks of a terminated thread', () => {
    const memory = make();
    assert.equal(
      codeOf(() => memory.adopt('lock')),
      'BAD_CONFIGURATION',
    );
    const { handle } = memory.adopt(new MessageChannel().port1);
    assert.equal(
      codeOf(() => attachMemory({ ...handle, lock: 'mbuma' } as never)),
      'BAD_CONFIGURATION',
    );
    assert.equal(memory.stats().threads, 1);
  });
});

describe('a thread that is only slow', () => {
  it('is never given up, though it comes back to its event loop after seconds only', async () => {
    const memory = make();
    const zone = memory.zone(items);
    const { port1, port2 } = new MessageChannel();
    const { handle, ended } = memory.adopt(port1);
    const worker = start(
      handle,
      `${holding} busy(1500); for (let n = 0; n < 1000; n++) zone.free(zone.alloc()); memory.detach();`,
      [port2],
      '{ port: workerData.port }',
    );
    const adoption = memory.adopt(worker);
    await once(worker, 'message');
    for (const end = Date.now() + 800; Date.now() < end; ) {
      memory.poll();
      zone.free(zone.alloc());
      assert.deepEqual(memory.reap(), []);
      assert.equal(memory.stats().threads, 2);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual([await adoption.ended, await ended], [[], []]);
    // It kept its items: to free them is no longer its own.
    assert.equal(zone.stats().used, 100);
    assertClean(memory);
  });
});

describe('a thread that was declared dead, and comes back', () => {
  it('is refused with GIVEN_UP wherever it looks at the memory, and does no harm', async () => {
    const memory = make();
    const zone = memory.zone(items);
    const ring = memory.ring({ name: 'ring', capacity: 4 });
    const limited = memory.zone({ name: 'limited', size: 64, max: 2, onOwnerDeath: 'free' });
    const slow = attachMemory(memory.handle);
    const its = slow.zone(items);
    const itsRing = slow.ring({ name: 'ring', capacity: 4 });
    const itsLimited = slow.zone({ name: 'limited', size: 64, max: 2 });
    slow.mbufs.freeChain(slow.mbufs.getcl());
    const item = its.alloc();
    its.free(its.alloc());
    itsRing.put(1);
    const words = new Int32Array(4);
    assert.equal(memory.declareDead(slow.name), true);
    assert.equal(freed(memory.reap()), 1);
    const before = memory.words.slice();
    const calls: Record<string, () => unknown> = {
      tryAlloc: () => its.tryAlloc(),
      alloc: () => its.alloc(0, 10),
      'alloc at a limit': () => itsLimited.alloc(0, 10),
      free: () => its.free(item),
      tryAllocMany: () => its.tryAllocMany(words, 3),
      freeMany: () => its.freeMany(Int32Array.of(item), 1),
      trim: () => its.trim(),
      'drain of a zone': () => its.drain(),
      max: () => {
        itsLimited.max = 3;
      },
      tryPut: () => itsRing.tryPut(2),
      put: () => itsRing.put(2, 10),
      tryTake: () => itsRing.tryTake(),
      takeMany: () => itsRing.takeMany(words, 4, 10),
      close: () => itsRing.close(),
      'mbufs.tryGet': () => slow.mbufs.tryGet(),
      'mbufs.getcl': () => slow.mbufs.getcl(0, 10),
      zone: () => slow.zone({ name: 'new', size: 16 }),
      ring: () => slow.ring({ name: 'new', capacity: 4 }),
      poll: () => slow.poll(),
      reap: () => slow.reap(),
      drain: () => slow.drain(),
      detach: () => slow.detach(),
      stats: () => slow.stats(),
      audit: () => slow.audit(),
      adopt: () => slow.adopt(new MessageChannel().port1),
      declareDead: () => slow.declareDead(memory.name),
    };
    const answers = Object.entries(calls).map(([name, call]) => [name, codeOf(call)]);
    assert.deepEqual(
      answers,
      Object.keys(calls).map((name) => [name, 'GIVEN_UP']),
    );
    await assert.rejects(its.allocAsync(), { code: 'GIVEN_UP' });
    await assert.rejects(itsRing.takeAsync(), { code: 'GIVEN_UP' });
    const changed = memory.words.reduce((sum, word, at) => sum + (word === before[at] ? 0 : 1), 0);
    assert.ok(changed < 64, `${changed} words changed`);
    // The locks are as they were: everything can be used.
    assert.equal(ring.tryTake(), 1);
    zone.free(zone.alloc());
    limited.free(limited.alloc() as Addr);
    memory.mbufs.freeChain(memory.mbufs.getcl());
    assertClean(memory);
    assert.equal(memory.stats().threads, 1);
  });
});
