// A secondary zone asks for a size, a flag and a mark of its own, which are for its primary zone to say.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const primary = memory.zone({ name: 'buffers', size: 64 });

export function misuse() {
  memory.zone({ name: 'large buffers', primary, size: 128, redzone: true, lowWater: 10 });
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message:
    'zone large buffers: size is that of the primary zone: 64; ' +
    'redzone: that is for the primary zone to say; lowWater: that is for the primary zone to say',
  zone: 'large buffers',
};
