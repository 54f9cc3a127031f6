// A reader awaits a mutex that another thread has, in the middle of a read section.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const writer = attachMemory(memory.handle).mutex('index').lock();

export async function misuse() {
  memory.enter();
  try {
    await memory.mutex('index').lockAsync();
  } finally {
    memory.leave();
    writer.unlock();
  }
}

export const refusal = {
  code: 'READ_SECTION',
  message: 'lockAsync of mutex index would wait, and this thread is in a read section',
};
