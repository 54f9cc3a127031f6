// A function that locks calls another one that locks the same mutex.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const table = memory.mutex('table');

function locked(act) {
  const token = table.lock();
  try {
    act();
  } finally {
    token.unlock();
  }
}

export function misuse() {
  locked(() => locked(() => {}));
}

export const refusal = {
  code: 'LOCK_ORDER',
  message: "mutex table is this thread's already",
  owner: 1,
};
