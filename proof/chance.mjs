// Schedules by chance over all scenarios (PCT), with deaths and with ends of sleeps: what is too deep for the
// exhaustive row. Each scenario gets the same time, so that short ones get many schedules.

import { randomiseMemory } from '../dist/explore.js';
import { everyStore, scenarios } from './scenarios/index.mjs';
import { giftRaces, withThird } from './scenarios/kit.mjs';
import { planted } from './schedules.mjs';

const SCHEDULES = { ci: 1_000_000, nightly: 100_000_000 };

/** What a scenario gets at a time; a slower one gets fewer schedules then. */
const SLICE_SECONDS = { ci: 1, nightly: 30 };

/**
 * A model is made for each batch, and a slice ends with one: as many schedules as take about so long, within
 * bounds. The first batch of a slice does not know how long they take.
 */
const BATCH = { first: 200, least: 40, most: 4000, milliseconds: 200 };

/**
 * A thread that spins until another goes on may be chosen several times in a row, for thousands of steps
 * each: with three of them the usual bound is met now and then.
 */
const STEPS_MAX = 200_000;

/** An audit of each is for the exhaustive row: here every so many batches are audited. */
const AUDITED_EVERY = 8;

function emptyState(seed) {
  return { schedules: 0, kills: 0, steps: 0, audited: 0, seconds: 0, rounds: 0, at: 0, seed, findings: [] };
}

function runBatch(scenario, state, schedules, audit) {
  const seed = (state.seed * 7919 + state.rounds * 104729 + state.at * 31 + state.schedules) % 2 ** 31;
  const allowedRaces = [...scenario.allowedRaces, ...giftRaces];
  const kill = scenario.kill ?? everyStore;
  const options = { ...scenario, allowedRaces, kill, audit, detectRaces: audit, maxSteps: STEPS_MAX };
  const report = randomiseMemory(options, { seed, schedules, depth: 3 });
  state.schedules += report.schedules;
  state.kills += report.kills;
  state.steps += report.steps;
  if (audit) state.audited += report.schedules;
  if (report.failure === null) return;
  const { kind, message, schedule } = report.failure;
  state.findings.push(`${scenario.name}, seed ${seed}: ${kind}, ${message} (${schedule})`);
}

/** One scenario's turn: until its time is up, or it has had `most` schedules. */
function runSlice(scenario, state, milliseconds, most) {
  const end = performance.now() + milliseconds;
  const last = state.schedules + Math.ceil(most);
  let size = BATCH.first;
  for (let batch = 0; state.schedules < last && state.findings.length === 0; batch++) {
    const began = performance.now();
    if (began >= end) break;
    const audit = batch % AUDITED_EVERY === 0;
    const schedules = Math.min(audit ? Math.ceil(size / 10) : size, last - state.schedules);
    runBatch(scenario, state, schedules, audit);
    if (audit) continue;
    const wanted = (schedules * BATCH.milliseconds) / (performance.now() - began);
    size = Math.round(Math.min(BATCH.most, Math.max(BATCH.least, wanted)));
  }
}

/** Chance finds a planted bug as well. */
function findsPlanted() {
  return randomiseMemory(planted[0], { seed: 1, schedules: 100 }).failure !== null;
}

export async function run({ level = 'ci', seed = 1, schedules = SCHEDULES[level], ...given }) {
  const state = given.state ?? emptyState(seed);
  const blind = findsPlanted() ? [] : ['the planted race was not found'];
  while (state.schedules < schedules && state.findings.length < 3 && !given.signal?.aborted) {
    // Every other one has a third thread, and in the next round the others.
    const scenario =
      (state.at + state.rounds) % 2 === 0 ? scenarios[state.at] : withThird(scenarios[state.at]);
    const began = performance.now();
    // In the first round no more than its share, however fast it is: everyone has a turn.
    const share = state.rounds === 0 ? schedules / scenarios.length : schedules;
    runSlice(scenario, state, SLICE_SECONDS[level] * 1000, Math.min(share, schedules - state.schedules));
    state.seconds += (performance.now() - began) / 1000;
    state.at = (state.at + 1) % scenarios.length;
    if (state.at === 0) state.rounds++;
    given.save?.(state);
    given.progress?.(Math.min(state.schedules, schedules), schedules);
    await new Promise(setImmediate);
  }
  const complete = state.schedules >= schedules && state.rounds > 0;
  const findings = [...state.findings, ...blind];
  return {
    name: 'chance',
    figures: {
      schedules: state.schedules,
      kills: state.kills,
      audited: state.audited,
      steps: state.steps,
      rounds: state.rounds,
    },
    ok: complete && findings.length === 0,
    findings,
    controls: 1 - blind.length,
    complete,
    seconds: state.seconds,
  };
}
