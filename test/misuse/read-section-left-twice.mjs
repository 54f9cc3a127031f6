// A read section is left in its middle, and once more at its end.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.enter();
  try {
    memory.leave(); // found nothing: early out
  } finally {
    memory.leave();
  }
}

export const refusal = {
  code: 'READ_SECTION',
  message: 'this thread is in no read section',
};
