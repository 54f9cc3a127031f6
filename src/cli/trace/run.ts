/** The replay of traces, from empty memories to the audits. */

import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Addr, MallocType, Memory, MemoryStats } from '../../index.js';
import { peakRssBytes } from '../compare/index.js';
import { InputError, InterruptedError } from '../errors.js';
import { memoryTooSmall, tooSmallOr } from '../memory-size.js';
import { type GcFigures, sumGc } from '../replay/gc-watch.js';
import type { Progress, ReplayHooks } from '../replay/result.js';
import { leavesLeft, leavesUnder } from '../sysctl/run.js';
import { accountFor } from './account.js';
import { type Crew, hireCrew } from './crew.js';
import { auditTraceMemory, makeTraceMemory, TABLE_TYPE, typeNameOf } from './memory.js';
import type { RingName, WorkerInput } from './messages.js';
import { findDamage } from './pattern.js';
import { makePlan } from './plan.js';
import type { TraceOptions, TraceResult } from './result.js';
import { readTrace, type Trace } from './trace-file.js';

/** Ids that a ring holds at most. */
const RING_CAPACITY_MAX = 4096;
/** How often the main thread looks how far the workers are. */
const LOOK_MS = 50;

interface Timed {
  readonly seconds: number;
  readonly gc: GcFigures;
  /** When the last record had been replayed. */
  readonly stats: MemoryStats;
}

/** What all parts of a replay know. */
interface Job {
  readonly memory: Memory;
  readonly options: TraceOptions;
  readonly workers: number;
  readonly hooks: ReplayHooks;
  /** How far it is, when so many records more are done. */
  readonly progress: (records: number) => Progress;
}

function threadsOf(traces: readonly Trace[]): number {
  return Math.max(...traces.map(({ threadCount }) => threadCount));
}

/** As many as the traces have threads, if there are processors for them. */
function workersFor(traces: readonly Trace[]): number {
  return Math.min(availableParallelism(), threadsOf(traces));
}

/** @throws InputError, InterruptedError: then all threads have ended */
export async function runTraces(options: TraceOptions, hooks: ReplayHooks = {}): Promise<TraceResult> {
  const traces = options.files.map(readTrace);
  try {
    return await replayTraces(traces, options, hooks);
  } catch (error) {
    throw tooSmallOr(error, options.memoryBytes, (options.settings ?? []).length > 0);
  }
}

async function replayTraces(
  traces: readonly Trace[],
  options: TraceOptions,
  hooks: ReplayHooks,
): Promise<TraceResult> {
  const workers = options.workers ?? workersFor(traces);
  const memory = makeTraceMemory(options, traces, workers + 1);
  // A name that is not there is told now, and not after the work.
  leavesUnder(memory, options.sysctl ?? []);
  const records = traces.reduce((sum, trace) => sum + trace.records, 0);
  const ops = records * options.repeat;
  const total = ops + records;
  const progressFrom =
    (before: number) =>
    (done: number): Progress => ({ done: before + done, total, count: before + done, noun: 'operations' });

  const timed: Timed[] = [];
  let done = 0;
  for (const trace of traces) {
    timed.push(await replayTimed({ memory, options, workers, hooks, progress: progressFrom(done) }, trace));
    done += trace.records * options.repeat;
  }
  const seconds = timed.reduce((sum, each) => sum + each.seconds, 0);
  const { zones, malloc } = (timed.at(-1) as Timed).stats;
  const sysctl = leavesLeft(memory, options.sysctl);
  const violations = auditTraceMemory(memory);
  memory.detach();
  const peakRss = peakRssBytes();
  const account = await accountFor(traces, options, workers, hooks, progressFrom(ops));
  const { violations: inOrder, ...space } = account;
  const all = [...violations, ...inOrder];
  return {
    files: traces.length,
    threads: threadsOf(traces),
    workers,
    ops,
    seconds,
    opsPerSecond: ops / seconds,
    ...space,
    gc: sumGc(timed.map(({ gc }) => gc)),
    peakRss,
    zones,
    types: malloc,
    ...(sysctl === undefined ? {} : { sysctl }),
    audit: { clean: all.length === 0, violations: all },
  };
}

