/**
 * Reference counters of shared buffers.
 *
 *   counter word:   31    24 23              0
 *                  [ slot   | count           ]     slot: who changes it now; 0: nobody
 *
 * A death between two stores must leave a count that is exact. So count and flags of the mbufs that get or
 * give up a reference change by one commit of `intents`, while the slot in the word keeps all others off; the
 * word's index stands in this thread's slot meanwhile. Whoever cleans up after a dead thread finishes the
 * commit
 * and takes the slot out of the word: there is nothing else to find out. See docs/decisions/0014.
 *
 * Who holds all the references that there are needs neither slot nor atomic operation: nobody else knows the
 * counter.
 */

import { damaged } from '../check/index.js';
import { ThreadSlot } from '../machine/index.js';
import { OWNER_MEMORY } from '../uma/index.js';
import { BufferKind, KIND_MASK, kindOf, Mbuf, MbufFlag } from './records.js';
import type { MbufContext } from './types.js';

export interface Counters {
  /**
   * Gives up the references of `count` mbufs to one shared buffer: afterwards they have no buffer. True:
   * there were no others, and the last of them has the buffer for itself.
   */
  leave(mbufs: Int32Array, count: number): boolean;
  /** The same for one mbuf (word index). */
  leaveOne(m: number): boolean;
  /**
   * Makes `count` mbufs, which name buffer and counter already, references of a buffer by giving them their
   * `flags`. The mbuf `m` (word index) refers to it, shared or not.
   */
  join(m: number, mbufs: Int32Array, count: number, flags: number): void;
  /** The same for one mbuf (word index `to`). */
  joinOne(m: number, to: number, flags: number): void;
  /** The mbuf (word index) is the only one left: nothing is counted any more. */
  stop(m: number): void;
}

const SLOT_SHIFT = 24;
const COUNT_MASK = 0xff_ffff;

/** Mbufs that change by one commit; with the counter and one mbuf more they fit. */
const CHUNK = 10;

/** How long a sleep for a counter lasts: who changes it needs a few stores. */
const SLICE_MS = 1;
/** Looks after which it is asked whether the holder has the counter at all: a tenth of a second and more. */
const SPINS_PATIENT = 6_000;

