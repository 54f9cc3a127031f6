// Two modules ask for the zone of one name, and agree neither on size nor on alignment nor on zeroing.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.zone({ name: 'points', size: 64 });
  memory.zone({ name: 'points', size: 72, align: 64, zero: true });
}

export const refusal = {
  code: 'LAYOUT_MISMATCH',
  message: 'zone points exists: size is 64, not 72; align is 16, not 64; zero is false',
  zone: 'points',
};
