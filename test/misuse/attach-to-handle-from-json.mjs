// The handle went through JSON, which loses the shared buffer in it.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  const text = JSON.stringify(memory.handle);
  attachMemory(JSON.parse(text));
}

export const refusal = {
  code: 'BAD_HANDLE',
  message: 'the handle has no shared buffer: was it sent by workerData or postMessage?',
};
