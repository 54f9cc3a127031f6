// Planted concurrency bugs, each in a copy of the compiled code: the explorer finds every one of them. The
// same scenarios without a bug pass.

import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bugs as allBugs } from './planted/bugs.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
/** A run that takes longer has not found anything. */
const LIMIT_MS = 60_000;
/** Bounds of every run: of a bug, and of its scenario without one. */
const BOUNDS = { maxSchedules: 4000, maxSeconds: 30 };
/** A control runs so many schedules at least. */
const CONTROL_LEAST = 300;
const NOT_NEEDED = /\.d\.ts$|\.test\.js$|\.test-|\.test\./;

/** What a scenario is explored with. */
function optionsOf({ options }) {
  return { ...BOUNDS, prune: true, shorten: false, ...options };
}

/** A copy of the compiled code, by links: only what is written anew is a file of its own. */
function copyCode(from, to) {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      if (entry.name !== 'cli') copyCode(join(from, entry.name), join(to, entry.name));
    } else if (!NOT_NEEDED.test(entry.name)) {
      try {
        linkSync(join(from, entry.name), join(to, entry.name));
      } catch {
        copyFileSync(join(from, entry.name), join(to, entry.name));
      }
    }
  }
}

/** What is wrong with the place of a bug in the text of its file, or null: it must be there exactly once. */
function misplacedIn(text, { file, find }) {
  const times = text.split(find).length - 1;
  return times === 1 ? null : `the source has changed: what is to be replaced is ${times} times in ${file}`;
}

/** The same in the code as it is. */
export const misplaced = (bug) => misplacedIn(readFileSync(join(DIST, bug.file), 'utf8'), bug);

/** Puts a bug into a copy. What is wrong with the bug, or null. */
function plant(folder, bug) {
  const { file, find, replace } = bug;
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  const wrong = misplacedIn(text, bug);
  if (wrong !== null) return wrong;
  unlinkSync(path);
  writeFileSync(
    path,
    text.replace(find, () => replace),
  );
  return null;
}

/** Explores in a Worker of its own; a report, or why there is none. */
function explore(folder, { scenario, options }, signal) {
  return new Promise((done) => {
    const worker = new Worker(new URL('./planted/runner.mjs', import.meta.url), {
      workerData: { folder: String(pathToFileURL(`${folder}/`)), scenario, options },
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    });
    let report = { broken: 'the run was broken off' };
    const end = (why) => {
      report = { broken: why };
      worker.terminate();
    };
    const timer = setTimeout(() => end(`no report within ${LIMIT_MS} ms`), LIMIT_MS);
    const abort = () => end('the run was broken off');
    signal?.addEventListener('abort', abort);
    worker.on('message', (message) => {
      report = message;
    });
    worker.on('error', (error) => {
      report = { broken: `${error}` };
    });
    worker.on('exit', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      done(report);
    });
  });
}

/** Plants one bug and looks for it. */
async function tryBug(root, bug, at, signal) {
  const folder = join(root, `bug-${at}`);
  copyCode(DIST, folder);
  try {
    const wrong = plant(folder, bug);
    if (wrong !== null) return { name: bug.name, why: wrong };
    const report = await explore(folder, { scenario: bug.scenario, options: optionsOf(bug) }, signal);
    if (report.broken !== undefined) return { name: bug.name, why: report.broken };
    const { failure, schedules } = report;
    if (failure !== null) return { name: bug.name, schedules, ...failure };
    return { name: bug.name, why: `not found in ${schedules} schedules of "${bug.scenario}"` };
  } finally {
    rmSync(folder, { recursive: true });
  }
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
  const root = mkdtempSync(join(tmpdir(), 'mbuma-planted-'));
  try {
    writeFileSync(join(root, 'package.json'), '{ "type": "module" }\n');
    for (const [at, bug] of bugs.entries()) {
      if (signal?.aborted) break;
      if (results[bug.name] !== undefined) continue;
      const result = await tryBug(root, bug, at, signal);
      if (signal?.aborted) break;
      results[bug.name] = result;
      tell?.(result);
      note();
    }
    for (const [at, control] of controls.entries()) {
      if (signal?.aborted) break;
      if (passed[at] !== undefined) continue;
      const report = await explore(DIST, boundedBy(results, control), signal);
      if (signal?.aborted) break;
      passed[at] = report.broken ?? (report.failure && `${report.failure.kind} ${report.failure.message}`);
      tell?.({ control: control.scenario, ...report });
      note();
    }
  } finally {
    rmSync(root, { recursive: true });
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
      'scenarios without a bug': controls.length - failed.length,
    },
    ok: complete && findings.length === 0,
    findings,
    controls: found,
    complete,
    seconds: secondsNow(),
  };
}
