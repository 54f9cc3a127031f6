// A program counts its budget down, and sets the limit of a zone to -1.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const bodies = memory.zone({ name: 'bodies', size: 4096, max: 1 });

export function misuse() {
  bodies.max -= 2;
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'max must be a whole number from 0 to 2147483647, not -1',
};
