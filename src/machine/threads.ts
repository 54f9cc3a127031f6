/**
 * Thread slots: who is attached. Slot numbers are 1 to maxThreads; slot 0 is nobody.
 */

import { MbumaError } from '../check/index.js';
import { asRef, type Ref } from '../record/index.js';
import type { AreaPlanner } from './layout.js';
import type { Machine } from './machine.js';
import {
  ASYNC_WAITERS,
  Attention,
  SUPERBLOCK,
  Superblock,
  ThreadSlot,
  ThreadState,
  Waiter,
} from './records.js';

const SLOT_WORDS = 64;
const WAITER_WORDS = 8;
const WAITERS_PER_SLOT = 1 + ASYNC_WAITERS;

/** Slots, then the waiters of each slot: the blocking one first. */
export const planThreads: AreaPlanner = ({ maxThreads }) => [
  { name: 'threads', words: (maxThreads + 1) * SLOT_WORDS, align: 64 },
  { name: 'waiters', words: (maxThreads + 1) * WAITERS_PER_SLOT * WAITER_WORDS },
];

/** What this thread knows of itself and of the others. */
export interface Threads {
  /** This thread's slot number. */
  readonly slot: number;
  readonly self: Ref<'thread'>;
  /** Part of every lock word that this thread writes. */
  readonly generation: number;
  readonly maxThreads: number;
  slotRef(slot: number): Ref<'thread'>;
  /** Waiter `index` of a slot; 0 is the blocking one. */
  waiterRef(slot: number, index: number): Ref<'waiter'>;
  /** Threads attached now. */
  attachedCount(): number;
  isLive(slot: number): boolean;
  /** Asks a thread for something, and wakes it from a sleep so that it looks. */
  ask(slot: number, attention: number): void;
  /** Takes what others ask of this thread; the bits are cleared. */
  takeAttention(): number;
  /** Says that this thread is alive and polls. */
  beat(): void;
  /** Writes down what this thread is about to do to words that cannot be rebuilt. */
  armIntent(operation: number, first: number, second: number, third: number): void;
  disarmIntent(): void;
  /** Gives the slot back. The layers above have cleaned up. */
  release(): void;
}

/** Claims a free slot for this thread. */
export function attachThread(machine: Machine): Threads {
  const { words, atomics } = machine;
  const { state: STATE, generation: GENERATION, attention: ATTENTION, heartbeat: HEARTBEAT } = ThreadSlot;
  const { sleepingOn: SLEEPING_ON, intent: INTENT, operands: OPERANDS } = ThreadSlot;
  const threadsArea = machine.area('threads');
  const waitersArea = machine.area('waiters');
  const { maxThreads } = machine.layout.parameters;

  const slotRef = (slot: number): Ref<'thread'> => asRef(threadsArea + slot * SLOT_WORDS);
  const waiterRef = (slot: number, index: number): Ref<'waiter'> =>
    asRef(waitersArea + (slot * WAITERS_PER_SLOT + index) * WAITER_WORDS);

  function claim(): number {
    for (let slot = 1; slot <= maxThreads; slot++) {
      const at = slotRef(slot);
      if (atomics.compareExchange(at + STATE, ThreadState.FREE, ThreadState.LIVE) === ThreadState.FREE)
        return slot;
    }
    throw new MbumaError('TOO_MANY_THREADS', `all ${maxThreads} thread slots are taken: see maxThreads`);
  }

  const slot = claim();
  const self = slotRef(slot);
  const attachment = atomics.add(SUPERBLOCK + Superblock.attachments, 1) + 1;
  const generation = attachment & 0x1fffff;
  atomics.store(self + GENERATION, generation);
  atomics.store(self + ATTENTION, 0);
  words.fill(0, self + HEARTBEAT, self + SLOT_WORDS);
  for (let index = 0; index < WAITERS_PER_SLOT; index++) {
    const waiter = waiterRef(slot, index);
    words.fill(0, waiter, waiter + WAITER_WORDS);
    words[waiter + Waiter.slot] = slot;
  }
  atomics.add(SUPERBLOCK + Superblock.attached, 1);

  return {
    slot,
    self,
    generation,
    maxThreads,
    slotRef,
    waiterRef,
    attachedCount: () => atomics.load(SUPERBLOCK + Superblock.attached),
    isLive: (other) => atomics.load(slotRef(other) + STATE) === ThreadState.LIVE,
    ask(other, attention) {
      const at = slotRef(other);
      let old = atomics.load(at + ATTENTION);
      while ((old & attention) !== attention) {
        const seen = atomics.compareExchange(at + ATTENTION, old, old | attention);
        if (seen === old) break;
        old = seen;
      }
      const sleepingOn = atomics.load(at + SLEEPING_ON);
      if (sleepingOn !== 0) atomics.notify(sleepingOn, 1);
    },
    takeAttention: () =>
      (words[self + ATTENTION] as number) === 0 ? 0 : atomics.exchange(self + ATTENTION, 0),
    beat() {
      words[self + HEARTBEAT] = (words[self + HEARTBEAT] as number) + 1;
    },
    armIntent(operation, first, second, third) {
      words[self + OPERANDS] = first;
      words[self + OPERANDS + 1] = second;
      words[self + OPERANDS + 2] = third;
      words[self + INTENT] = operation;
    },
    disarmIntent() {
      words[self + INTENT] = 0;
    },
    release() {
      atomics.add(SUPERBLOCK + Superblock.attached, -1);
      atomics.store(self + STATE, ThreadState.FREE);
    },
  };
}

/** Asks every other live thread to give back what its caches hold. */
export function askAllToDrain(threads: Threads): void {
  for (let slot = 1; slot <= threads.maxThreads; slot++) {
    if (slot !== threads.slot && threads.isLive(slot)) threads.ask(slot, Attention.DRAIN);
  }
}
