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
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0 || item >= maps.words.length * 4) {
    return new MbumaError(
      'BAD_ARGUMENT',
      `zone ${zone}: ${describeValue(item)} is not an address of this memory`,
      { zone },
    );
  }
  const refuse = (code: ErrorCode, message: string): MbumaError => {
    const found = maps.items.find(item);
    return new MbumaError(code, message, {
      address: item,
      zone,
      owner: found?.owner ?? (maps.owners[item >>> GRANULE_SHIFT] as number),
      details: maps.items.describe(item, found),
    });
  };
  const stranger = (why: string): string =>
    isFreed
      ? `uma: Freed item ${hex(item)} did not belong to zone ${zone}: ${why}`
      : `${hex(item)} does not belong to zone ${zone}: ${why}`;
  const guarded = maps.items.guardedAt(item);
  if (guarded !== 0) return diagnoseGuarded(maps, keg, zone, item, refuse, stranger);
  const found = maps.pageKegs[item >>> PAGE_SHIFT] as number;
  if (found === 0 || (found >= BUCKET_KEG && found <= INTERNAL_KEGS))
    return refuse('FREE_FOREIGN', stranger('it lies in no slab'));
  if (found !== keg.number)
    return refuse('FREE_WRONG_ZONE', stranger(`it belongs to zone ${kegs.byNumber(found).name}`));
  const slab = kegs.slabOf(item);
  const offset = item - (maps.words[slab + Slab.data] as number);
  const index = Math.floor(offset / keg.itemSize);
  if (Math.abs(offset) > keg.pagesPerSlab * PAGE_SIZE)
    return damaged(`the header of slab ${hex(slab << 2)} of zone ${zone} says that its items lie elsewhere`, {
      zone,
    });
  const where = (at: number): string => `from zone ${zone} slab ${hex(slab << 2)}(${at})`;
  if (index < 0 || index >= keg.itemsPerSlab) {
    const side = index < 0 ? 'before' : 'behind';
    return refuse(
      'FREE_FOREIGN',
      `${isFreed ? 'Invalid free of ' : ''}${hex(item)} ${where(index)}: it lies ${side} the items`,
    );
  }
  if (offset % keg.itemSize !== 0) {
    const start = item - (offset % keg.itemSize);
    return refuse(
      'FREE_UNALIGNED',
      `${isFreed ? 'Unaligned free of ' : ''}${hex(item)} ${where(index)}: it lies inside item ${hex(start)}`,
    );
  }
  if (maps.owners[item >>> GRANULE_SHIFT] === 0)
    return refuse(
      'FREE_TWICE',
      isFreed
        ? `Duplicate free of ${hex(item)} ${where(index)}${freedBy(maps, item)}`
        : `${hex(item)} ${where(index)} is free${freedBy(maps, item)}`,
    );
  return null;
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
