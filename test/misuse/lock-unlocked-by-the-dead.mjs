// A thread that was declared dead though it lives unlocks a mutex that another thread has by now.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const slow = attachMemory(memory.handle);

export function misuse() {
  const token = slow.mutex('door').lock();
  memory.declareDead(slow.name);
  memory.mutex('door').lock().unlock();
  token.unlock();
}

export const refusal = {
  code: 'GIVEN_UP',
  message: 'thread 2 was declared dead, and what it held has been or will be cleaned up: it must end',
  owner: 2,
};
