// An external buffer is freed by a thread that has not registered the buffer's free function.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const other = attachMemory(memory.handle);
const tiles = memory.zone({ name: 'tiles', size: 4096 });

export function misuse() {
  memory.mbufs.registerFree('give tile back', (tile) => tiles.free(tile));
  const m = memory.mbufs.gethdr();
  memory.mbufs.attach(m, { address: tiles.alloc(), length: 4096 }, 'give tile back');
  other.mbufs.free(m);
}

export const refusal = {
  code: 'HOOKS_MISSING',
  message:
    'free function give tile back of the external buffer of mbuf 0xe6e00 is not registered in this thread',
  address: 0xe6e00,
};
