// A keg is given what belongs to a zone in front of it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.keg({ name: 'cells', size: 64, ctor() {}, zero: true });
}

export const refusal = {
  code: 'BAD_CONFIGURATION',
  message: 'a keg has no ctor, zero: that is for a zone stacked on it to say',
};
