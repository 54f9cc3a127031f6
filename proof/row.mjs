// What all rows have in common: the run itself, the controls before it, and the row that comes of both.

import { emptyState, runWatched } from './watched.mjs';

/**
 * Runs the controls, then the steps.
 *
 * @param row.module of the session; `row.options` are what it is made from
 * @param row.judge says of a state { ok, figures }, `ok` without regard to findings
 * @param row.controls each { name, options, steps, mustFind(state, judged) }: a planted fault, and whether it
 *   was told
 * @param given { seed, steps, state, save, progress, signal } of this run
 * @returns {name, figures, ok, findings, controls, complete}
 */
export async function runRow(row, given) {
  const { seed, steps, progress, save, signal } = given;
  const controls = [];
  for (const control of row.controls) {
    const options = { ...row.options, seed, ...control.options };
    const state = await runWatched(row.module, options, { steps: control.steps, signal });
    controls.push({ name: control.name, found: control.mustFind(state, row.judge(state)) });
  }
  const state = given.state ?? emptyState();
  await runWatched(row.module, { ...row.options, seed }, { steps, state, progress, save, signal });
  const { ok, figures } = row.judge(state);
  const blind = controls.filter(({ found }) => !found).map(({ name }) => name);
  const findings = [
    ...state.findings.map(({ step, times, text }) => `${times} times, first in step ${step}: ${text}`),
    ...blind.map((name) => `the planted fault "${name}" was not found`),
  ];
  const complete = state.next >= steps;
  return {
    name: row.name,
    figures,
    ok: ok && findings.length === 0 && complete,
    findings,
    controls: controls.length - blind.length,
    complete,
    seconds: state.seconds,
  };
}
