// A destructor closes the zone when the last session ends, while that session is being freed.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
let open = 0;
const sessions = memory.zone({
  name: 'sessions',
  size: 200,
  ctor() {
    open++;
  },
  dtor() {
    if (--open === 0) sessions.close();
  },
});

export function misuse() {
  sessions.free(sessions.alloc());
}

export const refusal = {
  code: 'ZONE_BUSY',
  message: 'zone sessions stays open: a hook of zone sessions is running',
  zone: 'sessions',
};
