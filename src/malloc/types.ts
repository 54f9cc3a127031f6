/** What malloc offers to users. */

import type { Addr } from '../record/index.js';
import type { AsyncOptions } from '../uma/index.js';

/** What a type is made of. The maker's limit stands; everything else must agree when it is found again. */
export interface MallocTypeOptions {
  /** Short description, unique in the memory: 1 to 47 printable ASCII characters. `vmstat -m` shows it. */
  readonly name: string;
  /** Long description: up to 63 printable ASCII characters. */
  readonly description?: string;
  /** Most bytes of its blocks together, as they are rounded up, in units of 16; 0 or absent: no limit. */
  readonly max?: number;
  /**
   * `own`: its small blocks lie in slabs where no other type's do, so that a damage stays with its maker.
   * That takes up to 44 zones. Default `shared`. debug.malloc.numzones of malloc(9).
   */
  readonly zones?: 'shared' | 'own';
  /**
   * Its blocks come alone on pages of their own, as many of 100,000 as the setting `vm.memguard.frequency`
   * says and as there are pages for: what is written around them, or after they were freed, is found. So it
   * has zones of its own. A run has a page of redzone behind it. memguard(9), vm.memguard.desc.
   */
  readonly guard?: boolean;
  /**
   * What becomes of the blocks, runs too, that a thread has allocated when it dies: they stay allocated, and
   * belong to the memory from then on (`keep`); or they are freed, by the thread that cleans up, and count
   * for the type no more (`free`); or they stay, and the report of the reaping names them (`report`). Default
   * `keep`: for a block may have been handed over. The others need zones of its own, and a lock a call, as a
   * limit does: then the figures are exact whenever a thread dies. The maker's stands.
   */
  readonly onOwnerDeath?: 'keep' | 'free' | 'report';
}

/** Figures of a type. Plain data. */
export interface MallocTypeStats {
  readonly name: string;
  readonly description: string;
  /** Blocks in use. */
  readonly used: number;
  /** Bytes of these blocks, rounded sizes. */
  readonly bytes: number;
  /** Most bytes that were in use; without a limit, to within 64 KiB for each thread. */
  readonly bytesHigh: number;
  /** Most bytes that may be; 0: no limit. */
  readonly limit: number;
  readonly requests: number;
  /** Requests that got nothing. */
  readonly failures: number;
  /** Times that a request found the limit reached. */
  readonly blocked: number;
  /** Sizes of the blocks that were ever asked for, in bytes; Infinity stands for runs of pages. */
  readonly sizes: readonly number[];
}

/**
 * A malloc type: blocks of any size, counted together. Semantics after malloc(9) of FreeBSD and, for limits,
 * of NetBSD.
 *
 * A block belongs to the caller from its allocation to `free`; any thread may free it, by its own handle of
 * the same type. A size of 0 gives the smallest block. Blocks of a power of two begin at multiples of their
 * size; those of a page up to 64 KiB only at multiples of a page, where they are guarded or have redzones.
 * What a thread that dies had allocated stays allocated, if the type does not say otherwise.
 */
