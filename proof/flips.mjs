// Random bit flips in the metadata of a populated memory: does the audit report them, and does work on the
// damaged memory end, by coded errors only?

import { runRow } from './row.mjs';
import { UNCHECKABLE } from './scene-metadata.mjs';

/** Share of flips, of words that can be judged, that the audit must report. */
const REPORTED_LEAST = 0.95;

export const STEPS = { ci: 10_000, nightly: 1_000_000 };

function judge({ counts }) {
  const structures = Object.entries(counts).filter(([name]) => name !== UNCHECKABLE);
  const sum = (field) => structures.reduce((total, [, each]) => total + each[field], 0);
  const share = sum('reported') / sum('flips');
  const percent = (part, of) => `${((100 * part) / of).toFixed(1)} %`;
  const shares = structures.map(([name, { flips, reported }]) => [name, percent(reported, flips)]);
  return {
    ok: share >= REPORTED_LEAST,
    figures: {
      flips: sum('flips') + (counts[UNCHECKABLE]?.flips ?? 0),
      reported: percent(sum('reported'), sum('flips')),
      ...Object.fromEntries(shares.sort()),
    },
  };
}

const foundOf = (pattern) => (state) => state.findings.some(({ text }) => pattern.test(text));

export function run({ level = 'ci', seed = 1, steps = STEPS[level], hangMs = 5000, ...given }) {
  const row = {
    name: 'flips',
    module: new URL('./flips-session.mjs', import.meta.url),
    options: { hangMs },
    judge,
    controls: [
      { name: 'foreign error', options: { plant: 'foreign error' }, steps: 5, mustFind: foundOf(/planted/) },
      { name: 'hang', options: { plant: 'hang', hangMs: 500 }, steps: 5, mustFind: foundOf(/did not end/) },
      {
        name: 'blind audit',
        options: { plant: 'blind audit' },
        steps: 20,
        mustFind: (_, { ok }) => !ok,
      },
    ],
  };
  return runRow(row, { ...given, seed, steps });
}
