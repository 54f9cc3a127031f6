// A destructor frees the item that is being freed.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const open = new Set();
const files = memory.zone({
  name: 'files',
  size: 64,
  dtor(file) {
    if (open.delete(file)) files.free(file);
  },
});

export function misuse() {
  const file = files.alloc();
  open.add(file);
  files.free(file);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'dtor of zone files has freed the item that it was called for, 0x9df80',
  zone: 'files',
  address: 0x9df80,
};
