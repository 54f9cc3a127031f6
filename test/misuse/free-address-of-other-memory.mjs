// An item of one memory is freed in another: addresses mean nothing outside of their memory.

import { createMemory } from '../../dist/index.js';

const cache = createMemory({ bytes: 1 << 20 });
export const memory = createMemory({ bytes: 1 << 20 });
const entries = { name: 'entries', size: 4000 };

export function misuse() {
  const entry = cache.zone(entries).alloc();
  memory.zone(entries).free(entry);
}

export const refusal = {
  code: 'FREE_FOREIGN',
  message: 'uma: Freed item 0x9e000 did not belong to zone entries: it lies in no slab',
  zone: 'entries',
  address: 0x9e000,
  owner: 0,
};
