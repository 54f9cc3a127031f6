/**
 * Makes a failing schedule as short as it can: with fewer preemptions, with fewer turns, with earlier ones.
 */

import type { FailureKind } from './rules.js';
import type { Turn } from './schedule.js';
import type { Scheduler } from './scheduler.js';
import { Directed, Exhaustive, type Strategy } from './strategy.js';

/** Runs one schedule; null when it did not fail. */
export type Trial = (strategy: Strategy) => Scheduler | null;

/** Runs that are spent on it. */
const RUNS_MAX = 4000;

/** And of these, on looking for a failure with as few preemptions as can be. */
const SEARCHES_MAX = 1500;

/** The shortest schedule that fails in the same way. */
export function shrink(trial: Trial, found: Turn[], kind: FailureKind, preemptions: number): Turn[] {
  let best = found;
  let runs = 0;

  /** The turns that were taken, when they fail in the same way. */
  function failsBy(strategy: Strategy): Turn[] | null {
    if (runs++ > RUNS_MAX) return null;
    const scheduler = trial(strategy);
    return scheduler?.failure?.kind === kind ? scheduler.turns.slice() : null;
  }

  function attempt(turns: Turn[]): boolean {
    const taken = failsBy(new Directed(turns));
    if (taken === null || !isShorter(taken, best)) return false;
    best = taken;
    return true;
  }

  /** Leaving out cannot turn one preemption into another: all schedules with no more of them are tried. */
  function search(): void {
    let failed = false;
    for (let bound = 0; bound <= preemptions && !failed; bound++) {
      const strategy = new Exhaustive(bound);
      do {
        const taken = failsBy(strategy);
        failed ||= taken !== null;
        if (taken !== null && isShorter(taken, best)) best = taken;
      } while (strategy.advance() && runs < SEARCHES_MAX);
    }
  }

  function leaveOut(): boolean {
    return best.some((_, index) => attempt(best.filter((_turn, place) => place !== index)));
  }

  function makeEarlier(): boolean {
    return best.some((turn, index) => {
      for (let step = index === 0 ? 0 : (best[index - 1] as Turn).step + 1; step < turn.step; step++) {
        if (attempt(best.map((each) => (each === turn ? { ...turn, step } : each)))) return true;
      }
      return false;
    });
  }

  search();
  while (leaveOut() || makeEarlier());
  return best;
}

/** Has fewer turns, or as many and the first that differs comes earlier. */
function isShorter(one: readonly Turn[], other: readonly Turn[]): boolean {
  if (one.length !== other.length) return one.length < other.length;
  const differing = one.findIndex(({ step }, index) => step !== other[index]?.step);
  return differing >= 0 && (one[differing] as Turn).step < (other[differing] as Turn).step;
}
