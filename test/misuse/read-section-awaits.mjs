// A reader awaits the next word of a ring in the middle of a read section, which then does not end.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const changes = memory.ring({ name: 'changes', capacity: 16 });

export async function misuse() {
  memory.enter();
  try {
    await changes.takeAsync();
  } finally {
    memory.leave();
  }
}

export const refusal = {
  code: 'READ_SECTION',
  message: 'take from ring changes would wait, and this thread is in a read section',
};
