// One bug, or none, in a Worker: explores a scenario in a copy of the compiled code that has the bug.

import { parentPort, workerData } from 'node:worker_threads';
import { complete, scenarios } from '../scenarios/index.mjs';
import { withThird } from '../scenarios/kit.mjs';
import { plantedScenarios } from '../scenarios/planted.mjs';

const { folder, scenario: name, options } = workerData;
const { third = false, ...bounds } = options;
const all = [...scenarios, ...plantedScenarios.map(complete)];
const scenario = all.find((each) => each.name === name);
if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);

const { exploreMemory } = await import(`${folder}explore.js`);
const { failure, schedules, exhausted, seconds } = exploreMemory({
  ...(third ? withThird(scenario) : scenario),
  ...bounds,
});
parentPort.postMessage({
  schedules,
  exhausted,
  seconds,
  failure: failure && { kind: failure.kind, message: failure.message, schedule: failure.schedule },
});
