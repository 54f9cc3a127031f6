// A frame is read after it was freed; a check before the read says so, and who freed it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const frames = memory.zone({ name: 'frames', size: 100, guard: true });

function readPixel(frame, at) {
  memory.check(frame + at, 4);
  return memory.words[(frame + at) >>> 2];
}

export function misuse() {
  const frame = frames.alloc();
  frames.free(frame);
  return readPixel(frame, 16);
}

export const refusal = {
  code: 'USE_AFTER_FREE',
  message:
    '4 bytes at 0xd6fa0: in item 0xd6f90 of zone frames, which is free\n' +
    'Most recently used by frames (thread 1 (generation 1), at {site})',
  zone: 'frames',
  address: 0xd6fa0,
  owner: 0,
  details: ['address   0xd6fa0, byte 16 of it', 'freed     by thread 1 (generation 1), at {site}'],
};
