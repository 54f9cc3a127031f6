/**
 * Explores a model: all its schedules, random ones, or one; and makes a failing schedule as short as it can.
 */

import type { EngineFailure } from './choices.js';
import type { Engine } from './engine.js';
import { type History, isLinearizable, printHistory } from './history.js';
import { State } from './model-thread.js';
import { describe } from './rules.js';
import type { Failure, Outcome, Position, RandomOptions, Report, ScenarioOptions } from './scenario.js';
import { printSchedule, readSchedule, type Turn } from './schedule.js';
import { shrink } from './shrink.js';
import { Directed, Exhaustive, RandomPriorities, type Strategy } from './strategy.js';

/** A scenario that is ready to run: its memory is set up. */
export interface Model {
  readonly engine: Engine;
  readonly options: ScenarioOptions;
  readonly bodies: readonly (() => unknown)[];
  readonly history: History;
  /** Throws what is wrong after a run. */
  check(outcome: Outcome): void;
  /** Undoes what `check` has written and the engine does not know of. */
  restore(): void;
}

interface Totals {
  schedules: number;
  steps: number;
  kills: number;
  pruned: number;
  checks: number;
  readonly started: number;
  /** When `onProgress` was called last. */
  told: number;
}

const PROGRESS_MS = 1000;
/** The clock is read after so many schedules. */
const CLOCK_EVERY = 64;

/** Asks for one run after another; is told whether it failed, and `model.engine.failure` says how. */
export type Search<Answer> = Generator<Strategy, Answer, boolean>;

/** Runs what a search asks for. */
export function drive<Answer>(model: Model, search: Search<Answer>): Answer {
  let step = search.next();
  while (step.done !== true) {
    model.history.begin();
    try {
      model.engine.play(model.bodies, step.value);
      check(model);
    } finally {
      undo(model);
    }
    step = search.next(model.engine.failure !== null);
  }
  return step.value;
}

/** The same where thread 0 may be asynchronous. */
export async function driveAsync<Answer>(model: Model, search: Search<Answer>): Promise<Answer> {
  let step = search.next();
  while (step.done !== true) {
    model.history.begin();
    try {
      await model.engine.playAsync(model.bodies, step.value);
      check(model);
    } finally {
      undo(model);
    }
    step = search.next(model.engine.failure !== null);
  }
  return step.value;
}

function undo(model: Model): void {
  model.engine.undo();
  model.restore();
}

function check({ engine, history, options, check: checkModel }: Model): void {
  engine.checked = false;
  if (engine.failure !== null || engine.pruned || engine.isKnownEnd()) return;
  engine.checked = true;
  const { specification } = options;
  const { operations } = history;
  if (specification !== undefined && !isLinearizable(operations, specification)) {
    engine.fail('check', `no sequential order gives these answers:\n${printHistory(operations)}`);
    return;
  }
  const killed = engine.threads.filter(({ state }) => state === State.DEAD).map(({ id }) => id);
  try {
    checkModel({ results: engine.results, killed, history: operations });
  } catch (error) {
    engine.fail('check', describe(error), error);
    return;
  }
  engine.passEnd();
}

function count(model: Model, totals: Totals): void {
  totals.schedules++;
  totals.steps += model.engine.step;
  totals.kills += model.engine.kills;
  if (model.engine.pruned) totals.pruned++;
  if (model.engine.checked) totals.checks++;
}

/** Runs the schedule again as it went; true when it fails, as anything that goes another way does. */
function* runAgain(model: Model): Search<boolean> {
  const { engine } = model;
  const { hash, step } = engine;
  const failed = yield new Directed(engine.turns.slice());
  if (failed || (engine.hash === hash && engine.step === step)) return failed;
  engine.fail(
    'nondeterminism',
    'the same schedule, run twice, went two ways: a thread keeps state elsewhere',
  );
  return true;
}

/** Of a search without a failure so far; `position` is null where it cannot be gone on with. */
function reportOf(model: Model, totals: Totals, position: Position | null): Report {
  return {
    schedules: totals.schedules,
    steps: totals.steps,
    kills: totals.kills,
    pruned: totals.pruned,
    checks: totals.checks,
    states: model.engine.states?.size ?? 0,
    exhausted: false,
    position,
    seconds: (performance.now() - totals.started) / 1000,
    failure: null,
  };
}

