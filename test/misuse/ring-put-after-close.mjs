// A late producer puts into a ring that has been closed.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const work = memory.ring({ name: 'work', capacity: 64 });

export function misuse() {
  work.close();
  work.put(7);
}

export const refusal = {
  code: 'RING_CLOSED',
  message: 'ring work is closed for new words',
};
