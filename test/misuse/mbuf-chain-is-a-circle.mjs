// The last mbuf of a chain is followed by the first one: freeing it would never end.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const [head, tail] = [mbufs.get(), mbufs.get()];
  mbufs.setNext(head, tail);
  mbufs.setNext(tail, head);
  mbufs.freeChain(head);
}

export const refusal = {
  code: 'CHAIN_CYCLE',
  message: 'mbuf 0xe6e00 is met twice on the way through the chains',
  address: 0xe6e00,
};

// Nothing was freed, and the circle is still there.
export const damage = ['M6'];
