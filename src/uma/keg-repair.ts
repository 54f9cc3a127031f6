/**
 * After a death, under a keg's lock that has been taken over.
 *
 * Truth are the bitmaps, the page map, and the word of each slab that says whether it is in a list. Lists and
 * counts are made anew from them. An item that is free in its slab and in a dead thread's hand too was on
 * its way between the two: it is in the slab. The map names the keg only on pages of slabs in its lists, and
 * changes under its lock: nobody makes or unmakes a slab that is seen here, but who died under that lock.
 */

import { LockRank } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { BUCKET_KEG, INTERNAL_KEGS, type UmaContext } from './context.js';
import type { KegState } from './keg-state.js';
import { BUCKET_ITEMS, KEG_WORDS, Keg, Slab, SlabList, ZONE_WORDS, Zone } from './records.js';
import type { Slabs } from './slabs.js';

export function createKegRepair(
  context: UmaContext,
  slabs: Slabs,
  pageKegs: Uint16Array,
  slabInHand: (keg: KegState, hand: number) => number,
): (keg: KegState) => void {
  const { machine, locks, hands, pages } = context;
  const { words } = machine;
  const zonesArea = machine.area('zones');
  const bucketKeg = machine.area('kegs') + BUCKET_KEG * KEG_WORDS;
  const { HELD, SECOND, KIND } = Hand;

  /** The slab whose first page is `page`, in a list of the keg; else 0. */
  function slabAt(keg: KegState, page: number): number {
    if (pageKegs[page] !== keg.number) return 0;
    const slab = pages.objectOf(page);
    if (slab === 0 || words[slab + Slab.keg] !== keg.record) return 0;
    if (words[slab + Slab.list] === SlabList.NONE) {
      // The dead one was about to put it into a list, or had just taken it out: the hand has it.
      pageKegs[page] = 0;
      return 0;
    }
    return words[slab + Slab.page] === page ? slab : 0;
  }

  function rebuild(keg: KegState): void {
    const { record } = keg;
    words[record + Keg.partial] = 0;
    words[record + Keg.empty] = 0;
    words[record + Keg.full] = 0;
    words[record + Keg.emptyCount] = 0;
    words[record + Keg.freeItems] = 0;
    let count = 0;
    for (let page = pages.firstPage; page < pages.pageCount; page++) {
      const slab = slabAt(keg, page);
      if (slab === 0) continue;
      slabs.reinsert(record, slab);
      count++;
    }
    words[record + Keg.slabCount] = count;
  }

  /** Clears a word that names an item of the keg which is free in its slab. */
  function settleWord(keg: KegState, word: number): void {
    const item = words[word] as number;
    if (item === 0 || pageKegs[item >>> PAGE_SHIFT] !== keg.number) return;
    if (slabs.isFree(pages.objectOf(item >>> PAGE_SHIFT), keg.itemSize, item)) words[word] = 0;
  }

  function settleBucket(keg: KegState, hand: number): void {
    settleWord(keg, hand + HELD);
    const zone = zonesArea + hands.numberOf(hand) * ZONE_WORDS;
    if (keg.number === BUCKET_KEG || words[zone + Zone.keg] !== keg.number) return;
    // Whoever cleans up after the dead one may give the bucket back at this moment: that takes this lock.
    locks.acquire(bucketKeg, LockRank.KEG_INTERNAL);
    const bucket = (words[hand + HELD] as number) >>> 2;
    if (bucket !== 0)
      for (let slot = bucket + 1; slot <= bucket + BUCKET_ITEMS; slot++) settleWord(keg, slot);
    locks.release(bucketKeg);
  }

  function settleSlab(keg: KegState, hand: number): void {
    if (keg.number <= INTERNAL_KEGS) settleWord(keg, hand + SECOND);
    const page = words[hand + HELD] as number;
    if (hands.numberOf(hand) !== keg.number || page === 0) return;
    // It says that it is the keg's: the hand was about to be closed, or had just been opened.
    const slab = slabAt(keg, page);
    if (slab !== 0 && slab === slabInHand(keg, hand)) words[hand + KIND] = 0;
  }

  return (keg) => {
    hands.eachOfDead((hand) => {
      const kind = hands.kindOf(hand);
      if (kind === HandKind.BUCKET) settleBucket(keg, hand);
      else if (kind === HandKind.SLAB) settleSlab(keg, hand);
      else if (kind === HandKind.GUARD) settleWord(keg, hand + Hand.THIRD);
      else if (kind === HandKind.ITEM || kind === HandKind.BACK || kind === HandKind.FOREIGN)
        settleWord(keg, hand + HELD);
    });
    rebuild(keg);
  };
}
