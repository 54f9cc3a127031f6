// A reader locks a mutex that another thread has, in the middle of a read section.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
attachMemory(memory.handle).mutex('index').lock();

export function misuse() {
  memory.enter();
  try {
    memory.mutex('index').lock();
  } finally {
    memory.leave();
  }
}

export const refusal = {
  code: 'READ_SECTION',
  message: 'lock of mutex index would wait, and this thread is in a read section',
};
