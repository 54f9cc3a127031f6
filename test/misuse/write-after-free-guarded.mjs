// A guarded item is written to after it was freed; found when it leaves the quarantine, here by a drain.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const keys = memory.zone({ name: 'keys', size: 32, guard: true });

export function misuse() {
  const key = keys.alloc();
  keys.free(key);
  memory.bytes.fill(0, key, key + 32);
  memory.drain();
}

export const refusal = {
  code: 'MODIFIED_AFTER_FREE',
  message:
    'Memory modified after free 0xd6fe0(32) val=0x0 @ 0xd6fe0 (zone keys)\n' +
    'Most recently used by keys (thread 1 (generation 1), at {site})',
  zone: 'keys',
  address: 0xd6fe0,
  owner: 0,
  details: ['owner     nobody: it is free', 'freed     by thread 1 (generation 1), at {site}'],
};
