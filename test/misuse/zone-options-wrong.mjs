// Every option of a zone is wrong; all of it is told at once.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.zone({ name: 'all', size: 0, align: 24, max: -1, ctor: 5, onOwnerDeath: 'forget', highWater: '9' });
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message:
    'zone all: ctor must be a function, not 5; ' +
    'max must be a whole number from 0 to 2147483647, not -1; ' +
    'size must be a whole number from 1 to 1048576, not 0; ' +
    'align must be a power of two, not 24; ' +
    "onOwnerDeath must be 'free', 'keep' or 'report', not \"forget\"; " +
    'highWater must be a whole number from 0 to 2147483647, not "9"',
  zone: 'all',
};
