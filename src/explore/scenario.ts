/**
 * Scenarios: what a user says of an exploration, and what is answered. The same object is explored,
 * randomised and replayed.
 */

import type { Operation, Specification } from './history.js';
import type { FailureKind, Rules, Step } from './rules.js';
import { THREADS_MAX } from './schedule.js';

/** A race that may be: each has a reason. By default such a word is a place to switch at. */
export interface AllowedRace {
  /** A word's name, without numbers in brackets (`thread.heartbeat`), or which words. */
  readonly where: string | ((word: number) => boolean);
  readonly reason: string;
  /** Whether the word is a place to switch at. Default true; false where that costs too much. */
  readonly switches?: boolean;
}

export interface KillOptions {
  /** Who may be killed; by default everybody. */
  readonly threads?: readonly number[];
  /** At most so many in one schedule. Default 1. */
  readonly most?: number;
  /**
   * When the world hears of a death: at once, when nobody else can run, or one schedule each. Default both.
   */
  readonly deaths?: 'at once' | 'late' | 'both';
  /** False: of a fill, kills only at the first two stores, one in the middle and the last. Default true. */
  readonly everyStoreOfFills?: boolean;
}

export interface PruneOptions {
  /** At most so many states are remembered, in 27 bytes each or less. Default 2^23. */
  readonly states?: number;
}

/** What every scenario may say. */
export interface ScenarioOptions {
  readonly name?: string;
  /** Switches away from a thread that could go on, time-outs included. Default 2. */
  readonly preemptions?: number;
  /** Also kills threads, at each place where that makes a difference. Default: nobody. */
  readonly kill?: boolean | KillOptions;
  /** Switches not only at atomic accesses: needed only where plain accesses race. Default false. */
  readonly switchAtEveryAccess?: boolean;
  /** Sleeps may end without any reason, which those of the platform never do. Default false. */
  readonly spuriousWakes?: boolean;
  /** It is no failure when only the end of its time wakes a thread. Default false. */
  readonly slicesMayHelp?: boolean;
  /**
   * All threads do the same, and which is which is nothing to them: so they begin in the order of their
   * numbers, and only schedules that differ by more than the numbers are run. Default false.
   */
  readonly interchangeable?: boolean;
  readonly allowedRaces?: readonly AllowedRace[];
  /** Default true, but with `prune`: then races are looked for only if this is true. */
  readonly detectRaces?: boolean;
  /**
   * Goes on from each state only once, and checks each end only once. Then `after` may depend on nothing but
   * the memory, and the results, deaths and history of the outcome. Not all races are found. Default false.
   */
  readonly prune?: boolean | PruneOptions;
  /** A schedule of more steps is called a livelock. Default 20000. */
  readonly maxSteps?: number;
  /** Ends before all is explored. Default: no limit. */
  readonly maxSchedules?: number;
  readonly maxSeconds?: number;
  /** Begins where an exploration of the same scenario has ended: see `Report.position`. */
  readonly from?: Position;
  /**
   * Told about every second how far it is; `false` ends it. Who keeps `position` can go on with a long
   * exploration in another process.
   */
  readonly onProgress?: (report: Report) => unknown;
  /** A schedule that fails is made as short as can be, which takes up to 4000 runs. Default true. */
  readonly shorten?: boolean;
  /** Runs every schedule twice, not only the first one, and compares. Default false. */
  readonly repeat?: boolean;
  /** Errors that a thread may end with. Default: none. */
  readonly expected?: (error: unknown, thread: number) => boolean;
  /** Every history of `operation` calls must be one that this object could have given. */
  readonly specification?: Specification<unknown>;
}

/** For schedules by chance. */
export interface RandomOptions {
  /** The same seed gives the same schedules. Default 1. */
  readonly seed?: number;
  readonly schedules: number;
  /** Finds bugs that need so many things in a certain order. Default 3. */
  readonly depth?: number;
  /** Of a schedule, where the scenario has `kill`. Default 0.5. */
  readonly killProbability?: number;
  /** Of a schedule, that one sleep ends by time. Default 0.1. */
  readonly timeOutProbability?: number;
}

