// Bytes are copied to an address that was computed from a length of -1.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.copyBytes(memory.bytes.length - 1, 4096, 16);
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: '16 bytes from 4096 to 1048575 do not lie in this memory',
};
