// A worker that has detached frees a packet that it had kept, a chain of two mbufs.

import { attachMemory, createMemory } from '../../dist/index.js';

export const memory = createMemory({ bytes: 1 << 20 });
const packet = memory.mbufs.gethdr();
memory.mbufs.setNext(packet, memory.mbufs.get());
const worker = attachMemory(memory.handle);
const { mbufs } = worker;

export function misuse() {
  worker.detach();
  mbufs.freeChain(packet);
}

export const refusal = {
  code: 'DETACHED',
  message: 'this thread has detached from the memory',
};
