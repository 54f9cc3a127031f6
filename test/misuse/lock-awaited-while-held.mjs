// A mutex is awaited by the task that has it, as its token says.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20, checkLevel: 1 });
const index = memory.mutex('index');

export async function misuse() {
  const holding = await index.lockAsync();
  try {
    await index.lockAsync({ holding });
  } finally {
    holding.unlock();
  }
}

export const refusal = {
  code: 'LOCK_ORDER',
  message: "mutex index, asked for at {site}, is this task's already, taken at {site}",
  owner: 1,
};
