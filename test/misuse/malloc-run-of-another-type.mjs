// Two types are confused: a large block is freed by the one that did not allocate it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  const others = memory.mallocType({ name: 'pictures' });
  const picture = others.alloc(100_000);
  texts.free(picture);
}

export const refusal = {
  code: 'FREE_WRONG_TYPE',
  message: 'free: address 0x9f000 lies in a run of malloc type pictures, not texts',
  address: 0x9f000,
};
