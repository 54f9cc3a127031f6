// One memory for the window and its Workers. What the address asks for:
//
//   ?wasm=false            a SharedArrayBuffer and no WebAssembly
//   ?waitAsync=none        as in a browser that has no Atomics.waitAsync
//   ?checkLevel=2          every check
//   ?worker=isolated       the Worker under other headers than the page
//   ?helper=plain          which helper the window must have got

const query = new URLSearchParams(location.search);
if (query.get('waitAsync') === 'none') Atomics.waitAsync = undefined;

const { attachMemory, createMemory, MbumaError } = await import('../../../dist/index.js');
const { instantiateHelper } = await import('../../../dist/machine/helper/index.js');
const { check, equal, finish, isOpen, ok, refuses, required, sleep, sumOf, until } = await import(
  './checks.mjs'
);
const { startWorker } = await import('./crew.mjs');
const { fillItem, itemZone, verifyItem } = await import('./items.mjs');

const wantsWasm = query.get('wasm') !== 'false';
const mode = query.get('worker');
const workerAddress = mode === null ? './worker.mjs' : `/${mode}/test/browser/pages/worker.mjs`;
const clusters = 16;
const few = { name: 'few', size: 32, max: 4 };
const busy = { name: 'busy', size: 128, max: 6 };

let memory;
let worker;
let polling;

await required('the page is cross-origin isolated', () => {
  equal(crossOriginIsolated, true, 'crossOriginIsolated');
});

await required('createMemory in the window', () => {
  memory = createMemory({
    bytes: 8 << 20,
    checkLevel: Number(query.get('checkLevel') ?? 0),
    mbufs: { max: clusters },
    wasm: wantsWasm ? undefined : false,
  });
  equal(memory.thread, 1, 'thread');
  equal(memory.handle.wasm !== null, wantsWasm, 'a memory of WebAssembly');
  equal(memory.words.buffer instanceof SharedArrayBuffer, true, 'shared');
  if (wantsWasm) {
    const helper = instantiateHelper(memory.handle.wasm)?.kind ?? 'plain';
    equal(helper, query.get('helper') ?? 'wasm', 'helper');
  }
  // As a page does that has nothing else to do: whoever waits gets what lies in this thread's caches.
  polling = setInterval(() => memory.poll(), 10);
});

await check('wasm: true is refused where modules may not be compiled', async () => {
  const create = () => createMemory({ bytes: 8 << 20, wasm: true }).handle.wasm !== null;
  if (query.get('helper') === 'plain') await refuses('BAD_CONFIGURATION', create);
  else equal(create(), true, 'a memory of WebAssembly');
});

await required('a Worker attaches by the handle that it was posted', async () => {
  worker = startWorker(workerAddress);
  equal(await worker.call('attach', memory.handle), 2, 'thread of the Worker');
  equal(memory.stats().threads, 2, 'threads attached');
  const zone = memory.zone(few);
  const item = zone.alloc();
  memory.words[item >> 2] = 0x5eed;
  equal(await worker.call('readWord', item), 0x5eed, 'what the Worker read');
  zone.free(item);
});

await check('items go from the window to the Worker, in order, with waiting on both sides', async () => {
  const zone = memory.zone(itemZone);
  const ring = memory.ring({ name: 'to worker', capacity: 8 });
  const consumed = worker.call('consumeItems', 600);
  for (let n = 1; n <= 600; n++) await ring.putAsync(fillItem(memory, await zone.allocAsync(), n));
  equal(await consumed, (600 * 601) / 2, 'sum of the numbers');
  equal(zone.stats().used, 0, 'items in use');
});

await check('items go from the Worker to the window', async () => {
  const zone = memory.zone(itemZone);
  const ring = memory.ring({ name: 'to window', capacity: 8 });
  const produced = worker.call('produceItems', 600);
  for (let n = 1; n <= 600; n++) {
    const item = await ring.takeAsync();
    equal(verifyItem(memory, item), n, 'number');
    zone.free(item);
  }
  await produced;
  equal(ring.length, 0, 'words left');
});

