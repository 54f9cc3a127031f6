/** A zone as one thread knows it: what the rungs of the ladder work on. */

import { readText } from '../record/index.js';
import type { Hooks } from './hooks.js';
import type { Imports } from './imports.js';
import type { KegState } from './keg-state.js';
import { ZONE_WORDS, Zone } from './records.js';

export interface ZoneState {
  readonly name: string;
  /** Word index of the zone's record. */
  readonly record: number;
  readonly number: number;
  readonly kegState: KegState;
  /** ZoneFlag bits. */
  readonly flags: number;
  /**
   * Word index of the thread cache that the fast path looks at. A zone with work to do on each item
   * (`ctor`, `dtor`, trash, a failpoint) shows it a dead cache, always empty and full, so that the slow half
   * runs. Changes when a failpoint is armed.
   */
  cache: number;
  /**
   * Nothing is cached, and there is nothing to do on each item either: bulk calls go to the keg by the
   * bucketful. Changes with `cache`.
   */
  inBatches: boolean;
  /** Word index of the thread cache that holds the items. */
  readonly realCache: number;
  /** `OwnerDeath`: what becomes of the items of a thread that dies. */
  readonly onOwnerDeath: number;
  /** It has no hook at all, in any thread. */
  readonly isBare: boolean;
  /** `init` and `fini` are here for a secondary zone only; a primary zone's are the keg's. */
  readonly hooks: Hooks;
  /** Of a zone that imports what its items hold: then `init` and `fini` are of one item at a time. */
  readonly imports: Imports | null;
  /** Whether `fini` may be run over an item that `init` has not seen, or seen half of: after a death. */
  readonly finiIsSafe: boolean;
  /** For a secondary zone: the record of the zone whose keg it is stacked on; else 0. */
  readonly primaryRecord: number;
  /** Freed items wait until every read section that was open has ended. */
  readonly epoch: boolean;
  /** Upper bound of a bucket's items. */
  readonly capacityMax: number;
  /** Asked, without any lock, before an allocation fails or sleeps; true: something was freed. */
  readonly onExhausted: (() => boolean) | null;
  readonly warning: string | null;
  readonly maxAction: (() => void) | null;
  /** `maxAction` is to run, or runs. */
  actionIsDue: boolean;
  /** Why the last allocation here found nothing. Of this zone alone: hooks allocate from others meanwhile. */
  lack: Lack;
}

/** Why an allocation found nothing: the limit, no pages, or its constructor lacks memory. */
export const Lack = { NONE: 0, LIMIT: 1, MEMORY: 2, CTOR: 3 } as const;
export type Lack = (typeof Lack)[keyof typeof Lack];

/** What a zone's record tells: the same in every thread. */
type RecordedHalf = Pick<
  ZoneState,
  | 'name'
  | 'record'
  | 'number'
  | 'kegState'
  | 'flags'
  | 'onOwnerDeath'
  | 'isBare'
  | 'primaryRecord'
  | 'epoch'
  | 'capacityMax'
>;

/** @param zones word index of the area of zones */
export function readZone(words: Int32Array, zones: number, number: number, kegState: KegState): RecordedHalf {
  const record = zones + number * ZONE_WORDS;
  const read = (offset: number): number => words[record + offset] as number;
  const primary = read(Zone.primary);
  return {
    name: readText(words, record + Zone.name, 12),
    record,
    number,
    kegState,
    flags: read(Zone.flags),
    onOwnerDeath: read(Zone.onOwnerDeath),
    isBare: read(Zone.hooks) === 0,
    primaryRecord: primary === 0 ? 0 : zones + primary * ZONE_WORDS,
    epoch: read(Zone.epoch) !== 0,
    capacityMax: read(Zone.capacityMax),
  };
}
