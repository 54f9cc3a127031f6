/**
 * Makes a failing schedule as short as it can: with fewer preemptions, with fewer turns, with earlier ones.
 */

import type { FailureKind } from './rules.js';
import type { Turn } from './schedule.js';
import type { Scheduler } from './scheduler.js';
import { Directed, Exhaustive, type Strategy } from './strategy.js';

/** Asks for one run after another; is told whether it failed. */
type Trials<Answer> = Generator<Strategy, Answer, boolean>;

/** Runs that are spent on it. */
const RUNS_MAX = 4000;

/** And of these, on looking for a failure with as few preemptions as can be. */
const SEARCHES_MAX = 1500;

/** The shortest schedule that fails in the same way. */
export function* shrink(
  scheduler: Scheduler,
  found: Turn[],
  kind: FailureKind,
  preemptions: number,
): Trials<Turn[]> {
  let best = found;
  let runs = 0;

  /** The turns that were taken, when they fail in the same way. */
  function* failsBy(strategy: Strategy): Trials<Turn[] | null> {
    if (runs++ > RUNS_MAX) return null;
    const failed = yield strategy;
    return failed && scheduler.failure?.kind === kind ? scheduler.turns.slice() : null;
  }

  function* attempt(turns: Turn[]): Trials<boolean> {
    const taken = yield* failsBy(new Directed(turns));
    if (taken === null || !isShorter(taken, best)) return false;
    best = taken;
    return true;
  }

  /** Leaving out cannot turn one preemption into another: all schedules with no more of them are tried. */
  function* search(): Trials<void> {
    let failed = false;
    for (let bound = 0; bound <= preemptions && !failed; bound++) {
      const strategy = new Exhaustive(bound);
      do {
        const taken = yield* failsBy(strategy);
        failed ||= taken !== null;
        if (taken !== null && isShorter(taken, best)) best = taken;
      } while (strategy.advance() && runs < SEARCHES_MAX);
    }
  }

  function* leaveOut(): Trials<boolean> {
    for (const turn of best) {
      if (yield* attempt(best.filter((each) => each !== turn))) return true;
    }
    return false;
  }

  function* makeEarlier(): Trials<boolean> {
    for (const [index, turn] of best.entries()) {
      for (let step = index === 0 ? 0 : (best[index - 1] as Turn).step + 1; step < turn.step; step++) {
        if (yield* attempt(best.map((each) => (each === turn ? { ...turn, step } : each)))) return true;
      }
    }
    return false;
  }

  yield* search();
  while ((yield* leaveOut()) || (yield* makeEarlier()));
  return best;
}

/** Has fewer turns, or as many and the first that differs comes earlier. */
function isShorter(one: readonly Turn[], other: readonly Turn[]): boolean {
  if (one.length !== other.length) return one.length < other.length;
  const differing = one.findIndex(({ step }, index) => step !== other[index]?.step);
  return differing >= 0 && (one[differing] as Turn).step < (other[differing] as Turn).step;
}
