/** The zones that the workers of the stress tests share. */

import assert from 'node:assert/strict';
import type { Memory } from '../memory-api.js';
import type { Zone } from './index.js';

/** Items that several workers have references to. */
export const SHARED = { name: 'shared', size: 200, referenceCounted: true } as const;

export function openZones(memory: Memory): Zone[] {
  const { words } = memory;
  const small = memory.zone({ name: 'small', size: 64 });
  return [
    small,
    memory.zone({ name: 'middle', size: 300, max: 200 }),
    memory.zone({ name: 'cluster', size: 2048, referenceCounted: true }),
    memory.zone({ name: 'jumbo', size: 9216, max: 12 }),
    memory.zone({ name: 'guarded', size: 100, guard: true, max: 40 }),
    memory.zone({
      name: 'secondary',
      primary: small,
      max: 150,
      init: (item) => {
        words[item >>> 2] = 0x1417;
      },
      fini: (item) => {
        assert.equal(words[item >>> 2], 0x1417, 'fini without init');
        words[item >>> 2] = 0;
      },
    }),
  ];
}
