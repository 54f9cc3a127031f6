// A second thread opens a zone and does not bring the hooks that the first one gave.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const second = attachMemory(memory.handle);
memory.zone({ name: 'trees', size: 64, ctor() {}, dtor() {} });

export function misuse() {
  second.zone({ name: 'trees', size: 64 });
}

export const refusal = {
  code: 'HOOKS_MISSING',
  message: 'zone trees has ctor, dtor: this thread must register just these',
  zone: 'trees',
};
