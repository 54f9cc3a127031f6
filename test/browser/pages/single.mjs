// A page without isolation: one thread, over a shared memory of WebAssembly, the only one there is then.
//
//   ?helper=plain          which helper the window must have got

import { attachMemory, createMemory, MbumaError } from '../../../dist/index.js';
import { instantiateHelper } from '../../../dist/machine/helper/index.js';
import { createMallocImports } from '../../../dist/wasm.js';
import { check, equal, finish, isOpen, ok, refuses, required, sleep, sumOf } from './checks.mjs';
import { fillItem, itemZone, verifyItem } from './items.mjs';

const query = new URLSearchParams(location.search);
let memory;

await required('the page is not isolated', () => {
  equal(crossOriginIsolated, false, 'crossOriginIsolated');
  equal(typeof SharedArrayBuffer, 'undefined', 'SharedArrayBuffer');
});

await required('createMemory', () => {
  memory = createMemory({ bytes: 8 << 20, checkLevel: 2, mbufs: { max: 8 } });
  const helper = instantiateHelper(memory.handle.wasm)?.kind ?? 'plain';
  equal(helper, query.get('helper') ?? 'wasm', 'helper');
});

await check('zones', async () => {
  const zone = memory.zone(itemZone);
  const items = Array.from({ length: 48 }, (_, at) => fillItem(memory, zone.alloc(), at + 1));
  equal(zone.tryAlloc(), 0, 'tryAlloc at the limit');
  await refuses('WOULD_BLOCK', () => zone.alloc());
  const waiting = zone.allocAsync();
  ok(await isOpen(waiting, 150), 'allocAsync waits');
  equal(verifyItem(memory, items[5]), 6, 'number');
  zone.free(items[5]);
  equal(await waiting, items[5], 'it is handed what was freed');
  for (const item of items) zone.free(item);
  await refuses('FREE_TWICE', () => zone.free(items[0]));
});

await check('a reservation, and malloc for a module', async () => {
  const options = { bytes: 1 << 20, wasm: { heapBase: 5000 } };
  if (query.get('helper') === 'plain') {
    await refuses('BAD_CONFIGURATION', () => createMemory(options));
    return;
  }
  const shared = createMemory(options);
  const { calloc, free } = createMallocImports(shared);
  shared.bytes.fill(0xff, 0, 8192);
  const block = calloc(10, 10);
  ok(block >= 8192, 'a block lies behind the reservation');
  free(block);
  await refuses('FREE_FOREIGN', () => free(16));
  equal(shared.audit().clean, true, 'audit');
  shared.detach();
});

await check('rings', async () => {
  const ring = memory.ring({ name: 'ring', capacity: 4 });
  await refuses('WOULD_BLOCK', () => ring.take());
  const taken = [];
  const taking = (async () => {
    for (let word = await ring.takeAsync(); word !== 0; word = await ring.takeAsync()) taken.push(word);
  })();
  for (let word = 1; word <= 100; word++) await ring.putAsync(word);
  await sleep(1);
  ring.close();
  await taking;
  equal(taken.length, 100, 'words');
  ok(
    taken.every((word, at) => word === at + 1),
    'in order',
  );
});

await check('packets', async () => {
  const { mbufs } = memory;
  const bytes = Uint8Array.from({ length: 5000 }, (_, at) => at * 3);
  const packet = mbufs.getcl();
  ok(mbufs.append(packet, bytes), 'append');
  const copy = new Uint8Array(5000);
  mbufs.copyOut(packet, 0, 5000, copy);
  equal(sumOf(copy), sumOf(bytes), 'sum');
  const packets = [packet];
  for (let next = mbufs.tryGetcl(); next !== 0; next = mbufs.tryGetcl()) packets.push(next);
  const waiting = mbufs.getclAsync();
  ok(await isOpen(waiting, 20), 'getclAsync waits');
  for (const each of packets) mbufs.freeChain(each);
  mbufs.freeChain(await waiting);
});

await check('attaching once more in the same thread', async () => {
  const second = attachMemory(memory.handle);
  equal(second.thread, 2, 'thread');
  const item = memory.zone(itemZone).alloc();
  second.zone(itemZone).free(item);
  second.detach();
  await refuses('BAD_HANDLE', () => attachMemory({ ...memory.handle, wasm: null }));
});

await check('what there is not without isolation is refused clearly', async () => {
  const error = await refuses('BAD_CONFIGURATION', () => createMemory({ bytes: 8 << 20, wasm: false }));
  ok(error instanceof MbumaError, 'an error of ours');
  // Only the platform can say this one: the memory cannot be sent to a Worker.
  const { port1 } = new MessageChannel();
  try {
    port1.postMessage(memory.handle);
    throw new Error('the handle was sent');
  } catch (reason) {
    equal(reason.name, 'DataCloneError', 'name');
  }
});

await check('the audit is clean', () => {
  memory.drain();
  for (const { name, used } of memory.stats().zones) equal(used, 0, `items of ${name} in use`);
  const { clean, violations } = memory.audit();
  ok(clean, violations.map(({ rule, message }) => `${rule} ${message}`).join('; '));
  memory.detach();
});

await finish();
