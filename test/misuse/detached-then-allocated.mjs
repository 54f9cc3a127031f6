// A thread goes on allocating after it has detached.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const mine = attachMemory(memory.handle);
const buffers = mine.zone({ name: 'buffers', size: 512 });

export function misuse() {
  buffers.free(buffers.alloc());
  mine.detach();
  buffers.alloc();
}

export const refusal = {
  code: 'DETACHED',
  message: 'this thread has detached from the memory',
};
