/**
 * Who decides: all schedules one after the other, random ones, or one that is written down.
 */

import { type ModelThread, State } from './model-thread.js';
import type { Position } from './scenario.js';
import { Choice, type Turn } from './schedule.js';

/** What may be decided at a place. */
export interface Place {
  /** Number of the step, in this schedule. */
  readonly step: number;
  readonly threads: readonly ModelThread[];
  /** The thread that has come to the place. */
  readonly running: number;
  /** The running thread may be switched away from. */
  readonly switchable: boolean;
  /** It may be killed. */
  readonly killable: boolean;
  /** What is possible; the first is what happens by itself. Valid until the next place. */
  readonly options: Int32Array;
  /** So many of the options, which come first, are no preemptions. */
  readonly free: number;
  /** Fills `options`. */
  list(): number;
  /** Preemptions so far. */
  readonly preemptions: number;
  /** A bit for each of the first `count` options after which all has been run, or will be. */
  skip(count: number): number;
}

/** Decides at each place of a run. */
export interface Strategy {
  /** Before each run. */
  begin(): void;
  /** One of `place.options`. `forced`: the running thread cannot go on. */
  choose(place: Place, forced: boolean): number;
  /** Only one can go on: whether the run ends here nevertheless, for there is nothing new to come. */
  endsAt?(place: Place): boolean;
}

/** Options that can be skipped: no place has more, but with more than ten threads. */
const SKIPPED_MAX = 31;

/** All schedules with at most so many preemptions: depth first, each run from the start. */
export class Exhaustive implements Strategy {
  private readonly bound: number;
  private readonly taken: number[] = [];
  private readonly counts: number[] = [];
  private readonly skips: number[] = [];
  private depth = 0;
  private other = false;

  constructor(preemptions: number, from?: Position) {
    this.bound = preemptions;
    for (const [taken, count, skips] of from?.choices ?? []) {
      this.taken.push(taken);
      this.counts.push(count);
      this.skips.push(skips);
    }
  }

  /** Of the next run, after `advance`. What it passes over has been run, or will be by the choices before. */
  get position(): Position {
    const { taken, counts, skips } = this;
    return { choices: taken.map((each, at) => [each, counts[at] as number, skips[at] as number]) };
  }

  /** In the last run the threads did something else than they did there before. */
  get strayed(): boolean {
    return this.other || this.depth < this.taken.length;
  }

  begin(): void {
    this.depth = 0;
  }

  choose(place: Place, forced: boolean): number {
    const spent = place.preemptions >= this.bound;
    if (spent && !forced && !place.killable) return Choice.GO_ON;
    const all = place.list();
    const count = spent ? place.free : all;
    if (count <= 1) return place.options[0] as number;
    const { depth } = this;
    this.depth = depth + 1;
    if (depth === this.taken.length) {
      const skips = place.skip(Math.min(count, SKIPPED_MAX));
      const first = next(skips, 0);
      if (first >= count) return Choice.PRUNE;
      this.taken.push(first);
      this.counts.push(count);
      this.skips.push(skips);
      return place.options[first] as number;
    }
    if (this.counts[depth] !== count) this.other = true;
    if (this.other) return place.options[0] as number;
    return place.options[this.taken[depth] as number] as number;
  }

  endsAt(place: Place): boolean {
    return this.depth === this.taken.length && place.skip(1) !== 0;
  }

  /** Goes to the next schedule; false when there was none left. */
  advance(): boolean {
    const { taken, counts, skips } = this;
    while (taken.length > 0) {
      const last = taken.length - 1;
      const option = next(skips[last] as number, (taken[last] as number) + 1);
      if (option < (counts[last] as number)) {
        taken[last] = option;
        return true;
      }
      taken.pop();
      counts.pop();
      skips.pop();
    }
    return false;
  }
}

/** The first option from `start` on that is not to be skipped. */
function next(skips: number, start: number): number {
  let option = start;
  while (option < SKIPPED_MAX && (skips & (1 << option)) !== 0) option++;
  return option;
}

/** A schedule that is written down. */
export class Directed implements Strategy {
  private readonly turns: readonly Turn[];
  private next = 0;

  constructor(turns: readonly Turn[]) {
    this.turns = turns;
  }

  begin(): void {
    this.next = 0;
  }

