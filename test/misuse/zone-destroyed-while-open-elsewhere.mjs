// A zone is destroyed that another thread has open.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const reader = attachMemory(memory.handle);
const rows = memory.zone({ name: 'rows', size: 64 });
reader.zone({ name: 'rows', size: 64 });

export function misuse() {
  rows.destroy();
}

export const refusal = {
  code: 'ZONE_BUSY',
  message: 'zone rows is open in other threads, too: 2',
  zone: 'rows',
  owner: 2,
};
