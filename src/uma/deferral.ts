/**
 * Epoch zones: what is freed waits until every read section that was open has ended. After UMA's SMR zones.
 *
 *   free -> freed bucket of the thread (its `spare`) -> deferred list of the zone, tagged -> full list
 *
 * The freed bucket is filled by frees alone and never changes places with the loaded one. When it is put away
 * it is tagged, in its last slot, with the sequence of that moment, and goes to the end of the deferred list:
 * so the oldest tag stands first. When that has passed, the bucket is *ripe*: its items are destructed and
 * trashed, and from then on it is a full bucket like any other. What needs a bucket and finds none is
 * *parked* (parking.ts). All of it counts as out, for the limit, until it is back in the keg.
 */

import { CheckLevel, damaged, LockRank } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import { createEmptyBuckets } from './empty-buckets.js';
import { HookErrors, How } from './hooks.js';
import type { Kegs } from './kegs.js';
import { createParking } from './parking.js';
import {
  BUCKET_MASK,
  BUCKET_TAG,
  EPOCH_BUCKET_ITEMS,
  GRANULE_SHIFT,
  HookBit,
  ThreadCache,
  Zone,
} from './records.js';
import type { ZoneState } from './zone-state.js';

export interface Deferral {
  /** Takes back an item of an epoch zone that is owned: the slow half of its `free`. Never sleeps. */
  freeItem(zone: ZoneState, item: number): void;
  /** Puts a bucket with freed items at the end of the deferred list, with the commit that is being written. */
  planDefer(zone: ZoneState, top: number): void;
  /** Puts a bucket of a thread cache, the word `cacheWord` of it, where it belongs: with that commit. */
  planPutAway(zone: ZoneState, cacheWord: number, top: number): void;
  /**
   * Under no lock: what is ripe becomes full buckets, or serves who waits. Whether anything was. Throws the
   * first error of a `dtor`, when all is safe.
   */
  ripen(zone: ZoneState): boolean;
  /** Whether anything of the zone waits for readers: a hint. */
  isWaiting(zone: ZoneState): boolean;
  /** Milliseconds after which it is worth looking again whether something is ripe. */
  readonly periodMs: number;
  /** Puts this thread's freed bucket away, though it has room: what is in it gets ripe soon. */
  putAway(zone: ZoneState): void;
  /** Wakes the first in line, if there is one, to look whether something is ripe: not granted anything yet. */
  wakeFirst(zone: ZoneState): void;
  /** Says what to do, under no lock, when something has got ripe: more may be out than the limit allows. */
  onExcess(drain: (zone: ZoneState) => void): void;
  /** The zone's lock has been taken over, and its intents are finished. */
  repair(record: number): void;
  /** A dead thread was at work on a ripe bucket: it is deferred again, as it was. */
  returnHand(zone: ZoneState, hand: number): void;
  /** What a dead thread was about to park is parked. */
  settleParked(zone: ZoneState, slot: number): void;
}

const ROUNDS_MAX = 10_000;
/** Where all is in order there is no tick, but to look takes time all the same. */
const PERIOD_MIN_MS = 1;

