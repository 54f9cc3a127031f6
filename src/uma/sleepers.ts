/**
 * Sleeping for an item: the last rung. Blocking and asynchronous callers stand in one line per zone.
 *
 * A caller empties its own cache, enters the line under the zone's lock and closes every thread's cache
 * for frees, so that from then on each freed item goes to the head of the line. What it is granted is an
 * item, or one unit of the limit to fetch an item with. A caller that lacks pages rather than a unit
 * looks again itself, when it is the head, after each slice of sleep.
 */

import { LockRank, MbumaError } from '../check/index.js';
import {
  askAllToDrain,
  createAsyncLines,
  Hand,
  HandKind,
  SLICE_MS,
  type WaiterRef,
} from '../machine/index.js';
import { type Accounts, GIFT_UNIT, WaitFor, type ZoneAccount } from './accounts.js';
import type { UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import type { Drains } from './drains.js';
import { How } from './hooks.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import { createLookTimes } from './look-times.js';
import type { Reclaimer } from './reclaim.js';
import { Zone } from './records.js';
import { inClassOf, USES_RESERVE } from './request-class.js';
import type { Shortage, Shortages, WaitKind } from './shortage.js';
import { CANFAIL } from './zone-api.js';
import { Lack, type ZoneState } from './zone-state.js';

/** Options of the asynchronous calls. */
export interface AsyncOptions {
  /** Ends the wait: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Sleepers {
  /**
   * Blocks until an item is there. Throws TIMED_OUT, WOULD_BLOCK, SLEEP_WITH_LOCK, a hook's error;
   * OUT_OF_MEMORY and MEMORY_DEADLOCK as shortage.ts says.
   */
  allocBlocking(zone: ZoneState, flags: number, timeoutMs: number): number;
  /** The same without blocking. */
  allocWaiting(zone: ZoneState, flags: number, options: AsyncOptions): Promise<number>;
  /** Changes the limit and serves whoever fits under the new one. */
  setLimit(zone: ZoneState, limit: number): void;
  /**
   * The same for a zone that this thread has not opened. What is cached beyond a lowered limit goes back when
   * a thread that has the zone's hooks polls or frees.
   */
  setLimitUnopened(zone: ZoneAccount, limit: number): void;
  /** Asynchronous calls of this thread that wait for the zone. */
  callsOf(zone: ZoneState): number;
  /** This thread leaves the memory: its asynchronous calls leave their lines, and end with DETACHED. */
  leave(): void;
}

export function createSleepers(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  ladder: Ladder,
  deferral: Deferral,
  drains: Drains,
  reclaimer: Reclaimer,
  shortages: Shortages,
): Sleepers {
  const { machine, threads, locks, waiting, hands, intents, pages } = context;
  const { words, now } = machine;
  const { waitHead: QUEUE, limit: LIMIT, itemsOut: ITEMS_OUT } = Zone;
  const lines = createAsyncLines(context);

  function enter(zone: ZoneState, waiter: WaiterRef): void {
    // What this thread has cached meanwhile nobody could hand to it.
    drains.drainCache(zone);
    locks.acquire(zone.record, LockRank.ZONE);
    const limit = words[zone.record + LIMIT] as number;
    // With room, who stands before it lacks memory, and so does it.
    const hasRoom = limit === 0 || (words[zone.record + ITEMS_OUT] as number) < limit;
    accounts.lineUp(zone, waiter, hasRoom ? WaitFor.MEMORY : WaitFor.UNIT);
    accounts.serveWaiters(zone);
    waiting.unlock(locks, zone.record);
    askAllToDrain(threads);
  }

  /** Leaves the line; who is the first then may look. True: a grant came first, and is still to be taken. */
  function leaveLine(zone: ZoneState, waiter: WaiterRef): boolean {
    const queue = zone.record + QUEUE;
    locks.acquire(zone.record, LockRank.ZONE);
    const granted = waiting.isGranted(waiter);
    const wasFirst = waiting.first(queue) === waiter;
    if (!granted) waiting.remove(queue, waiter);
    accounts.serveWaiters(zone);
    const next = wasFirst ? waiting.first(queue) : 0;
    waiting.unlock(locks, zone.record);
    if (next !== 0) waiting.ring(next);
    return granted;
  }

  /** Leaves the line; what was granted meanwhile goes to the next. */
  function abandon(zone: ZoneState, waiter: WaiterRef): void {
    if (!leaveLine(zone, waiter)) return;
    const hand = takeUnit(zone, waiter);
    if (hand !== 0) {
      accounts.returnUnits(zone, hand);
      return;
    }
    try {
      ladder.freeItem(zone, waiting.takeGrant(waiter));
    } catch {
      // A hook failed. The item is back in its keg, and the caller has something else to tell.
    }
  }

  /** The unit that a waiter was granted, into a hand; 0: it was granted an item. */
  function takeUnit(zone: ZoneState, waiter: WaiterRef): number {
    if (waiting.giftOf(waiter) !== GIFT_UNIT) return 0;
    // The hand names the waiter: until that has given it up, the unit is the waiter's.
    const hand = hands.open(HandKind.ITEM, zone.number, 0, 1, waiter);
    waiting.takeGrant(waiter);
    return hand;
  }

  /** Turns a grant into an item; 0 when pages are lacking: the waiter is in the line again. */
  function redeem(zone: ZoneState, waiter: WaiterRef, how: How): number {
    const hand = takeUnit(zone, waiter);
    if (hand !== 0) {
      const item = ladder.takeReserved(zone, hand, how, waiter);
      if (item === 0) askAllToDrain(threads);
      return item;
    }
    const item = waiting.takeGrant(waiter);
    ladder.own(zone, item);
    return item;
  }

  /**
   * Whether the waiter lacks pages, and it is its turn: it is the head, or may take what the head may not.
   */
  function mayLook(zone: ZoneState, waiter: WaiterRef, flags: number): boolean {
    const isFirst = (flags & USES_RESERVE) !== 0 || waiting.isFirst(zone.record + QUEUE, waiter);
    return isFirst && accounts.lacksMemory(waiter);
  }

  /**
   * An item for who may look, on a unit of its own; 0 when there is none, or it is another's turn by now.
   */
  function takeInTurn(zone: ZoneState, waiter: WaiterRef, flags: number): number {
    const { record } = zone;
    const hand = hands.open(HandKind.ITEM, zone.number, 0, 0, 0);
    locks.acquire(record, LockRank.ZONE);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    const hasRoom = limit === 0 || out < limit;
    const mayTry = hasRoom && !waiting.isGranted(waiter) && mayLook(zone, waiter, flags);
    if (mayTry) {
      intents.begin(record);
      intents.set(record + ITEMS_OUT, out + 1);
      intents.set(hand + Hand.SECOND, 1);
      intents.commit();
    }
    locks.release(record);
    const usesReserve = (flags & USES_RESERVE) !== 0;
    if (mayTry) return ladder.takeReserved(zone, hand, How.NOWAIT, 0, usesReserve);
    hands.close(hand);
    return 0;
  }

  /**
   * Under no lock: what who lacks memory does in his turn. 0: nothing yet; `shortage` knows that it is
   * pages. With an item, he still stands in line.
   */
  function look(zone: ZoneState, waiter: WaiterRef, flags: number, shortage: Shortage): number {
    if (!mayLook(zone, waiter, flags)) return 0;
    const before = kegs.shortages();
    // A hook that lacks memory is no lack of pages.
    const isShortOfPages = (): boolean => kegs.shortages() !== before;
    const item = shortage.look(() => {
      zone.onExhausted?.();
      const take = (): number | null => {
        const found = takeInTurn(zone, waiter, flags);
        return found === 0 && isShortOfPages() ? null : found;
      };
      return take() ?? reclaimer.obtain(zone.kegState.pagesPerSlab, zone.kegState, take) ?? 0;
    });
    if (item === 0 && isShortOfPages()) shortage.foundNothing();
    return item;
  }

  function timedOut(zone: ZoneState, timeoutMs: number): MbumaError {
    ladder.countFailure(zone);
    return new MbumaError('TIMED_OUT', `zone ${zone.name}: no item within ${timeoutMs} ms`, {
      zone: zone.name,
    });
  }

  function allocBlocking(zone: ZoneState, flags: number, timeoutMs: number): number {
    return inClassOf(pages, flags, () => allocInClass(zone, flags, timeoutMs));
  }

  function allocInClass(zone: ZoneState, flags: number, timeoutMs: number): number {
    const what = `alloc of zone ${zone.name}`;
    lines.assertAttached();
    waiting.assertMayBlock(what, 'OUT_OF_MEMORY');
    const waiter = waiting.idleWaiter(what);
    const deadline = now() + timeoutMs;
    const kind: WaitKind = timeoutMs === Number.POSITIVE_INFINITY ? 'blocks for good' : 'blocks';
    const shortage = shortages.begin(what, flags, kind, zone.kegState.pagesPerSlab);
    const times = createLookTimes(context);
    let inLine = false;
    try {
      for (enter(zone, waiter); ; ) {
        inLine = true;
        while (!waiting.isGranted(waiter)) {
          if (deferral.ripen(zone) && waiting.isGranted(waiter)) break;
          if (times.start()) {
            const item = look(zone, waiter, flags, shortage);
            if (item !== 0) return item;
            times.next();
          }
          const rest = deadline - now();
          if (rest > 0) {
            if (accounts.lacksMemory(waiter)) shortage.beforeSleep();
            const period = deferral.isWaiting(zone) ? deferral.periodMs : rest;
            times.sleep(waiter, Math.min(rest, period));
          } else if (!leaveLine(zone, waiter)) {
            inLine = false;
            if ((flags & CANFAIL) !== 0 && zone.lack === Lack.MEMORY) throw shortage.outOfMemory();
            throw timedOut(zone, timeoutMs);
          }
        }
        inLine = false;
        const item = redeem(zone, waiter, How.WAITOK);
        if (item !== 0) return item;
        times.hurry();
      }
    } finally {
      shortage.end();
      if (inLine) abandon(zone, waiter);
    }
  }

  function allocWaiting(zone: ZoneState, flags: number, { signal }: AsyncOptions): Promise<number> {
    const what = `allocAsync of zone ${zone.name}`;
    const shortage = shortages.begin(what, flags, 'awaits', zone.kegState.pagesPerSlab);
    const waited = lines.stand<number>(
      {
        what,
        of: zone,
        enter: (waiter) => enter(zone, waiter),
        abandon: (waiter) => abandon(zone, waiter),
        look(waiter) {
          deferral.ripen(zone);
          // Whatever wakes it may be pages that came free.
          const item = inClassOf(pages, flags, () => look(zone, waiter, flags, shortage));
          return item === 0 ? null : item;
        },
        redeem(waiter) {
          const item = inClassOf(pages, flags, () => redeem(zone, waiter, How.NOWAIT));
          return item === 0 ? null : item;
        },
        sliceMs: () => (deferral.isWaiting(zone) ? deferral.periodMs : SLICE_MS),
      },
      signal,
    );
    return waited.finally(() => shortage.end());
  }

  /** True: the limit was lowered, and items are out beyond it. */
  function writeLimit(zone: ZoneAccount, limit: number): boolean {
    locks.acquire(zone.record, LockRank.ZONE);
    words[zone.record + LIMIT] = limit;
    // Every thread looks at the new limit at its next free.
    accounts.closeCaches(zone);
    accounts.serveWaiters(zone);
    const excess = accounts.excessOf(zone);
    waiting.unlock(locks, zone.record);
    return excess > 0;
  }

  function setLimit(zone: ZoneState, limit: number): void {
    if (!writeLimit(zone, limit)) return;
    // What is cached beyond it goes back now, and in other threads when they poll.
    drains.drainCache(zone);
    askAllToDrain(threads);
  }

  function setLimitUnopened(zone: ZoneAccount, limit: number): void {
    if (writeLimit(zone, limit)) askAllToDrain(threads);
  }

  return {
    allocBlocking,
    allocWaiting,
    setLimit,
    setLimitUnopened,
    callsOf: lines.callsOf,
    leave: lines.leave,
  };
}
