// Five options of a memory are wrong; all of them are told at once.

import { createMemory } from '../../dist/index.js';

export const memory = null;

export function misuse() {
  createMemory({ bytes: 1000, maxThreads: 300, checkLevel: 4, wasm: 'yes', timerMs: -1 });
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message:
    'bytes must be a whole number from 1048576 to 2147483648, not 1000; ' +
    'maxThreads must be a whole number from 1 to 254, not 300; ' +
    'checkLevel must be a whole number from 0 to 3, not 4; ' +
    'wasm must be true, false, { reservedBytes } or { heapBase }, not "yes"; ' +
    'timerMs must be a whole number from 0 to 3600000, not -1',
};
