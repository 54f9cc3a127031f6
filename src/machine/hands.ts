/**
 * Hands: what a thread has taken out of one place and not yet put into another.
 *
 * A bucket on its way from a list to a cache, an item between keg and user, a run that becomes a slab: while
 * such a thing is in no structure, a hand names it, so that whoever finds the thread dead can put it back.
 * Hands are opened and closed like brackets; hooks that allocate open more of them inside.
 *
 *   hand + 0   kind, and in the bits above the number of what it belongs to; 0: not in use. Written last.
 *   hand + 1   what is held, as its kind says; 0: nothing (any more). Structures write it under their lock.
 *   hand + 2   a second number
 *   hand + 3   a third
 *
 * Guard: the thread itself; its reaper when it is dead.
 */

import { MbumaError } from '../check/index.js';
import type { Machine } from './machine.js';
import { HAND_WORDS, HANDS_MAX, ThreadSlot } from './records.js';
import type { Threads } from './threads.js';

const KIND_BITS = 4;
const KIND_MASK = 15;

/** What a hand holds. */
export const HandKind = {
  /** A bucket (byte address) of a zone, and how many units of the zone's limit its items may use. */
  BUCKET: 1,
  /** A run (first page) that becomes a slab or was one, its header, how many items `init` has seen. */
  SLAB: 2,
  /** An item of a zone, its unit of the limit, and the waiter whose gift the unit was. */
  ITEM: 3,
  /** A run (first page) of so many pages. */
  RUN: 4,
  /** An item on its way back from a zone to its keg, and its unit. */
  BACK: 5,
  /** A cluster of which a packet lets go, and the packet. */
  CLUSTER: 6,
  /** An external buffer whose free function (number) is to be called: address, length, argument. */
  CALL: 7,
  /** A run (first page) of a guarded item, its unit of the zone's limit, and its record (byte address). */
  GUARD: 12,
  /** A bucket (byte address) of an epoch zone that is ripe, its tag in it, and how many items it has. */
  DEFERRED: 8,
  /** A run (first page) of so many pages that becomes a large block of malloc. */
  LARGE_BLOCK: 10,
  /** Room under the limit of a malloc type (number): granules, and the waiter whose gift they were. */
  CHARGE: 9,
  /** The header (byte address) of a run of a foreign keg that no list names, and the number of its keg. */
  FOREIGN: 13,
} as const;

/** Words of a hand. */
export const Hand = { KIND: 0, HELD: 1, SECOND: 2, THIRD: 3 } as const;

export interface Hands {
  /**
   * Opens a hand; its word index.
   *
   * @throws HOOK_FAILED when hooks that allocate are nested so deep that no hand is left
   */
  open(kind: number, number: number, held: number, second: number, third: number): number;
  /** Throws as `open` would: before a lock is taken under which one is opened. */
  assertFree(): void;
  /** Closes the hand that was opened last; what it held is elsewhere. */
  close(hand: number): void;
  /** Says that the hand has been closed by a commit. */
  closed(hand: number): void;
  /** Hands of a slot that are in use, the last opened first. */
  ofSlot(slot: number): number[];
  /** Visits the hands of every slot that is dead: for repairs under a lock. */
  eachOfDead(visit: (hand: number) => void): void;
  kindOf(hand: number): number;
  numberOf(hand: number): number;
}

export function createHands(machine: Machine, threads: Threads): Hands {
  const { words } = machine;
  const { hands: HANDS, handCount: HAND_COUNT } = ThreadSlot;
  const { self, slotRef, maxThreads, assertHere } = threads;
  const COUNT = self + HAND_COUNT;
  const FIRST = self + HANDS;
  const END = FIRST + HANDS_MAX * HAND_WORDS;

  /** A reaper closes hands that are not its own. */
  function closed(hand: number): void {
    if (hand >= FIRST && hand < END) words[COUNT] = (hand - FIRST) / HAND_WORDS;
  }

  function ofSlot(slot: number): number[] {
    const found: number[] = [];
    const first = slotRef(slot) + HANDS;
    for (let at = HANDS_MAX - 1; at >= 0; at--) {
      if (words[first + at * HAND_WORDS] !== 0) found.push(first + at * HAND_WORDS);
    }
    return found;
  }

  function next(): number {
    const hand = FIRST + (words[COUNT] as number) * HAND_WORDS;
    if (hand >= END) throw new MbumaError('HOOK_FAILED', 'hooks that allocate are nested too deep');
    return hand;
  }

  return {
    assertFree() {
      next();
    },
    open(kind, number, held, second, third) {
      // A thread that was given up must not write here: the slot may be another's by now.
      assertHere();
      const hand = next();
      words[hand + Hand.HELD] = held;
      words[hand + Hand.SECOND] = second;
      words[hand + Hand.THIRD] = third;
      words[hand] = (number << KIND_BITS) | kind;
      words[COUNT] = (words[COUNT] as number) + 1;
      return hand;
    },
    close(hand) {
      words[hand] = 0;
      closed(hand);
    },
    closed,
    ofSlot,
    eachOfDead(visit) {
      for (let slot = 1; slot <= maxThreads; slot++) {
        if (threads.isDead(slot)) for (const hand of ofSlot(slot)) visit(hand);
      }
    },
    kindOf: (hand) => (words[hand] as number) & KIND_MASK,
    numberOf: (hand) => (words[hand] as number) >>> KIND_BITS,
  };
}
