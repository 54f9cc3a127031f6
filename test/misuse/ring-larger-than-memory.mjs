// A ring is asked for that has more slots than the memory has room for.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.ring({ name: 'history', capacity: 1_000_000 });
}

export const refusal = {
  code: 'OUT_OF_MEMORY',
  message: 'cannot make ring history: there are no 1024 free pages in one run for its slots',
};
