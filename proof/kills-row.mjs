// The row of kills.mjs: with network buffers, and with a group that nobody adopts, which must be found.

import { run as kill, levels } from './kills.mjs';

const KILLS_ABANDONED = 6;
/** Figures for the scorecard. */
const TOLD = ['audits', 'lockHeld', 'progressMsMost', 'progressOwnMsMost', 'reapMsMost', 'slow'];

export async function run({ level = 'ci', seed = 1, kills = levels[level].kills, ...given }) {
  const control = await kill({ seed, kills: KILLS_ABANDONED, sabotage: 'abandon', findingsMost: 1 });
  const controls = control.findings.length > 0 ? 1 : 0;
  const row = await kill({
    ...given,
    seed,
    kills,
    mbufs: true,
    progress: (figures) => given.progress?.(Math.min(figures.kills, kills), kills),
  });
  const { kills: done, seconds, deaths } = row.figures;
  const complete = done >= kills;
  return {
    name: 'kills',
    figures: { kills: done, ...deaths, ...Object.fromEntries(TOLD.map((name) => [name, row.figures[name]])) },
    ok: row.ok && complete && controls === 1,
    findings: [...row.findings, ...(controls === 1 ? [] : ['threads that nobody adopted were not found'])],
    controls,
    complete,
    seconds,
  };
}
