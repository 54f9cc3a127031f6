// Explores scenarios in a Worker, one after the other: in the compiled code as it is, or with one text
// replaced.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { parentPort } from 'node:worker_threads';
import { bundle } from '../bundle.mjs';
import { complete, scenarios } from '../scenarios/index.mjs';
import { withThird } from '../scenarios/kit.mjs';
import { plantedScenarios } from '../scenarios/planted.mjs';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const known = [...scenarios, ...plantedScenarios.map(complete)];
const texts = new Map();
let sound = null;

function textOf(path) {
  if (!texts.has(path)) texts.set(path, readFileSync(path, 'utf8'));
  return texts.get(path);
}

const load = (read) => new Script(bundle(join(DIST, 'explore.js'), read)).runInThisContext();

/** Code of its own: nothing that a bug does is left behind for the next one. */
function loadWith({ file, find, replace }) {
  const changed = join(DIST, file);
  return load((path) => (path === changed ? textOf(path).replace(find, () => replace) : textOf(path)));
}

function loadSound() {
  sound ??= load(textOf);
  return sound;
}

function explore({ bug, scenario: name, options }) {
  const { third = false, ...bounds } = options;
  const scenario = known.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);
  const { exploreMemory } = bug === undefined ? loadSound() : loadWith(bug);
  const { failure, schedules } = exploreMemory({ ...(third ? withThird(scenario) : scenario), ...bounds });
  const { kind, message, schedule } = failure ?? {};
  return { schedules, failure: failure && { kind, message, schedule } };
}

parentPort.on('message', (task) => {
  try {
    parentPort.postMessage(explore(task));
  } catch (error) {
    parentPort.postMessage({ broken: `${error}` });
  }
});
