// A backend is made for every customer, but there are only 16.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  for (let customer = 1; customer <= 20; customer++) {
    memory.backend({ name: `customer ${customer}`, max: 8 });
  }
}

export const refusal = {
  code: 'TOO_MANY_BACKENDS',
  message: 'all 16 backends are taken',
};
