/**
 * A tree of off-page headers, for memory whose pages have no page record: from any address of a run to the
 * header of that run.
 *
 * The headers lie in our memory, the runs do not: what a run has here is its base (its first byte, counted as
 * the backend counts) and its length. The tree is sorted by base; runs never overlap. A search is for the
 * greatest base that is not above the address, and is then checked against the length.
 *
 *                    [ 0x9000 + 0x2000 ]              height 3
 *                    /                 \
 *      [ 0x1000 + 0x1000 ]      [ 0xc000 + 0x1000 ]   2, 1      those of siblings differ by 1 at most
 *                    \
 *             [ 0x4000 + 0x4000 ]                     1
 *
 * An AVL tree: at most 1.44 log2 n steps, and a search writes nothing, so that looking does not pull lines
 * from one processor to the other. Nothing recurses, every loop is bounded, and no link is followed that
 * leaves the memory: a damaged tree ends with MEMORY_DAMAGED, not in a circle.
 *
 * Locks: every function runs under the lock of the keg whose headers these are. A death may come before any
 * store: who takes that lock over calls `rebuild` with the headers that there are, and no state in between
 * needs to be a tree. The same heals a tree that was found damaged. Who gets an error has the lock still.
 */

import { damaged, hex } from '../check/index.js';
import { ref, struct, u32 } from '../record/index.js';

/** What a header needs to stand in a tree. */
export const TreeNode = struct(
  'tree node',
  {
    left: ref('tree node', 'K', 'Header of a run below this one; 0: none.'),
    right: ref('tree node', 'K', 'Header of a run above this one; 0: none.'),
    height: u32('K', 'Nodes from here down to the farthest leaf, this one included; 0: in no tree.'),
    base: u32('K', "First byte of the run, in the backend's own counting. Not changed while in the tree."),
    length: u32('K', 'Bytes of the run, at least 1. Not changed while in the tree.'),
  },
  { words: 5 },
);

/** Words of `TreeNode`. */
export const TREE_NODE_WORDS = 5;

/** Levels of an AVL tree of 2^30 nodes are fewer: a path that is longer is no path. */
const LEVELS_MAX = 45;

/** Trees of headers, each named by the word that holds its root. Headers are named by their word index. */
export interface HeaderTree {
  /**
   * Puts a header, whose base and length are written, into the tree. False, and nothing has changed, when its
   * run is empty or overlaps one that is there. O(log n).
   *
   * @throws MEMORY_DAMAGED
   */
  insert(root: number, header: number): boolean;
  /**
   * Takes a header out. False, and nothing has changed, when it is not in the tree. O(log n).
   *
   * @throws MEMORY_DAMAGED
   */
  remove(root: number, header: number): boolean;
  /**
   * The header of the run that the address lies in; 0: it lies in none. Writes nothing. O(log n).
   *
   * @param address in the counting of the bases: 0 to 2^32 - 1, anything else is in no run
   * @throws MEMORY_DAMAGED
   */
  find(root: number, address: number): number;
  /**
   * Visits all headers, lowest base first; how many. The visitor must not change the tree.
   *
   * @throws MEMORY_DAMAGED at the first disorder: no header is visited twice
   */
  each(root: number, visit: (header: number) => void): number;
  /**
   * Makes the tree anew of just these headers, whatever it was. O(n log n).
   *
   * @throws MEMORY_DAMAGED when a header lies outside of the memory, or runs are empty or overlap; nothing
   *   has changed then
   */
  rebuild(root: number, headers: Iterable<number>): void;
  /** Says what is wrong: disorder, wrong heights, circles, overlaps. How many headers were seen. */
  audit(root: number, report: (message: string) => void): number;
}

/**
 * @param words the whole memory
 * @param offset words from the start of a header to its `TreeNode`
 */
