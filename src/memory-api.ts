/** What a thread has of a memory: one object; everything else is in the buffer. */

import type { Adoption } from './adoption.js';
import type { Failpoints } from './check/index.js';
import type { MemoryHandle, ReadSection, ThreadName } from './machine/index.js';
import type { MallocType, MallocTypeOptions, MallocTypeStats } from './malloc/index.js';
import type { Mbufs } from './mbuf/index.js';
import type { Mutex, MutexOptions } from './mutex/index.js';
import type { PagesStats, ReclaimHandler, ReclaimHandlerStats } from './phys/index.js';
import type { Reaped, ReapListener } from './reaping.js';
import type { Ring, RingOptions } from './ring/index.js';
import type { Sysctl } from './sysctl-api.js';
import type {
  AsyncOptions,
  Backend,
  BackendOptions,
  CountedZone,
  CountedZoneOptions,
  ForeignKeg,
  ForeignKegOptions,
  GuardStats,
  Keg,
  KegOptions,
  Leak,
  Reclaimed,
  ReclaimLevel,
  WarningListener,
  Zone,
  ZoneOptions,
  ZoneStats,
} from './uma/index.js';

/** One broken invariant that the audit found. */
export interface Violation {
  /** Number of the invariant, as in the README of its layer. */
  readonly rule: string;
  readonly message: string;
}

export interface AuditReport {
  readonly clean: boolean;
  readonly violations: readonly Violation[];
}

/** How far the readers have come. Plain data. */
export interface EpochStats {
  /** Grows by 2 with each step, which waits for all who read; wraps. */
  readonly sequence: number;
  /**
   * Threads that are in a read section since before the last step: while they are, nothing that has been
   * freed since can be reused in any epoch zone.
   */
  readonly overdue: readonly ThreadName[];
}

/** A snapshot of the whole memory. Plain data. */
export interface MemoryStats {
  readonly bytes: number;
  readonly threads: number;
  /** Calls that did not sleep, as this thread or another held a lock: see the setting `noSleepWithLocks`. */
  readonly sleepsRefused: number;
  readonly pages: PagesStats;
  /** Reclaim handlers of this thread, in order. */
  readonly reclaimHandlers: readonly ReclaimHandlerStats[];
  readonly zones: readonly ZoneStats[];
  /** Figures of the malloc types. */
  readonly malloc: readonly MallocTypeStats[];
  readonly guard: GuardStats;
  readonly epochs: EpochStats;
}

