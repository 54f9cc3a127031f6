/** What the scheduler is told of a model, and what it tells. */

export type FailureKind =
  | 'race'
  | 'deadlock'
  | 'lost wakeup'
  | 'livelock'
  | 'error'
  | 'check'
  | 'nondeterminism';

/** One step of a trace. */
export interface Step {
  readonly step: number;
  readonly thread: number;
  /** `load`, `compareExchange`, `killed`, `time out`, ... */
  readonly what: string;
  /** The place by its name; '' when there is none. */
  readonly where: string;
  readonly value: number;
}

/** What the scheduler must know of a model. */
export interface Rules {
  readonly threads: number;
  readonly byteLength: number;
  /** Numbers of the threads that may be killed. */
  readonly mortal: readonly number[];
  readonly mostKills: number;
  readonly deaths: 'at once' | 'late' | 'both';
  /** Kills at every store of a fill, and not only at the first two, one in the middle and the last. */
  readonly killsInFills: boolean;
  readonly switchAtEveryAccess: boolean;
  readonly spuriousWakes: boolean;
  readonly slicesMayHelp: boolean;
  readonly interchangeable: boolean;
  readonly detectRaces: boolean;
  /** So many states are remembered, to go on from each only once; 0: none. */
  readonly statesMax: number;
  readonly maxSteps: number;
  /** Whether a race on this word is allowed. */
  allowed(word: number): boolean;
  /** Whether a plain access to this word is a place to switch at. */
  switchesAt(word: number): boolean;
  /** Words below this one never change their meaning. */
  readonly fixedWords: number;
  /** How a word is named in reports. */
  name(word: number): string;
  died(thread: number): void;
  expected(error: unknown, thread: number): boolean;
}

/** An error in one line, for messages. */
export function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
