/** Attaches to a memory behind a reservation, works on it until it is told to stop or ended. */

import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory, type MemoryHandle } from './index.js';

const { handle, rounds } = workerData as { handle: MemoryHandle; rounds: number };
const memory = attachMemory(handle);
const zone = memory.zone({ name: 'points', size: 48 });
const texts = memory.mallocType({ name: 'texts' });
parentPort?.postMessage(memory.thread);
for (let round = 0; round < rounds; round++) {
  const item = zone.tryAlloc();
  const block = texts.tryAlloc((round * 7919) % 90_000);
  const chain = memory.mbufs.tryGetcl();
  if (item !== 0) zone.free(item);
  if (block !== 0) texts.free(block);
  if (chain !== 0) memory.mbufs.free(chain);
}
memory.detach();
