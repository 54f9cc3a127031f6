/**
 * Named places that can fail, and the means to make them fail.
 *
 * A site that is not armed costs one load and one test, on slow paths only. Sites belong to one
 * thread's attachment to one memory: arming is not shared.
 */

import {
  describeValue,
  optionalInteger,
  requireFunction,
  requireInteger,
  requireName,
  requireObject,
} from './arguments.js';
import { MbumaError } from './errors.js';

/**
 * When a site fails. Counts start with 1 at the moment of arming, and count the calls that the filter admits.
 */
export type FailMode =
  | { readonly nth: number }
  | { readonly every: number }
  | { readonly from: number }
  | { readonly probability: number; readonly seed?: number };

/** Whose calls fail, by the name of the zone (at `ring` sites: of the ring) that they are for. */
export interface FailFilter {
  /** Only these; a site that knows no zone then never fails. Default: all. */
  readonly zones?: readonly string[];
  /** All but these. */
  readonly exceptZones?: readonly string[];
}

/** What is told of one site. */
export interface FailSiteStats {
  readonly name: string;
  /** What fails there, in one line. */
  readonly description: string;
  /** Calls seen since it was made. */
  readonly hits: number;
  /** Calls that were made to fail. */
  readonly failures: number;
  /** How it is armed; null when it is not. */
  readonly armed: { readonly mode: FailMode; readonly filter: FailFilter } | null;
}

/** One place that can fail. */
export interface FailSite extends FailSiteStats {
  /** Says whether this call must fail. Called at the place itself, with the zone that the call is for. */
  fails(zone?: string): boolean;
  /** Whether a call for this zone may fail just now. */
  concerns(zone: string): boolean;
  /** Calls `listener` each time that the site is armed or disarmed. */
  onChange(listener: () => void): void;
}

/**
 * The registry of one attachment.
 *
 * `names` is the name of a site, a beginning and an asterisk (`uma.*`), or an array of such.
 */
export interface Failpoints {
  /** The site of this name; made when it is first asked for. A program may have sites of its own. */
  site(name: string, description?: string): FailSite;
  /**
   * Makes the named sites fail as `mode` says, each counting for itself, from their next call on.
   *
   * @throws BAD_ARGUMENT when a name fits no site that exists; nothing is armed then
   */
  arm(names: string | readonly string[], mode: FailMode, filter?: FailFilter): void;
  /**
   * Lets the named sites, or all of them, succeed again; how many calls they made fail while they were armed.
   */
  disarm(names?: string | readonly string[]): number;
  /** Every site that exists, with its counts. */
  list(): readonly FailSiteStats[];
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

interface Armed {
  readonly mode: FailMode;
  readonly filter: FailFilter;
  readonly verdict: (call: number) => boolean;
  /** Calls that the filter has admitted, and those of them that failed. */
  calls: number;
  failures: number;
}

/** A copy, so that the caller's arrays may change. Without a filter: that of no restriction. */
function readFilter(filter: FailFilter): FailFilter {
  requireObject(filter, 'filter');
  const namesOf = (given: unknown, what: string): string[] | undefined => {
    if (given === undefined) return undefined;
    if (!Array.isArray(given))
      throw new MbumaError('BAD_ARGUMENT', `${what} must be an array of names, not ${describeValue(given)}`);
    return Array.from(given, (each) => requireName(each, `a name in ${what}`));
  };
  const zones = namesOf(filter.zones, 'zones');
  const exceptZones = namesOf(filter.exceptZones, 'exceptZones');
  return { ...(zones && { zones }), ...(exceptZones && { exceptZones }) };
}

function admits({ zones, exceptZones }: FailFilter, zone: string): boolean {
  return (zones === undefined || zones.includes(zone)) && exceptZones?.includes(zone) !== true;
}

/** Arms a site: for the registry alone, not for who holds the site. */
let setArmed: (site: Site, armed: Armed | null) => void;

class Site implements FailSite {
  static {
    setArmed = (site, armed) => site.#set(armed);
  }

  readonly name: string;
  readonly description: string;
  #hits = 0;
  #failures = 0;
  #armed: Armed | null = null;
  readonly #listeners: (() => void)[] = [];

  constructor(name: string, description: string) {
    this.name = name;
    this.description = description;
  }

  get hits(): number {
    return this.#hits;
  }

  get failures(): number {
    return this.#failures;
  }

  get armed(): Armed | null {
    return this.#armed;
  }

  fails(zone = ''): boolean {
    this.#hits++;
    const armed = this.#armed;
    if (armed === null || !admits(armed.filter, zone) || !armed.verdict(++armed.calls)) return false;
    armed.failures++;
    this.#failures++;
    return true;
  }

  concerns(zone: string): boolean {
    return this.#armed !== null && admits(this.#armed.filter, zone);
  }

  onChange(listener: () => void): void {
    requireFunction(listener, 'listener');
    this.#listeners.push(listener);
  }

  #set(armed: Armed | null): void {
    if (armed === null && this.#armed === null) return;
    this.#armed = armed;
    for (const listener of this.#listeners) listener();
  }

  stats(): FailSiteStats {
    const { name, description, hits, failures, armed } = this;
    const shown = armed && { mode: armed.mode, filter: armed.filter };
    return { name, description, hits, failures, armed: shown };
  }
}

export function createFailpoints(): Failpoints {
  const sites = new Map<string, Site>();

  function sitesOf(pattern: unknown): Site[] {
    if (typeof pattern !== 'string') {
      throw new MbumaError('BAD_ARGUMENT', `a failpoint is named by a string, not ${describeValue(pattern)}`);
    }
    if (!pattern.endsWith('*')) return [...sites.values()].filter(({ name }) => name === pattern);
    return [...sites.values()].filter(({ name }) => name.startsWith(pattern.slice(0, -1)));
  }

  function patternsOf(names: unknown): unknown[] {
    return Array.isArray(names) ? Array.from(names as unknown[]) : [names];
  }

  return {
    site(name, description = '') {
      let found = sites.get(name);
      if (found === undefined) {
        const shown = typeof description === 'string' ? description : '';
        found = new Site(requireName(name, 'the name of a failpoint'), shown);
        sites.set(name, found);
      }
      return found;
    },
    arm(names, mode, filter = {}) {
      const found = new Set<Site>();
      for (const pattern of patternsOf(names)) {
        const fitting = sitesOf(pattern);
        if (fitting.length === 0) {
          throw new MbumaError(
            'BAD_ARGUMENT',
            `there is no failpoint ${describeValue(pattern)}; there are ${[...sites.keys()].join(', ')}`,
          );
        }
        for (const site of fitting) found.add(site);
      }
      const checked = readFilter(filter);
      // A verdict for each: a probability has a state of its own.
      const armed = [...found].map(
        (site) => [site, { mode, filter: checked, verdict: decide(mode), calls: 0, failures: 0 }] as const,
      );
      for (const [site, how] of armed) setArmed(site, how);
    },
    disarm(names) {
      const chosen = names === undefined ? [...sites.values()] : patternsOf(names).flatMap(sitesOf);
      let failures = 0;
      for (const site of chosen) {
        failures += site.armed?.failures ?? 0;
        setArmed(site, null);
      }
      return failures;
    },
    list: () => [...sites.values()].map((site) => site.stats()),
  };
}