export function createDeferral(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  owners: Uint8Array,
  pageKegs: Uint16Array,
  dead: number,
): Deferral {
  const { machine, threads, locks, waiting, intents, hands, epochs } = context;
  const { words } = machine;
  const { spare: FREED, freeLimit: FREE_LIMIT } = ThreadCache;
  const { deferredTop: FIRST, deferredLast: LAST, deferredBuckets: BUCKETS, deferredItems: ITEMS } = Zone;
  const { emptyTop: EMPTY_TOP, waitCount: WAIT_COUNT, waitHead: QUEUE, hooks: HOOKS } = Zone;
  const { parkedTag: PARKED_TAG } = Zone;
  const { HELD, SECOND: COUNT } = Hand;
  const emptyBuckets = createEmptyBuckets(context, kegs, accounts);
  const parking = createParking(context, kegs, accounts, owners, pageKegs);
  const drainExcess: ((zone: ZoneState) => void)[] = [];
  let ripening = false;
  machine.onRewind(() => {
    ripening = false;
  });

  function count(record: number, buckets: number, items: number): void {
    words[record + BUCKETS] = (words[record + BUCKETS] as number) + buckets;
    words[record + ITEMS] = (words[record + ITEMS] as number) + items;
  }

  function planDefer({ record }: ZoneState, top: number): void {
    const bucket = top & ~BUCKET_MASK;
    const last = words[record + LAST] as number;
    intents.set(bucket + BUCKET_TAG, epochs.tag());
    intents.set(last === 0 ? record + FIRST : last, top);
    intents.set(record + LAST, bucket);
    count(record, 1, top & BUCKET_MASK);
  }

  /** Takes the oldest bucket off the list, its tag still in it. */
  function planUndefer(record: number, top: number): void {
    const bucket = top & ~BUCKET_MASK;
    const next = words[bucket] as number;
    intents.set(record + FIRST, next);
    if (next === 0) intents.set(record + LAST, 0);
    intents.set(bucket, 0);
    count(record, -1, -(top & BUCKET_MASK));
  }

  // --- frees ---

  function push(cache: number, item: number): void {
    const top = words[cache + FREED] as number;
    words[top + 1] = item;
    words[cache + FREED] = top + 1;
    owners[item >>> GRANULE_SHIFT] = 0;
  }

  function deferFreed(zone: ZoneState): void {
    const freed = zone.realCache + FREED;
    intents.begin(zone.record);
    planDefer(zone, words[freed] as number);
    intents.set(freed, dead);
    intents.commit();
  }

  /** A freed bucket with room for one more, under the lock. False: there is no bucket. */
  function makeRoomLocked(zone: ZoneState, capacity: number): boolean {
    const freed = zone.realCache + FREED;
    const top = words[freed] as number;
    // With a capacity of 0 it is put away right after.
    if (top !== dead && (top & BUCKET_MASK) >= (capacity || EPOCH_BUCKET_ITEMS)) deferFreed(zone);
    if (words[freed] !== dead) return true;
    if (words[zone.record + EMPTY_TOP] === 0) return false;
    intents.begin(zone.record);
    intents.set(freed, accounts.planPopEmpty(zone));
    intents.commit();
    return true;
  }

  /** One attempt, under the lock, at a bucket for the item. False: there is none. */
  function putLocked(zone: ZoneState, item: number): boolean {
    const { record, realCache: cache } = zone;
    const mayKeep = words[record + WAIT_COUNT] === 0;
    const capacity = mayKeep ? Math.min(accounts.capacityOf(zone), EPOCH_BUCKET_ITEMS) : 0;
    words[cache + FREE_LIMIT] = 0;
    if (!makeRoomLocked(zone, capacity)) return false;
    push(cache, item);
    if (capacity === 0) deferFreed(zone);
    else words[cache + FREE_LIMIT] = capacity;
    return true;
  }

  function freeItem(zone: ZoneState, item: number): void {
    const { record, realCache: cache } = zone;
    threads.assertHere();
    // Whoever had it: from here on it is this thread's to put away, or its reaper's.
    owners[item >>> GRANULE_SHIFT] = threads.slot;
    for (let round = 0; ; round++) {
      if (round > ROUNDS_MAX)
        throw damaged(`the cache of zone ${zone.name} takes nothing`, { zone: zone.name });
      if (((words[cache + FREED] as number) & BUCKET_MASK) < (words[cache + FREE_LIMIT] as number)) {
        push(cache, item);
        return;
      }
      locks.acquire(record, LockRank.ZONE);
      const isPut = putLocked(zone, item);
      locks.release(record);
      if (isPut) break;
      if (emptyBuckets.add(zone)) continue;
      parking.park(zone, item);
      break;
    }
    wakeFirst(zone);
    epochs.advance();
  }

  function wakeFirst({ record }: ZoneState): void {
    if (words[record + WAIT_COUNT] === 0) return;
    locks.acquire(record, LockRank.ZONE);
    const waiter = waiting.first(record + QUEUE);
    locks.release(record);
    if (waiter !== 0) machine.atomics.notify(waiter, 1);
  }

  // --- what is ripe ---

  /** Whether items need nothing done to them when they are ripe; the same in every thread. */
  function isPlain({ record }: ZoneState): boolean {
    return ((words[record + HOOKS] as number) & HookBit.DTOR) === 0 && machine.checkLevel < CheckLevel.TRASH;
  }

  /** Whether this thread knows the `dtor`: a reaper may not. */
  function canFinish({ record, hooks }: ZoneState): boolean {
    return ((words[record + HOOKS] as number) & HookBit.DTOR) === 0 || hooks.dtor !== null;
  }

  function finishItem(zone: ZoneState, item: number, errors: HookErrors): void {
    errors.run(zone.hooks.dtor, 'dtor', zone.name, item, How.NOWAIT);
    kegs.trash(zone.kegState, item);
  }

  /** The top of the oldest bucket, under the lock; 0: it is not ripe, or there is none. */
  function ripeLocked(record: number): number {
    const top = words[record + FIRST] as number;
    return top !== 0 && epochs.hasPassed(words[(top & ~BUCKET_MASK) + BUCKET_TAG] as number) ? top : 0;
  }

  function planFull(zone: ZoneState, top: number): void {
    intents.set((top & ~BUCKET_MASK) + BUCKET_TAG, 0);
    accounts.planPushFull(zone, top);
  }

  function ripenPlain(zone: ZoneState): boolean {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    const top = ripeLocked(record);
    if (top !== 0) {
      intents.begin(record);
      planUndefer(record, top);
      planFull(zone, top);
      intents.commit();
      accounts.serveWaiters(zone);
    }
    waiting.unlock(locks, record);
    return top !== 0;
  }

  /** The same, with work on each item, which is done without the lock: a hand names the bucket. */
  function ripenWithWork(zone: ZoneState, errors: HookErrors): boolean {
    const { record } = zone;
    const hand = hands.open(HandKind.DEFERRED, zone.number, 0, 0, 0);
    locks.acquire(record, LockRank.ZONE);
    const top = ripeLocked(record);
    if (top !== 0) {
      intents.begin(record);
      planUndefer(record, top);
      intents.set(hand + HELD, (top & ~BUCKET_MASK) << 2);
      intents.set(hand + COUNT, top & BUCKET_MASK);
      intents.commit();
    }
    locks.release(record);
    if (top === 0) {
      hands.close(hand);
      return false;
    }
    for (let at = top; (at & BUCKET_MASK) !== 0; at--) finishItem(zone, words[at] as number, errors);
    locks.acquire(record, LockRank.ZONE);
    intents.begin(record);
    planFull(zone, top);
    intents.set(hand, 0);
    intents.commit();
    hands.closed(hand);
    accounts.serveWaiters(zone);
    waiting.unlock(locks, record);
    return true;
  }

  function isWaiting({ record, epoch }: ZoneState): boolean {
    return epoch && (words[record + FIRST] !== 0 || words[record + PARKED_TAG] !== 0);
  }

  function ripen(zone: ZoneState): boolean {
    // A `dtor` that allocates from its own zone must not begin with the next bucket.
    if (!isWaiting(zone) || ripening || !canFinish(zone)) return false;
    epochs.advance();
    const errors = new HookErrors();
    const finish = (item: number): void => finishItem(zone, item, errors);
    let found = false;
    ripening = true;
    try {
      while (isPlain(zone) ? ripenPlain(zone) : ripenWithWork(zone, errors)) found = true;
      if (parking.unpark(zone, finish)) found = true;
    } finally {
      ripening = false;
    }
    if (found) for (const drain of drainExcess) drain(zone);
    errors.throwFirst();
    return found;
  }

  function putAway(zone: ZoneState): void {
    const { record, realCache: cache } = zone;
    if (!zone.epoch || ((words[cache + FREED] as number) & BUCKET_MASK) === 0) return;
    locks.acquire(record, LockRank.ZONE);
    words[cache + FREE_LIMIT] = 0;
    deferFreed(zone);
    locks.release(record);
  }

  function planPutAway(zone: ZoneState, cacheWord: number, top: number): void {
    if (zone.epoch && cacheWord === FREED && (top & BUCKET_MASK) !== 0) planDefer(zone, top);
    else accounts.planPush(zone, top);
  }

  /** Truth is the chain of the list; its length is counted anew. */
  function repair(record: number): void {
    const { buckets, items } = accounts.countBuckets(words[record + FIRST] as number);
    words[record + BUCKETS] = buckets;
    words[record + ITEMS] = items;
    if (words[record + Zone.epoch] !== 0) parking.repair(words[record + Zone.number] as number);
  }

  /** It was the first, and comes before the first again: its tag is the oldest. */
  function returnHand({ record }: ZoneState, hand: number): void {
    const bucket = (words[hand + HELD] as number) >>> 2;
    if (bucket === 0) {
      words[hand] = 0;
      return;
    }
    const items = words[hand + COUNT] as number;
    locks.acquire(record, LockRank.ZONE);
    intents.begin(record);
    intents.set(bucket, words[record + FIRST] as number);
    intents.set(record + FIRST, bucket + items);
    if (words[record + LAST] === 0) intents.set(record + LAST, bucket);
    count(record, 1, items);
    intents.set(hand, 0);
    intents.commit();
    locks.release(record);
  }

  return {
    freeItem,
    planDefer,
    planPutAway,
    putAway,
    ripen,
    isWaiting,
    periodMs: Math.max(PERIOD_MIN_MS, epochs.tickMs),
    wakeFirst,
    onExcess(drain) {
      drainExcess.push(drain);
    },
    repair,
    returnHand,
    settleParked: parking.settle,
  };
}
