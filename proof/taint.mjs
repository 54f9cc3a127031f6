// Several tenants of one memory, each with a pattern of its own: nobody is handed, or changes, what is
// another's.

import { runRow } from './row.mjs';
import { OPERATIONS_PER_STEP } from './taint-session.mjs';

const OPERATIONS = { ci: 1_000_000, nightly: 100_000_000 };

const foundOf = (pattern) => (state) => state.findings.some(({ text }) => pattern.test(text));

export function run({ level = 'ci', seed = 1, operations = OPERATIONS[level], hangMs = 5000, ...given }) {
  const row = {
    name: 'taint',
    module: new URL('./taint-session.mjs', import.meta.url),
    options: { hangMs },
    judge: ({ counts }) => ({
      ok: counts.zeroed > 0,
      figures: {
        operations: counts.operations ?? 0,
        zeroed: counts.zeroed ?? 0,
        'words looked at': counts.words ?? 0,
      },
    }),
    controls: [
      { name: 'no zeroing', options: { plant: 'no zeroing' }, steps: 20, mustFind: foundOf(/ZERO of/) },
      { name: 'stranger', options: { plant: 'stranger' }, steps: 5, mustFind: foundOf(/in use|handed over/) },
    ],
  };
  return runRow(row, { ...given, seed, steps: Math.ceil(operations / OPERATIONS_PER_STEP) });
}
