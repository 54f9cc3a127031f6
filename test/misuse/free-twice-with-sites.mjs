// A session is freed by its timeout and again by its end; the zone keeps sites, so both places are told.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const sessions = memory.zone({ name: 'sessions', size: 200, sites: true });

const onTimeout = (session) => sessions.free(session);
const onEnd = (session) => sessions.free(session);

export function misuse() {
  const session = sessions.alloc();
  onTimeout(session);
  onEnd(session);
}

export const refusal = {
  code: 'FREE_TWICE',
  message:
    'Duplicate free of 0x9d8f0 from zone sessions slab 0x9de80(11)\n' +
    'Most recently used by sessions (thread 1 (generation 1), at {site})',
  zone: 'sessions',
  address: 0x9d8f0,
  owner: 0,
  details: [
    'owner     nobody: it is free',
    'allocated by thread 1 (generation 1), at {site}',
    'freed     by thread 1 (generation 1), at {site}',
  ],
};
