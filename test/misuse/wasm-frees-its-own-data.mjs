// A module frees the address of a variable of its own.

import { createMemory } from '../../dist/index.js';
import { createMallocImports } from '../../dist/wasm.js';

export const memory = createMemory({ bytes: 1 << 20, wasm: { reservedBytes: 65536 } });
const { free } = createMallocImports(memory);

export function misuse() {
  free(1024);
}

export const refusal = {
  code: 'FREE_FOREIGN',
  message: 'free: address 0x400 has not been allocated',
  address: 0x400,
};
