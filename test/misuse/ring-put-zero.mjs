// Index 0 of a table is sent through a ring, for which 0 means that there is nothing.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const indices = memory.ring({ name: 'indices', capacity: 64 });

export function misuse() {
  for (let index = 0; index < 10; index++) indices.put(index);
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'word must be a whole number from -2147483648 to 2147483647, but not 0, not 0',
};
