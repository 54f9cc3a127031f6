/**
 * Sleeping for an item: the last rung. Blocking and asynchronous callers stand in one line per zone.
 *
 * A caller empties its own cache, enters the line under the zone's lock and closes every thread's cache
 * for frees, so that from then on each freed item goes to the head of the line. What it is granted is an
 * item, or one unit of the limit to fetch an item with. A caller that lacks pages rather than a unit
 * looks again itself, when it is the head, after each slice of sleep.
 */

import { LockRank, MbumaError } from '../check/index.js';
import { askAllToDrain, Hand, HandKind, SLICE_MS, type WaiterRef } from '../machine/index.js';
import { type Accounts, GIFT_UNIT, WaitFor, type ZoneAccount } from './accounts.js';
import type { UmaContext } from './context.js';
import type { Deferral } from './deferral.js';
import type { Drains } from './drains.js';
import { How } from './hooks.js';
import type { Kegs } from './kegs.js';
import type { Ladder } from './ladder.js';
import type { Reclaimer } from './reclaim.js';
import { Zone } from './records.js';
import { inClassOf, USES_RESERVE } from './request-class.js';
import { BELL_MS, type Shortage, type Shortages } from './shortage.js';
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

/** An asynchronous call that has a waiter. */
interface Call {
  readonly zone: ZoneState;
  readonly waiter: WaiterRef;
  inLine: boolean;
}

/** An asynchronous call that found all waiters of this thread taken. */
interface Latecomer {
  take(waiter: WaiterRef): void;
  refuse(error: unknown): void;
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
  const calls = new Set<Call>();
  /** Longest first. */
  const latecomers: Latecomer[] = [];
  let left = false;
  machine.onRewind(() => {
    calls.clear();
    latecomers.length = 0;
    left = false;
  });

  function assertAttached(): void {
    if (left) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
  }

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

  /** Leaves the line. True: a grant came first, and is still to be taken. */
  function leaveLine(zone: ZoneState, waiter: WaiterRef): boolean {
    locks.acquire(zone.record, LockRank.ZONE);
    const granted = waiting.isGranted(waiter);
    if (!granted) waiting.remove(zone.record + QUEUE, waiter);
    accounts.serveWaiters(zone);
    waiting.unlock(locks, zone.record);
    return granted;
  }