for (const command of ['echo', 'echoAsync']) {
  await check(`rings: many words there and back, and closed (${command})`, async () => {
    const there = memory.ring({ name: `${command} there`, capacity: 16 });
    const back = memory.ring({ name: `${command} back`, capacity: 16 });
    const echoed = worker.call(command, there.name, back.name, 16);
    const words = Int32Array.from({ length: 500 }, (_, at) => at + 1);
    const put = there.putManyAsync(words, 500).then(() => there.close());
    const out = new Int32Array(16);
    let expected = 1;
    for (;;) {
      const count = await back.takeManyAsync(out, 16);
      if (count === 0) break;
      for (const word of out.subarray(0, count)) equal(word, expected++, 'word');
    }
    await put;
    equal(await echoed, 500, 'words that the Worker saw');
    await refuses('RING_CLOSED', () => there.tryPut(1));
  });
}

await check('packets: written here, read and freed there, and the other way', async () => {
  const { mbufs } = memory;
  const bytes = Uint8Array.from({ length: 5000 }, (_, at) => at * 13);
  const packet = mbufs.tryGetcl();
  ok(mbufs.append(packet, bytes), 'append');
  equal(await worker.call('sumPacket', packet), sumOf(bytes), 'sum by the Worker');

  const theirs = await worker.call('makePacket', 6000);
  const read = new Uint8Array(6000);
  mbufs.copyOut(theirs, 0, 6000, read);
  equal(sumOf(read), sumOf(Uint8Array.from({ length: 6000 }, (_, at) => at * 7)), 'sum by the window');
  mbufs.freeChain(theirs);
});

await check('a cluster is shared by reference; the last who frees it gives it back', async () => {
  const { mbufs } = memory;
  const packet = mbufs.tryGetcl();
  const bytes = Uint8Array.from({ length: 1500 }, (_, at) => at);
  ok(mbufs.append(packet, bytes), 'append');
  const second = mbufs.reference(packet);
  mbufs.freeChain(packet);
  equal(mbufs.stats().clusters.current, 1, 'clusters in use');
  equal(await worker.call('sumPacket', second), sumOf(bytes), 'sum by the Worker');
  equal(mbufs.stats().clusters.current, 0, 'clusters in use after the last');
});

await check('in the window a call that would block says WOULD_BLOCK, and changes nothing', async () => {
  const zone = memory.zone(few);
  const items = Array.from({ length: 4 }, () => zone.alloc());
  const ring = memory.ring({ name: 'small', capacity: 1 });
  await refuses('WOULD_BLOCK', () => zone.alloc());
  await refuses('WOULD_BLOCK', () => zone.alloc(0, 50));
  equal(zone.tryAlloc(), 0, 'tryAlloc');
  await refuses('WOULD_BLOCK', () => ring.take());
  await refuses('WOULD_BLOCK', () => ring.takeMany(new Int32Array(4), 4, 10));
  ring.put(7);
  await refuses('WOULD_BLOCK', () => ring.put(8));
  equal(ring.take(), 7, 'a take that need not wait');
  // What the Worker has cached it would give back in between, as it polls.
  memory.reclaim('threads');
  await until(() => memory.overdue().length === 0, 'the Worker has drained');
  const packets = [];
  await refuses('WOULD_BLOCK', () => {
    for (;;) packets.push(memory.mbufs.getcl());
  });
  const error = await refuses('WOULD_BLOCK', () => memory.mbufs.getjcl(2048, 0, 20));
  ok(error instanceof MbumaError, 'an error of ours');
  equal(zone.sleepers, 0, 'sleepers');
  for (const item of items) zone.free(item);
  for (const packet of packets) memory.mbufs.freeChain(packet);
});

await check('allocAsync in the window is served by a free of the Worker, in turn', async () => {
  const zone = memory.zone(few);
  const theirs = [];
  for (let n = 0; n < 4; n++) theirs.push(await worker.call('alloc', few));
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 4);
  const first = zone.allocAsync();
  const second = zone.allocAsync();
  ok(await isOpen(Promise.race([first, second]), 150), 'both wait, longer than one slice of sleep');
  ok(ticks > 5, 'the window goes on meanwhile');
  clearInterval(ticking);
  await worker.call('free', few, theirs[0]);
  const item = await first;
  ok(await isOpen(second, 20), 'the second waits on');
  await worker.call('free', few, theirs[1]);
  zone.free(item);
  zone.free(await second);
  for (const each of theirs.slice(2)) await worker.call('free', few, each);
});

