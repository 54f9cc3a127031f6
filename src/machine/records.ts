/**
 * Records of the machine.
 *
 * Words: a *thread* is an agent attached to the memory, it owns a *slot*. A *lock* is one word with its
 * owner in it. A *waiter* is one call that waits; a *wait queue* is a FIFO of waiters. An *intent* is
 * what a thread is in the middle of, written down so that another can finish or undo it.
 *
 * Guards: `const` written before the memory is shared; `A` atomics only; `T` the thread that owns the
 * slot (others only when it is dead); `L` the lock of the structure that the waiter or queue belongs to.
 *
 * Lock word:    28       9 8     1 0
 *             [generation | slot  |C]   0 = free; C = somebody sleeps on the word
 *
 * State word:   30       11 10     3 2   0
 *             [generation | reaper | life]   life = ThreadState; reaper = slot of who reaps it, else 0
 */

import { array, f64, i32, ref, struct, u32 } from '../record/index.js';

/** The first record of every memory: SUPERBLOCK words behind what is reserved for a module. */
export const Superblock = struct(
  'superblock',
  {
    magic: u32('A', 'MAGIC once the memory is complete; written last.'),
    version: u32('const', 'FORMAT_VERSION of the build that made it.'),
    layoutHash: u32('const', 'Hash of all record layouts: two builds must agree on it.'),
    pageCount: u32('const', 'Pages of the whole memory, page 0 and what is reserved included.'),
    maxThreads: u32('const', 'Thread slots; slot numbers are 1 to maxThreads.'),
    maxZones: u32('const', 'Zones that can exist at one time.'),
    checkLevel: u32('const', 'CheckLevel that every thread uses.'),
    firstPage: u32('const', 'First page that the page layer may hand out; below are the boot areas.'),
    attached: u32('A', 'Threads attached now, in 8 bits, and how often they were counted.'),
    deaths: u32('A', 'Threads ever declared dead: a figure.'),
    poisoned: u32('A', 'Not 0 when the memory was found damaged: the code of the first finding.'),
    adoptions: u32('A', 'Numbers of agents that adopters have made up: see adopt.'),
    sleepsRefused: u32('A', 'Calls that did not sleep, as a lock was held: see noSleepWithLocks. A figure.'),
    modulePages: u32('const', 'Pages at the start that are a WebAssembly module’s, and not the memory’s.'),
    reserved: array(2, 'const', 'Zero.'),
  },
  { words: 16 },
);

/** One thread's place in the memory. Eight cache lines; the first is written by others. */
export const ThreadSlot = struct(
  'thread',
  {
    // Line 0: written by others.
    state: u32(
      'A',
      'State word. The one truth of the slot: life, generation and reaper change by one store.',
    ),
    agent: i32('A', 'Who attached, as its adopter knows it; 0 exactly when the slot is free to be claimed.'),
    attention: u32('A', 'Attention bits: what others ask of this thread.'),
    native: u32('A', 'Number of the thread at the operating system; 0 where that is not known.'),
    asked: u32('A', 'Requests to this thread that somebody counts; grows after the attention bit is set.'),
    answered: u32('A', 'Value of `asked` before the last answer: what was asked until then is done.'),
    wanted: u32('A', 'Pages in one piece that this thread asks others for; 0: none. A hint of its own.'),
    spare0: array(9, 'const', 'Keeps the line to the words above.'),
    // Line 1: what the thread holds.
    heartbeat: u32('T', 'Grows with each poll and each slow path.'),
    pendingLock: u32('T', 'Lock being taken; 0 when none. Written before the attempt.'),
    heldCount: u32('T', 'Locks held.'),
    held: array(8, 'T', 'Locks held, in the order of taking.'),
    sleepingOn: u32('A', 'Word that this thread sleeps on; 0 when awake. Others wake it there.'),
    counter: u32('T', 'Word index of the reference counter that this thread changes; 0 when none: see mbuf.'),
    counted: u32('T', 'Item that it counts references to. Written before.'),
    home: u32('const', 'Always 0: asynchronous calls of the thread that have no waiter sleep on it.'),
    lacking: u32('A', 'Lacking, in two bits, and which sleep it is: what this thread lacks while it sleeps.'),
    // Lines 2 and 3: what the thread is in the middle of, under a lock.
    intent: u32('T', 'Intent; 0 when none. Written last when armed, first when disarmed: see intents.ts.'),
    operands: array(31, 'T', 'Operands of the intent.'),
    // Lines 4 to 6: what the thread has in hand, in no list and no cache: see hands.ts.
    hands: array(48, 'T', '12 hands of 4 words, in the order of taking.'),
    // Line 7: statistics.
    sleeps: f64('T', 'Times that this thread slept.'),
    handCount: u32('T', 'Hands in use: a hint for the thread itself; the kinds of the hands are the truth.'),
    section: i32(
      'T',
      'Sequence at which its read section began; 0: it is in none. Others read it: epochs.ts.',
    ),
    spare2: array(12, 'const', 'Fills the line.'),
  },
  { words: 128 },
);

