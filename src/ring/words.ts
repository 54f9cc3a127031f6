/**
 * Words go in and out: the fast paths, for one word and for many. None of them waits.
 *
 * An end locks itself, compares its counter with its limit, copies, publishes the counter by one store,
 * unlocks, and looks whether somebody waits at the other end: one lock, one store and one load that are
 * atomic, for 1 word as for 1000. Only when the limit is reached is the other end's counter read, so
 * the two ends share no line that changes, but for the slots and one read of a counter now and then.
 *
 * Whoever dies under way leaves the ring as it was: words before the tail and after the head are the
 * truth, and each counter moves by a single store, after the copy.
 */

import { LockRank, MbumaError } from '../check/index.js';
import { WaitQueue } from '../machine/index.js';
import type { Carrying } from './carrying.js';
import type { RingContext } from './context.js';
import type { HandOver } from './hand-over.js';
import { Ring, type RingRef } from './records.js';

/** What a put answers when the ring is closed. */
export const PUT_CLOSED = -1;

export interface RingWords {
  /** 1; 0 when there is no room, or others wait for room; PUT_CLOSED. */
  putWord(ring: RingRef, word: number): number;
  /**
   * Puts up to `count` of `items` from index `from` on; says how many, or PUT_CLOSED.
   *
   * @param whole look also at those for which there is no room now
   * @throws BAD_ARGUMENT when one of those looked at is 0; the ring is unchanged
   */
  putWords(ring: RingRef, items: Int32Array, from: number, count: number, whole: boolean): number;
  /** 0 when there is nothing, or others wait for it. */
  takeWord(ring: RingRef): number;
  /** Takes up to `count` words to index `from` on of `out`; says how many. */
  takeWords(ring: RingRef, out: Int32Array, from: number, count: number): number;
}

