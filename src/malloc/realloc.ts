/**
 * Making a block larger or smaller: where it stays, and how its bytes get into another.
 *
 * The old block is the caller's until its bytes have moved. While another one is waited for somebody may free
 * it all the same: that is found as far as a block can tell, and the new one goes back.
 */

import { hex, MbumaError, requireInteger } from '../check/index.js';
import type { AsyncOptions } from '../uma/index.js';
import { GRANULE, GRANULE_SHIFT, OWNER_MEMORY, ZERO } from '../uma/index.js';
import type { Blocks, OpenType } from './blocks.js';
import type { MallocContext } from './context.js';
import { requireFlags, requireOptions } from './requests.js';

export interface Reallocation {
  /**
   * @param allocate answers 0 when there is nothing; then so does this. `kept`: bytes of the block that is
   *   kept meanwhile
   */
  now(
    of: OpenType,
    block: unknown,
    size: unknown,
    flags: unknown,
    allocate: (flags: number, kept: number) => number,
  ): number;
  later(of: OpenType, block: unknown, size: unknown, flags: unknown, options: AsyncOptions): Promise<number>;
}

/** A block that is to move. */
interface Old {
  readonly block: number;
  /** Bytes that its user may touch. */
  readonly usable: number;
  /** Bytes that are wanted. */
  readonly size: number;
  readonly owner: number;
  readonly flags: number;
}

export function createReallocation({ machine, uma }: MallocContext, blocks: Blocks): Reallocation {
  const ownerOf = (block: number): number => uma.owners[block >>> GRANULE_SHIFT] as number;

  /** What there is to be moved. @throws as `free`, for what is no block of the type */
  function look(of: OpenType, given: unknown, wanted: unknown, flags: number): Old {
    const usable = blocks.usableSize(of, given);
    const block = given as number;
    const size = requireInteger(wanted, 'size', 0, Number.MAX_SAFE_INTEGER);
    return { block, usable, size, owner: ownerOf(block), flags };
  }

  /** That it is the block it was: for others may have freed it meanwhile, and allocated another there. */
  function requireUnfreed(of: OpenType, { block, usable, owner }: Old, other: number): void {
    const owns = ownerOf(block);
    const refuse = (why: string, cause?: unknown): MbumaError =>
      new MbumaError(
        cause instanceof MbumaError ? cause.code : 'FREE_TWICE',
        `realloc of malloc type ${of.name}: block ${hex(block)} was freed meanwhile: ${why}`,
        { address: block, owner: owns, cause },
      );
    let length: number;
    try {
      length = blocks.usableSize(of, block);
    } catch (error) {
      throw refuse((error as Error).message, error);
    }
    if (block === other) throw refuse('the new one lies there');
    if (length !== usable) throw refuse(`there is one of ${length} bytes now, not ${usable}`);
    // Who cleans up after a death makes it the memory's.
    if (owns !== owner && owns !== OWNER_MEMORY) throw refuse(`thread ${owns} has allocated it anew`);
  }

  /** Moves the bytes, and frees the old block. When that is refused, the new one goes back. */
  function move(of: OpenType, old: Old, other: number): number {
    const { block, usable, size, flags } = old;
    try {
      requireUnfreed(of, old, other);
      // Found at the free, it would be told when the bytes have nowhere to be.
      blocks.requireWhole(of, block);
      const kept = Math.min(usable, size);
      machine.copyBytes(other, block, kept);
      if ((flags & ZERO) !== 0) machine.fillBytes(other + kept, 0, blocks.usableSize(of, other) - kept);
      blocks.free(of, block);
      return other;
    } catch (error) {
      blocks.free(of, other);
      throw error;
    }
  }

  /**
   * The block where it is, if it can be as long as is wanted there or too little would be won by another one,
   * or a smaller one; 0: a larger one is needed. A smaller one is not waited for, and never lacks: without it
   * the old one stays.
   */
  function withoutLarger(of: OpenType, old: Old): number {
    const { block, usable, size, flags } = old;
    if (blocks.resize(of, block, size)) {
      const more = blocks.usableSize(of, block) - usable;
      if ((flags & ZERO) !== 0 && more > 0) machine.fillBytes(block + usable, 0, more);
      return block;
    }
    if (size > usable) return 0;
    if (size > usable >>> 1 || usable <= GRANULE) return block;
    const other = smaller(of, size, flags);
    return other === 0 ? block : move(of, old, other);
  }

  /** A block for fewer bytes; 0: there is none, or no zone for it any more. */
  function smaller(of: OpenType, size: number, flags: number): number {
    try {
      return blocks.tryAlloc(of, size, flags & ~ZERO);
    } catch (error) {
      if (error instanceof MbumaError && error.code === 'TOO_MANY_ZONES') return 0;
      throw error;
    }
  }

  return {
    now(of, block, size, given, allocate) {
      const flags = requireFlags(given);
      if (block === 0) return allocate(flags, 0);
      const old = look(of, block, size, flags);
      const here = withoutLarger(of, old);
      if (here !== 0) return here;
      const other = allocate(flags & ~ZERO, old.usable);
      return other === 0 ? 0 : move(of, old, other);
    },
    async later(of, block, size, given, options) {
      const flags = requireFlags(given);
      requireOptions(options);
      if (block === 0) return blocks.allocAsync(of, size, flags, options);
      const old = look(of, block, size, flags);
      const here = withoutLarger(of, old);
      if (here !== 0) return here;
      blocks.requireRoomBeside(of, old.usable, size);
      return move(of, old, await blocks.allocAsync(of, size, flags & ~ZERO, options));
    },
  };
}
