// What is freed is where the text begins, behind a header, and not the block.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  const block = texts.alloc(100);
  const text = block + 16;
  texts.free(text);
}

export const refusal = {
  code: 'FREE_UNALIGNED',
  message: 'Unaligned free of 0xa60f0 from zone malloc-112 slab 0xa6fd0(2): it lies inside item 0xa60e0',
  zone: 'malloc-112',
  address: 0xa60f0,
  owner: 1,
};
