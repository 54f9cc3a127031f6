/** Says what is wrong with an address that was freed: the slow half of the checks of `free`. */

import { damaged, describeValue, type ErrorCode, hex, MbumaError } from '../check/index.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../machine/index.js';
import { BUCKET_KEG, INTERNAL_KEGS } from './context.js';
import type { BareMaps, Items } from './items.js';
import type { KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import { GRANULE_SHIFT, Slab } from './records.js';

/** The maps over the whole memory that a check needs, and what can be told of an item. */
export interface Maps extends BareMaps {
  readonly items: Items;
}

/** What may be wrong with an address; found without making an object, for each full bucket asks. */
const Fault = {
  NONE: 0,
  NO_ADDRESS: 1,
  /** It lies on the pages of a guarded item, of which more must be asked. */
  GUARDED: 2,
  IN_NO_SLAB: 3,
  WRONG_ZONE: 4,
  WRONG_HEADER: 5,
  OUTSIDE: 6,
  INSIDE_ITEM: 7,
  FREE: 8,
} as const;
type Fault = (typeof Fault)[keyof typeof Fault];

/**
 * The error for freeing `item` to a zone on `keg`, or null when nothing is wrong with it.
 *
 * @param isFreed false for other calls that need an item in use: then the words are not those of a free
 */
export function diagnoseFree(
  maps: Maps,
  kegs: Kegs,
  keg: KegState,
  zone: string,
  item: unknown,
  isFreed = true,
): MbumaError | null {
  const fault = faultOf(maps, kegs, keg, item);
  return fault === Fault.NONE ? null : explain(fault, maps, kegs, keg, zone, item as number, isFreed);
}

function faultOf(maps: Maps, kegs: Kegs, keg: KegState, item: unknown): Fault {
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0 || item >= maps.words.length * 4)
    return Fault.NO_ADDRESS;
  if (maps.items.guardedAt(item) !== 0) return Fault.GUARDED;
  const found = maps.pageKegs[item >>> PAGE_SHIFT] as number;
  if (found === 0 || (found >= BUCKET_KEG && found <= INTERNAL_KEGS)) return Fault.IN_NO_SLAB;
  if (found !== keg.number) return Fault.WRONG_ZONE;
  const offset = item - (maps.words[kegs.slabOf(item) + Slab.data] as number);
  if (Math.abs(offset) > keg.pagesPerSlab * PAGE_SIZE) return Fault.WRONG_HEADER;
  if (offset < 0 || offset >= keg.itemsPerSlab * keg.itemSize) return Fault.OUTSIDE;
  if (offset % keg.itemSize !== 0) return Fault.INSIDE_ITEM;
  return maps.owners[item >>> GRANULE_SHIFT] === 0 ? Fault.FREE : Fault.NONE;
}

function explain(
  fault: Fault,
  maps: Maps,
  kegs: Kegs,
  keg: KegState,
  zone: string,
  item: number,
  isFreed: boolean,
): MbumaError | null {
  if (fault === Fault.NO_ADDRESS)
    return new MbumaError(
      'BAD_ARGUMENT',
      `zone ${zone}: ${describeValue(item)} is not an address of this memory`,
      { zone },
    );
  const refuse = (code: ErrorCode, message: string): MbumaError => {
    const known = maps.items.find(item);
    return new MbumaError(code, message, {
      address: item,
      zone,
      owner: known?.owner ?? (maps.owners[item >>> GRANULE_SHIFT] as number),
      details: maps.items.describe(item, known),
    });
  };
  const stranger = (why: string): string =>
    isFreed
      ? `uma: Freed item ${hex(item)} did not belong to zone ${zone}: ${why}`
      : `${hex(item)} does not belong to zone ${zone}: ${why}`;
  if (fault === Fault.GUARDED) return diagnoseGuarded(maps, keg, zone, item, refuse, stranger);
  // Read once more: another thread may have given the slab back since.
  const found = maps.pageKegs[item >>> PAGE_SHIFT] as number;
  if (fault === Fault.IN_NO_SLAB || found === 0)
    return refuse('FREE_FOREIGN', stranger('it lies in no slab'));
  if (fault === Fault.WRONG_ZONE)
    return refuse('FREE_WRONG_ZONE', stranger(`it belongs to zone ${kegs.byNumber(found).name}`));
  const slab = kegs.slabOf(item);
  const offset = item - (maps.words[slab + Slab.data] as number);
  const where = `from zone ${zone} slab ${hex(slab << 2)}(${Math.floor(offset / keg.itemSize)})`;
  switch (fault) {
    case Fault.WRONG_HEADER:
      return damaged(
        `the header of slab ${hex(slab << 2)} of zone ${zone} says that its items lie elsewhere`,
        { zone },
      );
    case Fault.OUTSIDE: {
      const side = offset < 0 ? 'before' : 'behind';
      const what = isFreed ? 'Invalid free of ' : '';
      return refuse('FREE_FOREIGN', `${what}${hex(item)} ${where}: it lies ${side} the items`);
    }
    case Fault.INSIDE_ITEM: {
      const start = item - (offset % keg.itemSize);
      const what = isFreed ? 'Unaligned free of ' : '';
      return refuse('FREE_UNALIGNED', `${what}${hex(item)} ${where}: it lies inside item ${hex(start)}`);
    }
    default: {
      const what = isFreed ? `Duplicate free of ${hex(item)} ${where}` : `${hex(item)} ${where} is free`;
      return refuse('FREE_TWICE', `${what}${freedBy(maps, item)}`);
    }
  }
}

function freedBy({ items }: Maps, item: number): string {
  const found = items.find(item);
  return found === null || found.sites === 0 ? '' : `\nMost recently used by ${items.lastUser(found)}`;
}

/** The same for an address on the pages of a guarded item. */
function diagnoseGuarded(
  maps: Maps,
  keg: KegState,
  zone: string,
  item: number,
  refuse: (code: ErrorCode, message: string) => MbumaError,
  stranger: (why: string) => string,
): MbumaError | null {
  const found = maps.items.find(item);
  if (found === null) return refuse('FREE_FOREIGN', stranger('its pages have just been given back'));
  if (found.keg !== keg.number)
    return refuse('FREE_WRONG_ZONE', stranger(`it belongs to zone ${found.zone}`));
  if (item !== found.start)
    return refuse(
      'FREE_UNALIGNED',
      `Unaligned free of ${hex(item)} from zone ${zone}: the item on these pages is ${hex(found.start)}`,
    );
  if (found.owner === 0)
    return refuse('FREE_TWICE', `MemGuard detected double-free of ${hex(item)}${freedBy(maps, item)}`);
  return null;
}
