// Every scenario, ready for `exploreMemory`. One more is a plain object in one of these files: it is explored
// with deaths, run by chance, and has its memory fail, without another word.

import { counterScenarios } from './counters.mjs';
import { epochScenarios } from './epochs.mjs';
import { guardScenarios } from './guards.mjs';
import { kegScenarios } from './kegs.mjs';
import { afterDeaths, allowedRaces, memory } from './kit.mjs';
import { mallocScenarios } from './mallocs.mjs';
import { mbufScenarios } from './mbufs.mjs';
import { mutexScenarios } from './mutexes.mjs';
import { pageScenarios } from './pages.mjs';
import { ringScenarios } from './rings.mjs';
import { sysctlScenarios } from './sysctl.mjs';
import { threadScenarios } from './threads.mjs';
import { zoneScenarios } from './zones.mjs';

/** What the threads of a scenario may do is explored with these bounds; its own come first. */
export function complete({ races = [], ...scenario }) {
  return { memory, ...scenario, allowedRaces: [...allowedRaces, ...afterDeaths, ...races] };
}

export const scenarios = [
  ...zoneScenarios,
  ...counterScenarios,
  ...kegScenarios,
  ...ringScenarios,
  ...threadScenarios,
  ...mbufScenarios,
  ...mallocScenarios,
  ...pageScenarios,
  ...sysctlScenarios,
  ...guardScenarios,
  ...mutexScenarios,
  ...epochScenarios,
].map(complete);

/** Kills at every store of each schedule; of a long fill, at its ends and in the middle. */
export const everyStore = { everyStoreOfFills: false };
