/** mbuma/wasm: one malloc for JavaScript and for WebAssembly modules that share the memory. */

import { MbumaError } from './check/index.js';
import type { MallocType } from './malloc/index.js';
import { attachmentOf, mallocOf } from './memory.js';
import type { Memory } from './memory-api.js';
import { createImports, type MallocImportOptions, type MallocImports } from './wasm/index.js';

export type { MallocImportOptions, MallocImports } from './wasm/index.js';
export { heapBaseOf } from './wasm/index.js';

/**
 * Imports of a module that shares the memory, for this thread: `{ env: { memory: memory.handle.wasm },
 * mbuma: imports }` for who builds with `mbuma-malloc.h`; else among those of `env`. Each thread attaches,
 * makes its own, and instantiates the module with them. About 30 ns for a block there and back, from C.
 *
 * Semantics are C's; where it leaves them open, BSD's. What a module does wrong, such as freeing twice,
 * throws through it into whoever called it, and its stack pointer stays where it was.
 *
 * @param memory made with `wasm: { heapBase }` or `{ reservedBytes }`, or attached to
 * @throws BAD_CONFIGURATION where nothing is reserved, or the memory is no WebAssembly.Memory; BAD_ARGUMENT,
 *   DETACHED; LAYOUT_MISMATCH where there is another type named `wasm`
 */
export function createMallocImports(memory: Memory, options: MallocImportOptions = {}): MallocImports {
  const malloc = mallocOf(memory);

  function typeOf(given: unknown): MallocType {
    if (given === undefined) return malloc.type({ name: 'wasm' });
    if (malloc.has(given)) return given as MallocType;
    throw new MbumaError('BAD_ARGUMENT', 'type must be a malloc type of this memory, opened by this thread');
  }

  return createImports(attachmentOf(memory).machine, options, typeOf);
}
