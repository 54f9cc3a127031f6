/** Settings of one zone that may be changed while it is in use, and what must be done when they are. */

import { LockRank, MbumaError, requireInteger } from '../check/index.js';
import type { UmaContext } from './context.js';
import type { Drains } from './drains.js';
import { copyStride } from './geometry.js';
import type { KegMarks, Kegs } from './kegs.js';
import { Keg, KegFlag, Zone, ZoneFlag } from './records.js';
import type { Sleepers } from './sleepers.js';
import { LIMIT_MAX } from './zone-api.js';
import { addMarkReasons } from './zone-options.js';
import type { ZoneState } from './zone-state.js';

/** A zone, opened by this thread or not, and its keg. */
export type ZoneWithKeg = Pick<ZoneState, 'name' | 'record' | 'kegState'>;

export interface ZoneTuning {
  setLimit(zone: ZoneState, limit: unknown): void;
  /** @throws BAD_ARGUMENT for a limit that the keg's reserve would use up */
  refuseLimit(zone: ZoneWithKeg, limit: number): void;
  setMaxCached(zone: ZoneState, most: unknown): void;
  /**
   * The word alone: for a zone that this thread has not opened, and so has nothing of in its cache.
   * @throws BAD_ARGUMENT for a zone that caches nothing
   */
  writeMaxCached(zone: ZoneWithKeg, most: number): void;
  markOf(zone: ZoneWithKeg, mark: keyof KegMarks): number;
  setMark(zone: ZoneWithKeg, mark: keyof KegMarks, items: unknown): void;
  preallocate(zone: ZoneState, items: unknown): number;
  /** Address of a thread's copy of an item. */
  copyOf(zone: ZoneState, item: number, thread: unknown): number;
}

export function createZoneTuning(
  context: UmaContext,
  kegs: Kegs,
  drains: Drains,
  sleepers: Sleepers,
): ZoneTuning {
  const { machine, threads, locks } = context;
  const { words } = machine;

  const markOf = ({ kegState }: ZoneWithKeg, mark: keyof KegMarks): number =>
    words[kegState.record + Keg[mark]] as number;

  const marksOf = (zone: ZoneWithKeg): KegMarks => ({
    reserve: markOf(zone, 'reserve'),
    lowWater: markOf(zone, 'lowWater'),
    highWater: markOf(zone, 'highWater'),
  });

  function refuseMarks({ name }: ZoneWithKeg, marks: KegMarks, limit: number): void {
    const reasons: string[] = [];
    addMarkReasons(marks, limit, reasons);
    if (reasons.length > 0)
      throw new MbumaError('BAD_ARGUMENT', `zone ${name}: ${reasons.join('; ')}`, { zone: name });
  }

  /** The reserve is the keg's: of a secondary zone's limit it takes nothing. */
  function refuseLimit(zone: ZoneWithKeg, limit: number): void {
    if (words[zone.record + Zone.primary] === 0) refuseMarks(zone, marksOf(zone), limit);
  }

  function setMark(zone: ZoneWithKeg, mark: keyof KegMarks, items: unknown): void {
    const value = requireInteger(items, mark, 0, LIMIT_MAX);
    refuseMarks(zone, { ...marksOf(zone), [mark]: value }, words[zone.record + Zone.limit] as number);
    kegs.setMarks(zone.kegState, { [mark]: value });
  }

  function writeMaxCached({ name, record }: ZoneWithKeg, most: number): void {
    if (most !== 0 && ((words[record + Zone.flags] as number) & ZoneFlag.NO_BUCKET) !== 0)
      throw new MbumaError('BAD_ARGUMENT', `zone ${name} is noBucket: it caches nothing`, { zone: name });
    locks.acquire(record, LockRank.ZONE);
    words[record + Zone.maxCached] = most;
    locks.release(record);
  }

  return {
    setLimit(zone, limit) {
      const value = requireInteger(limit, 'max', 0, LIMIT_MAX);
      refuseLimit(zone, value);
      sleepers.setLimit(zone, value);
    },
    refuseLimit,
    setMaxCached(zone, most) {
      const value = requireInteger(most, 'maxCached', 0, LIMIT_MAX);
      writeMaxCached(zone, value);
      // What this thread and the zone have beyond it goes back now; other threads' when they fill a bucket.
      if (value !== 0) drains.drainCache(zone);
    },
    writeMaxCached,
    markOf,
    setMark,
    preallocate: (zone, items) =>
      kegs.preallocate(zone.kegState, requireInteger(items, 'items', 0, LIMIT_MAX)),
    copyOf({ name, kegState }, item, thread) {
      const slot = requireInteger(thread, 'thread', 1, threads.maxThreads);
      if ((kegState.flags & KegFlag.PER_THREAD) === 0) {
        throw new MbumaError('BAD_ARGUMENT', `zone ${name} is not perThread: its items have no copies`, {
          zone: name,
        });
      }
      return item + (slot - 1) * copyStride(kegState.size);
    },
  };
}
