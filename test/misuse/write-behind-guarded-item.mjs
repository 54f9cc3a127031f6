// A terminating 0 is written behind a path that fills its guarded item.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const paths = memory.zone({ name: 'paths', size: 100, guard: true });

export function misuse() {
  const path = paths.alloc();
  memory.bytes[path + 100] = 0;
  paths.free(path);
}

export const refusal = {
  code: 'REDZONE_DAMAGED',
  message: 'REDZONE: Buffer overflow detected. 1 byte corrupted after 0xd6f90 (100 bytes allocated).',
  zone: 'paths',
  address: 0xd6ff4,
  owner: 1,
  details: ['item      0xd6f90, on pages of its own', 'allocated by thread 1 (generation 1), at {site}'],
};
