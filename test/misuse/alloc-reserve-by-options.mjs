// The reserve is asked for by an object of options, but flags are a number.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const urgent = memory.zone({ name: 'urgent', size: 64, reserve: 8 });

export function misuse() {
  urgent.tryAlloc({ useReserve: true });
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'flags must be a whole number from 0 to 15, not a value of type object',
};
