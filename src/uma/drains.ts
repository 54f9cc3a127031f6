/** Down the ladder: caches give to the zone, the zone gives to the keg. */

import { LockRank } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import { BUCKET_KEG, type UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import { HookErrors, How } from './hooks.js';
import type { Kegs } from './kegs.js';
import { BUCKET_MASK, ThreadCache, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

export interface Drains {
  /** Puts this thread's buckets into the zone's lists. What is out beyond the limit goes on to the keg. */
  drainCache(zone: ZoneState): void;
  /** Gives cached items back to the keg until `keep` are left, and all empty buckets; how many items. */
  drainBuckets(zone: ZoneState, keep: number): number;
  /**
   * Gives the items of the bucket in a hand back to the keg, then the bucket, then its units. Closes the
   * hand.
   */
  emptyHand(zone: ZoneState, hand: number, errors: HookErrors): void;
  /**
   * Moves one item in use from the accounts of a secondary zone to those of its primary; in the same step
   * writes `value` to the word `index`, which tells whose the item is.
   */
  forgetItem(zone: ZoneState, index: number, value: number): void;
  /** Visits every cached item. The zone must be quiet. */
  eachCached(zone: ZoneState, visit: (item: number) => void): void;
}

export function createDrains(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  deferral: Deferral,
  dead: number,
): Drains {
  const { machine, locks, waiting, intents, hands } = context;
  const { words } = machine;
  const { excessOf, mostInFull, planReclaimFull, planPopEmpty, serveWaiters, returnUnits, cacheOf } =
    accounts;
  const { spare: SPARE, freeLimit: FREE_LIMIT } = ThreadCache;
  const { fullTop: FULL_TOP, emptyTop: EMPTY_TOP, cachedItems: CACHED_ITEMS, itemsOut: ITEMS_OUT } = Zone;
  const { maxCached: MAX_CACHED } = Zone;
  const { maxThreads } = machine.layout.parameters;
  const { HELD, SECOND: UNITS, THIRD: INITIALISED } = Hand;

  function drainCache(zone: ZoneState): void {
    const { record, realCache: cache } = zone;
    locks.acquire(record, LockRank.ZONE);
    words[cache + FREE_LIMIT] = 0;
    for (const word of [cache, cache + SPARE]) {
      const top = words[word] as number;
      if (top === dead) continue;
      intents.begin(record);
      deferral.planPutAway(zone, word - cache, top);
      intents.set(word, dead);
      intents.commit();
    }
    serveWaiters(zone);
    const cached = words[record + CACHED_ITEMS] as number;
    const bounded = words[record + MAX_CACHED] === 0 ? cached : Math.min(cached, mostInFull(zone));
    const keep = Math.max(0, Math.min(bounded, cached - excessOf(zone)));
    waiting.unlock(locks, record);
    if (deferral.isWaiting(zone)) deferral.wakeFirst(zone);
    if (keep < cached) drainBuckets(zone, keep);
  }

  deferral.onExcess((zone) => {
    locks.acquire(zone.record, LockRank.ZONE);
    const excess = excessOf(zone);
    const cached = words[zone.record + CACHED_ITEMS] as number;
    locks.release(zone.record);
    if (excess > 0 && cached > 0) drainBuckets(zone, Math.max(0, cached - excess));
  });

  /** A full bucket of the zone into a hand, with its units. False: no more than `keep` items are cached. */
  function takeFull(zone: ZoneState, hand: number, keep: number): boolean {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    const taken = (words[record + CACHED_ITEMS] as number) > keep && words[record + FULL_TOP] !== 0;
    if (taken) {
      intents.begin(record);
      const top = planReclaimFull(zone);
      intents.set(hand + HELD, (top & ~BUCKET_MASK) << 2);
      intents.set(hand + UNITS, top & BUCKET_MASK);
      intents.set(hand + INITIALISED, top & BUCKET_MASK);
      intents.commit();
    }
    locks.release(record);
    return taken;
  }

  function takeEmpty(zone: ZoneState, hand: number): boolean {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    const taken = words[record + EMPTY_TOP] !== 0;
    if (taken) {
      intents.begin(record);
      intents.set(hand + HELD, planPopEmpty(zone) << 2);
      intents.commit();
    }
    locks.release(record);
    return taken;
  }

  /** Runs `fini` over the items of the bucket in a hand, last first: over those that `init` has seen. */
  function finiItems(zone: ZoneState, hand: number, bucket: number, errors: HookErrors): void {
    const { init, fini } = zone.hooks;
    for (let at = words[hand + UNITS] as number; at >= 1; at--) {
      const item = words[bucket + at] as number;
      if (item === 0) continue;
      const initialised = at <= (words[hand + INITIALISED] as number);
      if (initialised) words[hand + INITIALISED] = at - 1;
      if (initialised || zone.finiIsSafe) errors.run(fini, 'fini', zone.name, item, How.NOWAIT);
      if (init !== null) kegs.trash(zone.kegState, item);
    }
  }

  function emptyHand(zone: ZoneState, hand: number, errors: HookErrors): void {
    const bucket = (words[hand + HELD] as number) >>> 2;
    const units = words[hand + UNITS] as number;
    if (bucket !== 0) {
      if (zone.imports === null) finiItems(zone, hand, bucket, errors);
      else zone.imports.give(bucket + 1, units, errors);
      if (units !== 0) kegs.giveItems(zone.kegState, bucket + 1, units);
      kegs.giveItem(kegs.byNumber(BUCKET_KEG), bucket << 2, hand + HELD);
    }
    returnUnits(zone, hand);
  }

  function drainBuckets(zone: ZoneState, keep: number): number {
    const errors = new HookErrors();
    let freed = 0;
    errors.attempt(() => deferral.ripen(zone));
    for (;;) {
      const hand = hands.open(HandKind.BUCKET, zone.number, 0, 0, 0);
      if (!takeFull(zone, hand, keep) && !takeEmpty(zone, hand)) {
        hands.close(hand);
        break;
      }
      freed += words[hand + UNITS] as number;
      emptyHand(zone, hand, errors);
    }
    errors.throwFirst();
    return freed;
  }

  function forgetItem(zone: ZoneState, index: number, value: number): void {
    const { record, primaryRecord } = zone;
    if (primaryRecord === 0) return;
    const hand = hands.open(HandKind.ITEM, words[primaryRecord + Zone.number] as number, 0, 0, 0);
    locks.acquire(primaryRecord, LockRank.ZONE);
    intents.begin(primaryRecord);
    intents.set(primaryRecord + ITEMS_OUT, (words[primaryRecord + ITEMS_OUT] as number) + 1);
    intents.set(hand + UNITS, 1);
    intents.commit();
    locks.release(primaryRecord);
    locks.acquire(record, LockRank.ZONE);
    intents.begin(record);
    intents.set(record + ITEMS_OUT, (words[record + ITEMS_OUT] as number) - 1);
    if (index !== 0) intents.set(index, value);
    intents.set(hand, 0);
    intents.commit();
    hands.closed(hand);
    serveWaiters(zone);
    waiting.unlock(locks, record);
  }

  function eachCached(zone: ZoneState, visit: (item: number) => void): void {
    const visitBucket = (top: number): void => {
      for (let at = top; (at & BUCKET_MASK) !== 0; at--) visit(words[at] as number);
    };
    for (const list of [FULL_TOP, Zone.deferredTop]) {
      let top = words[zone.record + list] as number;
      for (; top !== 0; top = words[top & ~BUCKET_MASK] as number) visitBucket(top);
    }
    for (let other = 1; other <= maxThreads; other++) {
      const cache = cacheOf(other, zone.number);
      visitBucket(words[cache] as number);
      visitBucket(words[cache + SPARE] as number);
    }
  }

  return { drainCache, drainBuckets, emptyHand, forgetItem, eachCached };
}
