/** Large blocks: runs of whole pages. The object of a run's pages is its type; its note: see marks.ts. */

import { CheckLevel, hex, hexDump, MbumaError, REDZONE_BYTE, redzoneCountDamage } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT, PAGE_SIZE, siteHere } from '../machine/index.js';
import { Page, PageQueue, PageState } from '../phys/index.js';
import { inClassOf, redzoneMessage } from '../uma/index.js';
import type { MallocContext } from './context.js';
import { CLAIMED, GUARDED } from './marks.js';
import type { TypeRef } from './records.js';
import type { Registry } from './registry.js';
import type { Request } from './requests.js';

const SLOT_MASK = 0xff;
const SITE_SHIFT = 10;

/** Bytes shown before and behind what is bad. */
const SHOWN_AROUND = 32;

/** A run that is in use. */
export interface FoundRun {
  readonly type: TypeRef;
  readonly block: number;
  /** That its caller may use. */
  readonly pages: number;
  /** Slot of who allocated it; OWNER_MEMORY when that one has left. */
  readonly owner: number;
  /** Number of the place that allocated it; 0: not known, as below check level 3. */
  readonly site: number;
  readonly isClaimed: boolean;
}

export interface Runs {
  /**
   * First byte of a run of so many pages at a multiple of `alignedPages`; 0: there is none for a call with
   * `flags`.
   *
   * @param mayGuard with a page of redzone behind it, if it is chosen and there are pages for it
   */
  tryAlloc(type: TypeRef, pages: number, alignedPages: number, flags: number, mayGuard: boolean): number;
  /** Pages of the run of this type that begins at the address; 0: none does. */
  lengthAt(type: TypeRef, address: number): number;
  /** Makes a run as long, and as aligned, as is asked for, where it lies. False: it cannot be, or is guarded. */
  resize(address: number, request: Request): boolean;
  /** Gives back a run that this thread has unclaimed. */
  free(address: number): void;
  /** What has been written behind a guarded run; null: nothing. */
  damageOf(address: number): MbumaError | null;
  claim(address: number): void;
  /** The run is this thread's, and counted no more. @throws FREE_TWICE: another thread was faster */
  unclaim(address: number): void;
  isClaimed(address: number): boolean;
  /** Makes a run that is its owner's another's, unless it is being freed. */
  bequeath(address: number, owner: number, heir: number): void;
  /** Puts a run that this thread has unclaimed where it may be taken. @returns its ticket */
  setAside(address: number, queue: PageQueue): number;
  /** Pages of the run of this type that begins at the address and is set aside; 0: none. A hint. */
  lengthAside(type: TypeRef, address: number): number;
  /** The run is this thread's, and unclaimed. False: it has been taken meanwhile. */
  takeBack(address: number, ticket: number): boolean;
  /** Visits the runs of every type that are in use. */
  each(visit: (run: FoundRun) => void): void;
}

