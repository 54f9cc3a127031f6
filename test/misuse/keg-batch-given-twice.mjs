// A batch of items is given back to its keg twice.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const cells = memory.keg({ name: 'cells', size: 64 });

export function misuse() {
  const batch = new Int32Array(4);
  const taken = cells.tryTake(batch, 4);
  cells.give(batch, taken);
  cells.give(batch, taken);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'Duplicate free of 0x9a0c0 from zone cells slab 0x99040(3)',
  zone: 'cells',
  address: 0x9a0c0,
  owner: 0,
};
