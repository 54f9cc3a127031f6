// The second mbuf of a chain is freed by itself, and the first one still points to it.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const [packet, trailer] = [mbufs.getcl(), mbufs.get()];
  mbufs.setNext(packet, trailer);
  mbufs.free(trailer);
  return mbufs.chainLength(packet);
}

export const refusal = {
  code: 'NOT_AN_MBUF',
  message: '0x110d00, next of 0xdae00, is not an mbuf that is in use',
  address: 0x110d00,
};

// The chain points to a free mbuf until somebody ends it there.
export const damage = ['M6'];
