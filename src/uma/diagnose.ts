/** Says what is wrong with an address that was freed: the slow half of the checks of `free`. */

import { describeValue, hex, MbumaError } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import { BUCKET_KEG, INTERNAL_KEGS } from './context.js';
import type { KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import { GRANULE_SHIFT, Slab } from './records.js';

/** The maps over the whole memory that a check needs. */
export interface Maps {
  readonly words: Int32Array;
  readonly owners: Uint8Array;
  readonly pageKegs: Uint16Array;
}

/** The error for freeing `item` to a zone on `keg`, or null when nothing is wrong with it. */
export function diagnoseFree(
  maps: Maps,
  kegs: Kegs,
  keg: KegState,
  zone: string,
  item: unknown,
): MbumaError | null {
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0 || item >= maps.words.length * 4) {
    return new MbumaError(
      'BAD_ARGUMENT',
      `zone ${zone}: ${describeValue(item)} is not an address of this memory`,
      { zone },
    );
  }
  const place = { address: item, zone, owner: maps.owners[item >>> GRANULE_SHIFT] as number };
  const found = maps.pageKegs[item >>> PAGE_SHIFT] as number;
  if (found === 0 || (found >= BUCKET_KEG && found <= INTERNAL_KEGS)) {
    return new MbumaError('FREE_FOREIGN', `zone ${zone}: freed address ${hex(item)} lies in no slab`, place);
  }
  if (found !== keg.number) {
    const other = kegs.byNumber(found).name;
    return new MbumaError(
      'FREE_WRONG_ZONE',
      `zone ${zone}: freed item ${hex(item)} belongs to zone ${other}`,
      place,
    );
  }
  const offset = item - (maps.words[kegs.slabOf(item) + Slab.data] as number);
  const index = Math.floor(offset / keg.itemSize);
  if (index >= keg.itemsPerSlab) {
    return new MbumaError(
      'FREE_FOREIGN',
      `zone ${zone}: freed address ${hex(item)} lies behind the items of its slab`,
      place,
    );
  }
  if (offset % keg.itemSize !== 0) {
    const start = item - (offset % keg.itemSize);
    return new MbumaError(
      'FREE_UNALIGNED',
      `zone ${zone}: freed address ${hex(item)} lies inside item ${hex(start)}`,
      place,
    );
  }
  if (place.owner === 0) {
    return new MbumaError('FREE_TWICE', `zone ${zone}: freed item ${hex(item)} is free already`, place);
  }
  return null;
}
