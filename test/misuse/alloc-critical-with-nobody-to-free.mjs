// The one thread there is waits, with both reserves, for a page that nobody else could free.

import { createMemory, USE_INTERRUPT_RESERVE, USE_RESERVE } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const pages = memory.zone({ name: 'pages', size: 4096, noBucket: true });
while (pages.tryAlloc(USE_INTERRUPT_RESERVE) !== 0);
memory.onLowMemory('cache', () => 0);

export function misuse() {
  pages.alloc(USE_RESERVE | USE_INTERRUPT_RESERVE);
}

export const refusal = {
  code: 'MEMORY_DEADLOCK',
  message:
    'no thread can free any page: all wait for some. alloc of zone pages has found no pages once; 0 are free, 0 of them reserved; 0 may be taken; no thread owes an answer; reclaim handlers of this thread: cache freed nothing',
};
