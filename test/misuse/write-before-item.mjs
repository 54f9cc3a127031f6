// A length is stored in the word before a text, where other allocators leave room for it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.zone({ name: 'texts', size: 100, redzone: true });

export function misuse() {
  const text = texts.alloc();
  memory.words[(text >>> 2) - 1] = 100;
  texts.free(text);
}

export const refusal = {
  code: 'REDZONE_DAMAGED',
  message: 'REDZONE: Buffer underflow detected. 4 bytes corrupted before 0x9c370 (100 bytes allocated).',
  zone: 'texts',
  address: 0x9c36c,
  owner: 1,
};
