// A constructor is asynchronous: the item would be handed out before it is made.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const images = memory.zone({
  name: 'images',
  size: 1024,
  async ctor(image) {
    await null;
    memory.words[image >>> 2] = 1;
  },
});

export function misuse() {
  images.alloc();
}

export const refusal = {
  code: 'HOOK_FAILED',
  message: 'ctor of zone images answered a promise: a hook must not be async',
  zone: 'images',
  address: 0x9e000,
};
