// A constructor that cannot go on frees its item instead of saying so, and the caller gets it all the same.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const sockets = memory.zone({
  name: 'sockets',
  size: 64,
  ctor(socket) {
    sockets.free(socket);
  },
});

export function misuse() {
  const socket = sockets.alloc();
  sockets.free(socket);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'Duplicate free of 0x9bf80 from zone sockets slab 0x97100(62)',
  zone: 'sockets',
  address: 0x9bf80,
  owner: 0,
};
