/**
 * Slabs: which items of a run are free, and on which list of its keg the run stands.
 * Every function here runs under the keg's lock.
 */

import type { Machine } from '../machine/index.js';
import { countBitmap, lowestBit } from '../record/index.js';
import { Keg, SLAB_HEADER_WORDS, Slab, SlabList } from './records.js';

export interface Slabs {
  /** Puts a slab at the head of the list that its free count asks for. */
  insert(keg: number, slab: number): void;
  /** Takes a slab out of the list that it stands in. It is still the keg's: see `Slab.list`. */
  remove(keg: number, slab: number): void;
  /** Whether the item is free in its slab. */
  isFree(slab: number, itemSize: number, item: number): boolean;
  /** After a death: writes a slab's count anew, and puts it into its list. The lists were emptied before. */
  reinsert(keg: number, slab: number): void;
  /**
   * Moves up to `want` items of the slab into the slots from `slot` on; how many, 0 when the slab is damaged.
   */
  takeItems(keg: number, slab: number, itemSize: number, slot: number, want: number): number;
  /**
   * Puts the item back into its slab and moves the slab to the list it belongs to now. False: it is damaged.
   */
  giveItem(keg: number, slab: number, itemSize: number, itemsPerSlab: number, item: number): boolean;
}

/** An item at least is a granule, and a slab has 512 at most. */
const BITMAP_WORDS_MAX = 16;

export function createSlabs(machine: Machine): Slabs {
  const { words } = machine;
  const { partial: PARTIAL, empty: EMPTY, full: FULL, emptyCount: EMPTY_COUNT, freeItems: FREE_ITEMS } = Keg;
  const { itemsPerSlab: ITEMS_PER_SLAB } = Keg;
  const { freeCount: FREE_COUNT, next: NEXT, previous: PREVIOUS, data: DATA, list: LIST } = Slab;
  const { keg: KEG } = Slab;
  const BITMAP = SLAB_HEADER_WORDS;

  function headOf(list: number): number {
    return list === SlabList.PARTIAL ? PARTIAL : list === SlabList.EMPTY ? EMPTY : FULL;
  }

  function insert(keg: number, slab: number): void {
    const free = words[slab + FREE_COUNT] as number;
    const list =
      free === 0 ? SlabList.FULL : free === words[keg + ITEMS_PER_SLAB] ? SlabList.EMPTY : SlabList.PARTIAL;
    const head = keg + headOf(list);
    const first = words[head] as number;
    words[slab + LIST] = list;
    words[slab + PREVIOUS] = 0;
    words[slab + NEXT] = first;
    if (first !== 0) words[first + PREVIOUS] = slab;
    words[head] = slab;
    if (list === SlabList.EMPTY) words[keg + EMPTY_COUNT] = (words[keg + EMPTY_COUNT] as number) + 1;
  }

  function remove(keg: number, slab: number): void {
    const list = words[slab + LIST] as number;
    const next = words[slab + NEXT] as number;
    const previous = words[slab + PREVIOUS] as number;
    if (previous === 0) words[keg + headOf(list)] = next;
    else words[previous + NEXT] = next;
    if (next !== 0) words[next + PREVIOUS] = previous;
    if (list === SlabList.EMPTY) words[keg + EMPTY_COUNT] = (words[keg + EMPTY_COUNT] as number) - 1;
  }

  return {
    insert,
    remove,
    isFree(slab, itemSize, item) {
      const index = ((item - (words[slab + DATA] as number)) / itemSize) | 0;
      return ((words[slab + BITMAP + (index >>> 5)] as number) & (1 << (index & 31))) !== 0;
    },
    reinsert(keg, slab) {
      const free = countBitmap(words, slab + BITMAP, words[keg + ITEMS_PER_SLAB] as number);
      words[slab + FREE_COUNT] = free;
      words[keg + FREE_ITEMS] = (words[keg + FREE_ITEMS] as number) + free;
      insert(keg, slab);
    },
    takeItems(keg, slab, itemSize, slot, want) {
      if (words[slab + KEG] !== keg) return 0;
      const free = words[slab + FREE_COUNT] as number;
      const end = slab + BITMAP + BITMAP_WORDS_MAX;
      const data = words[slab + DATA] as number;
      const take = Math.min(free, want);
      let taken = 0;
      for (let word = slab + BITMAP; taken < take && word < end; word++) {
        let bits = words[word] as number;
        const base = (word - slab - BITMAP) * 32;
        while (bits !== 0 && taken < take) {
          const bit = lowestBit(bits);
          bits &= bits - 1;
          words[slot + taken] = data + (base + bit) * itemSize;
          taken++;
        }
        // The bits go after the items show up in the slots: what is in both is in the slab.
        words[word] = bits;
      }
      remove(keg, slab);
      words[slab + FREE_COUNT] = free - taken;
      words[keg + FREE_ITEMS] = (words[keg + FREE_ITEMS] as number) - taken;
      insert(keg, slab);
      return taken;
    },
    giveItem(keg, slab, itemSize, itemsPerSlab, item) {
      const index = ((item - (words[slab + DATA] as number)) / itemSize) | 0;
      const free = (words[slab + FREE_COUNT] as number) + 1;
      const word = slab + BITMAP + (index >>> 5);
      const isItem = words[slab + KEG] === keg && index >= 0 && index < itemsPerSlab;
      if (!isItem || ((words[word] as number) & (1 << (index & 31))) !== 0) return false;
      words[word] = (words[word] as number) | (1 << (index & 31));
      words[keg + FREE_ITEMS] = (words[keg + FREE_ITEMS] as number) + 1;
      if (free === 1 || free === itemsPerSlab) {
        remove(keg, slab);
        words[slab + FREE_COUNT] = free;
        insert(keg, slab);
      } else {
        words[slab + FREE_COUNT] = free;
      }
      return true;
    },
  };
}
