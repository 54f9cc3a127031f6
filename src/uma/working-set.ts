/**
 * How many cached items a zone is going to want: the working set, after uma(9) of FreeBSD.
 *
 * In a period the zone's cached items go up and down. What allocations have drawn out of the cache at a
 * stretch is demand; a great free is none. So the estimate is the greatest fall of `cachedItems` from a new
 * most to the fewest after it, and it fades by a quarter with each period. What was never touched for long,
 * beyond that estimate, goes back slowly by itself.
 *
 * Every function here runs under the zone's lock.
 */

import { Zone } from './records.js';

/** Periods in a row without a lack, after which the timer gives back a part of what nobody wants. */
export const IDLE_PERIODS = 45;

export interface WorkingSets {
  /** The cached items have become more, or fewer, by use. */
  changed(record: number): void;
  /** So many of them have been taken away to be given back: the estimate stays what it was. */
  reclaimed(record: number, items: number): void;
  /** Ends a period: a new estimate, and counting begins anew. */
  endPeriod(record: number): void;
  /** How many items the timer leaves: all, unless for long so many were never wanted. */
  idleTarget(record: number): number;
}

export function createWorkingSets(words: Int32Array): WorkingSets {
  const { cachedItems: CACHED, cachedMax: MAX, cachedMin: MIN, batchMin: BATCH, workingSet: SET } = Zone;
  const { longMin: LONG, idlePeriods: PERIODS } = Zone;
  const read = (at: number): number => words[at] as number;

  return {
    changed(record) {
      const cached = read(record + CACHED);
      if (cached > read(record + MAX)) {
        // A new most: what was drawn until here was one batch.
        words[record + SET] = Math.max(read(record + SET), read(record + MAX) - read(record + BATCH));
        words[record + MAX] = cached;
        words[record + BATCH] = cached;
      }
      if (cached < read(record + MIN)) words[record + MIN] = cached;
      if (cached < read(record + BATCH)) words[record + BATCH] = cached;
    },
    reclaimed(record, items) {
      for (const at of [record + MAX, record + MIN, record + BATCH]) {
        words[at] = Math.max(0, read(at) - items);
      }
    },
    endPeriod(record) {
      const cached = read(record + CACHED);
      const drawn = read(record + MAX) - read(record + BATCH);
      const set = Math.max(Math.floor(read(record + SET) * 0.75), drawn);
      const beyond = read(record + MIN) - set;
      const long = read(record + LONG);
      words[record + SET] = set;
      words[record + LONG] =
        beyond < 0 ? 0 : long >= beyond ? beyond : Math.floor((beyond + 255 * long) / 256);
      words[record + PERIODS] = beyond < 0 ? 0 : Math.min(read(record + PERIODS) + 1, 0xffff);
      words[record + MAX] = read(record + MAX) - Math.floor((read(record + MAX) - cached + 1) / 2);
      words[record + MIN] = cached;
      words[record + BATCH] = cached;
    },
    idleTarget(record) {
      const cached = read(record + CACHED);
      if (read(record + PERIODS) <= IDLE_PERIODS) return cached;
      return Math.max(0, cached - Math.floor(read(record + LONG) / 4));
    },
  };
}
