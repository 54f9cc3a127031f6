// A name of 101 bytes is written into an item of 100; the zone has redzones.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const names = memory.zone({ name: 'names', size: 100, redzone: true });

export function misuse() {
  const name = names.alloc();
  memory.bytes.set(new TextEncoder().encode('n'.repeat(101)), name);
  names.free(name);
}

export const refusal = {
  code: 'REDZONE_DAMAGED',
  message: 'REDZONE: Buffer overflow detected. 1 byte corrupted after 0x9c370 (100 bytes allocated).',
  zone: 'names',
  address: 0x9c3d4,
  owner: 1,
  details: ['address   0x9c3d4, 0 behind its end'],
};
