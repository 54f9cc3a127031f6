/** Does the steps of a trace on an allocator whose blocks have addresses, and looks at what is in them. */

import { fillPattern, findDamage, findNonZero } from './pattern.js';
import { OP_CALLOC, OP_FREE, OP_MALLOC, OP_REALLOC } from './trace-file.js';

/** What came of a step. */
export const DONE = 0;
/** Nothing has changed. */
export const NO_MEMORY = 1;
/** The block did not hold what it must. */
export const DAMAGED = 2;

/** Traces do not keep alignments: a cache line is what most ask for. */
export const ALIGNMENT = 64;

export interface Player {
  /**
   * Does one step.
   *
   * @param before bytes that the object had before
   * @returns DONE, NO_MEMORY, DAMAGED
   */
  play(operation: number, object: number, size: number, before: number): number;
}

/** A malloc type, or what can do the same. 0: there is no memory. */
export interface Allocator {
  tryAlloc(size: number): number;
  tryCalloc(count: number, size: number): number;
  tryAlignedAlloc(alignment: number, size: number): number;
  tryRealloc(block: number, size: number): number;
  free(block: number): void;
}

/** Where the blocks lie. */
export interface Ground {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  /** Address of each object. */
  readonly addresses: Int32Array;
}

/** @param fills whether blocks are filled and looked at */
export function createPlayer(allocator: Allocator, ground: Ground, fills: boolean): Player {
  const { words, bytes, addresses } = ground;
  // Rebound here: an import is loaded at each use, a constant of this function is folded.
  const MALLOC = OP_MALLOC;
  const FREE = OP_FREE;
  const CALLOC = OP_CALLOC;
  const REALLOC = OP_REALLOC;
  const [WELL, SHORT, BAD] = [DONE, NO_MEMORY, DAMAGED];
  const LINE = ALIGNMENT;

  function free(object: number, before: number): number {
    const block = addresses[object] as number;
    if (fills && findDamage(words, bytes, block, before, object) >= 0) return BAD;
    addresses[object] = 0;
    allocator.free(block);
    return WELL;
  }

  function realloc(object: number, size: number, before: number): number {
    const block = allocator.tryRealloc(addresses[object] as number, size);
    if (block === 0) return SHORT;
    addresses[object] = block;
    if (!fills) return WELL;
    const kept = Math.min(before, size);
    if (findDamage(words, bytes, block, kept, object) >= 0) return BAD;
    fillPattern(words, bytes, block, kept, size, object);
    return WELL;
  }

  return {
    play(operation, object, size, before) {
      if (operation === FREE) return free(object, before);
      if (operation === REALLOC) return realloc(object, size, before);
      const isZeroed = operation === CALLOC;
      const block =
        operation === MALLOC
          ? allocator.tryAlloc(size)
          : isZeroed
            ? allocator.tryCalloc(1, size)
            : allocator.tryAlignedAlloc(LINE, size);
      if (block === 0) return SHORT;
      addresses[object] = block;
      if (!fills) return WELL;
      if (isZeroed && findNonZero(words, bytes, block, size) >= 0) return BAD;
      fillPattern(words, bytes, block, 0, size, object);
      return WELL;
    },
  };
}