/** How a run ended; for `after`. */
export interface Outcome {
  /** What each thread's function has returned, or the expected error; undefined for one that was killed. */
  readonly results: readonly unknown[];
  readonly killed: readonly number[];
  readonly history: readonly Operation[];
}

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  /** The shortest schedule that was found to fail so: for `replay`. */
  readonly schedule: string;
  readonly trace: readonly Step[];
  /** What was thrown, if anything was. */
  readonly cause: unknown;
}

/** A place in the order in which schedules are explored. Plain data, for the same code and scenario only. */
export interface Position {
  /** At each place where there was a choice: the option taken, of how many, and a bit for each passed over. */
  readonly choices: readonly (readonly [taken: number, options: number, skipped: number])[];
}

export interface Report {
  readonly schedules: number;
  readonly steps: number;
  readonly kills: number;
  /** Schedules that came to where others had been, and ended there: see `prune`. */
  readonly pruned: number;
  /** Ends that were checked: all that were not pruned, or with `prune` those that differ. */
  readonly checks: number;
  /** States that are remembered. */
  readonly states: number;
  /** There are no other schedules within the bounds. */
  readonly exhausted: boolean;
  /** The schedule that would have been the next: for `from`. Null when there is none, and by chance. */
  readonly position: Position | null;
  readonly seconds: number;
  readonly failure: Failure | null;
}

/** What the maker of a model adds to what the user said. */
export interface ModelFacts {
  readonly threads: number;
  readonly byteLength: number;
  readonly fixedWords: number;
  name(word: number): string;
  died(thread: number): void;
}

const STEPS_MAX = 20000;
const STATES_MAX = 2 ** 23;

export function rulesOf(options: ScenarioOptions, facts: ModelFacts): Rules {
  const { threads } = facts;
  if (threads < 1 || threads > THREADS_MAX)
    throw new RangeError(`1 to ${THREADS_MAX} threads, not ${threads}`);
  const kill: KillOptions | null = options.kill === true ? {} : options.kill || null;
  const prune: PruneOptions | null = options.prune === true ? {} : options.prune || null;
  const everybody = Array.from({ length: threads }, (_, id) => id);
  const allowedRaces = options.allowedRaces ?? [];
  const switching = allowedRaces.filter(({ switches }) => switches !== false);

  function isNamed(races: readonly AllowedRace[], word: number): boolean {
    if (races.length === 0) return false;
    const name = facts.name(word).replace(/\[\d+\]/g, '');
    return races.some(({ where }) => (typeof where === 'string' ? where === name : where(word)));
  }

  return {
    threads,
    byteLength: facts.byteLength,
    mortal: kill?.threads ?? everybody,
    mostKills: kill === null ? 0 : (kill.most ?? 1),
    deaths: kill?.deaths ?? 'both',
    killsInFills: kill?.everyStoreOfFills ?? true,
    switchAtEveryAccess: options.switchAtEveryAccess ?? false,
    spuriousWakes: options.spuriousWakes ?? false,
    slicesMayHelp: options.slicesMayHelp ?? false,
    interchangeable: options.interchangeable ?? false,
    detectRaces: options.detectRaces ?? prune === null,
    statesMax: prune === null ? 0 : (prune.states ?? STATES_MAX),
    maxSteps: options.maxSteps ?? STEPS_MAX,
    fixedWords: facts.fixedWords,
    allowed: (word) => isNamed(allowedRaces, word),
    switchesAt: (word) => isNamed(switching, word),
    name: (word) => facts.name(word),
    died: (thread) => facts.died(thread),
    expected: (error, thread) => options.expected?.(error, thread) ?? false,
  };
}

/** A trace, one line for each step. */
export function printTrace(trace: readonly Step[]): string {
  return trace
    .map(({ step, thread, what, where, value }) => {
      const tail = where === '' ? '' : ` ${where} = ${value}`;
      return `${step.toString(36).padStart(4)}  thread ${thread}  ${what}${tail}`;
    })
    .join('\n');
}