export function createCounters({ machine, threads, intents, uma }: MbufContext): Counters {
  const { words, spinLoads, mayBlock } = machine;
  const { load, store, compareExchange } = machine.atomics;
  const { flags: FLAGS, buffer: BUFFER, counter: COUNTER } = Mbuf;
  const { EXTERNAL } = BufferKind;
  const kindIn = kindOf;
  const { SHARED } = MbufFlag;
  const SLOT_PLACE = SLOT_SHIFT;
  const COUNT = COUNT_MASK;
  const BARE = ~(KIND_MASK | SHARED);
  const ALONE = ~SHARED;
  const MOST = CHUNK;
  const mine = threads.slot << SLOT_PLACE;
  const HELD = threads.self + ThreadSlot.counter;
  const COUNTED = threads.self + ThreadSlot.counted;

  /** What the counter of an mbuf counts: the cluster, or the counter is an item itself. */
  function countedItem(counter: number, m: number): number {
    return kindIn(words[m + FLAGS] as number) === EXTERNAL ? counter << 2 : (words[m + BUFFER] as number);
  }

  /** Puts this thread's slot into the counter of the mbuf (word index); the count. */
  function take(counter: number, m: number): number {
    if (!(counter > 0 && counter < words.length)) throw damaged(`an mbuf has its counter at word ${counter}`);
    words[COUNTED] = countedItem(counter, m);
    words[HELD] = counter;
    // A plain look is enough: it is right when the exchange says so.
    const word = words[counter] as number;
    if (word >>> SLOT_PLACE === 0 && compareExchange(counter, word, word | mine) === word) return word;
    return takeSlow(counter, m);
  }

  /** Who changes a counter says so in its slot. If nobody does, somebody has written into the memory. */
  function assertHolder(counter: number): void {
    const word = load(counter);
    const holder = word >>> SLOT_PLACE;
    if (holder === 0) return;
    const exists = holder <= threads.maxThreads;
    if (exists && load(threads.slotRef(holder) + ThreadSlot.counter) === counter) return;
    if (load(counter) !== word) return;
    words[HELD] = 0;
    throw damaged(`the counter at word ${counter} is held by ${holder}, who does not know of it`);
  }

  function takeSlow(counter: number, m: number): number {
    for (let spin = 1; ; spin++) {
      if (spin > SPINS_PATIENT) assertHolder(counter);
      const word = load(counter);
      const holder = word >>> SLOT_PLACE;
      if (holder === 0) {
        if (compareExchange(counter, word, word | mine) === word) return word;
      } else if (threads.isDead(holder)) {
        // Cleaning up may change other counters: this thread's word is for one.
        words[HELD] = 0;
        threads.cleanUp();
        words[COUNTED] = countedItem(counter, m);
        words[HELD] = counter;
      }
      // Another may be cleaning up after it already.
      if (spin % spinLoads === 0) {
        threads.assertHere();
        if (mayBlock) machine.wait(counter, word, SLICE_MS);
      }
    }
  }

  function give(counter: number, count: number): void {
    store(counter, count);
    words[HELD] = 0;
  }

  function leaveOne(m: number): boolean {
    const counter = words[m + COUNTER] as number;
    const alone = words[counter] === 1;
    // The load orders what others did with the buffer before.
    if (alone) load(counter);
    const count = alone ? 0 : take(counter, m) - 1;
    intents.begin(0);
    intents.set(counter, alone ? 0 : mine | count);
    intents.set(m + FLAGS, (words[m + FLAGS] as number) & (count === 0 ? ALONE : BARE));
    intents.commit();
    if (!alone) give(counter, count);
    return count === 0;
  }

  function leave(mbufs: Int32Array, times: number): boolean {
    const m = (mbufs[0] as number) >> 2;
    const counter = words[m + COUNTER] as number;
    const alone = words[counter] === times;
    if (alone) load(counter);
    const tag = alone ? 0 : mine;
    let count = alone ? times : take(counter, m);
    for (let at = 0; at < times; ) {
      const end = Math.min(times, at + MOST);
      count -= end - at;
      intents.begin(0);
      intents.set(counter, tag | count);
      for (; at < end; at++) {
        const word = ((mbufs[at] as number) >> 2) + FLAGS;
        intents.set(word, (words[word] as number) & (count === 0 && at === times - 1 ? ALONE : BARE));
      }
      intents.commit();
    }
    if (!alone) give(counter, count);
    return count === 0;
  }

  /**
   * A dead thread's commit is whole; the counter that it had is nobody's. If it had given it up already, the
   * buffer,
   * and the slab with the counter, may have gone since.
   */
  uma.reaper.onSettle((slot) => {
    const at = threads.slotRef(slot);
    const counter = words[at + ThreadSlot.counter] as number;
    if (counter === 0) return;
    const item = words[at + ThreadSlot.counted] as number;
    uma.reaper.holdSlab(item, () => {
      const isCounter = counter === item >> 2 || counter === uma.counterOf(item);
      if (!isCounter || uma.owners[item >>> 4] !== OWNER_MEMORY) return;
      const word = load(counter);
      if (word >>> SLOT_PLACE === slot) store(counter, word & COUNT);
    });
    words[at + ThreadSlot.counter] = 0;
  });

  return {
    leave,
    leaveOne,
    joinOne(m, to, flags) {
      const counter = words[m + COUNTER] as number;
      const before = words[m + FLAGS] as number;
      const shared = (before & SHARED) !== 0;
      const count = shared ? take(counter, m) + 1 : 2;
      intents.begin(0);
      intents.set(counter, shared ? mine | count : count);
      if (!shared) intents.set(m + FLAGS, before | SHARED);
      intents.set(to + FLAGS, flags);
      intents.commit();
      if (shared) give(counter, count);
    },
    join(m, mbufs, total, flags) {
      const counter = words[m + COUNTER] as number;
      const before = words[m + FLAGS] as number;
      const shared = (before & SHARED) !== 0;
      const tag = shared ? mine : 0;
      // Nobody else knows an unshared buffer: whoever will, learns of it by a hand-over that orders this.
      let count = shared ? take(counter, m) : 1;
      for (let at = 0; at < total; ) {
        const end = Math.min(total, at + MOST);
        count += end - at;
        intents.begin(0);
        intents.set(counter, tag | count);
        if (!shared && at === 0) intents.set(m + FLAGS, before | SHARED);
        for (; at < end; at++) intents.set(((mbufs[at] as number) >> 2) + FLAGS, flags);
        intents.commit();
      }
      if (shared) give(counter, count);
    },
    stop(m) {
      intents.begin(0);
      intents.set(words[m + COUNTER] as number, 0);
      intents.set(m + FLAGS, (words[m + FLAGS] as number) & ALONE);
      intents.commit();
    },
  };
}
