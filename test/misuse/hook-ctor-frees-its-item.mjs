// A constructor that cannot go on frees its item instead of saying so.

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
  sockets.alloc();
}

export const refusal = {
  code: 'HOOK_FAILED',
  message: 'ctor of zone sockets has freed the item that it was called for, 0x9df80',
  zone: 'sockets',
  address: 0x9df80,
};
