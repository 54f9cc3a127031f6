// A ring is to carry the items of a zone of another memory.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const other = createMemory({ bytes: 1 << 20 });
const frames = other.zone({ name: 'frames', size: 1500 });

export function misuse() {
  memory.ring({ name: 'frames', capacity: 64, carries: frames });
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'carries must be a zone of this memory that is open, or its mbufs',
};
