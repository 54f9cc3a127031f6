// A particle is moved after it was freed; check level 2 finds it when the item is handed out again.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 2 });
const particles = memory.zone({ name: 'particles', size: 64 });

export function misuse() {
  const particle = particles.alloc();
  particles.free(particle);
  memory.words[(particle >>> 2) + 3] = 7;
  particles.alloc();
}

export const refusal = {
  code: 'MODIFIED_AFTER_FREE',
  message:
    'Memory modified after free 0x9df80(64) val=0x7 @ 0x9df8c (zone particles)\n' +
    'Most recently used by particles',
  zone: 'particles',
  address: 0x9df8c,
  owner: 0,
  details: ['address   0x9df8c, byte 12 of it'],
};