  /** Leaves the line; what was granted meanwhile goes to the next. */
  function abandon(zone: ZoneState, waiter: WaiterRef): void {
    if (!leaveLine(zone, waiter)) return;
    const hand = takeUnit(zone, waiter);
    if (hand !== 0) accounts.returnUnits(zone, hand);
    else ladder.freeItem(zone, waiting.takeGrant(waiter));
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
   * pages.
   */
  function look(zone: ZoneState, waiter: WaiterRef, flags: number, shortage: Shortage): number {
    if (!mayLook(zone, waiter, flags)) return 0;
    const before = kegs.shortages();
    shortage.beforeLook();
    zone.onExhausted?.();
    let item = takeInTurn(zone, waiter, flags);
    // A hook that lacks memory is no lack of pages.
    const shortOfPages = item === 0 && kegs.shortages() !== before;
    if (shortOfPages && reclaimer.reclaimPages(zone.kegState)) item = takeInTurn(zone, waiter, flags);
    if (item === 0) {
      if (shortOfPages) shortage.foundNothing();
      return 0;
    }
    try {
      // Granted at the same time: what was granted goes to the next.
      abandon(zone, waiter);
    } catch {
      // A `fini` of the second item failed. That item is back in its keg, and the caller has the first.
    }
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
    assertAttached();
    waiting.assertMayBlock(what, 'OUT_OF_MEMORY');
    const waiter = waiting.idleWaiter(what);
    const deadline = now() + timeoutMs;
    const kind = timeoutMs === Number.POSITIVE_INFINITY ? 'blocks for good' : 'blocks';
    const shortage = shortages.begin(what, flags, kind);
    // Others wake it to ask for what it has cached. If it looked again then, it would ask and wake them, too:
    // two who wait for pages would do nothing else.
    let lookAt = 0;
    let inLine = false;
    try {
      for (enter(zone, waiter); ; ) {
        inLine = true;
        while (!waiting.isGranted(waiter)) {
          if (deferral.ripen(zone) && waiting.isGranted(waiter)) break;
          const bells = reclaimer.bells();
          if (now() >= lookAt) {
            const item = look(zone, waiter, flags, shortage);
            if (item !== 0) {
              inLine = false;
              return item;
            }
            lookAt = now() + SLICE_MS;
          }
          const time = now();
          if (time < deadline) {
            const period = deferral.isWaiting(zone) ? deferral.periodMs : SLICE_MS;
            if (accounts.lacksMemory(waiter)) shortage.beforeSleep();
            waiting.sleepSlice(waiter, Math.min(deadline - time, lookAt - time, period));
            if (reclaimer.bells() !== bells) lookAt = Math.min(lookAt, now() + BELL_MS);
          } else if (!leaveLine(zone, waiter)) {
            inLine = false;
            if ((flags & CANFAIL) !== 0 && zone.lack === Lack.MEMORY) throw shortage.outOfMemory();
            throw timedOut(zone, timeoutMs);
          }
        }
        inLine = false;
        const item = redeem(zone, waiter, How.WAITOK);
        if (item !== 0) return item;
      }
    } finally {
      shortage.end();
      if (inLine) abandon(zone, waiter);
    }
  }

  function waitForWaiter(signal: AbortSignal | undefined): Promise<WaiterRef> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        latecomers.splice(latecomers.indexOf(latecomer), 1);
        reject(signal?.reason);
      };
      const latecomer: Latecomer = {
        take(waiter) {
          signal?.removeEventListener('abort', abort);
          resolve(waiter);
        },
        refuse(error) {
          signal?.removeEventListener('abort', abort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort);
      latecomers.push(latecomer);
    });
  }

  function returnWaiter(waiter: WaiterRef): void {
    const next = latecomers.shift();
    if (next === undefined) waiting.returnWaiter(waiter);
    else next.take(waiter);
  }

  async function allocWaiting(zone: ZoneState, flags: number, { signal }: AsyncOptions): Promise<number> {
    assertAttached();
    signal?.throwIfAborted();
    waiting.assertMayAwait(`allocAsync of zone ${zone.name}`, 'OUT_OF_MEMORY');
    // Who finds a waiter stands in line before this call returns: its place is that of its arrival.
    const waiter = waiting.takeWaiter() || (await waitForWaiter(signal));
    const call: Call = { zone, waiter, inLine: false };
    calls.add(call);
    // Wakes the sleeper at once: it then sees the signal itself.
    const wake = (): void => {
      machine.atomics.notify(waiter, 1);
    };
    signal?.addEventListener('abort', wake);
    const shortage = shortages.begin(`allocAsync of zone ${zone.name}`, flags, 'awaits');
    try {
      assertAttached();
      signal?.throwIfAborted();
      for (enter(zone, waiter); ; ) {
        call.inLine = true;
        assertAttached();
        signal?.throwIfAborted();
        let lookAt = 0;
        while (!waiting.isGranted(waiter)) {
          deferral.ripen(zone);
          const early = lookAt - now();
          if (early <= 0) {
            const item = inClassOf(pages, flags, () => look(zone, waiter, flags, shortage));
            if (item !== 0) {
              call.inLine = false;
              return item;
            }
            lookAt = now() + BELL_MS;
          }
          const slice = deferral.isWaiting(zone) ? deferral.periodMs : Number.POSITIVE_INFINITY;
          await waiting.sleepSliceAsync(waiter, early > 0 ? early : slice);
          assertAttached();
          // An abort wins over a grant: nobody looks at what an aborted call answers.
          signal?.throwIfAborted();
        }
        call.inLine = false;
        const item = inClassOf(pages, flags, () => redeem(zone, waiter, How.NOWAIT));
        if (item !== 0) return item;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      calls.delete(call);
      try {
        if (call.inLine) abandon(zone, waiter);
      } finally {
        returnWaiter(waiter);
      }
    }
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

  function leave(): void {
    left = true;
    for (const call of calls) {
      if (call.inLine) abandon(call.zone, call.waiter);
      call.inLine = false;
      machine.atomics.notify(call.waiter, 1);
    }
    for (const latecomer of latecomers.splice(0)) {
      latecomer.refuse(new MbumaError('DETACHED', 'this thread has detached from the memory'));
    }
  }

  return {
    allocBlocking,
    allocWaiting,
    setLimit,
    setLimitUnopened,
    callsOf: (zone) => [...calls].filter((call) => call.zone === zone).length,
    leave,
  };
}
