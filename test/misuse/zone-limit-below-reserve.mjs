// A limit is lowered until the reserve would take all of it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const replies = memory.zone({ name: 'replies', size: 256, max: 100, reserve: 10 });

export function misuse() {
  replies.max = 10;
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'zone replies: reserve 10 leaves nothing of a limit of 10 items',
  zone: 'replies',
};
