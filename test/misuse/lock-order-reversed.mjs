// Two mutexes are taken in one order by one function, and in the other order by another.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 1 });
const accounts = memory.mutex('accounts');
const journal = memory.mutex('journal');

function withBoth(first, second) {
  const outer = first.lock();
  try {
    second.lock().unlock();
  } finally {
    outer.unlock();
  }
}

export function misuse() {
  withBoth(accounts, journal);
  withBoth(journal, accounts);
}

export const refusal = {
  code: 'LOCK_ORDER',
  message:
    'mutex accounts taken at {site} while mutex journal, taken at {site}, is held: ' +
    'it is the other way round elsewhere: ' +
    'thread 1 took journal at {site} while it had accounts, taken at {site}',
  owner: 1,
};
