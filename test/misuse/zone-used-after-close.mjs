// A zone is closed by the end of one part of the program, and another part frees to it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const blobs = memory.zone({ name: 'blobs', size: 64 });

export function misuse() {
  const blob = blobs.alloc();
  blobs.close();
  blobs.free(blob);
}

export const refusal = {
  code: 'ZONE_CLOSED',
  message: 'zone blobs is closed in this thread',
  zone: 'blobs',
};
