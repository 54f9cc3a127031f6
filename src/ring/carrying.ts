/**
 * Rings that carry items: what is taken belongs to its taker from the same step on.
 *
 * An item's owner byte says whom it dies with. The word of an item that is put into a ring still has its
 * putter's; so the take changes it, before the word leaves the ring, and while a word is in the ring, or
 * granted to a waiter that has not taken it, whoever cleans up after the putter leaves the item alone.
 */

import { LockRank } from '../check/index.js';
import { Waiter, type WaiterRef, WaiterState } from '../machine/index.js';
import type { RingContext } from './context.js';
import { Ring, type RingRef } from './records.js';
import type { Registry } from './registry.js';

/** Makes an item of a keg that of the thread in a slot; does nothing with a word that is no such item. */
export type Carry = (keg: number, word: number, slot: number) => void;

export interface Carrying {
  /** A word is about to leave the ring, for this thread. */
  carry(ring: RingRef, word: number): void;
  /** The gift of a waiter of the take end; the waiter is idle again. */
  receive(ring: RingRef, waiter: WaiterRef): number;
  /** What a dead thread was granted, and had not taken, was its own. */
  carryGifts(slot: number): void;
  /** The words in all rings that carry items, by keg. */
  inTransit(): Map<number, Set<number>>;
}

export function createCarrying(context: RingContext, registry: Registry, carryItem: Carry): Carrying {
  const { machine, threads, locks, waiting } = context;
  const { words } = machine;
  const { load } = machine.atomics;
  const { keg: KEG, head: HEAD, tail: TAIL, slots: SLOTS, mask: MASK, takers: TAKERS } = Ring;
  const { takeLock: TAKE_LOCK } = Ring;
  const { slot } = threads;

  function carry(ring: RingRef, word: number): void {
    const keg = words[ring + KEG] as number;
    if (keg !== 0) carryItem(keg, word, slot);
  }

  /** Visits what the waiters of a slot have been granted by the take end of a ring that carries items. */
  function eachGift(other: number, visit: (keg: number, word: number) => void): void {
    for (let index = 0; index < threads.waitersPerSlot; index++) {
      const waiter = threads.waiterRef(other, index);
      // A living thread may take its gift meanwhile, and be granted another one: then that is looked at.
      let ticket: number | undefined;
      while (
        load(waiter + Waiter.state) === WaiterState.GRANTED &&
        words[waiter + Waiter.ticket] !== ticket
      ) {
        ticket = words[waiter + Waiter.ticket];
        const ring = registry.find((words[waiter + Waiter.queue] as number) - TAKERS);
        const keg = ring === 0 ? 0 : (words[ring + KEG] as number);
        if (keg !== 0) visit(keg, waiting.giftOf(waiter));
      }
    }
  }

  function eachWord(ring: RingRef, visit: (word: number) => void): void {
    locks.acquire(ring + TAKE_LOCK, LockRank.RING);
    const tail = load(ring + TAIL);
    for (let at = load(ring + HEAD); at !== tail; at = (at + 1) | 0) {
      visit(words[(words[ring + SLOTS] as number) + (at & (words[ring + MASK] as number))] as number);
    }
    waiting.unlock(locks, ring + TAKE_LOCK);
  }

  return {
    carry,
    receive(ring, waiter) {
      carry(ring, waiting.giftOf(waiter));
      return waiting.takeGrant(waiter);
    },
    carryGifts(dead) {
      eachGift(dead, (keg, word) => carryItem(keg, word, dead));
    },
    inTransit() {
      const found = new Map<number, Set<number>>();
      const add = (keg: number, word: number): void => {
        const set = found.get(keg);
        if (set === undefined) found.set(keg, new Set([word]));
        else set.add(word);
      };
      // First the rings, then the gifts: a word goes from the one to the other.
      for (let index = 0; index < registry.count(); index++) {
        const ring = registry.at(index);
        const keg = words[ring + KEG] as number;
        if (keg !== 0) eachWord(ring, (word) => add(keg, word));
      }
      for (let other = 1; other <= threads.maxThreads; other++)
        if (threads.isLive(other)) eachGift(other, add);
      return found;
    },
  };
}
