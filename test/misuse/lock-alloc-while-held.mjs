// An item is allocated with a mutex held: should that sleep, all who want the mutex sleep with it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 1 });
const entries = memory.zone({ name: 'entries', size: 64, max: 100 });
const journal = memory.mutex('journal');

export function misuse() {
  const token = journal.lock();
  try {
    return entries.alloc();
  } finally {
    token.unlock();
  }
}

export const refusal = {
  code: 'SLEEP_WITH_LOCK',
  message: 'alloc of zone entries may sleep, and mutex journal, taken at {site}, is held',
};
