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
  message: 'Unaligned free of 0x9f010 from zone malloc-112 slab 0x9ffd0(0): it lies inside item 0x9f000',
  zone: 'malloc-112',
  address: 0x9f010,
  owner: 1,
};
