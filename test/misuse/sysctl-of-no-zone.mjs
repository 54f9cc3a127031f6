// The limit of a zone is set before the zone is made.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

export function misuse() {
  memory.sysctl.set('vm.uma.points.limit.max_items', 100);
  memory.zone({ name: 'points', size: 64 });
}

export const refusal = {
  code: 'NO_SUCH_SYSCTL',
  message: 'there is no sysctl "vm.uma.points.limit.max_items"',
};
