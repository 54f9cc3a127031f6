// More threads attach than the memory was made for.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, maxThreads: 2 });

export function misuse() {
  for (let worker = 0; worker < 2; worker++) attachMemory(memory.handle);
}

export const refusal = {
  code: 'TOO_MANY_THREADS',
  message: 'all 2 thread slots are taken: see maxThreads',
};
