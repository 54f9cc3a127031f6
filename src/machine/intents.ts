/**
 * Intents: changes of several words under a lock that must be made whole or not at all.
 *
 * The words and their new values are written down in the thread's slot, one store arms them, then they are
 * applied, and one store disarms them. Should the thread die in between, it holds the lock still, so nobody
 * has changed any of the words since: whoever takes the lock over applies them once more. New values are
 * absolute, so twice is as good as once.
 *
 * A grant is such a change with a waiter at its end, which may run on as soon as it is granted; its ticket
 * tells whether it still waits for this grant.
 *
 *   intent     kind, and in the bits above how many pairs there are
 *   operands   lock, waiter, ticket, gift, owner byte; then pairs of a word and its new value
 */

import type { Machine } from './machine.js';
import { OPERANDS_MAX, ThreadSlot, Waiter, WaiterState } from './records.js';
import type { Threads } from './threads.js';
import type { WaiterRef, Waiting } from './waiting.js';

const Kind = { WRITE: 1, GRANT: 2 } as const;
const KIND_BITS = 4;
const KIND_MASK = 15;

const LOCK = 0;
const WAITER = 1;
const TICKET = 2;
const GIFT = 3;
const OWNER_BYTE = 4;
const PAIRS = 5;
const PAIRS_MAX: number = (OPERANDS_MAX - PAIRS) >> 1;

export interface Intents {
  /** Begins to write down a change of words that `lock` guards, or of this thread's own. */
  begin(lock: number): void;
  /** One more word. */
  set(index: number, value: number): void;
  /** Makes the change. */
  commit(): void;
  /**
   * Makes the change, and gives `gift` to a waiter of `queue`. The wake comes later: `waiting.unlock`.
   *
   * @param ownerByte address of the byte that says who has the gift; 0: the gift is none that has an owner
   */
  commitGrant(queue: number, waiter: WaiterRef, gift: number, ownerByte: number): void;
  /** The lock has been taken over: makes whole what a dead thread had begun under it. */
  finish(slot: number, lock: number): void;
  /** The same for every dead thread: for repairs. */
  finishOfDead(lock: number): void;
}

export function createIntents(machine: Machine, threads: Threads, waiting: Waiting): Intents {
  const { words, bytes } = machine;
  const { load, store } = machine.atomics;
  const { intent: INTENT, operands: OPERANDS } = ThreadSlot;
  const { ticket: WAITER_TICKET, state: STATE } = Waiter;
  const { self, slotRef } = threads;
  const mine = self + OPERANDS;
  const firstPair = mine + PAIRS;
  let next = firstPair;

  function apply(from: number, end: number): void {
    for (let at = from; at < end; at += 2) words[words[at] as number] = words[at + 1] as number;
  }

  /** Words that other threads look at without the lock are among those of a grant. */
  function applyAtomically(from: number, end: number): void {
    for (let at = from; at < end; at += 2) store(words[at] as number, words[at + 1] as number);
  }

  function waits(operands: number): boolean {
    const waiter = words[operands + WAITER] as number;
    return (
      load(waiter + STATE) === WaiterState.WAITING &&
      words[waiter + WAITER_TICKET] === words[operands + TICKET]
    );
  }

  function setOwner(operands: number): void {
    const at = words[operands + OWNER_BYTE] as number;
    if (at !== 0) bytes[at] = waiting.slotOf(words[operands + WAITER] as WaiterRef);
  }

  function finish(slot: number, lock: number): void {
    const intent = slotRef(slot) + INTENT;
    const operands = slotRef(slot) + OPERANDS;
    if (words[intent] === 0 || words[operands + LOCK] !== lock) return;
    const pairs = Math.min((words[intent] as number) >>> KIND_BITS, PAIRS_MAX);
    const first = operands + PAIRS;
    if (((words[intent] as number) & KIND_MASK) === Kind.WRITE) {
      apply(first, first + 2 * pairs);
    } else if (waits(operands)) {
      const waiter = words[operands + WAITER] as WaiterRef;
      applyAtomically(first, first + 2 * pairs);
      setOwner(operands);
      waiting.grant(words[waiter + Waiter.queue] as number, waiter, words[operands + GIFT] as number);
    }
    words[intent] = 0;
  }

  return {
    begin(lock) {
      words[mine + LOCK] = lock;
      next = firstPair;
    },
    set(index, value) {
      words[next] = index;
      words[next + 1] = value;
      next += 2;
    },
    commit() {
      words[self + INTENT] = (((next - firstPair) >> 1) << KIND_BITS) | Kind.WRITE;
      apply(firstPair, next);
      words[self + INTENT] = 0;
    },
    commitGrant(queue, waiter, gift, ownerByte) {
      words[mine + WAITER] = waiter;
      words[mine + TICKET] = words[waiter + WAITER_TICKET] as number;
      words[mine + GIFT] = gift;
      words[mine + OWNER_BYTE] = ownerByte;
      words[self + INTENT] = (((next - firstPair) >> 1) << KIND_BITS) | Kind.GRANT;
      applyAtomically(firstPair, next);
      setOwner(mine);
      waiting.grant(queue, waiter, gift);
      words[self + INTENT] = 0;
    },
    finish,
    finishOfDead(lock) {
      for (let slot = 1; slot <= threads.maxThreads; slot++) if (threads.isDead(slot)) finish(slot, lock);
    },
  };
}
