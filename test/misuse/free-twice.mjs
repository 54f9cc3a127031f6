// A point is freed twice: two places of the program think that they own it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const points = memory.zone({ name: 'points', size: 64 });

export function misuse() {
  const point = points.alloc();
  points.free(point);
  points.free(point);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'Duplicate free of 0x9df80 from zone points slab 0x99100(62)',
  zone: 'points',
  address: 0x9df80,
  owner: 0,
};
