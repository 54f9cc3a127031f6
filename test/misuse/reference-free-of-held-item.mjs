// A frame that the encoder still holds is given back by free, which is for who has the only reference.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const frames = memory.zone({ name: 'frames', size: 2000, referenceCounted: true });

export function misuse() {
  const frame = frames.alloc();
  frames.hold(frame); // for the encoder
  frames.free(frame);
}

export const refusal = {
  code: 'STILL_REFERENCED',
  message: 'zone frames: item 0x9f000 has 2 references, and cannot be freed',
  zone: 'frames',
  address: 0x9f000,
  owner: 1,
};
