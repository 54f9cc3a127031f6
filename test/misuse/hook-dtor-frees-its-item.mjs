// A destructor frees the item that is being freed; check level 2 finds the second of it when it is allocated.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 2 });
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
  files.alloc();
  files.alloc();
}

export const refusal = {
  code: 'ALLOC_TWICE',
  message: 'Duplicate alloc of 0x9bf80 from zone files: it is in use',
  zone: 'files',
  address: 0x9bf80,
  owner: 1,
};
