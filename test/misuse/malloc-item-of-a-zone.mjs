// An item of a zone is given to malloc, for both are addresses.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  const item = memory.zone({ name: 'points', size: 64 }).alloc();
  texts.free(item);
}

export const refusal = {
  code: 'FREE_WRONG_TYPE',
  message: 'free: address 0xa2f80 has not been allocated by malloc type texts, nor in its zones',
  address: 0xa2f80,
};
