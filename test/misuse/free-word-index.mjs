// What is freed is the index of the item's first word, which is a quarter of its address.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const counters = memory.zone({ name: 'counters', size: 16 });

export function misuse() {
  const at = counters.alloc() >>> 2;
  memory.words[at] = 1;
  counters.free(at);
}

export const refusal = {
  code: 'FREE_FOREIGN',
  message: 'uma: Freed item 0x26bf8 did not belong to zone counters: it lies in no slab',
  zone: 'counters',
  address: 0x26bf8,
  owner: 0,
};