  choose(place: Place, forced: boolean): number {
    const { turns } = this;
    while (this.next < turns.length && (turns[this.next] as Turn).step < place.step) this.next++;
    const turn = turns[this.next];
    const due = turn !== undefined && turn.step === place.step;
    if (!due && !forced) return Choice.GO_ON;
    const count = place.list();
    const { options } = place;
    if (due && options.subarray(0, count).includes(turn.choice)) return turn.choice;
    return options[0] as number;
  }
}

/** A generator of numbers below 2^32, good enough and small: xorshift. */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
    for (let turn = 0; turn < 4; turn++) this.below(2);
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    let { state } = this;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state;
    return (((state >>> 0) / 4294967296) * limit) | 0;
  }

  chance(probability: number): boolean {
    return this.below(1 << 30) < probability * (1 << 30);
  }
}

export interface RandomOptions {
  readonly seed: number;
  /** Bugs that need so many things in a certain order are found with a known probability. */
  readonly depth: number;
  readonly killProbability: number;
  readonly timeOutProbability: number;
}

const NEVER = 0x7fffffff;

/**
 * Probabilistic concurrency testing (Burckhardt and others, 2010): random priorities, the highest runs, and
 * at `depth - 1` random steps the running thread falls below all others.
 */
export class RandomPriorities implements Strategy {
  private readonly dice: Dice;
  private readonly options: RandomOptions;
  private readonly priorities: Int32Array;
  private readonly changes: Int32Array;
  /** Places to switch at and places to die at that a run has, as far as seen, and those of this run. */
  private switchesMost = 8;
  private deathsMost = 8;
  private switches = 0;
  private deaths = 0;
  private lowest = 0;
  private nextChange = 0;
  private victim = -1;
  private killAt = 0;
  private timeOutAt = 0;

  constructor(threads: number, options: RandomOptions) {
    this.options = options;
    this.dice = new Dice(options.seed);
    this.priorities = new Int32Array(threads);
    this.changes = new Int32Array(Math.max(0, options.depth - 1));
  }

  begin(): void {
    const { dice, priorities, changes } = this;
    this.switchesMost = Math.max(this.switchesMost, this.switches);
    this.deathsMost = Math.max(this.deathsMost, this.deaths);
    this.switches = 0;
    this.deaths = 0;
    const count = priorities.length;
    for (let thread = 0; thread < count; thread++) {
      const other = dice.below(thread + 1);
      priorities[thread] = priorities[other] as number;
      priorities[other] = thread + 1;
    }
    for (let index = 0; index < changes.length; index++) changes[index] = dice.below(this.switchesMost);
    changes.sort();
    this.lowest = 0;
    this.nextChange = 0;
    this.victim = dice.chance(this.options.killProbability) ? dice.below(count) : -1;
    this.killAt = this.victim < 0 ? 0 : dice.below(this.deathsMost);
    this.timeOutAt = dice.chance(this.options.timeOutProbability) ? dice.below(this.switchesMost) : NEVER;
  }

  choose(place: Place, forced: boolean): number {
    if (place.switchable || forced) this.switches++;
    if (!forced && place.killable) this.deaths++;
    const due =
      this.nextChange < this.changes.length && this.switches > (this.changes[this.nextChange] as number);
    const dueToKill = !forced && place.killable && place.running === this.victim && this.deaths > this.killAt;
    if (!forced && !place.switchable && !dueToKill) return Choice.GO_ON;
    const count = place.list();
    const { options } = place;
    if (count === 1) return options[0] as number;
    if (dueToKill) {
      this.victim = -1;
      return options[1 + this.dice.below(place.free - 1)] as number;
    }
    if (this.switches > this.timeOutAt) {
      for (let index = 0; index < count; index++) {
        const option = options[index] as number;
        if (option < Choice.TIME_OUT || option >= Choice.KILL) continue;
        this.timeOutAt = NEVER;
        return option;
      }
    }
    return this.highest(place, count, forced, due);
  }

  private highest(place: Place, count: number, forced: boolean, due: boolean): number {
    const { options } = place;
    const { priorities } = this;
    const { running } = place;
    if (!forced && due) {
      this.nextChange++;
      priorities[running] = --this.lowest;
    }
    let best: number = forced ? (options[0] as number) : Choice.GO_ON;
    let most = priorities[best === Choice.GO_ON ? running : best & 15] as number;
    for (let index = 0; index < count; index++) {
      const option = options[index] as number;
      if (option < 0 || option >= Choice.TIME_OUT) continue;
      const thread = place.threads[option] as ModelThread;
      if (thread.state === State.READY && (priorities[option] as number) > most) {
        best = option;
        most = priorities[option] as number;
      }
    }
    return best;
  }
}
