// Every interleaving of every scenario within its bounds, by two threads (row `schedules`) and by three (row
// `three`): first without deaths and with the race detector, then with a kill before each store of each
// schedule. A run goes on with what has not been explored yet.

import { exploreMemory } from '../dist/explore.js';
import { everyStore, scenarios } from './scenarios/index.mjs';
import { withThird } from './scenarios/kit.mjs';

/**
 * Preemptions without deaths and with them, for two threads and for three; and how long one exploration may
 * take. `allOrders`: threads that do the same begin in any order, and not only in that of their numbers.
 */
const levels = {
  ci: {
    two: { races: 1, deaths: 1, heavy: { deaths: 0 } },
    three: { races: 1, deaths: 0, heavy: { races: 0, deaths: null } },
    seconds: 300,
  },
  nightly: {
    two: { races: 2, deaths: 2, allOrders: true },
    three: { races: 1, deaths: 1 },
    seconds: 14_400,
  },
};

/** States that are known at one time: 27 bytes each. */
const STATES = 1 << 24;

const NOTHING = { seconds: 0, schedules: 0, kills: 0, pruned: 0, steps: 0 };

/** `current`: the exploration that was broken off, if one was, and where: `{ key, position, sums }`. */
function emptyState() {
  return { ...NOTHING, done: [], cut: [], findings: [], current: null };
}

function addSums(to, report) {
  return Object.fromEntries(Object.keys(NOTHING).map((name) => [name, to[name] + report[name]]));
}

/** A scenario that is `heavy` takes minutes: most of that is for nights, and all of it where a bound is null. */
function boundOf(scenario, bounds, what) {
  const isHeavy = scenario.heavy === true || scenario.heavy === scenario.threads.length;
  const heavy = isHeavy ? bounds.heavy?.[what] : undefined;
  if (heavy !== undefined) return heavy;
  return Math.min(bounds[what], scenario.bounds?.[what] ?? bounds[what]);
}

/** The two explorations of a scenario, or the first of them. */
function explorationsOf(given, bounds, seconds) {
  const scenario = { ...given, interchangeable: given.alike === true && bounds.allOrders !== true };
  const preemptions = (what) => boundOf(scenario, bounds, what);
  const living = {
    ...scenario,
    key: `${scenario.name}, ${preemptions('races')} preemptions`,
    kill: undefined,
    preemptions: preemptions('races'),
    specification: scenario.specification ?? scenario.specificationOfLiving,
    maxSeconds: seconds,
  };
  const dying = {
    ...scenario,
    key: `${scenario.name}, ${preemptions('deaths')} preemptions and deaths`,
    kill: scenario.kill ?? everyStore,
    preemptions: preemptions('deaths'),
    prune: { states: STATES },
    maxSeconds: seconds,
  };
  return dying.preemptions === null ? [living] : [living, dying];
}

/** Explores, from where it was broken off if it was. */
function exploreOne(exploration, state, save) {
  const { key } = exploration;
  const { position, sums } = state.current?.key === key ? state.current : { sums: NOTHING };
  const report = exploreMemory({
    ...exploration,
    maxSeconds: exploration.maxSeconds - sums.seconds,
    ...(position && { from: position }),
    onProgress(far) {
      state.current = { key, position: far.position, sums: addSums(sums, far) };
      save?.(state);
    },
  });
  Object.assign(state, addSums(state, addSums(sums, report)), { current: null });
  state.done.push(key);
  const { failure } = report;
  if (failure) state.findings.push(`${key}: ${failure.kind}, ${failure.message} (${failure.schedule})`);
  else if (!report.exhausted) state.cut.push(key);
  save?.(state);
}

/** A scenario whose bug must be found, or this row sees nothing. */
export const planted = [
  {
    name: 'planted: a word is counted without a lock',
    memory: scenarios[0].memory,
    audit: false,
    preemptions: 1,
    threads: [0, 1].map(() => (memory) => {
      memory.words[31] += 1;
    }),
  },
  {
    name: 'planted: an item is forgotten by who dies',
    memory: scenarios[0].memory,
    kill: { threads: [0], everyStoreOfFills: false },
    preemptions: 0,
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
  return planted.filter((each) => exploreMemory({ ...each, shorten: false }).failure === null);
}

/**
 * @param given.who `two` or `three` threads
 * @param given.only scenarios; by default all that can be run by so many
 */
async function explore(name, given) {
  const { level = 'ci', who, state = emptyState(), save, progress, signal, only } = given;
  const bounds = levels[level];
  const blind = tryControls().map((each) => `${each.name}: not found`);
  const all = only.flatMap((scenario) => explorationsOf(scenario, bounds[who], bounds.seconds));
  const left = all.filter(({ key }) => !state.done.includes(key));
  for (const exploration of left) {
    if (signal?.aborted) break;
    exploreOne(exploration, state, save);
    progress?.(state.done.length, all.length);
    await new Promise(setImmediate);
  }
  const complete = all.every(({ key }) => state.done.includes(key));
  const findings = [...state.findings, ...state.cut.map((key) => `${key}: not all was explored`), ...blind];
  const { schedules, kills, pruned, steps } = state;
  return {
    name,
    figures: { scenarios: only.length, schedules, kills, pruned, steps },
    ok: complete && findings.length === 0,
    findings,
    controls: planted.length - blind.length,
    complete,
    seconds: state.seconds,
  };
}

const byTwo = scenarios.filter(({ threads }) => threads.length === 2);

export const run = (given) => explore('schedules', { only: byTwo, ...given, who: 'two' });

/** The same with a third thread. */
export function runThree(given) {
  const only = (given.only ?? scenarios).map(withThird);
  return explore('three', { ...given, only, who: 'three' });
}
