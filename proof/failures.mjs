// Every place that can fail fails at every call, once and from then on, over every scenario: what ends, ends
// as it is written, nothing is damaged or lost, and without failures all goes well again. Nightly also with
// every number of free pages.

import { isDeepStrictEqual } from 'node:util';
import { createMemory } from '../dist/index.js';
import { ownAsyncScenarios, ownScenarios } from './failures-scenarios.mjs';
import { Trial } from './failures-trial.mjs';
import { counterScenarios } from './scenarios/counters.mjs';
import { epochScenarios } from './scenarios/epochs.mjs';
import { guardScenarios } from './scenarios/guards.mjs';
import { kegScenarios } from './scenarios/kegs.mjs';
import { memory as small } from './scenarios/kit.mjs';
import { mallocScenarios } from './scenarios/mallocs.mjs';
import { mutexScenarios } from './scenarios/mutexes.mjs';
import { pageScenarios } from './scenarios/pages.mjs';
import { ringScenarios } from './scenarios/rings.mjs';
import { threadScenarios } from './scenarios/threads.mjs';
import { zoneScenarios } from './scenarios/zones.mjs';

/** A scenario in which a site is hit so often never ends. */
const CALLS_MOST = 1000;
/** So many sizes in a row were enough. */
const ENOUGH = 3;
const FINDINGS_MOST = 100;

/** Their `after` looks at what was answered: it does not hold when something has failed. */
const NEED_SUCCESS =
  /^ring: (?!it carries)|^mutex: |^both open the same new zone|^each opens a new zone|^two clean up|^pages: (?!two)/;

const shared = [
  ...zoneScenarios,
  ...kegScenarios,
  ...counterScenarios,
  ...guardScenarios,
  ...epochScenarios,
  ...ringScenarios,
  ...threadScenarios,
  ...mutexScenarios,
  ...mallocScenarios,
  ...pageScenarios,
].map((scenario) => ({
  memory: small,
  afterNeedsSuccess: NEED_SUCCESS.test(scenario.name),
  ...scenario,
}));

export const allScenarios = [...shared, ...ownScenarios, ...ownAsyncScenarios];

/** The names of all sites there are, once everything that makes one has been made. */
export function registeredSites() {
  const memory = createMemory({ bytes: 4 << 20, checkLevel: 2 });
  memory.mbufs.zones.mbuf.stats();
  memory.ring({ name: 'ring', capacity: 4 });
  memory.mallocType({ name: 'type' });
  return memory.failpoints.list().map(({ name }) => name);
}

export function emptyState() {
  return { next: 0, runs: 0, sizes: 0, sites: {}, findings: [], findingCount: 0, seconds: 0 };
}

function tell(state, text) {
  state.findingCount++;
  if (state.findings.length < FINDINGS_MOST) state.findings.push(text);
}

/** One run and what is wrong with it, written down. */
async function tryOne(trial, plan, what, state) {
  state.runs++;
  const run = await trial.try(plan);
  for (const wrong of trial.judge(run)) tell(state, `${trial.scenario.name}: ${what}: ${wrong}`);
  return run;
}

/** The site fails at the first call, the second, ... until it is not called so often. */
async function failSite(trial, site, thread, state) {
  const counts = state.sites[site] ?? { hits: 0, failures: 0, scenarios: 0 };
  state.sites[site] = counts;
  const where = thread === undefined ? '' : ` of thread ${thread}`;
  for (let call = 1; call <= CALLS_MOST; call++) {
    let fired = 0;
    for (const how of trial.scenario.waits ? ['nth'] : ['nth', 'from']) {
      const plan = { site, mode: { [how]: call }, thread, again: trial.again };
      const run = await tryOne(trial, plan, `${site} fails, ${how} ${call}${where}`, state);
      counts.hits += run.hits;
      counts.failures += run.fired;
      fired += run.fired;
      // It is called less often. A run that came to no end says nothing.
      if (run.fired === 0) break;
    }
    if (fired === 0) return call > 1;
  }
  tell(state, `${trial.scenario.name}: ${site} was hit more than ${CALLS_MOST} times`);
  return true;
}

/** All sites of one scenario. */
export async function failScenario(scenario, sites, state) {
  const trial = new Trial(scenario);
  const wrong = await trial.begin();
  state.runs += 2;
  for (const each of wrong) tell(state, `${scenario.name}: ${each}`);
  if (wrong.length > 0) return;
  for (const site of sites) {
    if (!(await failSite(trial, site, undefined, state))) continue;
    state.sites[site].scenarios++;
    if (scenario.threads.length === 1) continue;
    for (const thread of scenario.threads.keys()) await failSite(trial, site, thread, state);
  }
}

