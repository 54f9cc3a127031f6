// The killer: real Workers that work on one memory are ended at random moments, and what they leave behind is
// repaired; then everything must be as if they had never been.
//
//   node proof/kills.mjs --kills 200 --seed 1
//
// Two memories, each with a few workers under load (kills.worker.mjs). A worker is ended by
// terminate(), by process.exit, by a throw or by lack of heap; the main thread has adopted it, and a new one
// takes its place. After each death the survivors must go on (kills.group.mjs); every now and then all park,
// say what they hold, and the memory is audited (kills.audit.mjs):
//
//   - the audit is clean
//   - each item in use is held by exactly one living worker, and stamped by it; or it lies in a ring
//   - nothing else is in use, in zones whose items are freed with their owner; elsewhere no more than died
//
// Nothing is deterministic but the plan: the seed says who is to die of what, and when; the platform's own
// scheduling says where in the code.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Script } from 'node:vm';
import { bundle } from './bundle.mjs';
import { Group } from './kills.group.mjs';
import { work } from './kills.worker.mjs';
import { startWatchdog } from './watchdog.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const levels = { ci: { kills: 1500 }, nightly: { kills: 100_000 } };

const GROUPS = 2;
const KILLS_PER_MEMORY = 160;
const FINDINGS_MOST = 3;

/**
 * @param level how many kills: 'ci' or 'nightly'; `kills` overrides it
 * @param progress is called with the figures about once a second
 * @param sabotage what is left out, to see that it is found: 'abandon' (nobody is adopted), or 'forget'
 *   (nothing is repaired)
 * @param dump where the memory is written as it was when something was found
 * @param state figures of a run that was broken off, or the file in which they are kept
 * @param save is given the figures, to go on with them another time
 */
export async function run({
  level = 'ci',
  seed = 1,
  kills,
  mbufs = false,
  sabotage,
  progress,
  state,
  dump,
  save,
  signal,
  findingsMost = FINDINGS_MOST,
} = {}) {
  const wanted = kills ?? levels[level].kills;
  const file = typeof state === 'string' ? state : undefined;
  const before = file === undefined ? (state ?? null) : readState(file, seed);
  const figures = before ?? {
    seed,
    kills: 0,
    seconds: 0,
    memories: 0,
    audits: 0,
    attached: 0,
    attachedTwice: 0,
    lockHeld: 0,
    lockHeldOrWanted: 0,
    intentArmed: 0,
    handOpen: 0,
    lost: 0,
    reapMsMost: 0,
    progressMsMost: 0,
    progressMsSum: 0,
    progressOwnMsMost: 0,
    progressSeen: 0,
    slow: 0,
    deaths: {},
  };
  const script = prepare();
  const shared = { figures, findings: [], incarnations: 0, script, dump };
  const began = performance.now() - figures.seconds * 1000;
  const tell = () => {
    figures.seconds = (performance.now() - began) / 1000;
    progress?.({ ...figures });
    save?.({ ...figures });
    if (file !== undefined) writeFileSync(file, JSON.stringify(figures));
  };
  const telling = setInterval(tell, 1000);
  const watchdog = startWatchdog(`kills, seed ${seed}`);
  const beating = setInterval(watchdog.beat, 200);
  async function lane(index) {
    while (figures.kills < wanted && shared.findings.length < findingsMost && !signal?.aborted) {
      figures.memories++;
      const group = new Group(index, seed * 1000003 + figures.memories, { mbufs, sabotage }, shared);
      await group.run(Math.min(KILLS_PER_MEMORY, Math.ceil((wanted - figures.kills) / GROUPS)));
    }
  }
  await Promise.all(Array.from({ length: GROUPS }, (_, index) => lane(index)));
  clearInterval(telling);
  clearInterval(beating);
  await watchdog.end();
  tell();
  const { findings } = shared;
  const ok = findings.length === 0 && figures.slow === 0;
  return {
    name: 'kills',
    ok,
    figures: { ...figures, killsPerSecond: figures.kills / figures.seconds },
    findings,
  };
}

/** What a worker runs: the package compiled already, which halves the time that a worker takes to start. */
function prepare() {
  const source = bundle(join(here, '../dist/index.js'));
  const compiled = new Script(source);
  const { createMemory } = compiled.runInThisContext();
  // What has run once is compiled, and goes along.
  const memory = createMemory({ bytes: 1 << 20, maxThreads: 2, maxZones: 16 });
  memory.zone({ name: 'zone', size: 64 }).free(memory.zone({ name: 'zone', size: 64 }).alloc());
  memory.ring({ name: 'ring', capacity: 2 }).tryPut(1);
  return {
    source,
    cachedData: compiled.createCachedData(),
    code: `'use strict';
const threads = require('node:worker_threads');
const { source, cachedData } = threads.workerData;
const mbuma = new (require('node:vm').Script)(source, { cachedData }).runInThisContext();
let kernelThread = 0;
try {
  kernelThread = Number(require('node:fs').readlinkSync('/proc/thread-self').split('/').at(-1));
} catch {}
(${work})(mbuma, threads, kernelThread);`,
  };
}

function readState(file, seed) {
  try {
    const figures = JSON.parse(readFileSync(file, 'utf8'));
    return figures.seed === seed ? figures : null;
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      level: { type: 'string', default: 'ci' },
      kills: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      mbufs: { type: 'boolean', default: false },
      state: { type: 'string' },
      sabotage: { type: 'string' },
      dump: { type: 'string' },
    },
  });
  const options = { ...values, seed: Number(values.seed) };
  if (values.kills !== undefined) options.kills = Number(values.kills);
  console.log(`seed ${options.seed}`);
  let said = 0;
  const progress = ({ kills, seconds, audits }) => {
    if (!process.stderr.isTTY && seconds - said < 10) return;
    said = seconds;
    const end = process.stderr.isTTY ? '\r' : '\n';
    process.stderr.write(`${kills} kills, ${(kills / seconds).toFixed(1)}/s, ${audits} audits ${end}`);
  };
  const result = await run({ ...options, progress });
  console.log(JSON.stringify(result, null, 1));
  process.exitCode = result.ok ? 0 : 1;
}
