// A zone without buckets is told how much it may cache.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const files = memory.zone({ name: 'files', size: 64, noBucket: true });

export function misuse() {
  files.maxCached = 15;
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'zone files is noBucket: it caches nothing',
  zone: 'files',
};