await check('allocAsync and takeAsync end by their signal', async () => {
  const zone = memory.zone(few);
  const items = Array.from({ length: 4 }, () => zone.alloc());
  const controller = new AbortController();
  const waits = [
    zone.allocAsync(0, { signal: controller.signal }),
    memory.ring({ name: 'small', capacity: 1 }).takeAsync({ signal: controller.signal }),
  ];
  setTimeout(() => controller.abort(), 20);
  for (const { status, reason } of await Promise.allSettled(waits)) {
    equal(status, 'rejected', 'status');
    equal(reason.name, 'AbortError', 'reason');
  }
  equal(zone.sleepers, 0, 'sleepers');
  for (const item of items) zone.free(item);
});

await check('getclAsync in the window is served by a free of the Worker', async () => {
  const packets = [];
  for (let n = 0; n < clusters; n++) packets.push(await worker.call('getcl'));
  const waiting = memory.mbufs.getclAsync();
  ok(await isOpen(waiting, 50), 'it waits');
  await worker.call('freeMbuf', packets.pop());
  memory.mbufs.freeChain(await waiting);
  for (const packet of packets) memory.mbufs.freeChain(packet);
});

await check('a Worker blocks in alloc until the window frees', async () => {
  const zone = memory.zone(few);
  const items = Array.from({ length: 4 }, () => zone.alloc());
  const waiting = worker.call('alloc', few);
  await until(() => zone.sleepers === 1, 'a sleeper');
  ok(await isOpen(waiting, 150), 'it sleeps on');
  zone.free(items[2]);
  await until(() => zone.sleepers === 0, 'the sleeper was served');
  equal(await waiting, items[2], 'it was handed the item that was freed');
  equal(zone.stats().used, 4, 'items in use');
  await refuses('TIMED_OUT', () => worker.call('alloc', few, 30));
  zone.free(items[2]);
  for (const at of [0, 1, 3]) await worker.call('free', few, items[at]);
});

await check('three threads want six items, and none gets what another has', async () => {
  const second = startWorker(workerAddress);
  equal(await second.call('attach', memory.handle), 3, 'thread');
  const zone = memory.zone(busy);
  const work = [worker.call('churn', busy, 1500), second.call('churn', busy, 1500)];
  for (let n = 0; n < 100; n++) {
    const items = [await zone.allocAsync(), await zone.allocAsync()];
    for (const item of items) memory.words[item >> 2] = -item;
    await sleep(0);
    for (const item of items) {
      equal(memory.words[item >> 2], -item, 'the mark of the window');
      zone.free(item);
    }
  }
  await Promise.all(work);
  equal(zone.stats().used, 0, 'items in use');
  await second.call('detach');
  second.end();
});

await check('misuse is found across threads', async () => {
  const zone = memory.zone(few);
  const item = zone.alloc();
  await worker.call('free', few, item);
  const error = await refuses('FREE_TWICE', () => zone.free(item));
  equal(error.zone, 'few', 'zone');
  await refuses('FREE_TWICE', () => worker.call('free', few, item));
  await refuses('FREE_FOREIGN', () => worker.call('free', few, 4096));
  await refuses('BAD_HANDLE', () => attachMemory({ ...memory.handle, buffer: null, wasm: null }));
});

await check('after the Worker has left, nothing is in use and the audit is clean', async () => {
  await worker.call('detach');
  worker.end();
  memory.drain();
  equal(memory.stats().threads, 1, 'threads attached');
  for (const { name, used } of memory.stats().zones) equal(used, 0, `items of ${name} in use`);
  const { clean, violations } = memory.audit();
  ok(clean, violations.map(({ rule, message }) => `${rule} ${message}`).join('; '));
  clearInterval(polling);
  memory.detach();
});

await finish();
