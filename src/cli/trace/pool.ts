/** `MemPool` of `@thi.ng/malloc` with its default options, as an allocator of the player. */

import type { Allocator, Ground } from './player.js';

/** Answers null where the package is not installed. */
export async function openPool(
  bytes: number,
): Promise<{ allocator: Allocator; ground: Omit<Ground, 'addresses'> } | null> {
  const pool = await makePool(bytes);
  if (pool === null) return null;
  const buffer = pool.buf as ArrayBuffer;
  const atLeastOne = (size: number): number => (size === 0 ? 1 : size);
  return {
    allocator: {
      // It gives nothing for no bytes.
      tryAlloc: (size) => pool.malloc(atLeastOne(size)),
      tryCalloc: (count, size) => pool.calloc(atLeastOne(count * size)),
      // It knows one alignment, 8.
      tryAlignedAlloc: (_alignment, size) => pool.malloc(atLeastOne(size)),
      tryRealloc: (block, size) => pool.realloc(block, atLeastOne(size)),
      free(block) {
        if (!pool.free(block)) throw new Error(`@thi.ng/malloc does not know the block at ${block}`);
      },
    },
    ground: { words: new Int32Array(buffer), bytes: new Uint8Array(buffer) },
  };
}

async function makePool(bytes: number) {
  try {
    const { MemPool } = await import('@thi.ng/malloc');
    return new MemPool({ size: bytes });
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  }
}
