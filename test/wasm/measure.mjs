// What malloc and free cost when C calls them: `node test/wasm/measure.mjs`. Nanoseconds for a block there
// and back, in one thread: the median of 15 runs, and the range. Needs clang (README.md).

import { createMemory } from '../../dist/index.js';
import { heapBaseOf } from '../../dist/wasm.js';
import { buildProgram } from './build.mjs';
import { startThread } from './thread.mjs';

const ROUNDS = 2_000_000;
const REPEATS = 15;

const bytes = buildProgram();
const memory = createMemory({ bytes: 64 << 20, wasm: { heapBase: heapBaseOf(bytes) } });
const { exports } = startThread(memory, new WebAssembly.Module(bytes), { number: 1, seed: 1 });

function measure(name, run) {
  const times = Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    run();
    return ((performance.now() - start) * 1e6) / ROUNDS;
  }).sort((a, b) => a - b);
  console.log(
    `${name}: ${times[REPEATS >> 1].toFixed(1)} ns (${times[0].toFixed(1)} to ${times.at(-1).toFixed(1)})`,
  );
}

for (const size of [16, 64, 1024]) {
  measure(`pairs of ${size} B`, () => exports.pairs(ROUNDS, size));
  measure(`bursts of 32 of ${size} B`, () => exports.bursts(ROUNDS / 32, size));
}
