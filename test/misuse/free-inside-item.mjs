// What is freed is the address of a field, not that of the record in which it lies.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const records = memory.zone({ name: 'records', size: 64 });
const payloadOffset = 8;

export function misuse() {
  const record = records.alloc();
  const payload = record + payloadOffset;
  records.free(payload);
}

export const refusal = {
  code: 'FREE_UNALIGNED',
  message: 'Unaligned free of 0x9df88 from zone records slab 0x99100(62): it lies inside item 0x9df80',
  zone: 'records',
  address: 0x9df88,
  owner: 1,
};