export function createRingWords(context: RingContext, handOver: HandOver, { carry }: Carrying): RingWords {
  const { words } = context.machine;
  const { load, store } = context.machine.atomics;
  const { acquire } = context.locks;
  const { putEnd, takeEnd, unlock } = handOver;
  const { settle: settlePut } = putEnd;
  const { settle: settleTake } = takeEnd;
  const { putLock: PUT_LOCK, putLimit: PUT_LIMIT, putters: PUTTERS, tail: TAIL } = Ring;
  const { takeLock: TAKE_LOCK, takeLimit: TAKE_LIMIT, takers: TAKERS, head: HEAD } = Ring;
  const { takersWaiting: TAKERS_WAITING, puttersWaiting: PUTTERS_WAITING, closed: CLOSED } = Ring;
  const { slots: SLOTS, mask: MASK, capacity: CAPACITY, keg: KEG } = Ring;
  const { count: COUNT } = WaitQueue;
  const RANK = LockRank.RING;

  /** The limit was reached: serves who came before, then says how much room there is. */
  function findRoomLocked(ring: RingRef): number {
    if (words[ring + PUTTERS + COUNT] === 0 && load(ring + CLOSED) === 0) {
      words[ring + PUT_LIMIT] = (load(ring + HEAD) + (words[ring + CAPACITY] as number)) | 0;
    } else {
      putEnd.serveLocked(ring);
    }
    return ((words[ring + PUT_LIMIT] as number) - (words[ring + TAIL] as number)) | 0;
  }

  function findWordsLocked(ring: RingRef): number {
    if (words[ring + TAKERS + COUNT] === 0) words[ring + TAKE_LIMIT] = load(ring + TAIL);
    else takeEnd.serveLocked(ring);
    return ((words[ring + TAKE_LIMIT] as number) - (words[ring + HEAD] as number)) | 0;
  }

  /** Unlocks, when nothing was put. Who came before may have been served all the same. */
  function refusePut(ring: RingRef, zeroAt: number): number {
    unlock(ring + PUT_LOCK);
    settlePut(ring);
    if (load(ring + CLOSED) !== 0) return PUT_CLOSED;
    if (zeroAt < 0) return 0;
    throw new MbumaError('BAD_ARGUMENT', `items[${zeroAt}] is 0: a ring holds words that are not 0`);
  }

  function refuseTake(ring: RingRef): number {
    unlock(ring + TAKE_LOCK);
    settleTake(ring);
    return 0;
  }

  function putWord(ring: RingRef, word: number): number {
    acquire(ring + PUT_LOCK, RANK);
    let tail = words[ring + TAIL] as number;
    if (tail === words[ring + PUT_LIMIT]) {
      if (findRoomLocked(ring) === 0) return refusePut(ring, -1);
      tail = words[ring + TAIL] as number;
    }
    words[(words[ring + SLOTS] as number) + (tail & (words[ring + MASK] as number))] = word;
    store(ring + TAIL, (tail + 1) | 0);
    unlock(ring + PUT_LOCK);
    if (load(ring + TAKERS_WAITING) !== 0) settlePut(ring);
    return 1;
  }

  function takeWord(ring: RingRef): number {
    acquire(ring + TAKE_LOCK, RANK);
    let head = words[ring + HEAD] as number;
    if (head === words[ring + TAKE_LIMIT]) {
      if (findWordsLocked(ring) === 0) return refuseTake(ring);
      head = words[ring + HEAD] as number;
    }
    const word = words[(words[ring + SLOTS] as number) + (head & (words[ring + MASK] as number))] as number;
    if (words[ring + KEG] !== 0) carry(ring, word);
    store(ring + HEAD, (head + 1) | 0);
    unlock(ring + TAKE_LOCK);
    if (load(ring + PUTTERS_WAITING) !== 0) settleTake(ring);
    return word;
  }

  /** Index of the first 0, or -1. */
  function findZero(items: Int32Array, from: number, to: number): number {
    for (let index = from; index < to; index++) if (items[index] === 0) return index;
    return -1;
  }

  /** Copies into the free slots from number `tail` on; index of a 0 among the items, or -1. */
  function copyIn(ring: RingRef, tail: number, items: Int32Array, from: number, count: number): number {
    const slots = words[ring + SLOTS] as number;
    const mask = words[ring + MASK] as number;
    const start = tail & mask;
    let index = 0;
    if (start + count <= mask + 1) {
      // In fours: a fifth faster, and nothing is won by eights (docs/decisions/0008-the-ring.md).
      const fours = count & ~3;
      for (let slot = slots + start; index < fours; index += 4, slot += 4) {
        const at = from + index;
        const first = items[at] as number;
        const second = items[at + 1] as number;
        const third = items[at + 2] as number;
        const fourth = items[at + 3] as number;
        if (first === 0 || second === 0 || third === 0 || fourth === 0) return findZero(items, at, at + 4);
        words[slot] = first;
        words[slot + 1] = second;
        words[slot + 2] = third;
        words[slot + 3] = fourth;
      }
    }
    for (; index < count; index++) {
      const word = items[from + index] as number;
      if (word === 0) return from + index;
      words[slots + ((tail + index) & mask)] = word;
    }
    return -1;
  }

  function copyOut(ring: RingRef, head: number, out: Int32Array, from: number, count: number): void {
    const slots = words[ring + SLOTS] as number;
    const mask = words[ring + MASK] as number;
    const start = head & mask;
    let index = 0;
    if (start + count <= mask + 1) {
      const fours = count & ~3;
      for (let slot = slots + start; index < fours; index += 4, slot += 4) {
        const at = from + index;
        out[at] = words[slot] as number;
        out[at + 1] = words[slot + 1] as number;
        out[at + 2] = words[slot + 2] as number;
        out[at + 3] = words[slot + 3] as number;
      }
    }
    for (; index < count; index++) {
      out[from + index] = words[slots + ((head + index) & mask)] as number;
    }
  }

  function carryMany(ring: RingRef, out: Int32Array, from: number, count: number): void {
    for (let index = from; index < from + count; index++) carry(ring, out[index] as number);
  }

  function putWords(ring: RingRef, items: Int32Array, from: number, count: number, whole: boolean): number {
    acquire(ring + PUT_LOCK, RANK);
    let room = ((words[ring + PUT_LIMIT] as number) - (words[ring + TAIL] as number)) | 0;
    if (room < count) room = findRoomLocked(ring);
    const accepted = room < count ? room : count;
    const tail = words[ring + TAIL] as number;
    let zeroAt = whole && accepted < count ? findZero(items, from + accepted, from + count) : -1;
    if (zeroAt < 0) zeroAt = copyIn(ring, tail, items, from, accepted);
    if (accepted === 0 || zeroAt >= 0) return refusePut(ring, zeroAt);
    store(ring + TAIL, (tail + accepted) | 0);
    unlock(ring + PUT_LOCK);
    if (load(ring + TAKERS_WAITING) !== 0) settlePut(ring);
    return accepted;
  }

  function takeWords(ring: RingRef, out: Int32Array, from: number, count: number): number {
    acquire(ring + TAKE_LOCK, RANK);
    let there = ((words[ring + TAKE_LIMIT] as number) - (words[ring + HEAD] as number)) | 0;
    if (there < count) there = findWordsLocked(ring);
    if (there === 0) return refuseTake(ring);
    const taken = there < count ? there : count;
    const head = words[ring + HEAD] as number;
    copyOut(ring, head, out, from, taken);
    if (words[ring + KEG] !== 0) carryMany(ring, out, from, taken);
    store(ring + HEAD, (head + taken) | 0);
    unlock(ring + TAKE_LOCK);
    if (load(ring + PUTTERS_WAITING) !== 0) settleTake(ring);
    return taken;
  }

  return { putWord, putWords, takeWord, takeWords };
}
