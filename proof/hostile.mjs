// Every public function with hostile values: only documented errors come out, the memory stays sound, and
// nothing hangs.

import { CALLS_PER_STEP } from './hostile-session.mjs';
import { hostileValues } from './hostile-values.mjs';
import { runRow } from './row.mjs';

const CALLS = { ci: 100_000, nightly: 10_000_000 };

const foundOf = (pattern) => (state) => state.findings.some(({ text }) => pattern.test(text));

export function run({ level = 'ci', seed = 1, calls = CALLS[level], hangMs = 5000, ...given }) {
  const row = {
    name: 'hostile',
    module: new URL('./hostile-session.mjs', import.meta.url),
    options: { hangMs },
    judge: ({ counts }) => ({
      ok: counts.calls > 0,
      figures: { calls: counts.calls ?? 0, succeeded: counts.succeeded ?? 0, values: hostileValues.length },
    }),
    controls: [
      { name: 'foreign error', options: { plant: 'foreign error' }, steps: 1, mustFind: foundOf(/plant/) },
      { name: 'damage', options: { plant: 'damage' }, steps: 1, mustFind: foundOf(/U14/) },
      { name: 'hang', options: { plant: 'hang', hangMs: 500 }, steps: 3, mustFind: foundOf(/did not end/) },
    ],
  };
  return runRow(row, { ...given, seed, steps: Math.ceil(calls / CALLS_PER_STEP) });
}