/** Of one that has ended with a failure. */
function* explained(model: Model, totals: Totals): Search<Report> {
  const failure = yield* explain(model);
  return { ...reportOf(model, totals, null), failure };
}

function start(): Totals {
  const started = performance.now();
  return { schedules: 0, steps: 0, kills: 0, pruned: 0, checks: 0, started, told: started };
}

/** Whether the search ends before its end; tells how far it is. */
function isOver(model: Model, totals: Totals, position: () => Position | null): boolean {
  const { maxSchedules, maxSeconds, onProgress } = model.options;
  if (totals.schedules >= (maxSchedules ?? Number.POSITIVE_INFINITY)) return true;
  if (totals.schedules % CLOCK_EVERY !== 0) return false;
  const now = performance.now();
  if (now - totals.started > (maxSeconds ?? Number.POSITIVE_INFINITY) * 1000) return true;
  if (onProgress === undefined || now - totals.told < PROGRESS_MS) return false;
  totals.told = now;
  return onProgress(reportOf(model, totals, position())) === false;
}

/** Every schedule within the bounds. */
export function* exploring(model: Model): Search<Report> {
  const strategy = new Exhaustive(model.options.preemptions ?? 2, model.options.from);
  const totals = start();
  const position = (): Position => strategy.position;
  for (;;) {
    let failed = yield strategy;
    count(model, totals);
    if (strategy.strayed && !failed) {
      model.engine.fail(
        'nondeterminism',
        'the same schedule went another way: a thread keeps state elsewhere',
      );
      failed = true;
    }
    if (!failed && (totals.schedules === 1 || model.options.repeat === true)) failed = yield* runAgain(model);
    if (failed) return yield* explained(model, totals);
    if (!strategy.advance()) return { ...reportOf(model, totals, null), exhausted: true };
    if (isOver(model, totals, position)) return reportOf(model, totals, position());
  }
}

const nowhere = (): null => null;

/** Schedules by chance. */
export function* randomising(model: Model, options: RandomOptions): Search<Report> {
  const strategy = new RandomPriorities(model.bodies.length, {
    seed: options.seed ?? 1,
    depth: options.depth ?? 3,
    killProbability: model.options.kill ? (options.killProbability ?? 0.5) : 0,
    timeOutProbability: options.timeOutProbability ?? 0.1,
  });
  const totals = start();
  while (totals.schedules < options.schedules && !isOver(model, totals, nowhere)) {
    let failed = yield strategy;
    count(model, totals);
    if (!failed && (totals.schedules === 1 || model.options.repeat === true)) failed = yield* runAgain(model);
    if (failed) return yield* explained(model, totals);
  }
  return reportOf(model, totals, null);
}

/** One schedule, as it is written. */
export function* replaying(model: Model, schedule: string): Search<Report> {
  const totals = start();
  const turns = readSchedule(schedule);
  const failed = yield new Directed(turns);
  count(model, totals);
  const failure = failed ? yield* traced(model, turns, model.engine.failure as EngineFailure) : null;
  return { ...reportOf(model, totals, null), failure };
}

/** The failure of the run that has just been, with its schedule, or the shortest that fails so too. */
function* explain(model: Model): Search<Failure> {
  const { engine } = model;
  const failure = engine.failure as EngineFailure;
  const { kind } = failure;
  // Such a failure does not come again when it is asked for.
  if (kind === 'nondeterminism') return failureOf(model, engine.turns.slice());
  const { preemptions } = engine;
  const found = engine.turns.slice();
  const shown = model.options.shorten === false ? found : yield* shrink(engine, found, kind, preemptions);
  return yield* traced(model, shown, failure);
}

function failureOf({ engine }: Model, turns: readonly Turn[]): Failure {
  const { kind, message, cause } = engine.failure as EngineFailure;
  return { kind, message, cause, schedule: printSchedule(turns), trace: engine.trace.slice() };
}

/** Runs a schedule that has failed once more, and writes down what happens. */
function* traced(model: Model, turns: readonly Turn[], failure: EngineFailure): Search<Failure> {
  const { engine } = model;
  engine.tracing = true;
  yield new Directed(turns);
  engine.tracing = false;
  engine.failure ??= {
    ...failure,
    kind: 'nondeterminism',
    message: `the same schedule, run again, did not fail; before: ${failure.kind}, ${failure.message}`,
  };
  return failureOf(model, engine.turns.slice());
}
