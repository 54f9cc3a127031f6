// A memory of one MiB is to have the most threads and zones that there can be.

import { createMemory } from '../../dist/index.js';

export const memory = null;

export function misuse() {
  createMemory({ bytes: 1 << 20, maxThreads: 254, maxZones: 1024 });
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message:
    'bytes: 1048576 leave no room beside the 18046976 that 254 threads and 1024 zones need in such a memory',
};
