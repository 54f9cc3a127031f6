// Two modules ask for the ring of one name, and do not agree on its capacity.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.ring({ name: 'log', capacity: 64 });
  memory.ring({ name: 'log', capacity: 128 });
}

export const refusal = {
  code: 'LAYOUT_MISMATCH',
  message: 'ring log has a capacity of 64, not 128',
};
