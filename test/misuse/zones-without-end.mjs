// A zone is made for every request, though one zone would do for all of them.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, maxZones: 16 });

export function misuse() {
  for (let request = 1; request <= 100; request++) {
    const zone = memory.zone({ name: `request ${request}`, size: 64 });
    zone.free(zone.alloc());
  }
}

export const refusal = {
  code: 'TOO_MANY_ZONES',
  message: 'all 16 zones are taken: see maxZones',
};
