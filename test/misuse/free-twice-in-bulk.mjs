// The same order stands twice in an array that is freed at once.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const orders = memory.zone({ name: 'orders', size: 48 });

export function misuse() {
  const done = new Int32Array(3);
  orders.tryAllocMany(done, 3);
  done[2] = done[0];
  orders.freeMany(done, 3);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'Duplicate free of 0x9d060 from zone orders slab 0x9dfd0(2)',
  zone: 'orders',
  address: 0x9d060,
  owner: 0,
};
