// The reserve of a zone is as large as its limit, so that usual calls would never get an item.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const heads = memory.zone({ name: 'heads', size: 512, max: 10 });

export function misuse() {
  heads.reserve = 10;
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'zone heads: reserve 10 leaves nothing of a limit of 10 items',
  zone: 'heads',
};
