/**
 * Thread slots: who is attached, who is dead, who cleans up. Slot numbers are 1 to maxThreads; 0 is nobody.
 *
 * The state word is the one truth of a slot. Whoever declares a thread dead must know it (the thread has
 * ended): a thread that is only slow is never given up by anybody here. Should it come back all the same,
 * its state word is another, and its next lock or slow path refuses it.
 */

import { MbumaError } from '../check/index.js';
import { asRef, isZero, type Ref } from '../record/index.js';
import type { AreaPlanner } from './layout.js';
import type { Machine } from './machine.js';
import {
  ASYNC_WAITERS,
  ATTACHED_MASK,
  Attention,
  Superblock,
  ThreadSlot,
  ThreadState,
  Waiter,
} from './records.js';
import { planSites } from './sites.js';

const SLOT_WORDS = 128;
const WAITER_WORDS = 8;
const WAITERS_PER_SLOT: number = 1 + ASYNC_WAITERS;

const LIFE_MASK = 7;
const REAPER_SHIFT = 3;
const REAPER_MASK = 0xff;
const GENERATION_SHIFT = 11;
/** Generations count up to this and start again from 1. */
const GENERATION_MAX = 0xfffff;

/** ThreadState in a state word. */
export function lifeOf(state: number): number {
  return state & LIFE_MASK;
}

/** Generation in a state word; 0: the slot was never taken. */
export function generationOf(state: number): number {
  return state >>> GENERATION_SHIFT;
}

/** Slots, the waiters of each slot (the blocking one first), the settings, the sequence of epochs, the call sites. */
export const planThreads: AreaPlanner = (parameters) => [
  { name: 'threads', words: (parameters.maxThreads + 1) * SLOT_WORDS, align: 64 },
  { name: 'waiters', words: (parameters.maxThreads + 1) * WAITERS_PER_SLOT * WAITER_WORDS },
  { name: 'tunables', words: 16 },
  { name: 'epochs', words: 16 },
  ...planSites(parameters),
];

/** A thread of the past or the present: its slot, and which of the threads that had it. */
export interface ThreadName {
  readonly slot: number;
  readonly generation: number;
}

/** What the operating system knows of threads, where it can be asked. */
export interface NativeThreads {
  /** Number of this thread; not 0. */
  readonly id: number;
  /** Whether there is no thread of that number any more: then it can write no more either. */
  isGone(id: number): boolean;
}

/** What this thread knows of itself and of the others. */
export interface Threads {
  /** This thread's slot number. */
  readonly slot: number;
  readonly self: Ref<'thread'>;
  /** Part of every lock word that this thread writes. */
  readonly generation: number;
  /** The state word of the slot as long as it is this thread's. */
  readonly stateHere: number;
  readonly maxThreads: number;
  readonly waitersPerSlot: number;
  slotRef(slot: number): Ref<'thread'>;
  /** Waiter `index` of a slot; 0 is the blocking one. */
  waiterRef(slot: number, index: number): Ref<'waiter'>;
  /** The slot whose waiter it is, by where it lies. */
  slotOfWaiter(waiter: Ref<'waiter'>): number;
  /** Threads attached now: a hint. */
  attachedCount(): number;
  isLive(slot: number): boolean;
  /** Whether the slot's thread has ended, and has not been cleaned up yet. */
  isDead(slot: number): boolean;
  /** Whether this very thread is attached. */
  lives(slot: number, generation: number): boolean;
  /** The thread that has the slot now, or had it last. */
  nameOf(slot: number): ThreadName;
  /** The live threads of an agent, by the number that `attachThread` was given. */
  byAgent(agent: number): ThreadName[];
  /** Throws DETACHED or GIVEN_UP when the slot is this thread's no more. About 1 ns. */
  assertHere(): void;
  /** Asks a thread for something, and wakes it from a sleep so that it looks. */
  ask(slot: number, attention: number): void;
  /** The same, and counted, so that it can be seen whether it has been answered: the number of the request. */
  askCounted(slot: number, attention: number): number;
  /** Whether the thread in the slot has answered a counted request. */
  hasAnswered(slot: number, request: number): boolean;
  /** Takes what others ask of this thread; the bits are cleared. What is asked of every thread is done. */
  takeAttention(): number;
  /** Requests counted up to now. Asked for after `takeAttention`, and told to `answered` when it is done. */
  askedUntilNow(): number;
  /** All requests up to this number are done. */
  answered(request: number): void;
  /** What this thread does when it learns that another has died. */
  onDeath(callback: () => void): void;
  /**
   * Cleans up after dead threads at once, if need be in the middle of another cleaning up: one has what this
   * needs.
   */
  cleanUp(): void;
  /** What `cleanUp` does. */
  onCleanUp(callback: () => void): void;
  /** Says that this thread is alive and polls. */
  beat(): void;
  /** Gives the slot back. The layers above have cleaned up. */
  release(): void;
  /** Says that a thread has ended. False: it was not attached, or somebody has said so before. */
  declareDead(slot: number, generation: number): boolean;
  /**
   * Looks whether a thread that keeps this one waiting has ended, and says so then. For who waits here may be
   * the very thread that would be told of the end by an event, if it did not wait.
   */
  suspect(slot: number, generation: number): void;
  /** Threads ever declared dead. */
  deaths(): number;
  /** A dead thread for this one to clean up, and for nobody else; 0: there is none. */
  claimDead(): number;
  /** The dead thread's slot, which this thread has claimed, is clean: it can be attached to again. */
  finishReap(slot: number): void;
}