/** How far all threads have come in forgetting what was unlinked: see epochs.ts. A line of its own. */
export const EpochState = struct(
  'epochs',
  {
    sequence: i32('A', 'Grows by 2 and wraps: always odd. At most once a tick, when no reader is behind.'),
    spare: array(15, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

/** One call that waits. A thread has one for blocking and several for asynchronous calls. */
export const Waiter = struct(
  'waiter',
  {
    state: u32('A', 'WaiterState; the word that is slept on.'),
    grant: i32('L', 'What was handed over, by the one who set GRANTED.'),
    next: ref('waiter', 'L', 'Next in the queue; 0 ends it.'),
    previous: ref('waiter', 'L', 'Previous in the queue; 0 is the head.'),
    queue: ref('wait queue', 'L', 'Queue that it stands in, or whose grant it has not taken yet; else 0.'),
    slot: u32('const', 'Slot of the thread that waits.'),
    request: u32('L', 'What is wanted; the queue defines the meaning.'),
    ticket: u32('L', 'Grows with each stand in a line: tells a wait from the next of the same waiter.'),
  },
  { words: 8 },
);

/** First come, first served. */
export const WaitQueue = struct(
  'wait queue',
  {
    head: ref('waiter', 'L', 'Longest waiting; 0 when nobody waits.'),
    tail: ref('waiter', 'L', 'Newest; 0 when nobody waits.'),
    count: u32('L', 'Waiters in the queue. May be read without the lock as a hint.'),
    sleeps: u32('L', 'Waiters ever enqueued.'),
  },
  { words: 4 },
);

/** 'MBUM' in memory order. */
export const MAGIC = 0x4d55424d;

/** Changes when the meaning of the memory changes without a change of a record's layout. */
export const FORMAT_VERSION = 1;

/** Word of the superblock in the first page that is not reserved: not 0, which is null. */
export const SUPERBLOCK = 16;

/**
 * Life of a slot: FREE -> LIVE (attach) -> FREE (detach); LIVE -> DEAD (declared dead) -> REAPING (one
 * thread cleans up; should that one die, another takes over) -> FREE.
 */
export const ThreadState = { FREE: 0, LIVE: 1, DEAD: 3, REAPING: 4 } as const;

/** Hands of a thread: see hands.ts. */
export const HANDS_MAX = 12;
export const HAND_WORDS = 4;

/** Words for operands of an intent. */
export const OPERANDS_MAX = 31;

/** Life of a waiter: IDLE -> WAITING (enqueue) -> GRANTED (hand-over) or IDLE (gives up) -> IDLE. */
export const WaiterState = { IDLE: 0, WAITING: 1, GRANTED: 2 } as const;

/** What a thread that is asleep lacks. */
export const Lacking = {
  NOTHING: 0,
  /** Pages; and it wakes up by itself some time. */
  PAGES: 1,
  /** Pages; and it does nothing else before it has them. */
  PAGES_FOR_GOOD: 2,
} as const;

/** In the word `attached`: the threads, below the number of the count. */
export const ATTACHED_MASK = 255;

/** What may be asked of a thread. */
export const Attention = {
  /** Give back what the caches of this thread hold. */
  DRAIN: 1,
  /** The same, and pages too: somebody waits for them. */
  RECLAIM: 2,
  /** A thread has died: clean up, unless somebody else has begun to. */
  REAP: 4,
  /** Pages have come free: look, if that is what is waited for. */
  PAGES: 8,
  /** Its blocking call was granted something: wake up. */
  GRANT: 16,
} as const;

/** Locks that one thread may hold at one time: the number of ranks, and room. */
export const HELD_LOCKS_MAX = 8;

/** Asynchronous waits of one thread that stand in queues at one time; more wait their turn at home. */
export const ASYNC_WAITERS = 31;

/** Bytes and words of a page. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
export const PAGE_WORDS: number = PAGE_SIZE / 4;

/** Slots are numbered 1 to 254; 255 in an owner byte means "held by the memory itself". */
export const THREADS_MAX = 254;
