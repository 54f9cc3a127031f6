// A block is freed by who used it last, and by who made it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  const block = texts.alloc(100);
  texts.free(block);
  texts.free(block);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'Duplicate free of 0x9f000 from zone malloc-112 slab 0x9ffd0(0)',
  zone: 'malloc-112',
  address: 0x9f000,
  owner: 0,
};
