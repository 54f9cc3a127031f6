// A header of 20 bytes is read from a packet that has only ten.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const packet = mbufs.getcl();
  mbufs.append(packet, new Uint8Array(10));
  mbufs.copyOut(packet, 0, 20, new Uint8Array(20));
}

export const refusal = {
  code: 'CHAIN_TOO_SHORT',
  message: 'the chain of 0xdae00 has 10 bytes, 0 to 20 were wanted',
  address: 0xdae00,
};
