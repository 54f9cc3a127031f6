/**
 * What types have in use, and their limits.
 *
 * A type without a limit is counted in batches: each thread has a cell, and settles it when up to 64 KiB have
 * come together. Of a type with a limit every allocation and every free settles, under the type's lock, so
 * that the limit is exact. Room for a block is *charged* before the block is looked for, and comes back after
 * the block is free; while neither has it, a hand does, and who finds the thread dead gives it back.
 *
 * Who waits for room stands in the type's line: first come, first served, and nobody passes them; but for
 * those who want more than the limit, whom all may pass until it rises.
 */

import { LockRank } from '../check/index.js';
import { Hand, HandKind, Waiter, type WaiterRef, WaiterState } from '../machine/index.js';
import type { MallocContext } from './context.js';
import type { Marks } from './marks.js';
import { MallocState, MallocType, TYPE_WORDS, TypeCell, type TypeRef } from './records.js';
import type { Registry } from './registry.js';

export interface Accounts {
  /** Granules; 0: no limit. A hint. */
  limitOf(type: TypeRef): number;
  /** Whether so many granules can never be had as long as the limit is what it is: a hint without the lock. */
  isAboveLimit(type: TypeRef, granules: number): boolean;
  /** Whether the type has a limit now: a hint. */
  isLimited(type: TypeRef): boolean;
  /** Charges room for so many granules, into the hand. False: there is none, or others wait for it. */
  charge(type: TypeRef, granules: number, hand: number): boolean;
  /** Gives back what the hand has, and closes it. */
  discharge(type: TypeRef, hand: number): void;
  /** Counts granules of a type without a limit in this thread's cell, taken or (less than 0) freed. */
  countInBatch(type: TypeRef, granules: number): void;
  /** Granules in use, with what is pending; exact when nobody works. */
  inUse(type: TypeRef): number;
  setLimit(type: TypeRef, granules: number): void;
  /** Stands in line for room; is served at once, should there be room by now. */
  enter(type: TypeRef, granules: number, waiter: WaiterRef): void;
  /** Leaves the line; what was granted meanwhile goes to the next. */
  abandon(type: TypeRef, waiter: WaiterRef): void;
  /** What the waiter was granted goes into the hand. */
  redeem(waiter: WaiterRef, hand: number): void;
  /** After a death: the thread waits for nothing, and what it was granted goes to the next. */
  reap(slot: number): void;
}

