/**
 * Making slabs and unmaking them: a run of pages, a header, `init` over the items, and all of it back.
 *
 * A slab in the making, or that is going, is in no list of its keg: a hand names it. No lock is held here.
 */

import { Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import { fillBitmap } from '../record/index.js';
import { type Backends, COUNTED } from './backends.js';
import { BUCKET_KEG, type UmaContext } from './context.js';
import { type Hook, HookErrors, How, runHook } from './hooks.js';
import { HeaderKind, type KegState } from './keg-state.js';
import type { Patterns } from './patterns.js';
import { Keg, KegFlag, SLAB_HEADER_WORDS, Slab } from './records.js';

/** Where off-page headers come from, and go to. */
export interface HeaderSource {
  /** An item of the keg of headers into a word of a hand; 0: there is none. */
  take(keg: number, held: number): number;
  give(keg: number, header: number, held: number): void;
}

export interface SlabMaking {
  /** A hand with a new slab, every item free and initialised, in no list; 0 when there is no memory. */
  allocSlab(keg: KegState, how: How): number;
  /**
   * Unmakes the slab that a hand holds: `fini` of the items that `init` has seen, then header and pages go
   * back.
   */
  unmakeSlab(keg: KegState, hand: number, errors: HookErrors): void;
  /** The header of the slab that a hand holds. */
  slabInHand(keg: KegState, hand: number): number;
  /** How often this thread found no pages for a slab: tells that from a hook that lacks memory. */
  shortages(): number;
}

export function createSlabMaking(
  context: UmaContext,
  backends: Backends,
  patterns: Patterns,
  headers: HeaderSource,
): SlabMaking {
  const { machine, pages, hands } = context;
  const { words } = machine;
  const slabSite = machine.failpoints.site('uma.slab', 'the pages of a new slab, by keg');
  const initSite = machine.failpoints.site('uma.init', 'an `init` hook: as if it lacked memory');
  const { freeCount: FREE_COUNT, data: DATA, page: PAGE } = Slab;
  const { HELD, SECOND: HEADER, THIRD: INITIALISED } = Hand;
  let shortages = 0;

  /** The header of the slab that a hand holds. */
  function slabInHand(keg: KegState, hand: number): number {
    if (keg.headerKeg !== 0) return (words[hand + HEADER] as number) >>> 2;
    return (((words[hand + HELD] as number) << PAGE_SHIFT) + keg.headerOffset) >>> 2;
  }

  /** Undoes `init` of the items that have been through it, last first. */
  function finiItems(keg: KegState, hand: number, errors: HookErrors): void {
    if (keg.fini === null) return;
    const data = ((words[hand + HELD] as number) << PAGE_SHIFT) + keg.dataOffset;
    const counted = (words[hand + INITIALISED] as number) & COUNTED;
    for (let index = ((words[hand + INITIALISED] as number) & ~COUNTED) - 1; index >= 0; index--) {
      words[hand + INITIALISED] = index | counted;
      errors.run(keg.fini, 'fini', keg.name, data + index * keg.itemSize, How.NOWAIT);
    }
  }

  function unmakeSlab(keg: KegState, hand: number, errors: HookErrors): void {
    const page = words[hand + HELD] as number;
    if (page !== 0) {
      finiItems(keg, hand, errors);
      pages.setObject(page, keg.pagesPerSlab, 0);
    }
    const header = words[hand + HEADER] as number;
    if (header !== 0) headers.give(keg.headerKeg, header, hand + HEADER);
    backends.freeRun(keg, hand);
  }

  /** A hand with a new slab, every item free and initialised, in no list; 0 when there is no memory. */
  function allocSlab(keg: KegState, how: How): number {
    const hand = hands.open(HandKind.SLAB, keg.number, 0, 0, 0);
    if (slabSite.fails(keg.name)) {
      shortages++;
      hands.close(hand);
      return 0;
    }
    const page = backends.allocRun(keg, hand);
    if (page === 0) {
      shortages++;
      return 0;
    }
    const data = (page << PAGE_SHIFT) + keg.dataOffset;
    if (keg.headerKeg !== 0 && headers.take(keg.headerKeg, hand + HEADER) === 0) {
      backends.freeRun(keg, hand);
      return 0;
    }
    const slab = slabInHand(keg, hand);
    clearBuckets(keg, page);
    writeHeader(keg, slab, page, data);
    pages.setObject(page, keg.pagesPerSlab, slab);
    patterns.dressSlab(keg, slab);
    if (keg.init !== null && !initItems(keg, keg.init, hand, data, how)) return 0;
    return hand;
  }

  /** Free slots of buckets are 0, and pages come with whatever they held. */
  function clearBuckets(keg: KegState, page: number): void {
    if (keg.number === BUCKET_KEG || (keg.flags & KegFlag.ZEROED) !== 0)
      machine.fillBytes(page << PAGE_SHIFT, 0, keg.pagesPerSlab << PAGE_SHIFT);
  }

  function writeHeader(keg: KegState, slab: number, page: number, data: number): void {
    words.fill(0, slab, slab + SLAB_HEADER_WORDS);
    words[slab + FREE_COUNT] = keg.itemsPerSlab;
    words[slab + Slab.keg] = keg.record;
    words[slab + DATA] = data;
    words[slab + PAGE] = page;
    fillBitmap(words, slab + SLAB_HEADER_WORDS, keg.itemsPerSlab);
    // Counters, sites and tags, whatever there is of them, stand behind one another.
    const notes = keg.siteOffset || keg.tagOffset;
    const behind = keg.header === HeaderKind.PLAIN ? notes : keg.counterOffset;
    if (behind !== 0) {
      words.fill(0, slab + behind, slab + (words[keg.record + Keg.headerWords] as number));
    }
  }

  /** Runs `init` over a new slab. False (and the slab is gone again) when one lacks memory. */
  function initItems(keg: KegState, init: Hook, hand: number, data: number, how: How): boolean {
    const counted = (words[hand + INITIALISED] as number) & COUNTED;
    try {
      for (let index = 0; index < keg.itemsPerSlab; index++) {
        const item = data + index * keg.itemSize;
        if (initSite.fails(keg.name) || runHook(init, 'init', keg.name, item, how) !== 0) {
          unmakeSlab(keg, hand, new HookErrors());
          return false;
        }
        words[hand + INITIALISED] = (index + 1) | counted;
      }
      return true;
    } catch (error) {
      // An error of `fini` is dropped here: that of `init` came first.
      unmakeSlab(keg, hand, new HookErrors());
      throw error;
    }
  }

  return { allocSlab, unmakeSlab, slabInHand, shortages: () => shortages };
}
