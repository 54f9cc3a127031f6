/** The records of foreign kegs, and of the runs that they have cut into items. */

import { array, readText, ref, struct, text, u32 } from '../record/index.js';

/** Slabs in memory that is not ours: pages there have no records, so headers stand in a tree. */
export const ForeignKegRecord = struct(
  'foreign keg',
  {
    lock: u32('A', 'Lock of rank KEG.'),
    serial: u32('K', 'Another one after each keg that was here: by it handles know theirs.'),
    root: ref('tree node', 'K', 'Root of the tree of its runs.'),
    runs: ref('foreign run', 'K', 'The newest run; all of them hang on it.'),
    partial: ref('foreign run', 'K', 'Runs with an item free.'),
    runCount: u32('K', 'Runs that there are.'),
    freeItems: u32('K', 'Items free in them.'),
    // Written once.
    itemSize: u32('R', 'Bytes from one item to the next; 0: there is no such keg. Written last.'),
    itemsPerRun: u32('const', 'Items in a run.'),
    runBytes: u32('const', 'Bytes of a run.'),
    align: u32('const', 'Alignment of items, a power of two.'),
    size: u32('const', 'Bytes asked for.'),
    headerKeg: u32('const', 'Number of the keg of the headers.'),
    name: text(12, 'const', 'Name, unique among foreign kegs.'),
    spare: array(7, 'const', 'Fills the line.'),
  },
  { words: 32 },
);

/** The header of one run: an item of a keg of headers. A bitmap follows, 1 for each free item. */
export const ForeignRun = struct(
  'foreign run',
  {
    // As in `TreeNode`.
    left: ref('tree node', 'K', 'Header of a run below this one; 0: none.'),
    right: ref('tree node', 'K', 'Header of a run above this one; 0: none.'),
    height: u32('K', 'Nodes from here down to the farthest leaf.'),
    base: u32('const', 'First byte of the run, as its memory counts.'),
    length: u32('const', 'Bytes of the run.'),
    keg: ref('foreign keg', 'const', 'The keg that it belongs to.'),
    next: ref('foreign run', 'K', 'Next of all runs; 0 ends it. One store puts a run in, or takes it out.'),
    freeCount: u32('K', 'Items free in it.'),
    partialNext: ref('foreign run', 'K', 'Next run with an item free.'),
    partialPrevious: ref('foreign run', 'K', 'The one before; 0: it is the first, or has no item free.'),
    spare: array(2, 'const', 'Zero.'),
  },
  { words: 12 },
);

export const FOREIGN_KEG_WORDS = 32;
export const FOREIGN_RUN_WORDS = 12;
/** Foreign kegs of a memory at most. */
export const FOREIGN_KEGS_MAX = 16;

export function foreignNameOf(words: Int32Array, record: number): string {
  return readText(words, record + ForeignKegRecord.name, 12);
}
