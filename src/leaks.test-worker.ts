/** Allocates in two places, and says so; then keeps what it has until it is ended. */

import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory, type MemoryHandle } from './index.js';

const { handle, zones } = workerData as { handle: MemoryHandle; zones: readonly object[] };
const memory = attachMemory(handle);

for (const options of zones) {
  const zone = memory.zone(options as { name: string });
  for (let index = 0; index < 3; index++) zone.tryAlloc(); // place 1
  for (let index = 0; index < 2; index++) zone.tryAlloc(); // place 2
}
parentPort?.postMessage(memory.thread);
// Ended from outside.
setInterval(() => {}, 1000);
