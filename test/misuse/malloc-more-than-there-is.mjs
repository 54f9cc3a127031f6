// More is waited for than the memory can ever have: that would be for ever.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  texts.alloc(1 << 21);
}

export const refusal = {
  code: 'OUT_OF_MEMORY',
  message: 'malloc type texts: this memory never has 2097152 bytes in one piece',
};
