// A constructor makes a child from its own zone, whose constructor makes a child, and so on.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const nodes = memory.zone({
  name: 'nodes',
  size: 32,
  ctor(node) {
    memory.words[node >>> 2] = nodes.alloc();
  },
});

export function misuse() {
  nodes.alloc();
}

export const refusal = {
  code: 'HOOK_FAILED',
  message: '64 hooks run one inside of the other: of zone nodes',
  zone: 'nodes',
};
