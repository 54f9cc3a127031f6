// The cells with two threads. This thread produces, a Worker (consumer.mjs) consumes until the process
// ends; a repetition ends when the consumer has seen every item. bench/native/handoff.h is the same in C.
import { Worker } from 'node:worker_threads';

export const BULK = 32;
export const RING_SLOTS = 1024;
export const RING_NAME = 'bench';

// The control block, in words, each on a cache line of its own; then the slots of the ring of suite d.
export const PUBLISHED = 0; // Items put so far, written by the producer only.
export const CONSUMED = 32; // Items taken so far, written by the consumer only.
export const FIRST_SLOT = 64;

/** Starts the consumer and waits for it; gives the control block, which `prepare` may write to before. */
export async function startConsumer(memory, role, options, prepare = () => {}) {
  const control = new Int32Array(new SharedArrayBuffer((FIRST_SLOT + RING_SLOTS) * 4));
  prepare(control);
  const workerData = { handle: memory.handle, control, role, options };
  const worker = new Worker(new URL('./consumer.mjs', import.meta.url), { workerData });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  worker.on('error', (error) => {
    throw error;
  });
  return control;
}

/** d: this thread allocates, the consumer frees; 32 items are published at a time. */
export function makeHandoffLoop(memory, size) {
  const options = { name: 'bench', size };
  const zone = memory.zone(options);
  return handOver(memory, 'd', options, () => zone.tryAlloc());
}

/** The same with blocks of a malloc type. */
export function makeMallocHandoffLoop(memory, size) {
  const options = { name: 'bench' };
  const type = memory.mallocType(options);
  return handOver(memory, 'mallocD', options, () => type.tryAlloc(size));
}

async function handOver(memory, role, options, take) {
  const { words } = memory;
  const control = await startConsumer(memory, role, options);
  let put = 0;
  function loop(turns) {
    for (let turn = 0; turn < turns; turn++) {
      while (((put - Atomics.load(control, CONSUMED)) | 0) > RING_SLOTS - BULK);
      for (let i = 0; i < BULK; i++) {
        const item = take();
        words[item >> 2] = i;
        control[FIRST_SLOT + ((put + i) & (RING_SLOTS - 1))] = item;
      }
      put = (put + BULK) | 0;
      Atomics.store(control, PUBLISHED, put);
    }
    while (Atomics.load(control, CONSUMED) !== put);
  }
  return { loop, itemsPerTurn: BULK };
}

/** Our ring alone: bulks of 32 and spinning (ring), one by one and spinning (ring1), bulks and sleeping. */
export async function makeRingLoop(memory, suite) {
  const ring = memory.ring({ name: RING_NAME, capacity: RING_SLOTS });
  const control = await startConsumer(memory, suite, null);
  const items = new Int32Array(BULK).fill(4096);
  let put = 0;
  function putBulk() {
    for (let left = BULK; left > 0; ) left -= ring.tryPutMany(items, left);
  }
  function putSingly() {
    for (let i = 0; i < BULK; i++) while (!ring.tryPut(items[i]));
  }
  function putBlocking() {
    ring.putMany(items, BULK);
  }
  const putItems = { ring: putBulk, ring1: putSingly, ringBlocking: putBlocking }[suite];
  function loop(turns) {
    for (let turn = 0; turn < turns; turn++) putItems();
    put = (put + turns * BULK) | 0;
    while (Atomics.load(control, CONSUMED) !== put);
  }
  return { loop, itemsPerTurn: BULK };
}