export function createHeaderTree(words: Int32Array, offset = 0): HeaderTree {
  const LEFT = offset + TreeNode.left;
  const RIGHT = offset + TreeNode.right;
  const HEIGHT = offset + TreeNode.height;
  const BASE = offset + TreeNode.base;
  const LENGTH = offset + TreeNode.length;
  const LAST = words.length - offset - TREE_NODE_WORDS;
  const DEEPEST = LEVELS_MAX;
  /** Headers from the root down to where a change was made. */
  const path = new Int32Array(LEVELS_MAX + 1);

  function refuse(root: number, header: number): never {
    throw damaged(`the tree of headers at word ${root} runs astray at ${header}`);
  }

  const isInside = (header: number): boolean => header > 0 && header <= LAST;
  const baseOf = (header: number): number => (words[header + BASE] as number) >>> 0;
  const endOf = (header: number): number => baseOf(header) + ((words[header + LENGTH] as number) >>> 0);

  function heightOf(root: number, header: number): number {
    if (header === 0) return 0;
    if (!isInside(header)) refuse(root, header);
    return words[header + HEIGHT] as number;
  }

  function find(root: number, address: number): number {
    let header = words[root] as number;
    let below = 0;
    for (let level = 0; header !== 0; level++) {
      if (!(header > 0 && header <= LAST && level < DEEPEST)) refuse(root, header);
      if ((words[header + BASE] as number) >>> 0 <= address) {
        below = header;
        header = words[header + RIGHT] as number;
      } else {
        header = words[header + LEFT] as number;
      }
    }
    return below !== 0 && address < endOf(below) ? below : 0;
  }

  /** The word that names the header at this level of the path. */
  function linkTo(root: number, level: number): number {
    if (level === 0) return root;
    const parent = path[level - 1] as number;
    return words[parent + LEFT] === path[level] ? parent + LEFT : parent + RIGHT;
  }

  /** Lifts the child on the given side over its parent; the child. Heights are right afterwards. */
  function rotate(root: number, parent: number, near: number, far: number): number {
    const child = words[parent + near] as number;
    if (!isInside(child)) refuse(root, child);
    const between = words[child + far] as number;
    words[parent + near] = between;
    words[child + far] = parent;
    setHeight(root, parent);
    setHeight(root, child);
    return child;
  }

  function setHeight(root: number, header: number): void {
    const left = heightOf(root, words[header + LEFT] as number);
    const right = heightOf(root, words[header + RIGHT] as number);
    words[header + HEIGHT] = 1 + Math.max(left, right);
  }

  /** The child on the side `near` is higher by two: the header that stands in the place of `parent` now. */
  function lift(root: number, parent: number, near: number, far: number): number {
    const child = words[parent + near] as number;
    if (!isInside(child)) refuse(root, child);
    const outer = heightOf(root, words[child + near] as number);
    const inner = heightOf(root, words[child + far] as number);
    if (inner > outer) words[parent + near] = rotate(root, child, far, near);
    return rotate(root, parent, near, far);
  }

  /** From the lowest of the first `levels` headers of the path upwards, until a height stays what it was. */
  function rebalance(root: number, levels: number): void {
    for (let level = levels - 1; level >= 0; level--) {
      const header = path[level] as number;
      const before = words[header + HEIGHT] as number;
      const left = heightOf(root, words[header + LEFT] as number);
      const right = heightOf(root, words[header + RIGHT] as number);
      let top = header;
      if (left > right + 1) top = lift(root, header, LEFT, RIGHT);
      else if (right > left + 1) top = lift(root, header, RIGHT, LEFT);
      else words[header + HEIGHT] = 1 + Math.max(left, right);
      if (top !== header) words[linkTo(root, level)] = top;
      if (words[top + HEIGHT] === before) return;
    }
  }

  function insert(root: number, header: number): boolean {
    const base = baseOf(header);
    const end = endOf(header);
    let at = words[root] as number;
    let below = 0;
    let above = 0;
    let level = 0;
    for (; at !== 0; level++) {
      if (!isInside(at) || level === DEEPEST) refuse(root, at);
      path[level] = at;
      if (base < baseOf(at)) {
        above = at;
        at = words[at + LEFT] as number;
      } else {
        below = at;
        at = words[at + RIGHT] as number;
      }
    }
    if (end === base || (below !== 0 && endOf(below) > base) || (above !== 0 && end > baseOf(above)))
      return false;
    words[header + LEFT] = 0;
    words[header + RIGHT] = 0;
    words[header + HEIGHT] = 1;
    const parent = level === 0 ? 0 : (path[level - 1] as number);
    words[level === 0 ? root : parent + (parent === above ? LEFT : RIGHT)] = header;
    rebalance(root, level);
    return true;
  }

  /** Writes the way from the root to the header into the path; its level, or -1: it is not in the tree. */
  function findPath(root: number, header: number): number {
    const base = baseOf(header);
    let at = words[root] as number;
    for (let level = 0; at !== 0; level++) {
      if (!isInside(at) || level === DEEPEST) refuse(root, at);
      path[level] = at;
      if (at === header) return level;
      at = words[at + (base < baseOf(at) ? LEFT : RIGHT)] as number;
    }
    return -1;
  }

  /** Takes the lowest header of the subtree on the right out of it, and adds the way there to the path. */
  function takeNext(root: number, header: number, level: number): number {
    let next = words[header + RIGHT] as number;
    let at = level + 1;
    for (;;) {
      if (!isInside(next) || at > DEEPEST) refuse(root, next);
      path[at] = next;
      const lower = words[next + LEFT] as number;
      if (lower === 0) break;
      next = lower;
      at++;
    }
    words[linkTo(root, at)] = words[next + RIGHT] as number;
    return at;
  }

  function remove(root: number, header: number): boolean {
    const level = findPath(root, header);
    if (level < 0) return false;
    const link = linkTo(root, level);
    const left = words[header + LEFT] as number;
    const right = words[header + RIGHT] as number;
    let levels = level;
    if (left === 0 || right === 0) {
      words[link] = left === 0 ? right : left;
    } else {
      levels = takeNext(root, header, level);
      const next = path[levels] as number;
      words[next + LEFT] = left;
      words[next + RIGHT] = words[header + RIGHT] as number;
      words[next + HEIGHT] = words[header + HEIGHT] as number;
      words[link] = next;
      path[level] = next;
    }
    words[header + LEFT] = 0;
    words[header + RIGHT] = 0;
    words[header + HEIGHT] = 0;
    rebalance(root, levels);
    return true;
  }

  /** Goes through the tree in order until `visit` answers false or the links lead astray: where, or 0. */
  function walk(root: number, visit: (header: number) => boolean): number {
    // Not the path of the others: this may be a walk inside of a repair.
    const pending = new Int32Array(LEVELS_MAX);
    let level = 0;
    let at = words[root] as number;
    while (at !== 0 || level > 0) {
      for (; at !== 0; at = words[at + LEFT] as number) {
        if (!isInside(at) || level === DEEPEST) return at;
        pending[level++] = at;
      }
      at = pending[--level] as number;
      if (!visit(at)) return at;
      at = words[at + RIGHT] as number;
    }
    return 0;
  }

  function each(root: number, visit: (header: number) => void): number {
    let count = 0;
    let end = 0;
    const astray = walk(root, (header) => {
      // Bases that only rise cannot lead back to where the walk has been.
      if (baseOf(header) < end || endOf(header) === baseOf(header)) return false;
      end = endOf(header);
      count++;
      visit(header);
      return true;
    });
    return astray === 0 ? count : refuse(root, astray);
  }

  function rebuild(root: number, headers: Iterable<number>): void {
    const sorted = [...headers];
    for (const header of sorted) if (!isInside(header)) refuse(root, header);
    sorted.sort((one, other) => baseOf(one) - baseOf(other));
    for (let index = 0, end = 0; index < sorted.length; index++) {
      const header = sorted[index] as number;
      if (baseOf(header) < end || endOf(header) === baseOf(header)) refuse(root, header);
      end = endOf(header);
    }
    // Ranges of headers that wait for their subtree, and the words that will name it: one half at each level.
    const ranges: [from: number, to: number, link: number][] = [[0, sorted.length, root]];
    for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
      const [from, to, link] = range;
      if (from === to) {
        words[link] = 0;
        continue;
      }
      const middle = (from + to) >>> 1;
      const header = sorted[middle] as number;
      words[link] = header;
      // Cut in the middle, a subtree is as high as its number of headers is long in bits.
      words[header + HEIGHT] = 32 - Math.clz32(to - from);
      ranges.push([from, middle, header + LEFT], [middle + 1, to, header + RIGHT]);
    }
  }

  function audit(root: number, report: (message: string) => void): number {
    let count = 0;
    let previous = 0;
    const astray = walk(root, (header) => {
      const base = baseOf(header);
      const where = `header ${header} of the tree at word ${root}`;
      if (previous !== 0 && base <= baseOf(previous)) return false;
      if (endOf(header) === base) report(`${where} has an empty run at ${hex(base)}`);
      if (previous !== 0 && base < endOf(previous))
        report(`${where} has a run at ${hex(base)} that begins inside the one before`);
      previous = header;
      count++;
      const [left, right] = [LEFT, RIGHT].map((side) => {
        const child = words[header + side] as number;
        return child === 0 ? 0 : isInside(child) ? (words[child + HEIGHT] as number) : Number.NaN;
      }) as [number, number];
      if (words[header + HEIGHT] !== 1 + Math.max(left, right) || Math.abs(left - right) > 1)
        report(`${where} has height ${words[header + HEIGHT]} over children of ${left} and ${right}`);
      return true;
    });
    if (astray !== 0) report(`the tree of headers at word ${root} runs astray at ${astray}`);
    return count;
  }

  return { insert, remove, find, each, rebuild, audit };
}
