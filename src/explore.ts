/**
 * The explorer put together with a memory: every thread of a scenario has a real `Memory` of its own, over a
 * fabric that the scheduler owns. See explore/README.md.
 */

import {
  createModelFabric,
  createObserverFabric,
  createTools,
  drive,
  driveAsync,
  Engine,
  exploring,
  History,
  type Model,
  type ModelThread,
  type Outcome,
  type RandomOptions,
  type Report,
  randomising,
  replaying,
  rulesOf,
  type ScenarioOptions,
  type ThreadTools,
} from './explore/index.js';
import {
  type Fabric,
  FORMAT_VERSION,
  joinMachine,
  type Machine,
  PAGE_WORDS,
  Superblock,
  ThreadSlot,
  ThreadState,
  type Threads,
} from './machine/index.js';
import { attachmentOf, createMemoryOver, joinMemory } from './memory.js';
import type { Memory } from './memory-api.js';
import type { MemoryOptions } from './memory-options.js';
import { createNamer } from './word-names.js';

export * from './explore/index.js';

/** How a run over a memory ended. */
export interface MemoryOutcome extends Outcome {
  /** An attachment that is not under the scheduler, and therefore fast. What it writes is undone. */
  readonly observer: Memory;
}

/** An exploration of threads that share a memory. */
export interface MemoryScenario<Shared> extends ScenarioOptions {
  /** Keep it small: `{ bytes: 1 << 20, maxZones: 16 }`. One of `maxThreads` is for the observer. */
  readonly memory: MemoryOptions;
  /** Threads that are attached; at least as many as `threads`, the default. What is more is the world's. */
  readonly attach?: number;
  /**
   * Each thread attaches at the start of its function, under the scheduler, and not before: then it may also
   * open zones and rings, and detach. Costs some 100 us a run. `memories` are those of `attach` then.
   */
  readonly attachInThreads?: boolean;
  /**
   * Runs once, before anything is scheduled: opens zones, those of the observer, too, if it has to free what
   * is in them. What it answers must not change afterwards.
   */
  readonly setup?: (memories: readonly Memory[], observer: Memory) => Shared;
  /** The observer cleans up after the dead before the checks. Default true. */
  readonly reap?: boolean;
  /** Run anew for every schedule, and now and then within one: they keep nothing outside of the memory. */
  readonly threads: readonly ((memory: Memory, shared: Shared, tools: ThreadTools) => unknown)[];
  /** Runs after every schedule that has not failed; throws when something is wrong. */
  readonly after?: (memories: readonly Memory[], shared: Shared, outcome: MemoryOutcome) => void;
  /** The audit must be clean after every schedule. Default true. */
  readonly audit?: boolean;
  /**
   * What the world does when it hears that a thread has died, through attachments that are the world's: see
   * `attach`. It must not sleep. By default the slot is declared dead.
   */
  readonly died?: (thread: number, memories: readonly Memory[], world: Machine) => void;
  /** Names of words that are not the memory's own, for reports and `allowedRaces`. */
  readonly nameWord?: (word: number) => string | undefined;
}

/** Agent numbers of threads that attach in their function: they may die on the way. */
const LATE = 1000;

/** These are no threads that others should see: their slots look free, but while the observer looks. */
function createVeil(machine: Machine, hidden: readonly Memory[]): { hide(): void; lift(): void } {
  const { words } = machine;
  const all = hidden.map((memory) => attachmentOf(memory).threads);

  const attached = machine.layout.superblock + Superblock.attached;

  /** Whether the threads have counted themselves right is for the audit to see: nothing is counted anew. */
  function show(stateOf: (threads: Threads) => number, more: number): void {
    for (const threads of all) words[threads.self + ThreadSlot.state] = stateOf(threads);
    words[attached] = (words[attached] as number) + more;
  }

  return {
    hide: () => show(() => ThreadState.FREE, -all.length),
    lift: () => show(({ stateHere }) => stateHere, all.length),
  };
}

function createObserver(options: MemoryOptions): {
  observer: Memory;
  machine: Machine;
  buffer: ArrayBuffer;
  /** Forgets what it keeps outside of the memory. */
  rewind(): void;
} {
  let buffer = new ArrayBuffer(0);
  const resets: (() => void)[] = [];
  const { memory, machine } = createMemoryOver(options, (byteLength) => {
    buffer = new ArrayBuffer(byteLength);
    const handle = {
      kind: 'mbuma-memory' as const,
      version: FORMAT_VERSION,
      buffer: buffer as unknown as SharedArrayBuffer,
      wasm: null,
    };
    return { handle, fabric: createObserverFabric(buffer, resets) };
  });
  return {
    observer: memory,
    machine,
    buffer,
    rewind() {
      for (const reset of resets) reset();
    },
  };
}

