/**
 * Records of mutexes.
 *
 * Words: a *mutex* is a lock that users declare by name. It belongs to a *class*; the witness judges the
 * order of classes. An *order* says that a lock of one class was held while one of another was taken.
 *
 * Guards: `const` after creation; `X` the mutex's own inner lock, which is held for some hundred
 * instructions; `O` the thread that owns the mutex; `R` the registry's lock; `A` atomics.
 *
 * Owner word:   28       8 7    0
 *             [generation | slot ]   0 = nobody
 */

import { array, type Ref, struct, text, u32 } from '../record/index.js';

/** A mutex. Line 0 changes, the rest is written once. */
export const Mutex = struct(
  'mutex',
  {
    lock: u32('A', 'Inner lock.'),
    owner: u32('A', 'Owner word: the one truth of who has it. Written under the inner lock.'),
    abandoned: u32('X', '1: an owner ended without unlocking, and no later one has unlocked since.'),
    site: u32('A', 'Call site where the owner took it; 0: not known. Written by the owner.'),
    waiters: array(4, 'X', 'Wait queue of those who want it.'),
    class: u32('const', 'Number of its class, from 1.'),
    spare0: array(7, 'const', 'Fills the line.'),
    name: text(12, 'const', 'Name by which threads find it.'),
    spare1: array(4, 'const', 'Fills the line.'),
  },
  { words: 32 },
);

/** A class of mutexes. */
export const MutexClass = struct(
  'mutex class',
  {
    rank: u32('const', 'Its place in the order of taking; 0: that is learned.'),
    spare: array(3, 'const', 'Fills the line.'),
    name: text(12, 'const', 'Name of the class.'),
  },
  { words: 16 },
);

/** That a lock of one class was held while one of another was taken, for the first time. */
export const MutexOrder = struct(
  'mutex order',
  {
    seen: u32('A', 'SEEN, slot of the thread, and the call site where the held lock was taken. 0: not seen.'),
    site: u32('R', 'Call site where the other was taken meanwhile. Written before.'),
  },
  { words: 2 },
);

/** Stands before all classes. */
export const MutexRegistry = struct(
  'mutex registry',
  {
    lock: u32('A', 'Lock of the registry, and of the orders.'),
    count: u32('A', 'Mutexes that exist. Written under the lock.'),
    classes: u32('A', 'Classes that exist. Written under the lock.'),
    spare: array(13, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

export type MutexRef = Ref<'mutex'>;

export const MUTEX_WORDS = 32;
export const MUTEX_CLASS_WORDS = 16;
export const MUTEX_ORDER_WORDS = 2;
export const MUTEX_REGISTRY_WORDS = 16;
export const MUTEX_NAME_WORDS = 12;

/** In `seen`: the order is known. Above the slot, which is above the site. */
export const SEEN = 0x1000000;
export const SEEN_SLOT_SHIFT = 16;
export const SEEN_SITE_MASK = 0xffff;

/** Highest rank that a class can be given. */
export const MUTEX_RANK_MAX = 0x7fffffff;

const SMALL_PAGES = 256;
const MUTEXES_OF_SMALL = 8;
const MUTEXES = 64;

/** Mutexes, and classes of them, that a memory of so many pages can have. */
export function mutexesMax(pageCount: number): number {
  return pageCount < SMALL_PAGES ? MUTEXES_OF_SMALL : MUTEXES;
}
