// Planted concurrency bugs, each in the compiled code with one text replaced: the explorer finds every one of
// them. The same scenarios without a bug pass.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bugs as allBugs } from './planted/bugs.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
/** A run that takes longer has not found anything. */
const LIMIT_MS = 60_000;
/** Bounds of every run: of a bug, and of its scenario without one. */
const BOUNDS = { maxSchedules: 4000, maxSeconds: 30 };
/** A control runs so many schedules at least. */
const CONTROL_LEAST = 300;

/** What a scenario is explored with. */
function optionsOf({ options }) {
  return { ...BOUNDS, prune: true, shorten: false, ...options };
}

/** What is wrong with the place of a bug, or null: its text must be there exactly once. */
export function misplaced({ file, find }) {
  const times = readFileSync(join(DIST, file), 'utf8').split(find).length - 1;
  return times === 1 ? null : `the source has changed: what is to be replaced is ${times} times in ${file}`;
}

/** A Worker that explores, and the next one when it had to be ended. */
class Explorer {
  #worker = null;
  #settle = null;

  #start() {
    const worker = new Worker(new URL('./planted/runner.mjs', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    });
    worker.on('message', (report) => this.#settle?.(report));
    worker.on('error', (error) => this.#breakOff(worker, `${error}`));
    worker.on('exit', () => this.#breakOff(worker, 'the Worker ended'));
    return worker;
  }

  #breakOff(worker, broken) {
    if (worker !== this.#worker) return;
    this.end();
    this.#settle?.({ broken });
  }

  /** A report, or why there is none. */
  async run(task, signal) {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const timer = setTimeout(() => this.#breakOff(worker, `no report within ${LIMIT_MS} ms`), LIMIT_MS);
    const abort = () => this.#breakOff(worker, 'the run was broken off');
    signal?.addEventListener('abort', abort);
    const report = await new Promise((settle) => {
      this.#settle = settle;
      worker.postMessage(task);
    });
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    return report;
  }

  end() {
    this.#worker?.terminate();
    this.#worker = null;
  }
}

/** Plants one bug and looks for it. */
async function tryBug(explorer, bug, signal) {
  const { name, scenario, file, find, replace } = bug;
  const wrong = misplaced(bug);
  if (wrong !== null) return { name, why: wrong };
  const task = { bug: { file, find, replace }, scenario, options: optionsOf(bug) };
  const { broken, failure, schedules } = await explorer.run(task, signal);
  if (broken !== undefined) return { name, why: broken };
  if (failure !== null) return { name, schedules, ...failure };
  return { name, why: `not found in ${schedules} schedules of "${scenario}"` };
}

/** The scenarios of the bugs, with their options, each once; and the names of the bugs. */
function controlsOf(bugs) {
  const found = new Map();
  for (const bug of bugs) {
    const control = { scenario: bug.scenario, options: optionsOf(bug), bugs: [] };
    const key = JSON.stringify(control);
    if (!found.has(key)) found.set(key, control);
    found.get(key).bugs.push(bug.name);
  }
  return [...found.values()];
}

/** A control: as many schedules as any of its bugs needed; what lies behind them is for the row `schedules`. */
function boundedBy(results, { scenario, options, bugs }) {
  const needed = Math.max(...bugs.map((name) => results[name]?.schedules ?? options.maxSchedules));
  const maxSchedules = Math.min(options.maxSchedules, Math.max(CONTROL_LEAST, needed));
  return { scenario, options: { ...options, maxSchedules } };
}

/**
 * @param given.bugs those of planted/bugs.mjs by default
 * @param given.tell is called with the result of each bug
 */
export async function run({ bugs = allBugs, state, save, progress, signal, tell }) {
  const began = performance.now();
  const results = state?.results ?? {};
  const passed = state?.passed ?? {};
  const secondsBefore = state?.seconds ?? 0;
  const controls = controlsOf(bugs);
  const secondsNow = () => secondsBefore + (performance.now() - began) / 1000;
  const note = () => {
    const done = Object.keys(results).length + Object.keys(passed).length;
    progress?.(done, bugs.length + controls.length);
    save?.({ results, passed, seconds: secondsNow() });
  };
  const explorer = new Explorer();
  try {
    for (const bug of bugs) {
      if (signal?.aborted) break;
      if (results[bug.name] !== undefined) continue;
      const result = await tryBug(explorer, bug, signal);
      if (signal?.aborted) break;
      results[bug.name] = result;
      tell?.(result);
      note();
    }
    for (const [at, control] of controls.entries()) {
      if (signal?.aborted) break;
      if (passed[at] !== undefined) continue;
      const report = await explorer.run(boundedBy(results, control), signal);
      if (signal?.aborted) break;
      passed[at] = report.broken ?? (report.failure && `${report.failure.kind} ${report.failure.message}`);
      tell?.({ control: control.scenario, ...report });
      note();
    }
  } finally {
    explorer.end();
  }
  const tried = Object.values(results);
  const missed = tried.filter(({ why }) => why !== undefined);
  const failed = controls.map(({ scenario }, at) => ({ scenario, why: passed[at] })).filter(({ why }) => why);
  const findings = [
    ...missed.map(({ name, why }) => `${name}: ${why}`),
    ...failed.map(({ scenario, why }) => `without a bug, "${scenario}": ${why}`),
  ];
  const complete = tried.length === bugs.length && Object.keys(passed).length === controls.length;
  const found = tried.length - missed.length;
  return {
    name: 'planted',
    figures: {
      bugs: bugs.length,
      found,
      schedules: tried.reduce((sum, { schedules = 0 }) => sum + schedules, 0),
      'scenarios without a bug': Object.keys(passed).length - failed.length,
    },
    ok: complete && findings.length === 0,
    findings,
    controls: found,
    complete,
    seconds: secondsNow(),
  };
}
