/**
 * Call sites: where in the program something was done, such as `src/worker.js:12:5`. The texts stand in a
 * table of the whole memory, so that every thread can say what another has done, also when that one is
 * gone.
 *
 * A site is a number from 1 on, in the order of interning; its text never changes, and stays as long as the
 * memory. 0 is a site that is not known, or found no room.
 *
 *   header   lock, count
 *   1..      hash and text of each site; what is not counted is empty
 *
 * Guards: `S` the table's lock. Who has read the count atomically may read every entry up to it.
 */

import { LockRank } from '../check/index.js';
import { array, isText, isZero, readText, struct, text, u32, writeText } from '../record/index.js';
import type { AreaPlanner } from './layout.js';
import type { Locks } from './locks.js';
import type { Machine } from './machine.js';

/** Stands before the sites. */
export const SiteTable = struct(
  'site table',
  {
    lock: u32('A', 'Lock of the table.'),
    count: u32('A', 'Sites that exist. Written under the lock, when the text is there.'),
    refused: u32('S', 'Texts that found no room: a figure.'),
    spare: array(13, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

/** One call site. */
export const Site = struct(
  'site',
  {
    hash: u32('S', 'Of the text: whoever looks for one compares it first.'),
    text: text(15, 'S', 'File, line and column; a long path has lost its beginning.'),
  },
  { words: 16 },
);

const TABLE_WORDS = 16;
const SITE_WORDS = 16;
const TEXT_WORDS = 15;

/** Longest text of a site. */
export const SITE_TEXT_MAX: number = TEXT_WORDS * 4;

/** Below so many pages a memory has few sites. */
const SMALL_PAGES = 256;
const SITES_OF_SMALL = 16;
const SITES = 512;

/** Sites that a memory of so many pages has room for. */
export function sitesMax(pageCount: number): number {
  return pageCount < SMALL_PAGES ? SITES_OF_SMALL : SITES;
}

export const planSites: AreaPlanner = ({ pageCount }) => [
  { name: 'sites', words: TABLE_WORDS + sitesMax(pageCount) * SITE_WORDS },
];

/** The call sites of a memory, as one thread sees them. */
export interface Sites {
  /**
   * The number of a text; it is written down when it is new. 0: it is empty, or there is no room. What is
   * no printable ASCII becomes `?`; of a long text the end stays. Some 50 ns for one that this thread
   * knows.
   *
   * Takes the innermost lock: it may be called with any other held.
   */
  intern(text: string): number;
  /** The text of a site; '' for 0, and for a number that was never given. */
  textOf(site: number): string;
  /** Sites that exist. */
  count(): number;
  /** A5: reports what is wrong with the table. Quiet memory only. */
  audit(report: (rule: string, message: string) => void): void;
}

/** 32-bit FNV-1a, never 0. */
function hashOf(value: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < value.length; at++) hash = Math.imul(hash ^ value.charCodeAt(at), 0x01000193);
  return hash === 0 ? 1 : hash | 0;
}

function clean(value: string): string {
  return value.slice(-SITE_TEXT_MAX).replace(/[^\x20-\x7e]/g, '?');
}

export function createSites(machine: Machine, locks: Locks): Sites {
  const { words } = machine;
  const { load, store } = machine.atomics;
  const { hash: HASH, text: TEXT } = Site;
  const table = machine.area('sites');
  const most = sitesMax(machine.layout.parameters.pageCount);
  const lock = table + SiteTable.lock;
  const at = (site: number): number => table + TABLE_WORDS + (site - 1) * SITE_WORDS;
  const textAt = (site: number): string => readText(words, at(site) + TEXT, TEXT_WORDS);
  /** Numbers by what was given to `intern`, as far as this thread knows. */
  const known = new Map<string, number>();
  machine.onRewind(() => known.clear());

  /** Damage must not lead out of the table. */
  const count = (): number => Math.min(load(table + SiteTable.count) >>> 0, most);

  function find(value: string, hash: number, after: number): number {
    for (let site = count(); site > after; site--)
      if (words[at(site) + HASH] === hash && textAt(site) === value) return site;
    return 0;
  }

  function append(value: string, hash: number, seen: number): number {
    locks.acquire(lock, LockRank.SITES);
    try {
      const found = find(value, hash, seen);
      if (found !== 0) return found;
      const site = count() + 1;
      if (site > most) {
        words[table + SiteTable.refused] = (words[table + SiteTable.refused] as number) + 1;
        return 0;
      }
      words[at(site) + HASH] = hash;
      writeText(words, at(site) + TEXT, TEXT_WORDS, value);
      store(table + SiteTable.count, site);
      return site;
    } finally {
      locks.release(lock);
    }
  }

  /** What is not counted is empty again: its writer died halfway. */
  locks.onTakeOver(lock, lock + 1, LockRank.SITES, () => {
    const next = count() + 1;
    if (next <= most) words.fill(0, at(next), at(next) + SITE_WORDS);
  });

  function auditSites(report: (rule: string, message: string) => void): void {
    const tell = (message: string): void => report('A5', message);
    const there = load(table + SiteTable.count);
    if (there < 0 || there > most) {
      tell(`there are ${there} sites, and there can be ${most}`);
      return;
    }
    if (!isZero(words, table + SiteTable.spare, table + TABLE_WORDS)) tell('spare words are not 0');
    if (load(lock) !== 0) tell('its lock is held, and nobody works');
    if ((words[table + SiteTable.refused] as number) < 0) tell('fewer than no sites were refused');
    if (!isZero(words, at(there + 1), at(most + 1))) tell('sites that are not there are not all 0');
    for (let site = 1; site <= there; site++) {
      const value = textAt(site);
      if (!isText(words, at(site) + TEXT, TEXT_WORDS) || words[at(site) + HASH] !== hashOf(value))
        tell(`the text of site ${site} is not what was written`);
      else if (find(value, hashOf(value), site) !== 0) tell(`site ${site} is there twice`);
    }
  }

  return {
    intern(given) {
      const before = known.get(given);
      if (before !== undefined) return before;
      const value = clean(given);
      if (value === '') return 0;
      const hash = hashOf(value);
      const seen = count();
      const site = find(value, hash, 0) || (seen < most ? append(value, hash, seen) : 0);
      // A table that is full stays full: 0 is remembered as well.
      known.set(given, site);
      return site;
    },
    textOf: (site) => (site >= 1 && site <= count() ? textAt(site) : ''),
    count,
    audit: auditSites,
  };
}

interface StackCapture {
  stackTraceLimit?: number;
  captureStackTrace?(holder: object, below: unknown): void;
}

/** Where the compiled files of this library lie; '' in a bundle, where nobody can tell them from the program's. */
const HOME: string = homeOf((import.meta as { readonly url?: string }).url);

function homeOf(url: string | undefined): string {
  const end = url?.lastIndexOf('/machine/') ?? -1;
  return end < 0 ? '' : (url as string).slice(0, end + 1);
}

/** `  at name (file:///a/b.js:1:2)`, `  at async b.js:1:2`, `name@http://host/b.js:1:2` */
const PLACE = /(?:\(|@|at (?:async )?|^)((?:[a-z]+:\/\/|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?\s*$/;

/** File, line and column of one line of a stack; '' where there is none, or in the platform itself. */
function placeIn(line: string): string {
  return PLACE.exec(line)?.[1] ?? '';
}

function isOurs(place: string): boolean {
  if (HOME === '') return false;
  const at = place.indexOf(HOME);
  const path = at === 0 ? place.slice(HOME.length) : afterHome(place);
  // What lies beside it and tests it is a program of its own.
  return path !== '' && !path.includes('.test');
}

/** V8 gives paths where a file was not loaded by a URL. */
function afterHome(place: string): string {
  const home = HOME.replace(/^file:\/\//, '');
  return place.startsWith(home) ? place.slice(home.length) : '';
}

function shorten(place: string): string {
  const path = place.replace(/^[a-z]+:\/\/[^/]*/, '').replace(/[?#][^:]*/, '');
  if (path.length <= SITE_TEXT_MAX) return path;
  const tail = path.slice(-SITE_TEXT_MAX);
  return tail.slice(tail.indexOf('/') + 1);
}

/** Frames that are looked at: a block of malloc that waits comes from a dozen of ours. */
const FRAMES = 30;

function stackBelow(below: unknown): string[] {
  const capture = Error as unknown as StackCapture;
  if (typeof capture.captureStackTrace === 'function') {
    const holder: { stack?: unknown } = {};
    const limit = capture.stackTraceLimit;
    // Not by an assignment, which throws where `Error` is frozen.
    Reflect.set(capture, 'stackTraceLimit', FRAMES);
    capture.captureStackTrace(holder, below);
    Reflect.set(capture, 'stackTraceLimit', limit);
    return typeof holder.stack === 'string' ? holder.stack.split('\n') : [];
  }
  const { stack } = new Error();
  if (typeof stack !== 'string') return [];
  const lines = stack.split('\n');
  const { name } = below as { name?: string };
  // Elsewhere the frames above `below` are there, too.
  const at = name ? lines.findIndex((line) => line.startsWith(`${name}@`) || line.includes(`/${name}@`)) : -1;
  return lines.slice(at + 1);
}

/**
 * Where in the program the call was made that led here: the first frame outside of this library, or the
 * first behind `below` where all frames look like ours (in a bundle of everything). '' where there are no
 * stacks. Costs some microseconds.
 *
 * @param below the public function that was called: frames above it are none of the program's
 */
export function siteHere(below: unknown): string {
  let first = '';
  for (const line of stackBelow(below)) {
    const place = placeIn(line);
    if (place === '') continue;
    if (!isOurs(place)) return shorten(place);
    first ||= place;
  }
  return shorten(first);
}