/**
 * Claims a free slot for this thread.
 *
 * @param agent number by which an adopter knows this thread; not 0
 * @param native what the operating system knows, if it can be asked
 */
export function attachThread(machine: Machine, agent = 1, native: NativeThreads | null = null): Threads {
  const { words, atomics } = machine;
  const { load, store, compareExchange, add, notify } = atomics;
  const { state: STATE, agent: AGENT, attention: ATTENTION, heartbeat: HEARTBEAT } = ThreadSlot;
  const { sleepingOn: SLEEPING_ON, native: NATIVE, intent: INTENT } = ThreadSlot;
  const { asked: ASKED, answered: ANSWERED, wanted: WANTED } = ThreadSlot;
  const { FREE, LIVE, DEAD, REAPING } = ThreadState;
  const threadsArea = machine.area('threads');
  const waitersArea = machine.area('waiters');
  const { superblock } = machine.layout;
  const { maxThreads } = machine.layout.parameters;
  const ATTACHED = superblock + Superblock.attached;

  const slotRef = (slot: number): Ref<'thread'> => asRef(threadsArea + slot * SLOT_WORDS);
  const waiterRef = (slot: number, index: number): Ref<'waiter'> =>
    asRef(waitersArea + (slot * WAITERS_PER_SLOT + index) * WAITER_WORDS);
  const lifeIn = (slot: number): number => lifeOf(load(slotRef(slot) + STATE));

  /** The agent's word is what is claimed: so that an adopter finds a thread that dies before it is LIVE. */
  function claim(): number {
    for (let slot = 1; slot <= maxThreads; slot++) {
      const at = slotRef(slot);
      if (lifeIn(slot) !== FREE || compareExchange(at + AGENT, 0, agent) !== 0) continue;
      if (lifeIn(slot) === FREE) return slot;
      // It had been claimed, left, and was being cleaned up meanwhile.
      store(at + AGENT, 0);
    }
    throw new MbumaError('TOO_MANY_THREADS', `all ${maxThreads} thread slots are taken: see maxThreads`);
  }

  /** Most waiters have never stood in a line, nor were they about to. */
  function isFresh(waiter: number, slot: number): boolean {
    const { slot: SLOT, request: REQUEST } = Waiter;
    return (
      isZero(words, waiter, waiter + SLOT) && words[waiter + SLOT] === slot && words[waiter + REQUEST] === 0
    );
  }

  function clearSlot(slot: number): void {
    const at = slotRef(slot);
    for (const word of [ATTENTION, ASKED, ANSWERED, WANTED]) store(at + word, 0);
    // Others look at some of these, also while this one cleans up: nearly all are 0 by then.
    for (let word = at + HEARTBEAT; word <= at + INTENT; word++) if (words[word] !== 0) store(word, 0);
    words.fill(0, at + INTENT + 1, at + SLOT_WORDS);
    for (let index = 0; index < WAITERS_PER_SLOT; index++) {
      const waiter = waiterRef(slot, index);
      if (isFresh(waiter, slot)) continue;
      // Others look at this one, also while this thread cleans up: whether it has a gift.
      store(waiter + Waiter.state, 0);
      words.fill(0, waiter + Waiter.grant, waiter + Waiter.slot);
      words[waiter + Waiter.request] = 0;
      words[waiter + Waiter.slot] = slot;
    }
  }

  /**
   * After a change: counts anew. Who counts at the same time may have seen less of it: only one of the two
   * writes what it has counted, and the other counts again.
   */
  function countAttached(): void {
    for (;;) {
      const before = load(ATTACHED);
      let attached = 0;
      for (let slot = 1; slot <= maxThreads; slot++) if (lifeIn(slot) === LIVE) attached++;
      const after = ((before & ~ATTACHED_MASK) + ATTACHED_MASK + 1) | attached;
      if (compareExchange(ATTACHED, before, after) === before) return;
    }
  }

  const slot = claim();
  const self = slotRef(slot);
  const before = load(self + STATE) >>> GENERATION_SHIFT;
  const generation = before >= GENERATION_MAX ? 1 : before + 1;
  const here = (generation << GENERATION_SHIFT) | LIVE;
  clearSlot(slot);
  store(self + NATIVE, native?.id ?? 0);
  store(self + STATE, here);
  countAttached();

  function refuse(): never {
    const state = load(self + STATE);
    const released = state >>> GENERATION_SHIFT !== generation || (state & LIFE_MASK) === FREE;
    if (released && !given) throw new MbumaError('DETACHED', 'this thread has detached from the memory');
    throw new MbumaError(
      'GIVEN_UP',
      `thread ${slot} was declared dead, and what it held has been or will be cleaned up: it must end`,
      { owner: slot },
    );
  }
  /** Whether the slot went without this thread's doing. */
  let given = true;
  machine.onRewind(() => {
    given = true;
  });

  /**
   * What a dead thread was cleaning up is DEAD again when that one has been cleaned up itself, not before:
   * it may
   * have been in the middle of moving something from there to its own.
   */
  function handBack(reaper: number): void {
    for (let other = 1; other <= maxThreads; other++) {
      const at = slotRef(other) + STATE;
      const state = load(at);
      if ((state & LIFE_MASK) !== REAPING || ((state >>> REAPER_SHIFT) & REAPER_MASK) !== reaper) continue;
      compareExchange(at, state, ((state >>> GENERATION_SHIFT) << GENERATION_SHIFT) | DEAD);
    }
  }

  const deathCallbacks: (() => void)[] = [];
  const cleanUpCallbacks: (() => void)[] = [];

  function ask(other: number, attention: number): void {
    const at = slotRef(other);
    let old = load(at + ATTENTION);
    while ((old & attention) !== attention) {
      const seen = compareExchange(at + ATTENTION, old, old | attention);
      if (seen === old) break;
      old = seen;
    }
    const sleepingOn = load(at + SLEEPING_ON);
    if (sleepingOn !== 0) notify(sleepingOn, 1);
  }

  function askCounted(other: number, attention: number): number {
    const at = slotRef(other);
    ask(other, attention);
    const request = (add(at + ASKED, 1) + 1) | 0;
    // Taken between the two, it may be answered without having been counted: it is asked once more.
    ask(other, attention);
    return request;
  }

  function declareDead(other: number, itsGeneration: number): boolean {
    const at = slotRef(other);
    const dead = (itsGeneration << GENERATION_SHIFT) | DEAD;
    const state = load(at + STATE);
    // It may have died before it was LIVE, or after it was FREE again: the slot needs a reaper all the same.
    const halfway = state >>> GENERATION_SHIFT === itsGeneration && (state & LIFE_MASK) === FREE;
    if (halfway && load(at + AGENT) === 0) return false;
    const expected = halfway ? state : (itsGeneration << GENERATION_SHIFT) | LIVE;
    if (compareExchange(at + STATE, expected, dead) !== expected) return false;
    add(superblock + Superblock.deaths, 1);
    for (let each = 1; each <= maxThreads; each++) if (lifeIn(each) === LIVE) ask(each, Attention.REAP);
    return true;
  }

  return {
    slot,
    self,
    generation,
    stateHere: here,
    maxThreads,
    waitersPerSlot: WAITERS_PER_SLOT,
    slotRef,
    waiterRef,
    slotOfWaiter: (waiter) => Math.trunc((waiter - waitersArea) / (WAITERS_PER_SLOT * WAITER_WORDS)),
    attachedCount: () => load(ATTACHED) & ATTACHED_MASK,
    // Slots that were read from the memory may be anything, when something has written there.
    isLive: (other) => other >>> 0 <= maxThreads && lifeIn(other) === LIVE,
    isDead(other) {
      const life = other >>> 0 <= maxThreads ? lifeIn(other) : FREE;
      return life === DEAD || life === REAPING;
    },
    lives: (other, itsGeneration) =>
      load(slotRef(other) + STATE) === ((itsGeneration << GENERATION_SHIFT) | LIVE),
    nameOf: (other) => ({ slot: other, generation: generationOf(load(slotRef(other) + STATE)) }),
    byAgent(wanted) {
      const found: ThreadName[] = [];
      for (let other = 1; other <= maxThreads; other++) {
        if (load(slotRef(other) + AGENT) !== wanted) continue;
        const state = load(slotRef(other) + STATE);
        found.push({ slot: other, generation: state >>> GENERATION_SHIFT });
      }
      return found;
    },
    assertHere() {
      if ((words[self + STATE] as number) !== here) refuse();
    },
    ask,
    askCounted,
    hasAnswered: (other, request) => ((load(slotRef(other) + ANSWERED) - request) | 0) >= 0,
    askedUntilNow: () => load(self + ASKED),
    answered(request) {
      if ((words[self + ANSWERED] as number) !== request) store(self + ANSWERED, request);
    },
    takeAttention() {
      if (load(self + ATTENTION) === 0) return 0;
      const asked = atomics.exchange(self + ATTENTION, 0);
      if ((asked & Attention.REAP) !== 0) for (const callback of deathCallbacks) callback();
      return asked & ~Attention.REAP;
    },
    onDeath(callback) {
      deathCallbacks.push(callback);
    },
    cleanUp() {
      for (const callback of cleanUpCallbacks) callback();
    },
    onCleanUp(callback) {
      cleanUpCallbacks.push(callback);
    },
    beat() {
      words[self + HEARTBEAT] = (words[self + HEARTBEAT] as number) + 1;
    },
    release() {
      // A thread that was given up must not free the slot, which may be another's by now.
      if (compareExchange(self + STATE, here, (generation << GENERATION_SHIFT) | FREE) !== here) refuse();
      given = false;
      countAttached();
      store(self + AGENT, 0);
    },
    declareDead,
    suspect(other, itsGeneration) {
      const id = load(slotRef(other) + NATIVE);
      if (native !== null && id !== 0 && native.isGone(id)) declareDead(other, itsGeneration);
    },
    deaths: () => load(superblock + Superblock.deaths),
    claimDead() {
      for (let other = 1; other <= maxThreads; other++) {
        const at = slotRef(other) + STATE;
        const state = load(at);
        if ((state & LIFE_MASK) !== DEAD) continue;
        const claimed = ((state >>> GENERATION_SHIFT) << GENERATION_SHIFT) | (slot << REAPER_SHIFT) | REAPING;
        if (compareExchange(at, state, claimed) === state) return other;
      }
      return 0;
    },
    finishReap(other) {
      const at = slotRef(other);
      const claimed = (slot << REAPER_SHIFT) | REAPING;
      const state = load(at + STATE);
      if ((state & ((1 << GENERATION_SHIFT) - 1)) !== claimed) return;
      handBack(other);
      clearSlot(other);
      const free = ((generationOf(state) || 1) << GENERATION_SHIFT) | FREE;
      // In this order: who dies in between leaves a slot that is still to be reaped, and needs nothing any
      // more. It is not LIVE, so it is not counted already.
      countAttached();
      store(at + AGENT, 0);
      store(at + STATE, free);
    },
  };
}

/** Asks every other live thread for something: bits of Attention. */
export function askAll(threads: Threads, attention: number): void {
  for (let slot = 1; slot <= threads.maxThreads; slot++) {
    if (slot !== threads.slot && threads.isLive(slot)) threads.ask(slot, attention);
  }
}

/** Asks every other live thread to give back what its caches hold. */
export function askAllToDrain(threads: Threads): void {
  askAll(threads, Attention.DRAIN);
}
