// The import of a zone says that it has given more connections than it was asked for.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const connections = memory.zone({
  name: 'connections',
  import(words, n) {
    words.fill(1);
    return n + 1;
  },
  release() {},
});

export function misuse() {
  connections.alloc();
}

export const refusal = {
  code: 'HOOK_FAILED',
  message: 'import of zone connections answered 256 when it was asked for 255',
  zone: 'connections',
};
