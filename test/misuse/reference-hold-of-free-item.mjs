// The reference for a reader is made after the last one was given up.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const pages = memory.zone({ name: 'pages', size: 4096, referenceCounted: true });

export function misuse() {
  const page = pages.alloc();
  pages.drop(page);
  pages.hold(page);
}

export const refusal = {
  code: 'ITEM_FREE',
  message: 'zone pages: item 0x9f000 is free, and cannot be held',
  zone: 'pages',
  address: 0x9f000,
  owner: 0,
};
