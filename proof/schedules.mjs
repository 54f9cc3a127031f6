// Every interleaving of every scenario within its bounds: first without deaths and with the race detector,
// then with a kill before each store of each schedule. One scenario is one step; a run goes on behind the
// last.

import { exploreMemory } from '../dist/explore.js';
import { everyStore, scenarios } from './scenarios/index.mjs';

/** Bounds of each level; a scenario may ask for less by `bounds`. */
const levels = {
  ci: { races: 1, deaths: 1, big: 0, seconds: 90 },
  nightly: { races: 2, deaths: 2, big: 1, seconds: 3600 },
};

/** States that are known at one time: 27 bytes each. */
const STATES = 1 << 24;

function emptyState() {
  return { next: 0, seconds: 0, schedules: 0, kills: 0, pruned: 0, steps: 0, cut: [], findings: [] };
}

function preemptionsOf(scenario, level, what) {
  const bound = scenario.big === true ? level.big : level[what];
  return Math.min(bound, scenario.bounds?.[what] ?? bound);
}

/** The two explorations of a scenario. */
function explorationsOf(scenario, level) {
  const { seconds } = level;
  return [
    {
      ...scenario,
      kill: undefined,
      preemptions: preemptionsOf(scenario, level, 'races'),
      maxSeconds: seconds,
    },
    {
      ...scenario,
      kill: scenario.kill ?? everyStore,
      preemptions: preemptionsOf(scenario, level, 'deaths'),
      prune: { states: STATES },
      maxSeconds: seconds,
    },
  ];
}

function add(state, report, scenario, options) {
  state.schedules += report.schedules;
  state.kills += report.kills;
  state.pruned += report.pruned;
  state.steps += report.steps;
  const what = `${scenario.name}, ${options.preemptions} preemptions${options.prune ? ', deaths' : ''}`;
  const { failure } = report;
  if (failure) state.findings.push(`${what}: ${failure.kind}, ${failure.message} (${failure.schedule})`);
  else if (!report.exhausted) state.cut.push(what);
}

/** A scenario whose bug must be found, or this row sees nothing. */
export const planted = [
  {
    name: 'planted: a word is counted without a lock',
    memory: scenarios[0].memory,
    audit: false,
    threads: [0, 1].map(() => (memory) => {
      memory.words[31] += 1;
    }),
  },
  {
    name: 'planted: an item is forgotten by who dies',
    memory: scenarios[0].memory,
    kill: { threads: [0], everyStoreOfFills: false },
    setup(memories, observer) {
      const options = { name: 'z', size: 512, onOwnerDeath: 'keep' };
      for (const memory of memories) memory.zone(options);
      return { observers: observer.zone(options), zone: memories[0].zone(options) };
    },
    threads: [
      (_memory, { zone }) => {
        const item = zone.tryAlloc();
        if (item !== 0) zone.free(item);
      },
      () => {},
    ],
    after(_memories, { observers }) {
      if (observers.stats().used !== 0) throw new Error('an item is in use');
    },
  },
];

function tryControls() {
  return planted.filter((each) => exploreMemory({ ...each, preemptions: 1 }).failure === null);
}

/**
 * @param only names of scenarios; by default all
 */
export async function run({ level = 'ci', state = emptyState(), save, progress, signal, only = scenarios }) {
  const bounds = levels[level];
  const blind = tryControls().map(({ name }) => `${name}: not found`);
  while (state.next < only.length && !signal?.aborted) {
    const scenario = only[state.next];
    const began = performance.now();
    for (const options of explorationsOf(scenario, bounds))
      add(state, exploreMemory(options), scenario, options);
    state.seconds += (performance.now() - began) / 1000;
    state.next++;
    save?.(state, true);
    progress?.(state.next, only.length);
    await new Promise(setImmediate);
  }
  const complete = state.next >= only.length;
  const findings = [...state.findings, ...state.cut.map((what) => `${what}: not all was explored`), ...blind];
  const { schedules, kills, pruned, steps } = state;
  return {
    name: 'schedules',
    figures: { scenarios: only.length, schedules, kills, pruned, steps },
    ok: complete && findings.length === 0,
    findings,
    controls: planted.length - blind.length,
    complete,
    seconds: state.seconds,
  };
}
