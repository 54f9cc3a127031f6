// A thread of the program: an instance over the one memory, with its own stack and thread-local storage.

import { createMallocImports } from '../../dist/wasm.js';

const STACK_BYTES = 32768;

/**
 * Instantiates the program for the calling thread.
 *
 * @param number 1 and up: what the program calls the thread
 * @returns the exports, the imports they call, and `end`, which frees what the thread was given
 */
export function startThread(memory, module, { number, seed, type }) {
  const imports = createMallocImports(memory, { type });
  const { exports } = new WebAssembly.Instance(module, {
    env: { memory: memory.handle.wasm },
    mbuma: imports,
  });
  const stack = imports.aligned_alloc(16, STACK_BYTES);
  const storage = imports.aligned_alloc(exports.__tls_align.value, exports.__tls_size.value);
  // Every instance begins at the top of the same stack, and with the same storage.
  exports.__stack_pointer.value = stack + STACK_BYTES;
  exports.__wasm_init_tls(storage);
  exports.begin(number, seed);
  return {
    exports,
    imports,
    end() {
      imports.free(stack);
      imports.free(storage);
    },
  };
}

/** As `cookie` of program.c. */
function cookie(seed, index) {
  return Math.imul(seed + index, 0x9e3779b1) ^ (seed >>> 7);
}

/** As `fill` of program.c. */
export function fillBlock({ words, bytes }, block, length, seed) {
  const first = block >>> 2;
  words[first] = length;
  words[first + 1] = seed;
  for (let index = 2; index < length >>> 2; index++) words[first + index] = cookie(seed, index);
  for (let at = length & ~3; at < length; at++) bytes[block + at] = cookie(seed, at);
}

/** Whether a block of whoever is as it was filled. */
export function isWhole({ words, bytes }, block) {
  const first = block >>> 2;
  const [length, seed] = [words[first], words[first + 1] >>> 0];
  for (let index = 2; index < length >>> 2; index++)
    if (words[first + index] !== cookie(seed, index)) return false;
  for (let at = length & ~3; at < length; at++)
    if (bytes[block + at] !== (cookie(seed, at) & 0xff)) return false;
  return true;
}
