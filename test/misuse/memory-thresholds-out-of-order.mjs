// More free pages are to be kept back than are to be few.

import { createMemory } from '../../dist/index.js';

export const memory = null;

export function misuse() {
  createMemory({ bytes: 1 << 20, pages: { freeReserved: 20, freeMin: 10, freeTarget: 5 } });
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message:
    'pages: freeReserved is 20, more than freeMin, which is 10; pages: freeMin is 10, more than freeTarget, which is 5',
};
