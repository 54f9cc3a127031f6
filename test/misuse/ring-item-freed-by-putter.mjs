// Who has put an item into a ring frees it, though it belongs to the one who takes it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const parcels = memory.zone({ name: 'parcels', size: 64 });
const belt = memory.ring({ name: 'belt', capacity: 8, carries: parcels });

export function misuse() {
  const parcel = parcels.alloc();
  belt.put(parcel);
  parcels.free(parcel);
  parcels.free(belt.take());
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'Duplicate free of 0x9ef80 from zone parcels slab 0x9a100(62)',
  zone: 'parcels',
  address: 0x9ef80,
  owner: 0,
};
