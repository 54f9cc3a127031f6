// A loop that runs down to index -1 writes before a guarded item.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const samples = memory.zone({ name: 'samples', size: 100, guard: true });

export function misuse() {
  const first = samples.alloc();
  for (let index = 99; index >= -1; index--) memory.bytes[first + index] = index;
  samples.free(first);
}

export const refusal = {
  code: 'REDZONE_DAMAGED',
  message: 'REDZONE: Buffer underflow detected. 1 byte corrupted before 0xd6f90 (100 bytes allocated).',
  zone: 'samples',
  address: 0xd6f8f,
  owner: 1,
};
