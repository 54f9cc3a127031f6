/**
 * Named places that can fail, and the means to make them fail.
 *
 * A site that is not armed costs one load and one test, on slow paths only. Sites belong to one
 * thread's attachment to one memory: arming is not shared.
 */

import { describeValue, optionalInteger, requireInteger, requireObject } from './arguments.js';
import { MbumaError } from './errors.js';

/** When a site fails. Counts start with 1 at the moment of arming. */
export type FailMode =
  | { readonly nth: number }
  | { readonly every: number }
  | { readonly from: number }
  | { readonly probability: number; readonly seed?: number };

/** One place that can fail. */
export interface FailSite {
  readonly name: string;
  /** Calls seen since it was made. */
  hits: number;
  /** Calls that were made to fail. */
  failures: number;
  /** Says whether this call must fail. Called at the place itself. */
  fails(): boolean;
}

/** The registry of one attachment. */
export interface Failpoints {
  /** The site of this name; made when it is first asked for. */
  site(name: string): FailSite;
  /** Makes the named site fail as `mode` says, from its next call on. */
  arm(name: string, mode: FailMode): void;
  /** Lets the named site, or all of them, succeed again. */
  disarm(name?: string): void;
  /** Every site that exists, with its counts. */
  list(): readonly FailSite[];
}

/** A small fast generator, so that a probability can be replayed from its seed. */
function xorshift(seed: number): () => number {
  // Small seeds have few bits, and so would the first numbers: 1 would make every probability fail at once.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

function decide(mode: FailMode): (call: number) => boolean {
  requireObject(mode, 'mode');
  if ('nth' in mode) {
    const nth = requireInteger(mode.nth, 'nth', 1, Number.MAX_SAFE_INTEGER);
    return (call) => call === nth;
  }
  if ('every' in mode) {
    const every = requireInteger(mode.every, 'every', 1, Number.MAX_SAFE_INTEGER);
    return (call) => call % every === 0;
  }
  if ('from' in mode) {
    const from = requireInteger(mode.from, 'from', 1, Number.MAX_SAFE_INTEGER);
    return (call) => call >= from;
  }
  const { probability } = mode;
  if (typeof probability !== 'number' || !(probability >= 0 && probability <= 1)) {
    throw new MbumaError('BAD_ARGUMENT', 'probability must be a number from 0 to 1');
  }
  const random = xorshift(optionalInteger(mode.seed, 'seed', 0, Number.MAX_SAFE_INTEGER, 1));
  return () => random() < probability;
}

class Site implements FailSite {
  readonly name: string;
  hits = 0;
  failures = 0;
  verdict: ((call: number) => boolean) | null = null;
  armedAt = 0;

  constructor(name: string) {
    this.name = name;
  }

  fails(): boolean {
    this.hits++;
    if (this.verdict === null || !this.verdict(this.hits - this.armedAt)) return false;
    this.failures++;
    return true;
  }
}

export function createFailpoints(): Failpoints {
  const sites = new Map<string, Site>();
  function site(name: string): Site {
    let found = sites.get(name);
    if (found === undefined) {
      found = new Site(name);
      sites.set(name, found);
    }
    return found;
  }
  return {
    site,
    arm(name, mode) {
      const armed = sites.get(name);
      if (armed === undefined) {
        throw new MbumaError(
          'BAD_ARGUMENT',
          `there is no failpoint ${describeValue(name)}; there are ${[...sites.keys()].join(', ')}`,
        );
      }
      armed.verdict = decide(mode);
      armed.armedAt = armed.hits;
    },
    disarm(name) {
      for (const each of sites.values()) if (name === undefined || each.name === name) each.verdict = null;
    },
    list: () => [...sites.values()],
  };
}
