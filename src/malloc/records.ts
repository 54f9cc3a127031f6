/**
 * Records of malloc.
 *
 * Words: a *block* is one allocation. A *type* is a structure that says what blocks are for: names, figures
 * and a limit. A *class* is a size that small blocks are rounded up to; each class of a *zone set* is a zone.
 * A *run* is a large block: whole pages. A *cell* is what one thread counts of one type.
 *
 * Guards: `const` after creation; `T` the thread whose slot it is; `M` the type's lock; `R` the registry's
 * lock; `A` atomics only.
 *
 *   malloc          types (boot area)                     cells (an item of zone "malloc cells")
 *   +---------+     +--------------------------+          slot 1   slot 2   slot 3  ...
 *   | lock    |     | lock  limit  used  high  |          +------+ +------+ +------+
 *   | count 2 |     | line --> waiter -> 0     | cells -> | line | | line | | line |
 *   +---------+     +--------------------------+          +------+ +------+ +------+
 *                   | lock ...                 | cells -> ...
 *
 * Sizes are counted in granules of 16 bytes. What a type has in use is `used` and all that its cells have
 * pending; blocks in use are the allocations of all cells less their frees, modulo 2^32.
 */

import { addr, array, f64, type Ref, struct, text, u32 } from '../record/index.js';

/** Where the types are found. */
export const MallocState = struct(
  'malloc',
  {
    lock: u32('A', 'Lock of rank REGISTRY.'),
    count: u32('A', 'Types that there are. Written under the lock, when a type is whole.'),
    deaths: u32('A', 'Threads cleaned up after: what such a thread was about to count may be missing.'),
    spare: array(13, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

export const MallocType = struct(
  'malloc type',
  {
    // Line 0: whoever settles.
    lock: u32('A', 'Lock of rank TYPE.'),
    limit: u32('M', 'Most granules in use at one time; 0: no limit.'),
    used: u32('M', 'Granules in use, but for what the cells have pending.'),
    high: u32('M', 'Most granules that were in use, as far as it was looked at.'),
    line: array(4, 'M', 'Wait queue of those who want room under the limit.'),
    blocked: f64('M', 'Times that a call found the limit reached.'),
    batched: u32('M', '1: it has been without a limit; its cells may have something pending.'),
    ownZones: u32('const', '1: its small blocks lie in zones of its own.'),
    cells: addr('const', 'Its cells: one for each slot.'),
    guarded: u32('const', '1: its blocks come alone on pages of their own, as many as there are pages for.'),
    onOwnerDeath: u32('const', 'OwnerDeath: what becomes of the blocks of a thread that dies.'),
    spare0: array(1, 'const', 'Fills the line.'),
    // Lines 1 and 2: rare.
    name: text(12, 'const', 'Short description, unique.'),
    spare1: array(4, 'const', 'Fills the line.'),
    description: text(16, 'const', 'Long description; may be empty.'),
  },
  { words: 48 },
);

/** What one thread counts of one type. One line; it stays when the slot goes to another thread. */
export const TypeCell = struct(
  'malloc cell',
  {
    pending: u32(
      'T',
      'Granules taken less granules freed since this cell was settled last; may be negative.',
    ),
    most: u32('M', 'An allocation that comes above this settles first. Least number: each settles.'),
    least: u32('M', 'A free that comes below this settles. Largest number: each settles.'),
    allocations: u32('T', 'Blocks allocated, low 32 bits.'),
    allocationsHigh: u32('T', 'Blocks allocated, high 32 bits.'),
    frees: u32('T', 'Blocks freed, low 32 bits.'),
    failures: u32('T', 'Allocations that got nothing, modulo 2^32.'),
    sizes: array(2, 'T', 'A bit for each class that was ever allocated; the last one stands for runs.'),
    spare: array(7, 'const', 'Fills the line.'),
  },
  { words: 16 },
);

export type TypeRef = Ref<'malloc type'>;

export const MALLOC_STATE_WORDS = 16;
export const TYPE_WORDS = 48;
export const CELL_WORDS = 16;
export const NAME_WORDS = 12;
export const DESCRIPTION_WORDS = 16;

/** Longest description, in characters. */
export const DESCRIPTION_LENGTH_MAX = 63;

/** Types that a memory of so many pages can have. */
export function typesMax(pageCount: number): number {
  return pageCount < 256 ? 4 : pageCount < 4096 ? 32 : 255;
}
