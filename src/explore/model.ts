/**
 * Scenarios over a few words: for structures of one's own.
 */

import type { AtomicWords } from '../machine/index.js';
import { Engine } from './engine.js';
import { drive, driveAsync, exploring, type Model, randomising, replaying } from './explorer.js';
import { createModelFabric } from './fabric.js';
import { History } from './history.js';
import { Kind, type ModelThread, UNWIND } from './model-thread.js';
import { describe } from './rules.js';
import { type Outcome, type RandomOptions, type Report, rulesOf, type ScenarioOptions } from './scenario.js';

/** What a thread of a scenario can do besides touching the memory. */
export interface ThreadTools {
  /** Its number, from 0. */
  readonly thread: number;
  /** Calls `action`, and writes down in the history that it was called, and what it answered. */
  operation<Result>(name: string, args: readonly unknown[], action: () => Result): Result;
  /** Milliseconds of the model: they go on with sleeps, and a little with each look. */
  now(): number;
}

/** What a thread of a scenario has of the memory. */
export interface ModelMemory extends ThreadTools {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly atomics: AtomicWords;
  /** Sleeps while the word is `expected`, until it is notified or the time is up. */
  wait(word: number, expected: number, timeoutMs?: number): void;
  /** The same without blocking, for thread 0 in `exploreAsync`. */
  waitAsync(word: number, expected: number, timeoutMs?: number): Promise<void>;
  /** A map of bytes: of its words, none may be accessed as a word. */
  bytesAt(word: number, length: number): Uint8Array;
}

/** An exploration of threads that share some words. */
export interface Scenario extends ScenarioOptions {
  /** Size of the memory. */
  readonly words: number;
  /** Run anew for every schedule, and now and then within one: they keep nothing outside of the memory. */
  readonly threads: readonly ((memory: ModelMemory) => unknown)[];
  /** Runs once, before anything is scheduled. */
  readonly setup?: (memory: ModelMemory) => void;
  /** Runs after every schedule that has not failed; throws when something is wrong. */
  readonly after?: (memory: ModelMemory, outcome: Outcome) => void;
  /** What the world does when it hears that a thread has died. */
  readonly died?: (thread: number, memory: ModelMemory) => void;
  /** Names of words, for reports and `allowedRaces`. */
  readonly nameWord?: (word: number) => string;
}

/** What a history has for a call that threw. */
function thrown(error: unknown): { threw: unknown } {
  return { threw: (error as { code?: unknown })?.code ?? describe(error) };
}

/** What a thread can do besides. */
export function createTools(engine: Engine, thread: ModelThread, history: History): ThreadTools {
  return {
    thread: thread.id,
    operation(name, args, action) {
      if (engine.event(thread, Kind.INVOKE)) history.invoke(thread.id, name, args);
      let result: ReturnType<typeof action>;
      try {
        result = action();
      } catch (error) {
        if (error !== UNWIND && engine.event(thread, Kind.RESPOND)) history.respond(thread.id, thrown(error));
        throw error;
      }
      if (engine.event(thread, Kind.RESPOND)) history.respond(thread.id, result);
      return result;
    },
    now: () => engine.now(thread),
  };
}

function createModel(scenario: Scenario): Model {
  const byteLength = Math.ceil(scenario.words / 2) * 8;
  const buffer = new ArrayBuffer(byteLength);
  const rules = rulesOf(scenario, {
    threads: scenario.threads.length,
    byteLength,
    fixedWords: scenario.words,
    name: (word) => scenario.nameWord?.(word) ?? `word ${word}`,
    died: (thread) => scenario.died?.(thread, world),
  });
  const engine = new Engine(rules, buffer);
  const history = new History();
  const memoryOf = (thread: ModelThread): ModelMemory => {
    const { words, bytes, atomics, wait, waitAsync, bytesAt } = createModelFabric(engine, thread);
    return {
      ...createTools(engine, thread, history),
      words,
      bytes,
      atomics,
      wait: (word, expected, timeoutMs = Number.POSITIVE_INFINITY) => wait(word, expected, timeoutMs),
      waitAsync: (word, expected, timeoutMs = Number.POSITIVE_INFINITY) =>
        waitAsync(word, expected, timeoutMs),
      bytesAt,
    };
  };
  const world = memoryOf(engine.world);
  const memories = engine.threads.map(memoryOf);
  scenario.setup?.(world);
  engine.keep();
  return {
    engine,
    options: scenario,
    bodies: scenario.threads.map((body, id) => () => body(memories[id] as ModelMemory)),
    history,
    check: (outcome) => scenario.after?.(world, outcome),
    restore() {},
  };
}

/** Every schedule of the scenario within its bounds, until one fails. */
export function explore(scenario: Scenario): Report {
  const model = createModel(scenario);
  return drive(model, exploring(model));
}

/** Schedules by chance, until one fails. */
export function randomise(scenario: Scenario, options: RandomOptions): Report {
  const model = createModel(scenario);
  return drive(model, randomising(model, options));
}

/** One schedule, as a report gave it; `failure.trace` tells every step if it fails. */
export function replay(scenario: Scenario, schedule: string): Report {
  const model = createModel(scenario);
  return drive(model, replaying(model, schedule));
}

/** As `explore`, where the function of thread 0 may be asynchronous. */
export function exploreAsync(scenario: Scenario): Promise<Report> {
  const model = createModel(scenario);
  return driveAsync(model, exploring(model));
}

/** As `randomise`, where the function of thread 0 may be asynchronous. */
export function randomiseAsync(scenario: Scenario, options: RandomOptions): Promise<Report> {
  const model = createModel(scenario);
  return driveAsync(model, randomising(model, options));
}

/** As `replay`, where the function of thread 0 may be asynchronous. */
export function replayAsync(scenario: Scenario, schedule: string): Promise<Report> {
  const model = createModel(scenario);
  return driveAsync(model, replaying(model, schedule));
}
