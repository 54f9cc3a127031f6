// The address was never stored, so that undefined is freed.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const jobs = memory.zone({ name: 'jobs', size: 64 });
const running = new Map();

export function misuse() {
  jobs.alloc();
  jobs.free(running.get('job 1'));
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'zone jobs: undefined is not an address of this memory',
  zone: 'jobs',
};
