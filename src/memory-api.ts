/** What a thread has of a memory: one object; everything else is in the buffer. */

import type { Adoption } from './adoption.js';
import type { Failpoints } from './check/index.js';
import type { MemoryHandle, ReadSection, ThreadName } from './machine/index.js';
import type { Mbufs } from './mbuf/index.js';
import type { PagesStats } from './phys/index.js';
import type { Reaped, ReapListener } from './reaping.js';
import type { Ring, RingOptions } from './ring/index.js';
import type { AsyncOptions, Zone, ZoneOptions, ZoneStats } from './uma/index.js';

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
  readonly pages: PagesStats;
  readonly zones: readonly ZoneStats[];
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
  /** Makes a zone, or attaches to the zone of this name when the layout agrees. */
  zone(options: ZoneOptions): Zone;
  /** Network buffers. The zones are made, or opened, at the first use. */
  readonly mbufs: Mbufs;
  /** Makes a ring, or finds the one of this name. */
  ring(options: RingOptions): Ring;
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
   * no more, may say so: `terminate()` having been called is not enough. False: it was not attached, or this
   * has been said.
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
  /** Gives back all that is cached and not needed now: buckets, empty slabs, pages. */
  drain(): void;
  /** Gives the thread slot back. Items that this thread still holds stay allocated. */
  detach(): void;
  /** Checks every invariant. The memory must be quiet: no other thread may work on it meanwhile. */
  audit(): AuditReport;
  stats(): MemoryStats;
}
