/**
 * What users call: the fast path of malloc, over the thread caches of the zones of its size classes.
 *
 * `tryAlloc` and `free` do what a zone's do, and count for the type. The first block of a class, whatever
 * has work to do on each block, and every block of a type with a limit take the slow way: then the front of
 * the class is a dead cache, or the cell settles at each block. So there is one test for all of that.
 */

import { CheckLevel, requireInteger, requireTimeout } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import {
  type AsyncOptions,
  BUCKET_MASK,
  GRANULE_SHIFT,
  INTERNAL_KEGS,
  OwnerDeath,
  ThreadCache,
  ZERO,
} from '../uma/index.js';
import type { Accounts } from './accounts.js';
import type { Blocks, OpenType } from './blocks.js';
import { CLASS_OF, CLASS_SIZES, GRANULES_OF, SMALL_MAX } from './classes.js';
import type { MallocContext } from './context.js';
import { granulesFor, LIMIT_MAX } from './options.js';
import { createReallocation } from './realloc.js';
import { MallocType as MallocTypeRecord, TypeCell, type TypeRef } from './records.js';
import type { Registry } from './registry.js';
import { product, requireFlags } from './requests.js';
import { typeStats } from './stats.js';
import type { MallocType, MallocTypeStats } from './types.js';
import type { ZoneSet } from './zone-set.js';

/** A type that this thread has opened: what users call, and what that works on. */
export interface Opened {
  readonly handle: MallocType;
  readonly state: OpenType;
}

export interface Handles {
  make(type: TypeRef, zoneSet: ZoneSet): Opened;
  /** Whether `make` has made it. */
  has(type: unknown): boolean;
}

