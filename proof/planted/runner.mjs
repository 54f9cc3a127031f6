// One bug, or none, in a Worker: explores a scenario in a copy of the compiled code that has the bug.

import { parentPort, workerData } from 'node:worker_threads';
import { counterScenarios } from '../scenarios/counters.mjs';
import { epochScenarios } from '../scenarios/epochs.mjs';
import { guardScenarios } from '../scenarios/guards.mjs';
import { kegScenarios } from '../scenarios/kegs.mjs';
import { afterDeaths, allowedRaces, memory, withThird } from '../scenarios/kit.mjs';
import { mbufScenarios } from '../scenarios/mbufs.mjs';
import { mutexScenarios } from '../scenarios/mutexes.mjs';
import { plantedScenarios } from '../scenarios/planted.mjs';
import { ringScenarios } from '../scenarios/rings.mjs';
import { sysctlScenarios } from '../scenarios/sysctl.mjs';
import { threadScenarios } from '../scenarios/threads.mjs';
import { zoneScenarios } from '../scenarios/zones.mjs';

const { folder, scenario: name, options } = workerData;
const { third = false, ...bounds } = options;
const all = [
  ...zoneScenarios,
  ...counterScenarios,
  ...kegScenarios,
  ...ringScenarios,
  ...threadScenarios,
  ...mbufScenarios,
  ...sysctlScenarios,
  ...guardScenarios,
  ...mutexScenarios,
  ...epochScenarios,
  ...plantedScenarios,
];
const scenario = all.find((each) => each.name === name);
if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);

const { exploreMemory } = await import(`${folder}explore.js`);
const { failure, schedules, exhausted, seconds } = exploreMemory({
  memory,
  allowedRaces: [...allowedRaces, ...afterDeaths, ...(scenario.races ?? [])],
  ...(third ? withThird(scenario) : scenario),
  ...bounds,
});
parentPort.postMessage({
  schedules,
  exhausted,
  seconds,
  failure: failure && { kind: failure.kind, message: failure.message, schedule: failure.schedule },
});
