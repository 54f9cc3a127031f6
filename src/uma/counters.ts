/**
 * Reference counters of items: what a zone with `referenceCounted` counts by. See docs/decisions/0020.
 *
 *   counter word:   31 .. 30  29        28          27              0
 *                  [ 0       | shared  | ownerless | references     ]
 *
 * The word counts references, whoever has them: 0 exactly for an item that is free or about to be. One of
 * them is *owned*, by the thread that the owner byte names; *ownerless* says that this one was given up, and
 * that the byte means nothing any more. *Shared* is set by who leaves a single reference behind.
 *
 * A word of exactly 1 says: one reference, and it was the only one ever since the item was allocated, or
 * since its holder has looked atomically. Who has that reference needs no atomic operation: nobody else has
 * one to give up or to make others of, and what a plain look sees can be too old only by being too high. A
 * count that comes down to 1 carries a flag, so that the last holder looks once atomically: that orders what
 * the others did with the item before what becomes of it.
 *
 * Every change is one store, so a thread may be killed before any of them: the count is never too low, and
 * too high only by what the dead thread had beside the reference that it owned.
 *
 * Guard: `A`, but a word of exactly 1 and the way to it, which are the holder's alone.
 */

import type { Ref } from '../record/index.js';
import type { UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import { type CountedKeg, HeaderKind, type KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import { COUNTER_STRIDE, GRANULE_SHIFT, GuardedItem, OWNER_MEMORY, Slab } from './records.js';

/** References in a counter word. */
export const REFERENCES = 0x0fff_ffff;
/** The thread of the owner byte has given up its reference. */
export const OWNERLESS = 0x1000_0000;
/** There were others, and only one is left: look atomically before the item becomes another's. */
export const SHARED = 0x2000_0000;

/** A slab's header that has counters: only a counted keg gives one. */
export type CountedSlab = Ref<'counted slab'>;

/** What becomes of an item when one reference is given up. */
export const Dropped = { FREE_ALREADY: 0, LEFT: 1, LAST: 2 } as const;
export type Dropped = (typeof Dropped)[keyof typeof Dropped];

export interface Counters {
  /** The header of the slab that the address lies in; 0 when that slab is not the keg's. */
  slabOf(keg: CountedKeg, address: number): CountedSlab | 0;
  /** Word index of the counter of the item that an address of the slab lies in; 0: it lies in none. */
  counterIn(keg: CountedKeg, slab: CountedSlab, address: number): number;
  /** The same for an address anywhere; 0 when it lies in no item of a keg with counters. */
  counterOf(address: number): number;
  /** Adds a reference to those that the caller has one of. False: the item is free, or there are too many. */
  hold(counter: number, item: number): boolean;
  /** Gives up a reference of the caller; LAST: the item, its owner byte set, is the caller's to free. */
  drop(counter: number, item: number): Dropped;
  /** How many references there are. */
  references(counter: number, item: number): number;
  /**
   * The owner byte has been set for a new owner, who has a reference. Nothing, for kegs that do not count.
   */
  adopt(keg: number, item: number): void;
  /**
   * Gives up the reference that a dead thread owned; the item's byte is this thread's now. Whether that was
   * the last, and the item is this thread's to free. True for kegs that do not count.
   */
  disown(keg: number, item: number): boolean;
}

export function createCounters({ machine, threads }: UmaContext, kegs: Kegs, maps: Maps): Counters {
  const { words, owners, pageKegs } = maps;
  const { load, store, compareExchange, compareExchangeByte } = machine.atomics;
  const ownersAddress = machine.area('owners') << 2;
  const { slot } = threads;

  function slabOf(keg: CountedKeg, address: number): CountedSlab | 0 {
    const slab = kegs.slabOf(address);
    return words[slab + Slab.keg] === keg.record ? (slab as CountedSlab) : 0;
  }

  function counterIn(keg: CountedKeg, slab: CountedSlab, address: number): number {
    const index = Math.floor((address - (words[slab + Slab.data] as number)) / keg.itemSize);
    if (!(index >= 0 && index < keg.itemsPerSlab)) return 0;
    const counter = slab + keg.counterOffset + index * COUNTER_STRIDE;
    return counter < words.length ? counter : 0;
  }

  function kegAt(address: number): KegState | null {
    const number = pageKegs[address >>> 12] as number;
    return number === 0 ? null : kegs.byNumber(number);
  }

  function counterOf(address: number): number {
    const guarded = maps.items.guardedAt(address);
    if (guarded !== 0) return guarded + GuardedItem.counter;
    const keg = kegAt(address);
    if (keg === null || keg.header === HeaderKind.PLAIN) return 0;
    const slab = slabOf(keg, address);
    return slab === 0 ? 0 : counterIn(keg, slab, address);
  }

  /** The counter of an item of a keg that counts; 0: it is none. */
  function counted(keg: number, item: number): number {
    return kegs.byNumber(keg).header === HeaderKind.COUNTED ? counterOf(item) : 0;
  }

  /**
   * The word, atomically. A thread that died while it allocated may have left an item without a count, which
   * then is the memory's: it has one reference, of whoever learns of it.
   */
  function look(counter: number, item: number): number {
    const word = load(counter);
    if (word !== 0 || owners[item >>> GRANULE_SHIFT] !== OWNER_MEMORY) return word;
    compareExchange(counter, 0, 1);
    return load(counter);
  }

  /**
   * The item is this thread's, whoever had its byte. Atomically: who had it may be dead, and be cleaned up.
   */
  function takeByte(item: number): void {
    const granule = item >>> GRANULE_SHIFT;
    for (let owner = owners[granule] as number; owner !== slot; owner = owners[granule] as number) {
      if (compareExchangeByte(ownersAddress + granule, owner, slot) === owner) return;
    }
  }

  /** A word of one reference less. */
  function less(word: number, gone: number): number {
    const left = (word & REFERENCES) - 1;
    return left | ((word | gone) & OWNERLESS) | (left === 1 ? SHARED : 0);
  }

  function hold(counter: number, item: number): boolean {
    // A plain look is enough for an exchange: it is right when that says so.
    let word = words[counter] as number;
    for (;;) {
      if ((word & REFERENCES) <= 1) {
        word = look(counter, item);
        const references = word & REFERENCES;
        // The only one: nobody else changes the word.
        if (references === 1) words[counter] = 2 | (word & OWNERLESS);
        if (references <= 1) return references === 1;
      }
      if ((word & REFERENCES) === REFERENCES) return false;
      const seen = compareExchange(counter, word, word + 1);
      if (seen === word) return true;
      word = seen;
    }
  }

  function drop(counter: number, item: number): Dropped {
    let word = words[counter] as number;
    for (;;) {
      if ((word & REFERENCES) <= 1) {
        word = look(counter, item);
        const references = word & REFERENCES;
        if (references === 0) return Dropped.FREE_ALREADY;
        if (references === 1) {
          // The byte first: who cleans up after the thread that it named looks there last.
          takeByte(item);
          store(counter, 0);
          return Dropped.LAST;
        }
      }
      // The reference that a thread owns is the first that it gives up.
      const gone = owners[item >>> GRANULE_SHIFT] === slot ? OWNERLESS : 0;
      const seen = compareExchange(counter, word, less(word, gone));
      if (seen === word) return Dropped.LEFT;
      word = seen;
    }
  }

  function adopt(keg: number, item: number): void {
    const counter = counted(keg, item);
    if (counter === 0) return;
    for (;;) {
      const word = load(counter);
      // Without a count it was left by a thread that died (see `look`), and the byte is another's already.
      const next = (word & REFERENCES) <= 1 ? 1 : word & ~OWNERLESS;
      if (word === next || compareExchange(counter, word, next) === word) return;
    }
  }

  function disown(keg: number, item: number): boolean {
    const counter = counted(keg, item);
    if (counter === 0) return true;
    const byte = ownersAddress + (item >>> GRANULE_SHIFT);
    for (;;) {
      const word = load(counter);
      if ((word & OWNERLESS) === 0) {
        if ((word & REFERENCES) <= 1) {
          // Nobody else can have it, but for one who was about to free it when this thread took its byte.
          if (compareExchangeByte(byte, slot, slot) !== slot) return false;
          store(counter, 0);
          return true;
        }
        if (compareExchange(counter, word, less(word, OWNERLESS)) !== word) continue;
      }
      compareExchangeByte(byte, slot, OWNER_MEMORY);
      return false;
    }
  }

  return {
    slabOf,
    counterIn,
    counterOf,
    hold,
    drop,
    references: (counter, item) => look(counter, item) & REFERENCES,
    adopt,
    disown,
  };
}
