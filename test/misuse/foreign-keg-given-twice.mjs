// An item in the heap of another module is given back to its keg twice.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
let heapEnd = 1 << 16;
const objects = memory.foreignKeg({
  name: 'objects',
  size: 64,
  allocRun: (bytes) => {
    heapEnd += bytes;
    return heapEnd - bytes;
  },
  freeRun() {},
});

export function misuse() {
  const one = new Int32Array(1);
  objects.tryTake(one, 1);
  objects.give(one, 1);
  objects.give(one, 1);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'foreign keg objects: 0x10000 is free already',
  zone: 'objects',
  address: 1 << 16,
};
