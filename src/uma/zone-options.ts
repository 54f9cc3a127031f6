/** What a zone is made of, and what is wrong with it. */

import {
  attemptWith,
  CheckLevel,
  describeValue,
  MbumaError,
  optionalBoolean,
  optionalFunction,
  optionalInteger,
  refuseFor,
  requireInteger,
  requireName,
  requireObject,
  requireText,
} from '../check/index.js';
import { isPowerOfTwo } from '../record/index.js';
import { chooseGeometry, type Shape } from './geometry.js';
import type { Hook, Hooks } from './hooks.js';
import type { Import, Release } from './imports.js';
import type { KegMarks } from './kegs.js';
import { GRANULE, KegFlag, OwnerDeath, type OwnerDeath as OwnerDeathPolicy, ZoneFlag } from './records.js';
import { type Backend, type CountedZone, LIMIT_MAX, type Zone } from './zone-api.js';
import { type CheckedFlags, type FlagOptions, flagNames, readFlags } from './zone-flags.js';
import type { ZoneState } from './zone-state.js';

/** What a zone is made of. The maker's limit stands; everything else must agree when attaching. */
export interface ZoneOptions extends FlagOptions {
  /** Unique in the memory: 1 to 47 printable ASCII characters. */
  readonly name: string;
  /** Bytes of an item, 1 to 1 MiB. Not given for a secondary zone. */
  readonly size?: number;
  /** Alignment of items, a power of two from 16 to 4096. Default 16. */
  readonly align?: number;
  /** Most items out at one time; 0 or absent: no limit. Only the thread that makes the zone sets it. */
  readonly max?: number;
  /** Most items in buckets of zone and threads together; 0 or absent: no bound of its own. */
  readonly maxCached?: number;
  /** Free items of the keg that only USE_RESERVE may take. They are not made ahead: see `Zone.preallocate`. */
  readonly reserve?: number;
  /** Free items that the keg should have at any time. */
  readonly lowWater?: number;
  /** Free items beyond which an empty slab goes back to the pages at once; 0 or absent: no such mark. */
  readonly highWater?: number;
  /** Who gives pages to the keg: `memory.backend()`. Default: the memory, without a bound. */
  readonly backend?: Backend;
  /**
   * Told, with the zone's name, to `memory.onWarning` when the limit is met by a call that gets nothing, once
   * in `warningSeconds`, as long as `zoneWarnings` is 1.
   */
  readonly warning?: string;
  /**
   * Run soon after a call has met the limit, from the event loop of its thread and without any lock: to have
   * others give items back. Not while it is running already.
   */
  readonly maxAction?: () => void;
  /**
   * Makes a zone that caches what it does not make: connections, handles, addresses in another memory. An
   * item is a cell of 16 bytes, or `size`; its first word is one that `import` has given. Cells enter the
   * zone's caches with a word, in batches, and keep it from use to use; `release` gets the words of those
   * that leave. Neither runs under a lock. They come together, in place of `init` and `fini`; what import
   * throws comes to the call that lacked items. Cache-only zones: uma_zcache_create of uma(9).
   */
  readonly import?: Import;
  readonly release?: Release;
  readonly ctor?: Hook;
  readonly dtor?: Hook;
  readonly init?: Hook;
  readonly fini?: Hook;
  /** Makes a secondary zone: stacked on the keg of this one. */
  readonly primary?: Zone;
  /** Asked, without any lock, before an allocation fails or sleeps; true: something was freed. */
  readonly onExhausted?: () => boolean;
  /**
   * What becomes of the items that a thread owns when it dies: it allocated them, or claimed them. They are
   * freed (by `free`, with `dtor`, in the thread that cleans up), or they stay allocated and belong to the
   * memory from then on (`keep`), or that, and the report of the reaping names them (`report`). Default
   * `keep`: for an item may have been handed over. Only the thread that makes the zone sets it.
   */
  readonly onOwnerDeath?: OwnerDeathPolicy;
  /** `fini` may be run over an item that `init` has seen half of: where a thread may die inside of `init`. */
  readonly finiIsSafe?: boolean;
}

/** What makes a `CountedZone`: a zone with counters of its own, or one that is stacked on such a zone. */
export type CountedZoneOptions = ZoneOptions &
  ({ readonly referenceCounted: true } | { readonly primary: CountedZone });

