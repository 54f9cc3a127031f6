// A length that was computed too early is negative.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const texts = memory.mallocType({ name: 'texts' });

export function misuse() {
  const [start, end] = [200, 100];
  texts.alloc(end - start);
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'size must be a whole number from 0 to 9007199254740991, not -100',
};