export function createAccounts(context: MallocContext, registry: Registry, marks: Marks): Accounts {
  const { machine, locks, threads, waiting, intents, hands } = context;
  const { words, floats } = machine;
  const { load } = machine.atomics;
  const { lock: LOCK, limit: LIMIT, used: USED, high: HIGH, line: LINE } = MallocType;
  const { batched: BATCHED, blocked: BLOCKED } = MallocType;
  const { pending: PENDING, most: MOST, least: LEAST } = TypeCell;
  const { SECOND: GRANULES, THIRD: WAITER } = Hand;
  const rank = LockRank.TYPE;
  const read = (index: number): number => words[index] as number;

  function pendingOf(type: TypeRef): number {
    if (read(type + BATCHED) === 0) return 0;
    let sum = 0;
    for (let slot = 1; slot <= threads.maxThreads; slot++) sum += read(registry.cellOf(type, slot) + PENDING);
    return sum;
  }

  /** Room that is left; 0 of none, and where the limit has been lowered below what is in use. */
  function roomLocked(type: TypeRef): number {
    const limit = read(type + LIMIT);
    return limit === 0 ? Number.POSITIVE_INFINITY : Math.max(0, limit - read(type + USED) - pendingOf(type));
  }

  function noteHigh(type: TypeRef, used: number): void {
    if (used > read(type + HIGH)) words[type + HIGH] = used;
  }

  /** `used` becomes what is said, and a word with it. */
  function commit(type: TypeRef, used: number, word: number, value: number): void {
    intents.begin(type + LOCK);
    intents.set(type + USED, used);
    intents.set(word, value);
    intents.commit();
    noteHigh(type, used);
  }

  function settleLocked(type: TypeRef): void {
    const cell = registry.cellOf(type, threads.slot);
    const pending = read(cell + PENDING);
    if (pending !== 0) commit(type, read(type + USED) + pending, cell + PENDING, 0);
  }

  /** Large blocks come here at each call: no closure. */
  function settle(type: TypeRef): void {
    locked(type, settleLocked);
  }

  const isAboveLimit = (type: TypeRef, granules: number): boolean =>
    read(type + LIMIT) !== 0 && granules > read(type + LIMIT);

  /** The first in line, but for those who want more than the limit: they wait until that rises. 0: nobody. */
  function firstInTurn(type: TypeRef): WaiterRef | 0 {
    let waiter = waiting.first(type + LINE);
    while (waiter !== 0 && isAboveLimit(type, waiting.requestOf(waiter))) waiter = waiting.next(waiter);
    return waiter;
  }

  /** Whoever is first in turn, and for whom there is room, gets it. */
  function serveLocked(type: TypeRef): void {
    const queue = type + LINE;
    for (let waiter = firstInTurn(type); waiter !== 0; waiter = firstInTurn(type)) {
      const granules = waiting.requestOf(waiter);
      if (granules > roomLocked(type)) return;
      const used = read(type + USED) + granules;
      intents.begin(type + LOCK);
      intents.set(type + USED, used);
      intents.commitGrant(queue, waiter, granules, 0);
      noteHigh(type, used);
    }
  }

  function locked<Result>(type: TypeRef, work: (type: TypeRef) => Result): Result {
    locks.acquire(type + LOCK, rank);
    try {
      return work(type);
    } finally {
      waiting.unlock(locks, type + LOCK);
    }
  }

  function give(type: TypeRef, granules: number, word: number, value: number): void {
    locked(type, () => {
      settleLocked(type);
      commit(type, read(type + USED) - granules, word, value);
      serveLocked(type);
    });
  }

  /** The lock has been taken over from a dead thread. */
  function repair(type: TypeRef): void {
    intents.finishOfDead(type + LOCK);
    waiting.rebuildLine(type + LINE);
    registry.writeBounds(type);
    serveLocked(type);
  }

  locks.onTakeOver(registry.at(0), registry.at(registry.most), rank, (lock) =>
    repair(registry.at(Math.floor((lock - registry.at(0)) / TYPE_WORDS))),
  );

  /** What a dead thread had charged for, and had not given to its caller, nobody has. */
  function emptyHand(hand: number): void {
    const type = registry.at(hands.numberOf(hand));
    const waiter = read(hand + WAITER);
    const isWaiters = waiter !== 0 && load(waiter + Waiter.state) === WaiterState.GRANTED;
    const block = read(hand + Hand.HELD);
    // What has been claimed is in use, and the room with it.
    const isBlocks = block !== 0 && marks.isClaimed(type, block);
    if (!isWaiters && !isBlocks && read(hand + GRANULES) !== 0)
      give(type, read(hand + GRANULES), hand + GRANULES, 0);
    words[hand] = 0;
  }

  return {
    limitOf: (type) => read(type + LIMIT),
    isAboveLimit,
    isLimited: (type) => read(type + LIMIT) !== 0,
    charge(type, granules, hand) {
      return locked(type, () => {
        settleLocked(type);
        if (firstInTurn(type) !== 0 || granules > roomLocked(type)) {
          floats[(type + BLOCKED) >> 1] = (floats[(type + BLOCKED) >> 1] as number) + 1;
          return false;
        }
        commit(type, read(type + USED) + granules, hand + GRANULES, granules);
        return true;
      });
    },
    discharge(type, hand) {
      if (read(hand + GRANULES) !== 0) give(type, read(hand + GRANULES), hand + GRANULES, 0);
      hands.close(hand);
    },
    countInBatch(type, granules) {
      const cell = registry.cellOf(type, threads.slot);
      const pending = (read(cell + PENDING) + granules) | 0;
      words[cell + PENDING] = pending;
      if (pending > read(cell + MOST) || pending < read(cell + LEAST)) settle(type);
    },
    inUse: (type) => read(type + USED) + pendingOf(type),
    setLimit(type, granules) {
      locked(type, () => {
        words[type + LIMIT] = granules;
        registry.writeBounds(type);
        serveLocked(type);
      });
    },
    enter(type, granules, waiter) {
      locked(type, () => {
        waiting.enqueue(type + LINE, waiter, granules);
        serveLocked(type);
      });
    },
    abandon(type, waiter) {
      locked(type, () => {
        if (waiting.isGranted(waiter)) returnGiftLocked(type, waiter);
        else waiting.remove(type + LINE, waiter);
        serveLocked(type);
      });
    },
    redeem(waiter, hand) {
      // The hand names the waiter: until that has let go, what was granted is the waiter's.
      words[hand + WAITER] = waiter;
      words[hand + GRANULES] = waiting.giftOf(waiter);
      waiting.takeGrant(waiter);
      words[hand + WAITER] = 0;
    },
    reap(slot) {
      machine.atomics.add(machine.area('malloc') + MallocState.deaths, 1);
      // Before the gifts: a hand may name a waiter that has one.
      for (const hand of hands.ofSlot(slot)) if (hands.kindOf(hand) === HandKind.CHARGE) emptyHand(hand);
      for (let index = 0; index < registry.count(); index++) {
        const type = registry.at(index);
        locked(type, () => {
          waiting.removeAllOf(type + LINE, slot);
          for (let index = 0; index < threads.waitersPerSlot; index++) {
            const waiter = threads.waiterRef(slot, index);
            if (read(waiter + Waiter.queue) === type + LINE && waiting.isGranted(waiter))
              returnGiftLocked(type, waiter);
          }
          serveLocked(type);
        });
      }
    },
  };

  /** What a waiter was granted, and will not take. */
  function returnGiftLocked(type: TypeRef, waiter: WaiterRef): void {
    commit(type, read(type + USED) - waiting.giftOf(waiter), waiter + Waiter.grant, 0);
    waiting.takeGrant(waiter);
  }
}
