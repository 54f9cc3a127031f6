// An address that was found in a read section is used after its end, when the item has been freed.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const settings = memory.zone({ name: 'settings', size: 32, epoch: true });
let current = settings.alloc();

export function misuse() {
  memory.enter();
  const found = current;
  memory.leave();
  current = settings.alloc();
  settings.free(found);
  memory.check(found, 32);
}

export const refusal = {
  code: 'USE_AFTER_FREE',
  message:
    '32 bytes at 0x9bfa0: in item 0x9bfa0 of zone settings, which is free\n' +
    'Most recently used by settings',
  zone: 'settings',
  address: 0x9bfa0,
  owner: 0,
};
