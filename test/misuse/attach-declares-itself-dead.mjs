// A thread that is about to end says itself that it is dead, instead of detaching.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.declareDead(memory.name);
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'a thread that can say that it is dead is not',
};
