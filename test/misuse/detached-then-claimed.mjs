// A worker that has detached claims an item that comes by message.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const options = { name: 'jobs', size: 64 };
const job = memory.zone(options).alloc();
const worker = attachMemory(memory.handle);
const jobs = worker.zone(options);

export function misuse() {
  worker.detach();
  jobs.claim(job);
}

export const refusal = {
  code: 'DETACHED',
  message: 'this thread has detached from the memory',
};