/** One thread's attachment to a memory. */
export interface Memory {
  /** Send this through `workerData` or `postMessage`, and attach to it there. */
  readonly handle: MemoryHandle;
  /** The memory as 32-bit words: word `address >> 2`. */
  readonly words: Int32Array;
  /** The memory as bytes. */
  readonly bytes: Uint8Array;
  /** Slot of this thread, 1 to 254: what the owner bytes say. */
  readonly thread: number;
  /** Slot and generation of this thread: what `declareDead` is told. */
  readonly name: ThreadName;
  /** Named places that can be made to fail, for this thread. */
  readonly failpoints: Failpoints;
  /** Tunables and figures by name. */
  readonly sysctl: Sysctl;
  /** Makes a zone, or attaches to the zone of this name when the layout agrees. */
  zone(options: CountedZoneOptions): CountedZone;
  zone(options: ZoneOptions): Zone;
  /**
   * Makes a keg, or attaches to the one of this name: items by the batch and without a cache, for who brings
   * his own; zones may be stacked on it. Kegs and zones share their names.
   *
   * @throws what `zone` throws; BAD_CONFIGURATION for what is a zone's to say, such as `ctor`
   */
  keg(options: KegOptions): Keg;
  /**
   * Makes a keg over memory that is not this one, or attaches to the one of this name: a buffer of the
   * user's, the heap of a WebAssembly module. 16 of them at most.
   *
   * @throws BAD_ARGUMENT, BAD_CONFIGURATION, LAYOUT_MISMATCH, TOO_MANY_ZONES
   */
  foreignKeg(options: ForeignKegOptions): ForeignKeg;
  /**
   * Makes a backend, or finds the one of this name: pages that several kegs share, bounded together. Name it
   * in the options of a zone.
   *
   * @throws TOO_MANY_BACKENDS, BAD_ARGUMENT
   */
  backend(options: BackendOptions): Backend;
  /**
   * Calls `listener` for each warning of this thread: `[zone: NAME] TEXT` when a limit is met. Without a
   * listener they go to the console.
   */
  onWarning(listener: WarningListener): void;
  /**
   * Registers what this thread gives back when the memory is low: fewer free pages than `freeMin`, or a
   * call that found none. Handlers run in the order of their registration, until enough is free: in the
   * thread that lacks memory at once, in the others at their next slow path, sleep or `poll`, once in each
   * time that the memory is low. What one says it has freed is written down; what counts are the pages that
   * are free after it.
   *
   * @param handler is told how many bytes are wanted, and says how many it has freed. It must not sleep; its
   *   allocations may take what `USE_RESERVE` may; an error of it is told to `onWarning`'s listeners
   * @returns takes the handler out again
   * @throws BAD_ARGUMENT for a name that this thread has given to another
   */
  onLowMemory(name: string, handler: ReclaimHandler): () => void;
  /**
   * Makes a malloc type, or finds the one of this name: blocks of any size, counted together.
   *
   * @throws BAD_ARGUMENT; LAYOUT_MISMATCH when it exists with another description, other zones, or guarded
   *   otherwise;
   *   OUT_OF_MEMORY when there are 255, or fewer in a small memory
   */
  mallocType(options: MallocTypeOptions): MallocType;
  /** Network buffers. The zones are made, or opened, at the first use. */
  readonly mbufs: Mbufs;
  /** Makes a ring, or finds the one of this name. */
  ring(options: RingOptions): Ring;
  /**
   * Makes a mutex, or finds the one of this name. At check level 1 and above the witness judges in which
   * order mutexes are taken, and whether a call that may sleep is made with one.
   *
   * @throws BAD_ARGUMENT; LAYOUT_MISMATCH when it exists with another class or rank; OUT_OF_MEMORY when
   *   there are 64
   */
  mutex(name: string, options?: MutexOptions): Mutex;
  /** Copies bytes inside the memory; ranges may overlap. Not checked: the caller owns both ranges. */
  copyBytes(target: number, source: number, length: number): void;
  /** Fills bytes. Not checked: the caller owns the range. */
  fillBytes(address: number, value: number, length: number): void;
  /** Does what other threads ask of this one, such as giving back cached items. Call it when idle. */
  poll(): void;
  /**
   * Cleans up after threads that have been declared dead; what became of what they had. Every thread is
   * asked to, and does it at its next slow path, sleep or `poll`; one of them gets it. So there is hardly
   * ever a need to call it.
   */
  reap(): Reaped[];
  /** Calls `listener` after each thread that this one has cleaned up after. */
  onReaped(listener: ReapListener): void;
  /**
   * Says that a thread has ended without having detached. Only who knows that it has ended, and can write
   * no more, may say so: `terminate()` having been called is not enough. False: it was not attached, or
   * this has been said.
   */
  declareDead(thread: ThreadName): boolean;
  /**
   * Looks after the end of a thread, and cleans up after it then, wherever it was. It does not matter
   * whether it has attached yet, and it may detach as usual. Who adopts must not block for good: it is told
   * by an event.
   *
   * @param thread a Worker of Node; or a MessagePort, or 'lock' for a Web Lock: then send the adoption's
   *   `handle` to the thread, and to no other; a port's other end goes into `attachMemory(handle, { port })`
   * @throws BAD_ARGUMENT for anything else, and for a Worker that has ended; BAD_CONFIGURATION where there
   *   are no Web Locks that can be relied on
   */
  adopt(thread: object | 'lock'): Adoption;
  /**
   * Begins a read section: until `leave`, what this thread finds in items of zones with `epoch: true` is not
   * reused, though it may have been unlinked and freed. Two plain loads and one plain store, about 1 ns. Keep
   * it short, and do not wait in it: nothing that is freed meanwhile can be reused by anybody.
   *
   * @throws READ_SECTION where this thread is in one already; DETACHED; GIVEN_UP
   */
  enter(): void;
  /**
   * Ends the read section; an address that was found in it means nothing any more. About 1 ns.
   *
   * @throws READ_SECTION where there is none; DETACHED; GIVEN_UP
   */
  leave(): void;
  /** `enter` for a block: `using section = memory.reading()` leaves at its end. Makes no object. */
  reading(): ReadSection;
  /**
   * Waits until every read section that is open now has ended; some milliseconds at least. What was unlinked
   * before is known to nobody then; so this is not needed for items of epoch zones, which wait by themselves.
   *
   * @param timeoutMs gives up with TIMED_OUT after so many milliseconds; without it, never
   * @throws READ_SECTION in a read section; WOULD_BLOCK where this thread must not block; SLEEP_WITH_LOCK
   */
  synchronize(timeoutMs?: number): void;
  /** The same without blocking; keeps the process alive while it waits. */
  synchronizeAsync(options?: AsyncOptions): Promise<void>;
  /** The same as `reclaim('drain')`. */
  drain(): void;
  /**
   * Gives back what zones cache. Zones that are `unmanaged` are passed by, and by `trim` those that are
   * `noTrim`; only zones that this thread has opened are reached here, the others by the threads that have.
   *
   * @param level `trim`: beyond the working sets. `drain`: all that the zones and this thread cache.
   *   `threads`: every other thread is asked as well; who has not answered by the next call is `overdue`
   * @throws the first error of a `fini`; everything has been done then
   */
  reclaim(level: ReclaimLevel): Reclaimed;
  /** Threads that have not answered yet what this one has asked by `reclaim('threads')`. */
  overdue(): ThreadName[];
  /** Gives the thread slot back. Items that this thread still holds stay allocated. */
  detach(): void;
  /** Checks every invariant. The memory must be quiet: no other thread may work on it meanwhile. */
  audit(): AuditReport;
  stats(): MemoryStats;
  /**
   * Refuses a range of bytes that does not lie inside one item in use: in a redzone, in an item that is free,
   * across the end of one, in no item. For programs that look for a bug; about 1 us.
   *
   * @throws USE_AFTER_FREE, OUT_OF_BOUNDS: `details` has item, owner, the bytes around, and, if its zone has
   *   `sites`, who allocated and freed it and where; BAD_ARGUMENT
   */
  check(address: number, length: number): void;
  /** A record as `printRecord` shows it; from check level 2 on it must lie in one item: see `check`. */
  print(declared: object, address: number): string;
  /**
   * What is in use now, grouped by zone, malloc type, the place where it was allocated, and the thread that
   * did, the most bytes first. Places are known of zones with `sites`, and of all at check level 3; types of
   * runs, and of all blocks from level 2 on. Walks the whole memory.
   */
  leaks(): readonly Leak[];
}
