// The flags of a zone contradict each other in four ways.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  const fast = { maxBucket: true, noBucket: true };
  const clean = { noTouch: true, zero: true, guard: true };
  const spread = { cacheSpread: true, contiguous: true };
  memory.zone({ name: 'best', size: 64, ...fast, ...clean, ...spread });
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message:
    'zone best: ' +
    'maxBucket and noBucket contradict each other: one asks for the largest buckets, the other for none; ' +
    'noTouch and zero contradict each other: zeros would have to be written into the items; ' +
    'noTouch and guard contradict each other: freed items would have to be filled; ' +
    'cacheSpread and contiguous contradict each other: one needs large slabs, the other the smallest',
  zone: 'best',
};
