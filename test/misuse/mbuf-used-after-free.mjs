// Bytes are added to a packet that was freed.

import { createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const packet = mbufs.getcl();
  mbufs.free(packet);
  mbufs.append(packet, Uint8Array.of(1, 2, 3));
}

export const refusal = {
  code: 'NOT_AN_MBUF',
  message: '0xdae00 is not an mbuf that is in use',
  address: 0xdae00,
};
