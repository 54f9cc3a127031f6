// The taker asks for a ring that carries jobs, but the putter has made one that carries nothing.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const taker = attachMemory(memory.handle);
const jobs = taker.zone({ name: 'jobs', size: 64 });

export function misuse() {
  memory.ring({ name: 'queue', capacity: 64 });
  taker.ring({ name: 'queue', capacity: 64, carries: jobs });
}

export const refusal = {
  code: 'LAYOUT_MISMATCH',
  message: 'ring queue carries the items of another zone, or of none',
};