function judgeScarce(trial, run, full) {
  // What never comes is awaited for ever.
  if (trial.scenario.waits === true && run.failure?.kind === 'livelock') return [];
  if (run.failure !== null) return [`${run.failure.kind}: ${run.failure.message.slice(0, 300)}`];
  const wrong = [];
  const lost = trial.freeBefore - run.free;
  if (lost > Math.max(0, full.freeBefore - full.baseline.free)) wrong.push(`${lost} pages were lost`);
  if (!isDeepStrictEqual(run.used, full.baseline.used)) wrong.push(`in use are ${JSON.stringify(run.used)}`);
  return wrong;
}

/** The scenario in a memory with no free page, with one, ... until that is enough. */
async function shrinkMemory(scenario, state) {
  const full = new Trial(scenario);
  if ((await full.begin()).length > 0) return;
  let enough = 0;
  for (let pages = 0; pages <= full.freeBefore && enough < ENOUGH; pages++) {
    state.runs++;
    state.sizes++;
    let trial;
    try {
      trial = new Trial(scenario, { pagesLeft: pages });
    } catch (error) {
      tell(state, `${scenario.name}: ${pages} free pages: it cannot be set up: ${error.message}`);
      return;
    }
    const run = await trial.try({ scarce: true });
    const what = `${scenario.name}: ${pages} free pages`;
    for (const wrong of judgeScarce(trial, run, full)) tell(state, `${what}: ${wrong}`);
    enough = isDeepStrictEqual(run.firsts, full.baseline.firsts) ? enough + 1 : 0;
  }
}

/** Planted faults. */
const planted = (name, body) => ({ name, memory: small, attachInThreads: true, threads: [body] });

const controls = [
  {
    name: 'a leak',
    pattern: /in use are/,
    scenario: planted('leak', (memory) => {
      const zone = memory.zone({ name: 'z', size: 4096, max: 0 });
      const first = zone.tryAlloc();
      const second = zone.tryAlloc();
      // Who has only one of them forgets it.
      if (first === 0 || second === 0) return;
      zone.free(first);
      zone.free(second);
    }),
  },
  {
    name: 'pages lost',
    pattern: /pages were lost|in use are|audit/,
    scenario: planted('pages', (memory) => {
      const zone = memory.zone({ name: 'z', size: 4096, max: 0 });
      const item = zone.tryAlloc();
      if (item === 0) memory.ring({ name: 'left behind', capacity: 3000 });
      else zone.free(item);
    }),
  },
  {
    name: 'a foreign error',
    pattern: /RangeError/,
    scenario: planted('foreign', (memory) => {
      const zone = memory.zone({ name: 'z', size: 512 });
      const item = zone.tryAlloc();
      if (item === 0) throw new RangeError('no item');
      zone.free(item);
    }),
  },
  {
    name: 'a retry that fails',
    pattern: /then ends as/,
    scenario: planted('retry', (memory) => {
      const ring = memory.ring({ name: 'left behind', capacity: 4 });
      const zone = memory.zone({ name: 'z', size: 512 });
      const item = zone.tryAlloc();
      if (item === 0) ring.tryPut(1);
      else zone.free(item);
      return ring.length;
    }),
  },
];

async function findPlanted({ scenario, pattern }, sites) {
  const state = emptyState();
  await failScenario(scenario, sites, state);
  return state.findings.some((text) => pattern.test(text));
}

const pause = () => new Promise((resolve) => setImmediate(resolve));

/**
 * @param given.scenarios of which numbers; by default all
 * @param given.sites those that must be hit
 */
export async function run({ level = 'ci', scenarios = allScenarios, sites = registeredSites(), ...given }) {
  const { progress, save, signal, state = emptyState() } = given;
  const started = performance.now();
  const before = state.seconds;
  const blind = [];
  for (const control of controls) if (!(await findPlanted(control, sites))) blind.push(control.name);
  while (state.next < scenarios.length && !signal?.aborted) {
    const scenario = scenarios[state.next];
    await failScenario(scenario, sites, state);
    if (level === 'nightly') await shrinkMemory(scenario, state);
    state.next++;
    state.seconds = before + (performance.now() - started) / 1000;
    progress?.(state.next, scenarios.length);
    save?.(state);
    await pause();
  }
  const complete = state.next >= scenarios.length;
  const missed = sites.filter((site) => (state.sites[site]?.failures ?? 0) === 0);
  const findings = [
    ...state.findings,
    ...(complete && missed.length > 0 ? [`no scenario hits ${missed.join(', ')}`] : []),
    ...blind.map((name) => `the planted fault "${name}" was not found`),
  ];
  return {
    name: 'failures',
    figures: {
      scenarios: state.next,
      sites: sites.length,
      'sites hit': sites.length - missed.length,
      runs: state.runs,
      failures: Object.values(state.sites).reduce((sum, { failures }) => sum + failures, 0),
      'memory sizes': state.sizes,
      findings: state.findingCount,
    },
    sites: state.sites,
    ok: findings.length === 0 && complete,
    findings,
    controls: controls.length - blind.length,
    complete,
    seconds: state.seconds,
  };
}
