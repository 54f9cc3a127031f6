// An address of the other heap is given to a foreign keg that has never handed it out.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const strings = memory.foreignKeg({ name: 'strings', size: 32, allocRun: () => 1 << 16, freeRun() {} });

export function misuse() {
  const taken = new Int32Array(2);
  strings.tryTake(taken, 2);
  const elsewhere = 1 << 20;
  strings.give(Int32Array.of(elsewhere), 1);
}

export const refusal = {
  code: 'FREE_FOREIGN',
  message: 'foreign keg strings: 0x100000 lies in none of its runs',
  zone: 'strings',
  address: 1 << 20,
};