export function createRuns(context: MallocContext, registry: Registry): Runs {
  const { machine, threads, pages, hands, sites, uma } = context;
  const { words, bytes } = machine;
  const { load, store, compareExchange } = machine.atomics;
  const { slot } = threads;
  const keepsSites = machine.checkLevel >= CheckLevel.REDZONE;
  const noteAt = (page: number): number => pages.pageRef(page) + Page.offset;

  // A dead thread had not told its caller of this one.
  uma.reaper.onHand(HandKind.LARGE_BLOCK, (hand) => {
    const page = words[hand + Hand.HELD] as number;
    if (page !== 0) pages.freeRun(page, words[hand + Hand.SECOND] as number, hand + Hand.HELD);
    words[hand] = 0;
  });

  /** Takes a run; what others can spare is given back when there is none. */
  function take(count: number, alignedPages: number, hand: number): number {
    const tryOnce = (): number | null =>
      pages.tryAllocRun(count, PageState.RUN, hand + Hand.HELD, alignedPages) || null;
    return tryOnce() ?? uma.reclaimer.obtain(count, null, tryOnce) ?? 0;
  }

  /**
   * A run with a page of redzone behind it, which makes no allocation fail; 0: none is chosen, or to be
   * had.
   */
  function takeGuarded(count: number, alignedPages: number, hand: number): number {
    if (!uma.isGuardChosen()) return 0;
    words[hand + Hand.SECOND] = count + 1;
    const page = pages.tryAllocRun(count + 1, PageState.RUN, hand + Hand.HELD, alignedPages);
    if (page === 0) words[hand + Hand.SECOND] = count;
    else machine.fillBytes((page + count) << PAGE_SHIFT, REDZONE_BYTE, PAGE_SIZE);
    return page;
  }

  /** Pages of a run that its caller may use. */
  function lengthOf(page: number): number {
    const length = pages.lengthOf(page);
    return length !== 0 && (load(noteAt(page)) & GUARDED) !== 0 ? length - 1 : length;
  }

  function lengthIn(type: TypeRef, address: number): number {
    const page = address >>> PAGE_SHIFT;
    return (address & (PAGE_SIZE - 1)) === 0 && pages.objectOf(page) === type ? lengthOf(page) : 0;
  }

  uma.access.onOther((address) => {
    let page = address >>> PAGE_SHIFT;
    const type = pages.objectOf(page);
    if (!registry.isType(type)) return null;
    while (pages.lengthOf(page) === 0 && pages.objectOf(page - 1) === type) page--;
    const start = page << PAGE_SHIFT;
    const size = lengthOf(page) * PAGE_SIZE;
    if (address >= start + size || pages.queueOf(page) !== PageQueue.NONE) return null;
    return { what: `malloc type ${registry.nameOf(type)}`, start, size };
  });

  function damageOf(start: number): MbumaError | null {
    const page = start >>> PAGE_SHIFT;
    if ((load(noteAt(page)) & GUARDED) === 0) return null;
    const length = lengthOf(page);
    const end = start + length * PAGE_SIZE;
    const behind = redzoneCountDamage(words, bytes, end, end + PAGE_SIZE);
    if (behind === 0) return null;
    const isBad = (at: number): boolean => at >= end && at < end + PAGE_SIZE && bytes[at] !== REDZONE_BYTE;
    let at = end;
    while (!isBad(at)) at++;
    const size = length * PAGE_SIZE;
    const site = sites.textOf(load(noteAt(page)) >>> SITE_SHIFT) || 'an unknown place';
    return new MbumaError('REDZONE_DAMAGED', redzoneMessage({ start, size }, { before: 0, behind }), {
      address: at,
      owner: load(noteAt(page)) & SLOT_MASK,
      details: [
        `address   ${hex(at)}, ${at - end} behind its end`,
        `run       ${hex(start)} of ${size} bytes`,
        `used for  ${registry.nameOf(pages.objectOf(page) as TypeRef)}`,
        `allocated by thread ${load(noteAt(page)) & SLOT_MASK}, at ${site}`,
        hexDump(bytes, at - SHOWN_AROUND, at + SHOWN_AROUND + 1, isBad),
      ].join('\n'),
    });
  }

  function freedTwice(address: number): MbumaError {
    const text = `Duplicate free of the run at ${hex(address)}: another thread has just freed it`;
    return new MbumaError('FREE_TWICE', text, { address });
  }

  /** Changes the note of a run from what `from` takes it for. False: it is none of that any more. */
  function change(address: number, from: (note: number) => boolean, to: (note: number) => number): boolean {
    const at = noteAt(address >>> PAGE_SHIFT);
    for (let note = load(at); from(note); note = load(at))
      if (compareExchange(at, note, to(note)) === note) return true;
    return false;
  }

  return {
    tryAlloc(type, count, alignedPages, flags, mayGuard) {
      const site = keepsSites ? sites.intern(siteHere(this.tryAlloc)) : 0;
      const hand = hands.open(HandKind.LARGE_BLOCK, 0, 0, count, 0);
      try {
        const guarded = mayGuard ? takeGuarded(count, alignedPages, hand) : 0;
        const page = guarded || inClassOf(pages, flags, () => take(count, alignedPages, hand));
        if (page !== 0) {
          pages.setObject(page, guarded === 0 ? count : count + 1, type);
          store(noteAt(page), (site << SITE_SHIFT) | (guarded === 0 ? 0 : GUARDED) | slot);
        }
        return page << PAGE_SHIFT;
      } finally {
        // From here on it is the type's.
        hands.close(hand);
      }
    },
    lengthAt: (type, address) =>
      pages.queueOf(address >>> PAGE_SHIFT) === PageQueue.NONE ? lengthIn(type, address) : 0,
    lengthAside: (type, address) =>
      pages.queueOf(address >>> PAGE_SHIFT) === PageQueue.NONE ? 0 : lengthIn(type, address),
    setAside(address, queue) {
      const page = address >>> PAGE_SHIFT;
      return pages.setAside(page, pages.lengthOf(page), queue);
    },
    takeBack(address, ticket) {
      const page = address >>> PAGE_SHIFT;
      const hand = hands.open(HandKind.LARGE_BLOCK, 0, 0, pages.lengthOf(page), 0);
      const isOurs = pages.takeBack(page, ticket, hand + Hand.HELD);
      const at = noteAt(page);
      if (isOurs) store(at, (load(at) & ~SLOT_MASK) | slot);
      hands.close(hand);
      return isOurs;
    },
    resize(address, { pages: count, alignedPages }) {
      const page = address >>> PAGE_SHIFT;
      const isGuarded = (load(noteAt(page)) & GUARDED) !== 0;
      return !isGuarded && page % alignedPages === 0 && pages.resizeRun(page, pages.lengthOf(page), count);
    },
    free(address) {
      const page = address >>> PAGE_SHIFT;
      pages.freeRun(page, pages.lengthOf(page));
    },
    damageOf,
    claim(address) {
      const at = noteAt(address >>> PAGE_SHIFT);
      store(at, load(at) | CLAIMED);
    },
    unclaim(address) {
      const isClaimed = (note: number): boolean => (note & CLAIMED) !== 0;
      if (!change(address, isClaimed, (note) => (note & GUARDED) | slot)) throw freedTwice(address);
    },
    isClaimed: (address) => (load(noteAt(address >>> PAGE_SHIFT)) & CLAIMED) !== 0,
    bequeath(address, owner, heir) {
      const isOwners = (note: number): boolean => (note & SLOT_MASK) === owner;
      change(address, isOwners, (note) => (note & ~SLOT_MASK) | heir);
    },
    each(visit) {
      for (let page = pages.firstPage; page < pages.pageCount; page++) {
        const type = pages.objectOf(page);
        const count = registry.isType(type) ? pages.lengthOf(page) : 0;
        if (count === 0 || !registry.isType(type) || pages.queueOf(page) !== PageQueue.NONE) continue;
        const note = load(noteAt(page));
        visit({
          type,
          block: page << PAGE_SHIFT,
          pages: lengthOf(page),
          owner: note & SLOT_MASK,
          site: note >>> SITE_SHIFT,
          isClaimed: (note & CLAIMED) !== 0,
        });
      }
    },
  };
}
