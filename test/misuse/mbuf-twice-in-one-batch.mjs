// One packet stands twice in an array that is freed at once.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const sent = new Int32Array(3);
  mbufs.tryGetclMany(sent, 2);
  sent[2] = sent[0];
  mbufs.freeMany(sent, 3);
}

export const refusal = {
  code: 'CHAIN_CYCLE',
  message: 'mbuf 0xdae00 is met twice on the way through the chains',
  address: 0xdae00,
};
