// The timer is to run every two hours, which is longer than it can wait.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.sysctl.set('vm.uma_timeout_ms', 2 * 60 * 60 * 1000);
}

export const refusal = {
  code: 'BAD_ARGUMENT',
  message: 'vm.uma_timeout_ms must be a whole number from 0 to 3600000, not 7200000',
};
