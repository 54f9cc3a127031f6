// Where the browser's types are known, the memory's is one of them. `types.test.mjs` compiles this.

import { createMemory } from '../../../dist/index.js';
import { createMallocImports } from '../../../dist/wasm.js';

export function instantiate(module: WebAssembly.Module): WebAssembly.Instance | null {
  const memory = createMemory({ bytes: 1 << 20 });
  const { wasm } = memory.handle;
  if (wasm === null) return null;
  return new WebAssembly.Instance(module, { env: { memory: wasm }, mbuma: createMallocImports(memory) });
}

export const buffer: ArrayBufferLike | undefined = createMemory({ bytes: 1 << 20 }).handle.wasm?.buffer;