/** The same, checked. */
export interface CheckedZoneOptions {
  readonly name: string;
  readonly shape: Shape;
  readonly limit: number;
  readonly hooks: Hooks;
  readonly imports: { readonly import: Import; readonly release: Release } | null;
  readonly primary: ZoneState | null;
  /** A value of `OwnerDeath`. */
  readonly onOwnerDeath: number;
  readonly flags: CheckedFlags;
  readonly maxCached: number;
  readonly marks: KegMarks;
  /** Number of the backend; 0: not given. */
  readonly backend: number;
}

/** What of the memory decides how a zone looks. */
export interface MemoryFacts {
  readonly maxThreads: number;
  readonly checkLevel: CheckLevel;
}

/** Items of epoch zones have two granules at least: see parking.ts. */
export const EPOCH_ALIGN = 32;

/** Largest item, in bytes. */
export const ITEM_SIZE_MAX = 1 << 20;

/** A value of `OwnerDeath`. */
export function readOwnerDeath(value: unknown): number {
  if (value === undefined) return OwnerDeath.keep;
  if (value === 'keep' || value === 'free' || value === 'report') return OwnerDeath[value];
  throw new MbumaError(
    'BAD_ARGUMENT',
    `onOwnerDeath must be 'free', 'keep' or 'report', not ${describeValue(value)}`,
  );
}

/** What is wrong with marks of a keg. */
export function addMarkReasons(
  { reserve, lowWater, highWater }: KegMarks,
  limit: number,
  reasons: string[],
): void {
  if (highWater !== 0 && highWater < Math.max(reserve, lowWater))
    reasons.push(`highWater ${highWater} lies below what reserve and lowWater keep free`);
  if (limit !== 0 && reserve >= limit)
    reasons.push(`reserve ${reserve} leaves nothing of a limit of ${limit} items`);
}

/** New cells hold 0; and who unmakes slabs releases what cells may hold all the same: see imports.ts. */
const IMPORTED: number = KegFlag.IMPORTED | KegFlag.ZEROED | KegFlag.HAS_FINI;

/** What cannot stand beside `import`, and why. */
const NOT_IMPORTED: Readonly<Partial<Record<keyof ZoneOptions, string>>> = {
  init: 'import stands in its place',
  fini: 'release stands in its place',
  primary: 'its items are made already',
  zero: 'the word would be lost',
  noTouch: 'the word is written into the item',
  perThread: 'a word has no copies',
  guard: 'what it holds stays when it is free',
  epoch: 'what it holds stays when it is free',
};

function readImports(given: ZoneOptions, reasons: string[]): CheckedZoneOptions['imports'] {
  const importWords = optionalFunction(given.import, 'import');
  const release = optionalFunction(given.release, 'release');
  if (importWords === undefined && release === undefined) return null;
  if (importWords === undefined || release === undefined) {
    reasons.push('import and release come together');
    return null;
  }
  for (const [option, why] of Object.entries(NOT_IMPORTED))
    if (given[option as keyof ZoneOptions])
      reasons.push(`import and ${option} contradict each other: ${why}`);
  return { import: importWords, release };
}

/**
 * Checks the options; tells all reasons why they cannot be, at once.
 *
 * @param openedState the state of a zone that this thread has opened
 * @param backendNumber the number of a backend of this memory; 0 for undefined
 * @param facts of the memory: how many slots it has, which are the copies of a `perThread` item; and its
 *   level of checking: from REDZONE on every zone has redzones and sites
 */
