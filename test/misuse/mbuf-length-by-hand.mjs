// The length of an mbuf is written into its record, larger than its buffer, instead of by setLength.

import { createMemory, Mbuf } from '../../dist/index.js';

export const memory = createMemory({ bytes: 4 << 20 });
const { mbufs } = memory;

export function misuse() {
  const packet = mbufs.getcl();
  memory.words[(packet >>> 2) + Mbuf.length] = 4 << 20;
  mbufs.copyOut(packet, 0, 4 << 20, new Uint8Array(4 << 20));
}

export const refusal = {
  code: 'MEMORY_DAMAGED',
  message: 'the memory is damaged: an mbuf has 4194304 bytes at 0xfb800',
  address: 0xfb800,
};

export const damage = ['M3'];