export function createHandles(
  context: MallocContext,
  registry: Registry,
  accounts: Accounts,
  blocks: Blocks,
): Handles {
  const { machine, threads, uma } = context;
  const { words } = machine;
  const { owners, pageKegs, deadFront } = uma;
  const { slot } = threads;
  // Rebound here: an import is loaded at each use, a constant of this function is folded.
  const COUNT = BUCKET_MASK;
  const GRANULE = GRANULE_SHIFT;
  const PAGE = PAGE_SHIFT;
  const LARGEST = SMALL_MAX;
  const { freeLimit: FREE_LIMIT, requests: REQUESTS, requestsHigh: REQUESTS_HIGH } = ThreadCache;
  const { pending: PENDING, most: MOST, least: LEAST } = TypeCell;
  const { allocations: ALLOCATIONS, allocationsHigh: ALLOCATIONS_HIGH, frees: FREES } = TypeCell;
  /** From check level 1 on a call that may sleep is judged by what it might have done. */
  const mayHurry = machine.checkLevel < CheckLevel.WITNESS;
  const classOf = CLASS_OF;
  const granulesOf = GRANULES_OF;
  const LAST_KEG = machine.layout.parameters.maxZones + INTERNAL_KEGS;
  /** Granules of a block, by the number of its keg. */
  const granulesOfKeg = new Uint16Array(LAST_KEG + 1);
  const allocSite = machine.failpoints.site('malloc.alloc');
  const reallocation = createReallocation(context, blocks);
  const made: OpenHandle[] = [];

  class OpenHandle implements MallocType {
    readonly name: string;
    readonly cell: number;
    /** The cache that the fast path looks at, by the granules of a size: one step, where the class is two. */
    readonly fronts: Int32Array;
    /** The same by the number of a block's keg. */
    readonly kegFronts: Int32Array;
    /** 1 for each class whose first block has come. */
    readonly isShown = new Uint8Array(CLASS_SIZES.length);
    readonly state: OpenType;

    constructor(state: OpenType) {
      this.name = state.name;
      this.cell = state.cell;
      this.fronts = new Int32Array(classOf.length).fill(deadFront);
      this.kegFronts = new Int32Array(LAST_KEG + 1).fill(deadFront);
      this.state = state;
    }

    tryAlloc(size: number, flags = 0): Addr | 0 {
      if (typeof size !== 'number' || (size | 0) !== size || size < 0 || size > LARGEST || flags !== 0)
        return blocks.tryAlloc(this.state, size, flags) as Addr | 0;
      const granules = (size + 15) >>> GRANULE;
      const cache = this.fronts[granules] as number;
      const top = words[cache] as number;
      const cell = this.cell;
      const pending = (words[cell + PENDING] as number) + (granulesOf[granules] as number);
      if ((top & COUNT) === 0 || pending > (words[cell + MOST] as number))
        return blocks.tryAlloc(this.state, size, flags) as Addr | 0;
      words[cell + PENDING] = pending;
      const item = words[top] as number;
      owners[item >>> GRANULE] = slot;
      words[cache] = top - 1;
      words[top] = 0;
      const requests = ((words[cache + REQUESTS] as number) + 1) | 0;
      words[cache + REQUESTS] = requests;
      const allocations = ((words[cell + ALLOCATIONS] as number) + 1) | 0;
      words[cell + ALLOCATIONS] = allocations;
      if (requests === 0 || allocations === 0) countCarry(cache, requests, cell, allocations);
      return item as Addr;
    }

    /** Whether `tryAlloc` of this size is fast, and so succeeds. */
    private has(size: number): boolean {
      if (typeof size !== 'number' || (size | 0) !== size || size < 0 || size > LARGEST) return false;
      const granules = (size + 15) >>> GRANULE;
      const pending = (words[this.cell + PENDING] as number) + (granulesOf[granules] as number);
      const top = words[this.fronts[granules] as number] as number;
      return (top & COUNT) !== 0 && pending <= (words[this.cell + MOST] as number);
    }

    free(block: Addr | 0): void {
      if (
        typeof block !== 'number' ||
        (block & -16) !== block ||
        !((owners[block >>> GRANULE] as number) > 0)
      ) {
        blocks.free(this.state, block);
        return;
      }
      const keg = pageKegs[block >>> PAGE] as number;
      if (keg > LAST_KEG) {
        blocks.free(this.state, block);
        return;
      }
      const cache = this.kegFronts[keg] as number;
      const top = words[cache] as number;
      const cell = this.cell;
      const pending = (words[cell + PENDING] as number) - (granulesOfKeg[keg] as number);
      if (
        (top & COUNT) >= (words[cache + FREE_LIMIT] as number) ||
        pending < (words[cell + LEAST] as number)
      ) {
        blocks.free(this.state, block);
        return;
      }
      words[cell + PENDING] = pending;
      words[cell + FREES] = ((words[cell + FREES] as number) + 1) | 0;
      words[top + 1] = block;
      words[cache] = top + 1;
      owners[block >>> GRANULE] = 0;
    }

    alloc(size: number, flags = 0, timeoutMs?: number): Addr {
      if (flags === 0 && timeoutMs === undefined && mayHurry && this.has(size))
        return this.tryAlloc(size) as Addr;
      return blocks.alloc(this.state, size, flags, timeoutMs) as Addr;
    }

    async allocAsync(size: number, flags = 0, options: AsyncOptions = {}): Promise<Addr> {
      return (await blocks.allocAsync(this.state, size, flags, options)) as Addr;
    }

    tryCalloc(count: number, size: number, flags = 0): Addr | 0 {
      const bytes = product(count, size);
      if (flags === 0 && this.has(bytes)) return this.takeZeroed(bytes);
      return blocks.tryAlloc(this.state, bytes, requireFlags(flags) | ZERO) as Addr | 0;
    }

    calloc(count: number, size: number, flags = 0, timeoutMs?: number): Addr {
      const bytes = product(count, size);
      if (flags === 0 && timeoutMs === undefined && mayHurry && this.has(bytes))
        return this.takeZeroed(bytes);
      return blocks.alloc(this.state, bytes, requireFlags(flags) | ZERO, timeoutMs) as Addr;
    }

    async callocAsync(count: number, size: number, flags = 0, options: AsyncOptions = {}): Promise<Addr> {
      const zeroed = requireFlags(flags) | ZERO;
      return (await blocks.allocAsync(this.state, product(count, size), zeroed, options)) as Addr;
    }

    /** What the fast path has, zeroed to its end, as the slow way does. */
    private takeZeroed(bytes: number): Addr {
      const block = this.tryAlloc(bytes) as Addr;
      machine.fillBytes(block, 0, (granulesOf[(bytes + 15) >>> GRANULE] as number) << GRANULE);
      return block;
    }

    tryAlignedAlloc(alignment: number, size: number, flags = 0): Addr | 0 {
      return blocks.tryAlloc(this.state, size, flags, alignment) as Addr | 0;
    }

    alignedAlloc(alignment: number, size: number, flags = 0, timeoutMs?: number): Addr {
      return blocks.alloc(this.state, size, flags, timeoutMs, alignment) as Addr;
    }

    async alignedAllocAsync(
      alignment: number,
      size: number,
      flags = 0,
      options: AsyncOptions = {},
    ): Promise<Addr> {
      return (await blocks.allocAsync(this.state, size, flags, options, alignment)) as Addr;
    }

    tryRealloc(block: Addr | 0, size: number, flags = 0): Addr | 0 {
      const allocate = (wanted: number): number => this.tryAlloc(size, wanted);
      return reallocation.now(this.state, block, size, flags, allocate) as Addr | 0;
    }

    realloc(block: Addr | 0, size: number, flags = 0, timeoutMs?: number): Addr {
      requireTimeout(timeoutMs);
      const allocate = (wanted: number, kept: number): number => {
        if (kept !== 0) blocks.requireRoomBeside(this.state, kept, size);
        return this.alloc(size, wanted, timeoutMs);
      };
      return reallocation.now(this.state, block, size, flags, allocate) as Addr;
    }

    async reallocAsync(block: Addr | 0, size: number, flags = 0, options: AsyncOptions = {}): Promise<Addr> {
      return (await reallocation.later(this.state, block, size, flags, options)) as Addr;
    }

    setAside(block: Addr, queue: 'active' | 'inactive' | 'cache' = 'inactive'): number {
      return blocks.setAside(this.state, block, queue);
    }

    takeBack(block: Addr, ticket: number): boolean {
      return blocks.takeBack(this.state, block, ticket);
    }

    usableSize(block: Addr): number {
      return blocks.usableSize(this.state, block);
    }

    get description(): string {
      return registry.descriptionOf(this.state.type);
    }

    get max(): number {
      return accounts.limitOf(this.state.type) << GRANULE_SHIFT;
    }

    set max(limit: number) {
      const bytes = requireInteger(limit, 'max', 0, LIMIT_MAX);
      threads.assertHere();
      accounts.setLimit(this.state.type, granulesFor(bytes));
    }

    stats(): MallocTypeStats {
      return typeStats(context, registry, accounts, this.state.type);
    }
  }

  function countCarry(cache: number, requests: number, cell: number, allocations: number): void {
    if (requests === 0) words[cache + REQUESTS_HIGH] = (words[cache + REQUESTS_HIGH] as number) + 1;
    if (allocations === 0) words[cell + ALLOCATIONS_HIGH] = (words[cell + ALLOCATIONS_HIGH] as number) + 1;
  }

  /** What the fast path of a class looks at, of a class whose first block has come. */
  function show(
    { state: { name, zoneSet, isFollowed }, fronts, kegFronts }: OpenHandle,
    index: number,
  ): void {
    const zone = zoneSet.zoneOf(index);
    const front = isFollowed || allocSite.concerns(name) ? deadFront : uma.frontOf(zone);
    fronts.fill(front, classOf.indexOf(index), classOf.lastIndexOf(index) + 1);
    kegFronts[zone.keg] = front;
    granulesOfKeg[zone.keg] = (CLASS_SIZES[index] as number) >>> GRANULE_SHIFT;
  }

  function showAll(): void {
    for (const handle of made)
      for (let index = 0; index < CLASS_SIZES.length; index++)
        if (handle.isShown[index] !== 0) show(handle, index);
  }

  uma.onFronts(showAll);
  allocSite.onChange(showAll);

  return {
    make(type, zoneSet) {
      const name = registry.nameOf(type);
      const state: OpenType = {
        type,
        tag: registry.indexOf(type) + 1,
        name,
        cell: registry.cellOf(type, slot),
        zoneSet,
        isGuarded: words[type + MallocTypeRecord.guarded] !== 0,
        isFollowed: words[type + MallocTypeRecord.onOwnerDeath] !== OwnerDeath.keep,
        show(index) {
          if (handle.isShown[index] !== 0) return;
          handle.isShown[index] = 1;
          show(handle, index);
        },
      };
      const handle = new OpenHandle(state);
      made.push(handle);
      return { handle, state };
    },
    has: (type) => made.includes(type as OpenHandle),
  };
}
