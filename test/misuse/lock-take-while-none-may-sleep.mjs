// With the setting that no thread sleeps while it has a lock, a thread with a lock takes from an empty ring.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const frames = memory.ring({ name: 'frames', capacity: 8 });
const screen = memory.mutex('screen');

export function misuse() {
  memory.sysctl.set('debug.nosleepwithlocks', true);
  const token = screen.lock();
  try {
    return frames.take();
  } finally {
    token.unlock();
  }
}

export const refusal = {
  code: 'WOULD_BLOCK',
  message:
    'take from ring frames would sleep, and does not while mutex screen is held: see debug.nosleepwithlocks',
};