export interface MallocType {
  readonly name: string;
  readonly description: string;
  /**
   * Most bytes in use at one time, 0: no limit. Who waits is served when it rises. May be changed at any
   * time, and be lowered below what is in use.
   */
  max: number;
  /**
   * A block of at least `size` bytes, or 0 when there is none now. Never sleeps. About 3 ns.
   *
   * @param size 0 and up; what is longer than all pages in a row gives 0
   * @param flags ZERO, USE_RESERVE, USE_INTERRUPT_RESERVE
   * @throws BAD_ARGUMENT for what is no size; TOO_MANY_ZONES at the first block of a size class
   */
  tryAlloc(size: number, flags?: number): Addr | 0;
  /**
   * The same; blocks this thread until there is room under the limit, and memory. First come, first served;
   * who wants more than the limit waits until that rises, and is passed by all who do not.
   *
   * @throws OUT_OF_MEMORY for a size that can never be had, and with CANFAIL for want of pages and for more
   *   than the limit; TIMED_OUT, WOULD_BLOCK, SLEEP_WITH_LOCK, READ_SECTION
   */
  alloc(size: number, flags?: number, timeoutMs?: number): Addr;
  /**
   * The same without blocking the event loop. In one line with those that block.
   *
   * @param options `signal` ends the waiting: rejected with its reason
   * @throws as `alloc`, but for TIMED_OUT and WOULD_BLOCK; DETACHED when this thread detaches meanwhile
   */
  allocAsync(size: number, flags?: number, options?: AsyncOptions): Promise<Addr>;
  /**
   * `count` times `size` bytes of zeros, or 0. What is more than the memory has gives 0, and nothing is lost
   * of a product that no number holds.
   */
  tryCalloc(count: number, size: number, flags?: number): Addr | 0;
  /** The same as `alloc` is to `tryAlloc`. */
  calloc(count: number, size: number, flags?: number, timeoutMs?: number): Addr;
  /** The same as `allocAsync` is to `alloc`. */
  callocAsync(count: number, size: number, flags?: number, options?: AsyncOptions): Promise<Addr>;
  /**
   * A block of at least `size` bytes at a multiple of `alignment`, or 0.
   *
   * @param alignment a power of two, 1 and up
   */
  tryAlignedAlloc(alignment: number, size: number, flags?: number): Addr | 0;
  /** The same as `alloc` is to `tryAlloc`. */
  alignedAlloc(alignment: number, size: number, flags?: number, timeoutMs?: number): Addr;
  /** The same as `allocAsync` is to `alloc`. */
  alignedAllocAsync(alignment: number, size: number, flags?: number, options?: AsyncOptions): Promise<Addr>;
  /**
   * Makes a block larger or smaller: in place where the new size needs a block of the same length, or where
   * too little would be won; else its bytes, as many as fit, are copied into another one, and it is freed. A
   * block above 64 KiB stays where it is, and pages are added behind it or given back there, if there are
   * free ones, its type has neither a limit nor an `onOwnerDeath`, and it is not guarded. Made smaller, it
   * stays where it is if there is no other block. 0: nothing has changed; the block is still the caller's.
   *
   * @param block 0: as `tryAlloc`
   * @param size 0: the smallest block; never frees
   * @param flags ZERO: bytes beyond the old block's usable size are 0
   * @throws BAD_ARGUMENT, and as `free` for what is no block of this type
   */
  tryRealloc(block: Addr | 0, size: number, flags?: number): Addr | 0;
  /**
   * The same; blocks this thread while there is no other block. Until it returns, the block is the caller's
   * and untouched: so it is when this throws.
   *
   * @throws as `alloc`; OUT_OF_MEMORY when the limit has no room for both blocks, whatever others free; as
   *   `free`, when somebody has freed the block meanwhile: the new one has gone back
   */
  realloc(block: Addr | 0, size: number, flags?: number, timeoutMs?: number): Addr;
  /**
   * The same without blocking the event loop. What others write to the block while this waits is moved, too.
   * Who frees it meanwhile makes this reject, with the code of `free`: as far as it can be told, which is not
   * the case when the same thread got a block of the same length in its place.
   */
  reallocAsync(block: Addr | 0, size: number, flags?: number, options?: AsyncOptions): Promise<Addr>;
  /**
   * Gives a block back. `free(0)` does nothing. About 3 ns.
   *
   * @throws BAD_ARGUMENT, FREE_FOREIGN, FREE_WRONG_TYPE, FREE_UNALIGNED, FREE_TWICE: nothing has changed then
   */
  free(block: Addr | 0): void;
  /**
   * Lends a large block to the memory: as long as there are free pages it stays as it is, and when they run
   * short it is taken, the oldest first, before a request goes into the reserves. It counts as freed
   * meanwhile. For what can be made anew: decoded images, compiled code, pages of a file.
   *
   * @param block of more than 64 KiB; it must not be touched until it has been taken back
   * @param queue `cache` goes first, then `inactive`, then `active`
   * @returns a ticket, for `takeBack`
   * @throws BAD_ARGUMENT for a small block; as `free` for what is no block of this type
   */
  setAside(block: Addr, queue?: 'active' | 'inactive' | 'cache'): number;
  /**
   * Asks for a block back. True: it is the caller's again, with all that was in it. False: it is gone, or
   * there is no room for it under the limit, and it is gone now. Any thread may; one of them gets it. About
   * 0.5 us.
   *
   * @throws BAD_ARGUMENT
   */
  takeBack(block: Addr, ticket: number): boolean;
  /** Bytes of a block that the caller may use. @throws as `free`, for what is no block of this type */
  usableSize(block: Addr): number;
  stats(): MallocTypeStats;
}
