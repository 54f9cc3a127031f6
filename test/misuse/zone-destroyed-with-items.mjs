// A zone is destroyed while two of its items are in use; it keeps sites, so the place is told.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const leases = memory.zone({ name: 'leases', size: 64, sites: true });

export function misuse() {
  for (let lease = 0; lease < 2; lease++) leases.alloc();
  leases.destroy();
}

export const refusal = {
  code: 'ZONE_NOT_EMPTY',
  message: 'zone leases was not empty (2 items)',
  zone: 'leases',
  details: ['2 of thread 1 from {site}'],
};
