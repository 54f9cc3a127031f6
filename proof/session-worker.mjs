// The Worker of watched.mjs: takes one step after the other, and tells of each stretch what came of it.
//
// A session is { step(index) -> findings or undefined, takeCounts() -> what was counted since the last }.

import { parentPort, workerData } from 'node:worker_threads';
import { addUp } from './watched.mjs';

const STRETCH_MS = 1000;

const { module, options, from, steps, shared, skip } = workerData;
const { createSession } = await import(module);
const session = await createSession(options);
const skipped = new Set(skip);

let counts = {};
let findings = [];
let told = performance.now();

function tell(next) {
  addUp(counts, session.takeCounts());
  parentPort.postMessage({ next, counts, findings });
  counts = {};
  findings = [];
  told = performance.now();
}

for (let index = from; index < steps; index++) {
  if (!skipped.has(index)) {
    Atomics.store(shared, 1, index);
    Atomics.add(shared, 0, 1);
    const answer = session.step(index);
    const found = answer instanceof Promise ? await answer : answer;
    if (found !== undefined) for (const each of found) findings.push({ step: index, ...each });
  }
  if (index === steps - 1 || performance.now() - told > STRETCH_MS) tell(index + 1);
}
// What a session has left pending, such as a wait that nobody ends, is no reason to stay.
process.exit();
