// The alignment is no power of two.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  texts.alignedAlloc(48, 100);
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'alignment must be a power of two, not 48',
};
