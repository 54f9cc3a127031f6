// A reader allocates from a zone that has reached its limit, and would wait inside of its read section.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const results = memory.zone({ name: 'results', size: 64, max: 1 });

export function misuse() {
  results.alloc();
  memory.enter();
  try {
    return results.alloc();
  } finally {
    memory.leave();
  }
}

export const refusal = {
  code: 'READ_SECTION',
  message: 'alloc of zone results would wait, and this thread is in a read section',
};
