// Two threads, or modules, describe a type of one name in two ways.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
memory.mallocType({ name: 'texts' });

export function misuse() {
  memory.mallocType({ name: 'texts', description: 'other texts' });
}

export const refusal = {
  code: 'LAYOUT_MISMATCH',
  message: 'malloc type texts exists with another description',
};