function createMemoryModel<Shared>(scenario: MemoryScenario<Shared>): Model {
  const { threads } = scenario;
  const late = scenario.attachInThreads === true;
  const attach = late ? (scenario.attach ?? 0) : Math.max(scenario.attach ?? 0, threads.length);
  const maxThreads = attach + 2 + (late ? threads.length : 0);
  const { observer, machine, buffer, rewind } = createObserver({ maxThreads, ...scenario.memory });
  const name = createNamer(machine, new Int32Array(buffer));
  const rules = rulesOf(scenario, {
    threads: threads.length,
    byteLength: buffer.byteLength,
    fixedWords: machine.layout.firstPage * PAGE_WORDS,
    name: (word) => scenario.nameWord?.(word) ?? name(word),
    died: (thread) => died(thread),
  });
  const engine = new Engine(rules, buffer);
  const history = new History();
  const world = joinMachine(machine, createModelFabric(engine, engine.world));
  const memories = Array.from({ length: attach }, (_, id) =>
    joinMemory(machine, createModelFabric(engine, (late ? undefined : engine.threads[id]) ?? engine.world)),
  );
  // Tells of deaths, as an adopter would.
  const keeper = joinMemory(machine, createModelFabric(engine, engine.world));
  const { threads: undertaker } = attachmentOf(keeper);
  const shared = scenario.setup?.(memories, observer) as Shared;
  // What a thread reads once and remembers, such as the geometry of a keg, is read here: an audit reads all.
  for (const memory of memories) if (undertaker.isLive(memory.thread)) memory.audit();
  // Who attaches in its function takes the first slot that looks free, and what stands behind it must be.
  const veil = createVeil(machine, late ? [observer] : [observer, keeper]);
  veil.hide();
  engine.keep();
  const snapshot = new Uint8Array(buffer.slice(0));
  const bytes = new Uint8Array(buffer);
  let observed = false;

  function died(thread: number): void {
    if (scenario.died !== undefined) {
      scenario.died(thread, memories, world);
      return;
    }
    const names = late ? undertaker.byAgent(LATE + thread) : [(memories[thread] as Memory).name];
    for (const { slot, generation } of names) undertaker.declareDead(slot, generation);
  }

  /** Whatever an attachment keeps in JavaScript is new with it. */
  function attachLate(thread: ModelThread, fabric: Fabric): Memory {
    thread.resets.length = 0;
    return joinMemory(machine, fabric, LATE + thread.id);
  }

  function audit(): void {
    const { violations } = observer.audit();
    if (violations.length === 0) return;
    throw new Error(`audit: ${violations.map(({ rule, message }) => `${rule} ${message}`).join('; ')}`);
  }

  return {
    engine,
    options: scenario,
    history,
    bodies: threads.map((body, id) => {
      const thread = engine.threads[id] as ModelThread;
      const tools = createTools(engine, thread, history);
      if (!late) return () => body(memories[id] as Memory, shared, tools);
      const fabric = createModelFabric(engine, thread);
      return () => body(attachLate(thread, fabric), shared, tools);
    }),
    check(outcome) {
      observed = true;
      veil.lift();
      if (scenario.reap !== false) observer.reap();
      scenario.after?.(memories, shared, { ...outcome, observer });
      if (scenario.audit !== false) audit();
    },
    // The observer's writes go past the engine: all is copied.
    restore() {
      if (!observed) return;
      bytes.set(snapshot);
      rewind();
      observed = false;
    },
  };
}

/** Every schedule of the scenario within its bounds, until one fails. */
export function exploreMemory<Shared>(scenario: MemoryScenario<Shared>): Report {
  const model = createMemoryModel(scenario);
  return drive(model, exploring(model));
}

/** Schedules by chance, until one fails. */
export function randomiseMemory<Shared>(scenario: MemoryScenario<Shared>, options: RandomOptions): Report {
  const model = createMemoryModel(scenario);
  return drive(model, randomising(model, options));
}

/** One schedule, as a report gave it; `failure.trace` tells every step if it fails. */
export function replayMemory<Shared>(scenario: MemoryScenario<Shared>, schedule: string): Report {
  const model = createMemoryModel(scenario);
  return drive(model, replaying(model, schedule));
}

/**
 * As `exploreMemory`, where thread 0 may be asynchronous: `attachInThreads` then, for it may be left waiting.
 */
export function exploreMemoryAsync<Shared>(scenario: MemoryScenario<Shared>): Promise<Report> {
  const model = createMemoryModel(scenario);
  return driveAsync(model, exploring(model));
}

/** As `randomiseMemory`, where thread 0 may be asynchronous. */
export function randomiseMemoryAsync<Shared>(
  scenario: MemoryScenario<Shared>,
  options: RandomOptions,
): Promise<Report> {
  const model = createMemoryModel(scenario);
  return driveAsync(model, randomising(model, options));
}

/** As `replayMemory`, where thread 0 may be asynchronous. */
export function replayMemoryAsync<Shared>(
  scenario: MemoryScenario<Shared>,
  schedule: string,
): Promise<Report> {
  const model = createMemoryModel(scenario);
  return driveAsync(model, replaying(model, schedule));
}

/** As `replayMemory`, for many runs: the model is made once, and each run starts from what `setup` left. */
export function replayerOfMemory<Shared>(scenario: MemoryScenario<Shared>): (schedule: string) => Report {
  const model = createMemoryModel(scenario);
  return (schedule) => drive(model, replaying(model, schedule));
}

/** As `replayMemoryAsync`, for many runs of one model: one after the other. */
export function replayerOfMemoryAsync<Shared>(
  scenario: MemoryScenario<Shared>,
): (schedule: string) => Promise<Report> {
  const model = createMemoryModel(scenario);
  return (schedule) => driveAsync(model, replaying(model, schedule));
}
