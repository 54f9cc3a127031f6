/**
 * Sleeping for an item: the last rung. Blocking and asynchronous callers stand in one line per zone.
 *
 * A caller enters the line under the zone's lock and closes every thread's cache for frees, so that from
 * then on each freed item goes to the head of the line. What it is granted is an item, or one unit of
 * the limit to fetch an item with. A caller that lacks pages rather than a unit looks again itself, when
 * it is the head, after each slice of sleep.
 */

import { LockRank, MbumaError } from '../check/index.js';
import { askAllToDrain, type WaiterRef } from '../machine/index.js';
import type { UmaContext } from './context.js';
import { How } from './hooks.js';
import { GIFT_UNIT, type Ladder, WaitFor } from './ladder.js';
import { Zone } from './records.js';
import { Lack, type ZoneState } from './zone-state.js';

/** Options of the asynchronous calls. */
export interface AsyncOptions {
  /** Ends the wait: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Sleepers {
  /** Blocks until an item is there. Throws TIMED_OUT, WOULD_BLOCK, SLEEP_WITH_LOCK, a hook's error. */
  allocBlocking(zone: ZoneState, timeoutMs: number): number;
  /** The same without blocking. */
  allocWaiting(zone: ZoneState, options: AsyncOptions): Promise<number>;
  /** Changes the limit and serves whoever fits under the new one. */
  setLimit(zone: ZoneState, limit: number): void;
}

export function createSleepers(context: UmaContext, ladder: Ladder): Sleepers {
  const { machine, threads, locks, waiting } = context;
  const { words } = machine;
  const { waitHead: QUEUE, limit: LIMIT, itemsOut: ITEMS_OUT } = Zone;
  /** Asynchronous callers that found all waiters of this thread taken, longest first. */
  const backlog: ((waiter: WaiterRef) => void)[] = [];

  function enter(zone: ZoneState, waiter: WaiterRef): void {
    const wants = ladder.lack() === Lack.MEMORY ? WaitFor.MEMORY : WaitFor.UNIT;
    locks.acquire(zone.record, LockRank.ZONE);
    waiting.enqueue(zone.record + QUEUE, waiter, wants);
    ladder.closeCaches(zone);
    ladder.serveWaiters(zone);
    locks.release(zone.record);
    askAllToDrain(threads);
  }

  /** Leaves the line. True: a grant came first, and is still to be taken. */
  function leave(zone: ZoneState, waiter: WaiterRef): boolean {
    locks.acquire(zone.record, LockRank.ZONE);
    const granted = waiting.isGranted(waiter);
    if (!granted) waiting.remove(zone.record + QUEUE, waiter);
    ladder.serveWaiters(zone);
    locks.release(zone.record);
    return granted;
  }

  /** Turns a grant into an item; 0 when the unit could not be used because pages are lacking. */
  function redeem(zone: ZoneState, waiter: WaiterRef): number {
    const gift = waiting.takeGrant(waiter);
    const item = gift === GIFT_UNIT ? ladder.takeReserved(zone, How.WAITOK) : gift;
    if (item !== 0) ladder.own(zone, item);
    return item;
  }

  /** Under no lock: what the head of the line does when it lacks pages. 0: nothing yet. */
  function retryAsHead(zone: ZoneState, waiter: WaiterRef): number {
    const { record } = zone;
    locks.acquire(record, LockRank.ZONE);
    const limit = words[record + LIMIT] as number;
    const out = words[record + ITEMS_OUT] as number;
    const mayTry =
      !waiting.isGranted(waiter) &&
      waiting.first(record + QUEUE) === waiter &&
      waiting.requestOf(waiter) === WaitFor.MEMORY &&
      (limit === 0 || out < limit);
    if (mayTry) words[record + ITEMS_OUT] = out + 1;
    locks.release(record);
    if (!mayTry) return 0;
    if (zone.onExhausted?.() === true) machine.witness.assertMaySleep('onExhausted');
    const item = ladder.takeReserved(zone, How.NOWAIT);
    if (item === 0) return 0;
    ladder.own(zone, item);
    if (leave(zone, waiter)) {
      // Granted at the same time: one of the two goes to the next in line.
      const second = redeem(zone, waiter);
      if (second !== 0) ladder.freeItem(zone, second);
    }
    return item;
  }

  function abandon(zone: ZoneState, waiter: WaiterRef): void {
    if (!leave(zone, waiter)) return;
    const item = redeem(zone, waiter);
    if (item !== 0) ladder.freeItem(zone, item);
  }

  function timedOut(zone: ZoneState, timeoutMs: number): MbumaError {
    ladder.countFailure(zone);
    return new MbumaError('TIMED_OUT', `zone ${zone.name}: no item within ${timeoutMs} ms`, { zone: zone.name });
  }

  function allocBlocking(zone: ZoneState, timeoutMs: number): number {
    waiting.assertMayBlock(`alloc of zone ${zone.name}`);
    const deadline = performance.now() + timeoutMs;
    const waiter = waiting.blockingWaiter;
    for (;;) {
      enter(zone, waiter);
      for (;;) {
        const left = deadline - performance.now();
        if (waiting.isGranted(waiter)) break;
        const item = retryAsHead(zone, waiter);
        if (item !== 0) return item;
        if (left <= 0) {
          if (leave(zone, waiter)) break;
          throw timedOut(zone, timeoutMs);
        }
        waiting.sleepSlice(waiter, left);
      }
      const item = redeem(zone, waiter);
      if (item !== 0) return item;
    }
  }

  function borrowWaiter(): Promise<WaiterRef> | WaiterRef {
    const waiter = waiting.takeWaiter();
    if (waiter !== 0) return waiter;
    return new Promise((resolve) => backlog.push(resolve));
  }

  function giveWaiterBack(waiter: WaiterRef): void {
    const next = backlog.shift();
    if (next === undefined) waiting.returnWaiter(waiter);
    else next(waiter);
  }

  async function allocWaiting(zone: ZoneState, { signal }: AsyncOptions): Promise<number> {
    signal?.throwIfAborted();
    const waiter = await borrowWaiter();
    let inLine = false;
    // Wakes the sleeper at once: it then sees the signal itself.
    const wake = (): void => {
      machine.atomics.notify(waiter, Number.MAX_SAFE_INTEGER | 0);
    };
    signal?.addEventListener('abort', wake);
    try {
      for (;;) {
        signal?.throwIfAborted();
        enter(zone, waiter);
        inLine = true;
        while (!waiting.isGranted(waiter)) {
          signal?.throwIfAborted();
          const item = retryAsHead(zone, waiter);
          if (item !== 0) {
            inLine = false;
            return item;
          }
          await waiting.sleepSliceAsync(waiter, Number.POSITIVE_INFINITY);
        }
        inLine = false;
        const item = redeem(zone, waiter);
        if (item !== 0) return item;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      if (inLine) abandon(zone, waiter);
      giveWaiterBack(waiter);
    }
  }

  function setLimit(zone: ZoneState, limit: number): void {
    locks.acquire(zone.record, LockRank.ZONE);
    words[zone.record + LIMIT] = limit;
    // Every thread looks at the new limit at its next free.
    ladder.closeCaches(zone);
    ladder.serveWaiters(zone);
    locks.release(zone.record);
  }

  return { allocBlocking, allocWaiting, setLimit };
}
