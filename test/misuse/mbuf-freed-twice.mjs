// A packet is freed by the one who sent it, and again by the one who had it queued.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const packet = mbufs.getcl();
  mbufs.freeChain(packet);
  mbufs.freeChain(packet);
}

export const refusal = {
  code: 'FREE_TWICE',
  message: 'mbuf 0xdae00 is free already',
  zone: 'mbuf',
  address: 0xdae00,
  owner: 0,
};
