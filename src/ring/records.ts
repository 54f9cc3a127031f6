/**
 * Records of rings.
 *
 * Words: a *ring* is a bounded FIFO of non-zero words. It has two *ends*: words are put at the *tail* and
 * taken at the *head*. Head and tail are counters that run freely (they wrap at 2^32); the word with
 * number n lies in slot n modulo the number of slots. A *limit* is the number up to which an end may
 * go without looking at the other end.
 *
 *            take end                                put end
 *   head <= takeLimit <= tail  ............  tail <= putLimit <= head + capacity
 *
 * Guards: `const` after creation; `P` the lock of the put end; `Q` the lock of the take end; `A` atomics
 * by everybody, and written only under the lock that is named.
 */

import { array, type Ref, struct, text, u32 } from '../record/index.js';

/** A ring. Six cache lines, so that the two ends never write to one line. */
export const Ring = struct(
  'ring',
  {
    // Line 0: written by putters.
    putLock: u32('A', 'Lock of the put end.'),
    putLimit: u32('P', 'Numbers below it are free. Equals tail while putters wait, and when closed.'),
    putters: array(4, 'P', 'Wait queue of putters; the request is the word to be put.'),
    spare0: array(10, 'const', 'Fills the line.'),
    // Line 1: written by putters, watched by takers.
    tail: u32('A', 'Number of the next word to be put. Written under the put lock.'),
    spare1: array(15, 'const', 'Fills the line.'),
    // Line 2: written by takers.
    takeLock: u32('A', 'Lock of the take end.'),
    takeLimit: u32('Q', 'Numbers below it are there. Equals head while takers wait.'),
    takers: array(4, 'Q', 'Wait queue of takers.'),
    spare2: array(10, 'const', 'Fills the line.'),
    // Line 3: written by takers, watched by putters.
    head: u32('A', 'Number of the next word to be taken. Written under the take lock.'),
    spare3: array(15, 'const', 'Fills the line.'),
    // Line 4: written when somebody goes to sleep or is woken, read after every put and take.
    takersWaiting: u32('A', 'Waiters in `takers`. Written under the take lock.'),
    puttersWaiting: u32('A', 'Waiters in `putters`. Written under the put lock.'),
    closed: u32('A', '1 when no more words are accepted. Written under the put lock.'),
    keg: u32('const', "Keg whose items the words are; 0: the words are the users' affair."),
    spare4: array(12, 'const', 'Fills the line.'),
    // Line 5: written once.
    state: u32('A', 'RingState; written last, under the registry lock.'),
    capacity: u32('const', 'Words that the ring holds at most.'),
    slots: u32('const', 'Word index of the first slot: the start of a run of pages.'),
    mask: u32('const', 'Number of slots - 1; the number of slots is a power of two.'),
    name: text(12, 'const', 'Name by which threads find it.'),
  },
  { words: 96 },
);

/** Stands before the records of all rings. */
export const RingRegistry = struct(
  'ring registry',
  {
    lock: u32('A', 'Lock of the registry.'),
    count: u32('A', 'Rings that exist: the first so many records. Written under the lock.'),
    spare: array(14, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

export type RingRef = Ref<'ring'>;

export const RING_WORDS = 96;
export const RING_REGISTRY_WORDS = 16;
export const RING_NAME_WORDS = 12;

/** Rings that one memory can have. */
export const RINGS_MAX = 64;

/** Largest capacity, in words: 1 GiB of slots. */
export const RING_CAPACITY_MAX: number = 2 ** 28;

/** Life of a record: FREE -> OPEN. Rings are not destroyed; `closed` is another matter. */
export const RingState = { FREE: 0, OPEN: 1 } as const;

/** What a waiting putter is granted. A waiting taker is granted its word, or 0: closed and empty. */
export const PutGift = { ACCEPTED: 1, CLOSED: 2 } as const;
