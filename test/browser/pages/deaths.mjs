// Workers that are terminated in the middle of something, and who cleans up after them. No event tells of
// their end: the window learns it from a Web Lock, or from a port where ports tell it.

import { check, equal, finish, ok, refuses, required, sleep, until } from './checks.mjs';

const { createMemory } = await import('../../../dist/index.js');
const items = { name: 'items', size: 64, onOwnerDeath: 'free' };

// The window does not poll here: a poll may want a lock, and whoever waits for a lock is told of no end.
let memory;
let zone;
let survivor;

/** A Worker under an adoption; resolves once it has said that it is where it is to die. */
function start(handle, task, port) {
  const worker = new Worker(new URL('./mortal.mjs', import.meta.url), { type: 'module' });
  const ready = new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }) => resolve(data));
    worker.addEventListener('error', (event) => reject(new Error(event.message)));
  });
  worker.postMessage({ handle, task, port }, port === undefined ? [] : [port]);
  return { worker, ready };
}

await required('a memory, and a Worker that survives', async () => {
  // Without WebAssembly, so that a Worker can stop where it releases a lock: see mortal.mjs.
  memory = createMemory({ bytes: 4 << 20, maxThreads: 8, wasm: false });
  zone = memory.zone(items);
  survivor = start(memory.handle, 'survive');
  await survivor.ready;
});

function progress() {
  return Atomics.load(memory.words, survivor.word);
}

await check('a survivor counts', async () => {
  survivor.word = (await survivor.ready) >> 2;
  const before = progress();
  await until(() => progress() > before, 'the survivor goes on');
});

const ways = { 'a Web Lock': () => ({ adoption: memory.adopt('lock') }) };
const portsTell = 'onclose' in MessagePort.prototype;
if (portsTell) {
  ways['a port'] = () => {
    const { port1, port2 } = new MessageChannel();
    return { adoption: memory.adopt(port1), port: port2 };
  };
}

for (const [what, adopt] of Object.entries(ways)) {
  for (const task of ['hold', 'lock']) {
    await check(`adopted by ${what}, terminated: ${task}`, async () => {
      const { adoption, port } = adopt();
      const { worker, ready } = start(adoption.handle, task, port);
      const thread = await ready;
      equal(memory.stats().threads, 3, 'threads');
      let ended = false;
      adoption.ended.then(() => {
        ended = true;
      });
      // It lives, however slow it is.
      await sleep(700);
      equal(ended, false, 'ended before its end');
      worker.terminate();
      await until(() => ended, 'the window has learnt of the end');
      const reaped = (await adoption.ended)[0];
      if (reaped !== undefined) {
        equal(reaped.thread, thread, 'thread');
        equal(reaped.items.find(({ zone }) => zone === 'items')?.freed, 50, 'items freed');
      }
      await until(() => memory.stats().threads === 2, 'the slot is free');
      const before = progress();
      await until(() => progress() > before + 10, 'the survivor goes on');
      zone.free(zone.tryAlloc());
    });
  }
}

await check('one that detaches leaves nothing to clean up', async () => {
  const { adoption } = ways['a Web Lock']();
  const { worker, ready } = start(adoption.handle, 'detach');
  await ready;
  await sleep(500);
  worker.terminate();
  equal((await adoption.ended).length, 0, 'reaped');
});

await check('what is no thread is refused, a Worker too: nothing tells of its end here', async () => {
  const ports = portsTell ? [] : [new MessageChannel().port1];
  for (const value of [...ports, survivor.worker, {}, 'locks', null, document]) {
    await refuses('BAD_ARGUMENT', () => memory.adopt(value));
  }
});

await check('the audit is clean', async () => {
  survivor.worker.postMessage('end');
  await until(() => memory.stats().threads === 1, 'the survivor has detached');
  memory.drain();
  for (const { name, used } of memory.stats().zones) equal(used, 0, `items of ${name} in use`);
  const { clean, violations } = memory.audit();
  ok(clean, violations.map(({ rule, message }) => `${rule} ${message}`).join('; '));
});

await finish();