export function readZoneOptions(
  given: ZoneOptions,
  openedState: (zone: Zone | undefined) => ZoneState | null,
  backendNumber: (backend: Backend | undefined) => number,
  { maxThreads, checkLevel }: MemoryFacts,
): CheckedZoneOptions {
  requireObject(given, 'options');
  const reasons: string[] = [];
  const attempt = attemptWith(reasons);
  const name = attempt(() => requireName(given.name, 'name'), '');
  const primary = attempt(() => openedState(given.primary), null);
  const hook = (kind: 'ctor' | 'dtor' | 'init' | 'fini'): Hook | null =>
    attempt(() => optionalFunction(given[kind], kind) ?? null, null);
  const hooks = { ctor: hook('ctor'), dtor: hook('dtor'), init: hook('init'), fini: hook('fini') };
  attempt(() => optionalFunction(given.onExhausted, 'onExhausted'), undefined);
  const limit = attempt(() => optionalInteger(given.max, 'max', 0, LIMIT_MAX, 0), 0);
  if (primary?.epoch) reasons.push('primary is an epoch zone: it has no secondary zones');
  if (primary?.primaryRecord) reasons.push('primary is a secondary zone itself');
  const keg = primary?.kegState;
  // With a primary the size is that one's; one that is none has been told of above.
  const needsSize = (): boolean => given.primary === undefined && given.import === undefined;
  const readSize = (): unknown => (needsSize() ? given.size : (given.size ?? GRANULE));
  const size = keg?.size ?? attempt(() => requireInteger(readSize(), 'size', 1, ITEM_SIZE_MAX), GRANULE);
  const align =
    keg?.align ?? attempt(() => optionalInteger(given.align, 'align', GRANULE, 4096, GRANULE), GRANULE);
  if (!isPowerOfTwo(align)) reasons.push(`align must be a power of two, not ${align}`);
  if (keg !== undefined && given.size !== undefined && given.size !== keg.size) {
    reasons.push(`size is that of the primary zone: ${keg.size}`);
  }
  if (keg !== undefined && given.align !== undefined && given.align !== keg.align) {
    reasons.push(`align is that of the primary zone: ${keg.align}`);
  }
  attempt(() => optionalBoolean(given.finiIsSafe, 'finiIsSafe'), undefined);
  const imports = attempt(() => readImports(given, reasons), null);
  const onOwnerDeath = attempt(() => readOwnerDeath(given.onOwnerDeath), OwnerDeath.keep);
  const flags = readFlags(given, reasons);
  const epoch = (flags.keg & KegFlag.EPOCH) !== 0;
  if (epoch && primary !== null)
    reasons.push('epoch and primary: what one zone of a keg frees, another would reuse');
  const foreign = keg === undefined ? 0 : flags.keg & ~keg.flags & ~KegFlag.EPOCH;
  if (foreign !== 0) {
    reasons.push(`${flagNames(foreign, 0).join(', ')}: that is for the primary zone to say`);
  }
  const hasFini = primary === null && hooks.fini !== null ? KegFlag.HAS_FINI : 0;
  const everywhere = checkLevel >= CheckLevel.REDZONE ? KegFlag.REDZONE | KegFlag.SITES : 0;
  const withGuard = (flags.keg & KegFlag.GUARDED) === 0 ? 0 : KegFlag.SITES;
  const shape = {
    size,
    align: epoch ? Math.max(align, EPOCH_ALIGN) : align,
    flags: flags.keg | hasFini | everywhere | withGuard | (imports === null ? 0 : IMPORTED),
    copies: maxThreads,
  };
  const count = (kind: 'maxCached' | 'reserve' | 'lowWater' | 'highWater'): number =>
    attempt(() => optionalInteger(given[kind], kind, 0, LIMIT_MAX, 0), 0);
  const maxCached = count('maxCached');
  const marks = { reserve: count('reserve'), lowWater: count('lowWater'), highWater: count('highWater') };
  const backend = attempt(() => backendNumber(given.backend), 0);
  attempt(() => (given.warning === undefined ? '' : requireText(given.warning, 'warning')), '');
  attempt(() => optionalFunction(given.maxAction, 'maxAction'), undefined);
  if (maxCached !== 0 && (flags.zone & ZoneFlag.NO_BUCKET) !== 0)
    reasons.push('maxCached bounds what is cached, and noBucket caches nothing');
  addMarkReasons(marks, limit, reasons);
  if (keg !== undefined) {
    const ofPrimary = ['reserve', 'lowWater', 'highWater', 'backend'].filter(
      (each) => given[each as keyof ZoneOptions] !== undefined,
    );
    if (ofPrimary.length > 0) reasons.push(`${ofPrimary.join(', ')}: that is for the primary zone to say`);
  }
  if (reasons.length === 0 && keg === undefined && chooseGeometry(shape) === null) {
    reasons.push(`items of ${size} bytes do not fit a slab`);
  }
  refuseFor(`zone ${name}: `, reasons, { zone: name });
  return { name, shape, limit, hooks, imports, primary, onOwnerDeath, flags, maxCached, marks, backend };
}
