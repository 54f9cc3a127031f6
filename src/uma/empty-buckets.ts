/** Empty buckets for a zone, from the keg of buckets. */

import { LockRank } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import { BUCKET_KEG, type UmaContext } from './context.js';
import { How } from './hooks.js';
import type { Kegs } from './kegs.js';
import { Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

export interface EmptyBuckets {
  /** A bucket into a hand. False: there is none. */
  take(zone: ZoneState, hand: number): boolean;
  /** A bucket for the zone's list of empty ones. False: there is none. */
  add(zone: ZoneState): boolean;
  /**
   * Sees that this thread has a bucket loaded, for items that are freed together. False: there is none, or
   * somebody waits for them one by one.
   */
  load(zone: ZoneState, dead: number): boolean;
}

export function createEmptyBuckets(context: UmaContext, kegs: Kegs, accounts: Accounts): EmptyBuckets {
  const { machine, threads, locks, intents, hands } = context;
  const { words } = machine;
  const { HELD } = Hand;
  const bucketSite = machine.failpoints.site('uma.bucket', 'an empty bucket for a zone');

  function take(zone: ZoneState, hand: number): boolean {
    if (bucketSite.fails(zone.name)) return false;
    return kegs.takeItem(kegs.byNumber(BUCKET_KEG), hand + HELD, How.NOWAIT) !== 0;
  }

  function add(zone: ZoneState): boolean {
    const { record } = zone;
    const hand = hands.open(HandKind.BUCKET, zone.number, 0, 0, 0);
    if (!take(zone, hand)) {
      hands.close(hand);
      return false;
    }
    locks.acquire(record, LockRank.ZONE);
    intents.begin(record);
    accounts.planPushEmpty(zone, (words[hand + HELD] as number) >>> 2);
    intents.set(hand, 0);
    intents.commit();
    hands.closed(hand);
    locks.release(record);
    return true;
  }

  function load(zone: ZoneState, dead: number): boolean {
    const { record, realCache: cache } = zone;
    threads.assertHere();
    if (words[cache] === dead && words[record + Zone.emptyTop] === 0 && !add(zone)) return false;
    locks.acquire(record, LockRank.ZONE);
    const isWanted = words[record + Zone.waitCount] !== 0;
    if (!isWanted && words[cache] === dead && words[record + Zone.emptyTop] !== 0) {
      intents.begin(record);
      intents.set(cache, accounts.planPopEmpty(zone));
      intents.commit();
    }
    locks.release(record);
    return !isWanted && words[cache] !== dead;
  }

  return { take, add, load };
}
