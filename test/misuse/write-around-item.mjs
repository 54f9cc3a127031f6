// A row is filled from four bytes before it to four behind it; at check level 3 every zone has redzones.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 3 });
const rows = memory.zone({ name: 'rows', size: 100 });

export function misuse() {
  const row = rows.alloc();
  memory.fillBytes(row - 4, 0xff, 108);
  rows.free(row);
}

export const refusal = {
  code: 'REDZONE_DAMAGED',
  message:
    'REDZONE: Buffer underflow detected. 4 bytes corrupted before 0x9c7f0 (100 bytes allocated).\n' +
    'REDZONE: Buffer overflow detected. 4 bytes corrupted after 0x9c7f0 (100 bytes allocated).',
  zone: 'rows',
  address: 0x9c7ec,
  owner: 1,
  details: ['allocated by thread 1 (generation 1), at {site}'],
};
