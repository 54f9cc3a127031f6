// The size of the memory is set while it runs.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.sysctl.set('hw.physmem', 2 << 20);
}

export const refusal = {
  code: 'READ_ONLY',
  message: 'hw.physmem is for reading',
};
