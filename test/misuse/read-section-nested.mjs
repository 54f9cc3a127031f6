// A reader calls a function that begins a read section of its own.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });

function reading(act) {
  memory.enter();
  try {
    act();
  } finally {
    memory.leave();
  }
}

export function misuse() {
  reading(() => reading(() => {}));
}

export const refusal = {
  code: 'READ_SECTION',
  message: 'this thread is in a read section already: sections do not nest',
};
