// The 0 of an allocation that failed is taken for an address, and 16 is added to it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const slots = memory.zone({ name: 'slots', size: 64, max: 1 });

export function misuse() {
  slots.alloc();
  const slot = slots.tryAlloc();
  memory.check(slot + 16, 8);
}

export const refusal = {
  code: 'OUT_OF_BOUNDS',
  message: '8 bytes at 0x10: in no item',
  address: 0x10,
  details: ['address   0x10, which lies in no item'],
};
