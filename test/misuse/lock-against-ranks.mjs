// A mutex of a lower rank is taken while one of a higher rank is held.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 1 });
const tree = memory.mutex('tree', { rank: 1 });
const leaf = memory.mutex('leaf', { rank: 2 });

export function misuse() {
  const token = leaf.lock();
  try {
    tree.lock();
  } finally {
    token.unlock();
  }
}

export const refusal = {
  code: 'LOCK_ORDER',
  message:
    'mutex tree taken at {site} while mutex leaf, taken at {site}, is held: ' +
    'it is the other way round elsewhere: tree has rank 1, leaf has rank 2',
  owner: 1,
};