/** All passes over one trace, by workers. */
async function replayTimed(job: Job, trace: Trace): Promise<Timed> {
  const { memory, options, workers } = job;
  const { memoryBytes, repeat, fills } = options;
  const type = memory.mallocType({ name: typeNameOf(trace) });
  const tables = memory.mallocType({ name: TABLE_TYPE });
  const tableWords = trace.objectMax + 1 + workers;
  const table = tables.tryCalloc(tableWords, Int32Array.BYTES_PER_ELEMENT);
  if (table === 0) {
    throw memoryTooSmall(memoryBytes, `${trace.file}: no room for the addresses of its objects`);
  }
  const { steps, received } = makePlan(trace, workers);
  const rings = received.map((count, number): RingName | null =>
    count === 0 ? null : { name: `objects ${number}`, capacity: RING_CAPACITY_MAX },
  );
  // Before any worker has begun.
  for (const ring of rings) if (ring !== null) memory.ring(ring);
  const inputs = steps.map((own, number): WorkerInput => {
    const { handle } = memory;
    const { objectMax } = trace;
    return { handle, type: type.name, number, steps: own, objectMax, table, rings, fills };
  });
  const crew = hireCrew(trace, inputs, memoryBytes);
  try {
    await crew.ready;
    let seconds = 0;
    const gc: GcFigures[] = [];
    let stats: MemoryStats = memory.stats();
    for (let pass = 0; pass < repeat; pass++) {
      const started = performance.now();
      gc.push(...(await watched(job, trace, crew, table, pass)));
      seconds += (performance.now() - started) / 1000;
      if (pass === repeat - 1) stats = memory.stats();
      giveBack(memory, type, trace, table, fills);
    }
    await crew.finish();
    tables.free(table);
    return { seconds, gc: sumGc(gc), stats };
  } catch (error) {
    await crew.dismiss();
    throw error;
  }
}

/** One pass, with progress told, and the user's wish to stop heard. */
async function watched(
  { memory, workers, hooks, progress }: Job,
  trace: Trace,
  crew: Crew,
  table: Addr,
  pass: number,
): Promise<readonly GcFigures[]> {
  const places = (table >>> 2) + trace.objectMax + 1;
  const stop = new AbortController();
  async function watch(): Promise<never> {
    for (;;) {
      if (hooks.signal?.aborted) throw new InterruptedError();
      // A hint: the workers write there as they go on.
      const done = memory.words.subarray(places, places + workers).reduce((sum, place) => sum + place, 0);
      hooks.onProgress?.(progress(pass * trace.records + done));
      // What this thread caches of the last pass is asked for when a worker finds no memory.
      memory.poll();
      await sleep(LOOK_MS, undefined, { signal: stop.signal });
    }
  }
  const watching = watch();
  watching.catch(() => {});
  try {
    return await Promise.race([crew.play(), watching]);
  } finally {
    stop.abort();
  }
}

/** Frees what the trace leaves live, and looks at it first. */
function giveBack(memory: Memory, type: MallocType, trace: Trace, table: Addr, fills: boolean): void {
  const { words, bytes } = memory;
  const { records, objects, sizes, objectMax, file } = trace;
  const first = table >>> 2;
  const last = new Uint32Array(objectMax + 1);
  for (let record = 0; record < records; record++) last[objects[record] as number] = sizes[record] as number;
  for (let object = 1; object <= objectMax; object++) {
    const block = words[first + object] as number as Addr | 0;
    if (block === 0) continue;
    if (fills && findDamage(words, bytes, block, last[object] as number, object) >= 0) {
      throw new InputError(`${file}: the block of object ${object} does not hold what was written to it`);
    }
    words[first + object] = 0;
    type.free(block);
  }
}
