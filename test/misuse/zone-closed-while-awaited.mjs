// A zone is closed while a call of the same thread waits for an item of it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const seats = memory.zone({ name: 'seats', size: 64, max: 1 });

export async function misuse() {
  const seat = seats.alloc();
  const next = seats.allocAsync();
  try {
    seats.close();
  } finally {
    seats.free(seat);
    seats.free(await next);
  }
}

export const refusal = {
  code: 'ZONE_BUSY',
  message: 'zone seats has calls of this thread that wait',
  zone: 'seats',
};
