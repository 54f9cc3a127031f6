// An initialiser that meets an error detaches from the memory that it initialises for.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const worker = attachMemory(memory.handle);
const tables = worker.zone({
  name: 'tables',
  size: 1000,
  init() {
    worker.detach();
  },
});

export function misuse() {
  tables.alloc();
}

export const refusal = {
  code: 'ZONE_BUSY',
  message: 'the thread stays attached: a hook of zone tables is running',
  zone: 'tables',
};
