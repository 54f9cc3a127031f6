// Nothing of the memory is left to the module, which would have its data where the memory has its superblock.

import { createMemory } from '../../dist/index.js';
import { createMallocImports } from '../../dist/wasm.js';

export const memory = createMemory({ bytes: 1 << 20, wasm: true });

export function misuse() {
  createMallocImports(memory);
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message:
    'nothing is reserved for the module’s data and stack: ' +
    'make the memory with wasm: { heapBase } or { reservedBytes }',
};
