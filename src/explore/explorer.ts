/**
 * Explores a model: all its schedules, random ones, or one; and makes a failing schedule as short as it can.
 */

import type { Engine } from './engine.js';
import { type History, isLinearizable, printHistory } from './history.js';
import { State } from './model-thread.js';
import { describe, type FailureKind } from './rules.js';
import type { Failure, Outcome, RandomOptions, Report, ScenarioOptions } from './scenario.js';
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
  readonly started: number;
}

/** Runs one schedule and checks; true when it failed: `model.engine.failure` says how. */
function run(model: Model, strategy: Strategy): boolean {
  const { engine, history } = model;
  history.begin();
  try {
    engine.play(model.bodies, strategy);
    if (engine.failure === null) check(model);
  } finally {
    engine.undo();
    model.restore();
  }
  return engine.failure !== null;
}

function check({ engine, history, options, check: checkModel }: Model): void {
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
  }
}

function count(model: Model, totals: Totals): void {
  totals.schedules++;
  totals.steps += model.engine.step;
  totals.kills += model.engine.kills;
}

/** Runs the schedule again as it went; true when it fails, as anything that goes another way does. */
function runAgain(model: Model): boolean {
  const { engine } = model;
  const { hash, step } = engine;
  const failed = run(model, new Directed(engine.turns.slice()));
  if (failed || (engine.hash === hash && engine.step === step)) return failed;
  engine.fail(
    'nondeterminism',
    'the same schedule, run twice, went two ways: a thread keeps state elsewhere',
  );
  return true;
}

function report(model: Model, totals: Totals, exhausted: boolean, failed: boolean): Report {
  return {
    schedules: totals.schedules,
    steps: totals.steps,
    kills: totals.kills,
    exhausted,
    seconds: (performance.now() - totals.started) / 1000,
    failure: failed ? explain(model) : null,
  };
}

function start(): Totals {
  return { schedules: 0, steps: 0, kills: 0, started: performance.now() };
}

function isTimeUp({ options }: Model, totals: Totals): boolean {
  if (totals.schedules >= (options.maxSchedules ?? Number.POSITIVE_INFINITY)) return true;
  if (options.maxSeconds === undefined || totals.schedules % 64 !== 0) return false;
  return performance.now() - totals.started > options.maxSeconds * 1000;
}

/** Every schedule within the bounds. */
export function exploreModel(model: Model): Report {
  const strategy = new Exhaustive(model.options.preemptions ?? 2);
  const totals = start();
  for (;;) {
    let failed = run(model, strategy);
    count(model, totals);
    if (strategy.strayed && !failed) {
      model.engine.fail(
        'nondeterminism',
        'the same schedule went another way: a thread keeps state elsewhere',
      );
      failed = true;
    }
    if (!failed && (totals.schedules === 1 || model.options.repeat === true)) failed = runAgain(model);
    if (failed) return report(model, totals, false, true);
    if (!strategy.advance()) return report(model, totals, true, false);
    if (isTimeUp(model, totals)) return report(model, totals, false, false);
  }
}

/** Schedules by chance. */
export function randomiseModel(model: Model, options: RandomOptions): Report {
  const strategy = new RandomPriorities(model.bodies.length, {
    seed: options.seed ?? 1,
    depth: options.depth ?? 3,
    killProbability: model.options.kill ? (options.killProbability ?? 0.5) : 0,
    timeOutProbability: options.timeOutProbability ?? 0.1,
  });
  const totals = start();
  while (totals.schedules < options.schedules && !isTimeUp(model, totals)) {
    let failed = run(model, strategy);
    count(model, totals);
    if (!failed && (totals.schedules === 1 || model.options.repeat === true)) failed = runAgain(model);
    if (failed) return report(model, totals, false, true);
  }
  return report(model, totals, false, false);
}

/** One schedule, as it is written. */
export function replayModel(model: Model, schedule: string): Report {
  const totals = start();
  const turns = readSchedule(schedule);
  const failed = run(model, new Directed(turns));
  count(model, totals);
  return { ...report(model, totals, false, false), failure: failed ? traced(model, turns) : null };
}

/** The failure of the run that has just been, with the shortest schedule that fails so too. */
function explain(model: Model): Failure {
  const { engine } = model;
  const { kind } = engine.failure as { kind: FailureKind };
  // Such a failure does not come again when it is asked for.
  if (kind === 'nondeterminism') return failureOf(model, engine.turns.slice());
  const { turns, preemptions } = engine;
  return traced(
    model,
    shrink((strategy) => (run(model, strategy) ? engine : null), turns.slice(), kind, preemptions),
  );
}

function failureOf({ engine }: Model, turns: readonly Turn[]): Failure {
  const { kind, message, cause } = engine.failure as { kind: FailureKind; message: string; cause: unknown };
  return { kind, message, cause, schedule: printSchedule(turns), trace: engine.trace.slice() };
}

function traced(model: Model, turns: readonly Turn[]): Failure {
  const { engine } = model;
  const { failure } = engine;
  engine.tracing = true;
  run(model, new Directed(turns));
  engine.tracing = false;
  engine.failure ??= failure;
  return failureOf(model, engine.turns.slice());
}
