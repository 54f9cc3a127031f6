/** What a zone is made of, and what is wrong with it. */

import {
  describeValue,
  MbumaError,
  optionalFunction,
  optionalInteger,
  requireInteger,
  requireName,
  requireObject,
} from '../check/index.js';
import { isPowerOfTwo } from '../record/index.js';
import { chooseGeometry, type Shape } from './geometry.js';
import type { Hook, Hooks } from './hooks.js';
import { GRANULE, OwnerDeath, type OwnerDeath as OwnerDeathPolicy } from './records.js';
import { LIMIT_MAX, type Zone } from './zone-api.js';
import type { ZoneState } from './zone-state.js';

/** What a zone is made of. The maker's limit stands; everything else must agree when attaching. */
export interface ZoneOptions {
  /** Unique in the memory: 1 to 47 printable ASCII characters. */
  readonly name: string;
  /** Bytes of an item, 1 to 1 MiB. Not given for a secondary zone. */
  readonly size?: number;
  /** Alignment of items, a power of two from 16 to 4096. Default 16. */
  readonly align?: number;
  /** Most items out at one time; 0 or absent: no limit. Only the thread that makes the zone sets it. */
  readonly max?: number;
  readonly ctor?: Hook;
  readonly dtor?: Hook;
  readonly init?: Hook;
  readonly fini?: Hook;
  /** Makes a secondary zone: stacked on the keg of this one. */
  readonly primary?: Zone;
  /** Each item has a reference counter beside the slab: see `counterOf`. */
  readonly referenceCounted?: boolean;
  /** Starts with the largest buckets, for zones of busy small items. */
  readonly maxBucket?: boolean;
  /** Asked, without any lock, before an allocation fails or sleeps; true: something was freed. */
  readonly onExhausted?: () => boolean;
  /**
   * What becomes of the items that a thread owns when it dies: it allocated them, or claimed them. They are
   * freed (by `free`, with `dtor`, in the thread that cleans up), or they stay allocated and belong to the
   * memory from then on (`keep`), or that, and the report of the reaping names them (`report`). Default
   * `keep`: for an item may have been handed over. Only the thread that makes the zone sets it.
   */
  readonly onOwnerDeath?: OwnerDeathPolicy;
  /** New slabs are zeroed: an item holds 0, or what its last user left. */
  readonly zeroFresh?: boolean;
  /**
   * Freed items are not reused before every read section that was open at the free has ended (`memory.enter`,
   * `memory.leave`); UMA's SMR. Until then they keep their contents; then `dtor` runs, in whichever thread
   * finds them, and what it throws is told to the call that did. Items take 32 bytes at least, and such a
   * zone has no secondary zones. Default false.
   */
  readonly epoch?: boolean;
  /** `fini` may be run over an item that `init` has seen half of: where a thread may die inside of `init`. */
  readonly finiIsSafe?: boolean;
}

/** The same, checked. */
export interface CheckedZoneOptions {
  readonly name: string;
  readonly shape: Shape;
  readonly limit: number;
  readonly hooks: Hooks;
  readonly primary: ZoneState | null;
  /** A value of `OwnerDeath`. */
  readonly onOwnerDeath: number;
  readonly zeroed: boolean;
  readonly epoch: boolean;
}

/** Items of epoch zones have two granules at least: see parking.ts. */
const EPOCH_ALIGN = 32;

/** Largest item, in bytes. */
export const ITEM_SIZE_MAX = 1 << 20;

function optionalBoolean(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw new MbumaError('BAD_ARGUMENT', `${name} must be true or false, not ${describeValue(value)}`);
}

function readOwnerDeath(value: unknown): number {
  if (value === undefined) return OwnerDeath.keep;
  if (value === 'keep' || value === 'free' || value === 'report') return OwnerDeath[value];
  throw new MbumaError(
    'BAD_ARGUMENT',
    `onOwnerDeath must be 'free', 'keep' or 'report', not ${describeValue(value)}`,
  );
}

/**
 * Checks the options; tells all reasons why they cannot be, at once.
 *
 * @param openedState the state of a zone that this thread has opened
 */
export function readZoneOptions(
  given: ZoneOptions,
  openedState: (zone: Zone | undefined) => ZoneState | null,
): CheckedZoneOptions {
  requireObject(given, 'options');
  const reasons: string[] = [];
  const attempt = <Type>(read: () => Type, fallback: Type): Type => {
    try {
      return read();
    } catch (error) {
      reasons.push((error as Error).message);
      return fallback;
    }
  };
  const name = attempt(() => requireName(given.name, 'name'), '');
  const primary = attempt(() => openedState(given.primary), null);
  const hook = (kind: 'ctor' | 'dtor' | 'init' | 'fini'): Hook | null =>
    attempt(() => optionalFunction(given[kind], kind) ?? null, null);
  const hooks = { ctor: hook('ctor'), dtor: hook('dtor'), init: hook('init'), fini: hook('fini') };
  attempt(() => optionalFunction(given.onExhausted, 'onExhausted'), undefined);
  const limit = attempt(() => optionalInteger(given.max, 'max', 0, LIMIT_MAX, 0), 0);
  const epoch = attempt(() => optionalBoolean(given.epoch, 'epoch'), false) === true;
  if (epoch && given.primary !== undefined)
    reasons.push('epoch and primary: what one zone of a keg frees, another would reuse');
  if (primary?.epoch) reasons.push('primary is an epoch zone: it has no secondary zones');
  if (primary?.primaryRecord) reasons.push('primary is a secondary zone itself');
  const keg = primary?.kegState;
  // With a primary the size is that one's; one that is none has been told of above.
  const readSize = (): unknown => (given.primary === undefined ? given.size : (given.size ?? GRANULE));
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
  attempt(() => optionalBoolean(given.maxBucket, 'maxBucket'), undefined);
  attempt(() => optionalBoolean(given.finiIsSafe, 'finiIsSafe'), undefined);
  const zeroed = attempt(() => optionalBoolean(given.zeroFresh, 'zeroFresh'), false) === true;
  const onOwnerDeath = attempt(() => readOwnerDeath(given.onOwnerDeath), OwnerDeath.keep);
  const counted = attempt(() => optionalBoolean(given.referenceCounted, 'referenceCounted'), false);
  const shape = {
    size,
    align: epoch ? Math.max(align, EPOCH_ALIGN) : align,
    referenceCounted: counted === true,
  };
  if (reasons.length === 0 && keg === undefined && chooseGeometry(shape) === null) {
    reasons.push(`items of ${size} bytes do not fit a slab`);
  }
  if (reasons.length > 0) {
    const code = reasons.length === 1 ? 'BAD_ARGUMENT' : 'BAD_CONFIGURATION';
    throw new MbumaError(code, `zone ${name}: ${reasons.join('; ')}`, { zone: name });
  }
  return { name, shape, limit, hooks, primary, onOwnerDeath, zeroed, epoch };
}
