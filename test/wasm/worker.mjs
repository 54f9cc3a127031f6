// Runs the program in a Worker: from when the gate opens, for so many rounds, or until it is ended.

import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory } from '../../dist/index.js';
import { startThread } from './thread.mjs';

const { handle, module, gate, number, seed, rounds } = workerData;
const memory = attachMemory(handle);
const { exports, end } = startThread(memory, module, { number, seed });

function require(line) {
  if (line !== 0) throw new Error(`thread ${number}, seed ${seed}: line ${line} of program.c`);
}

Atomics.wait(gate, 0, 0);
for (let round = 0; round < rounds; round++) {
  require(exports.steps(200));
  if (round === 10) parentPort.postMessage('at work');
}
require(exports.finish());
if (exports.number() !== number) throw new Error(`thread ${number} has storage of another`);
end();
memory.detach();
parentPort.postMessage('done');
