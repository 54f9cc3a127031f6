// Eight bytes are read where the item has only four left.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const headers = memory.zone({ name: 'headers', size: 100 });

export function misuse() {
  const header = headers.alloc();
  memory.check(header + 96, 8);
}

export const refusal = {
  code: 'OUT_OF_BOUNDS',
  message: '8 bytes at 0xa1140: not inside item 0xa10e0 of zone headers, which has 100',
  zone: 'headers',
  address: 0xa1144,
  owner: 1,
};
