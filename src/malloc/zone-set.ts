/** The zones of small blocks: one for each size class, opened with the first block of the class. */

import { CheckLevel } from '../check/index.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../machine/index.js';
import { layoutOf, readText } from '../record/index.js';
import { KegRecord, type Zone } from '../uma/index.js';
import { CLASS_SIZES } from './classes.js';
import type { MallocContext } from './context.js';

/** Numbers that the map of pages can have. */
const KEGS_MAX = 0x10000;

const KEG_NAME_WORDS = 12;

export interface ZoneSet {
  /** Its blocks say what type they are of: see marks.ts. */
  readonly isTagged: boolean;
  /** The zone of a class. @throws TOO_MANY_ZONES */
  zoneOf(index: number): Zone;
  /** Whether this thread has opened the zone of a class. */
  isOpen(index: number): boolean;
  /** Class of the keg that an address lies in, which is opened if need be; -1: of none of this set. */
  classAt(address: number): number;
}

/** @param owner number of the type whose zones these are; 0: they are shared */
export function createZoneSet({ machine, uma }: MallocContext, owner: number): ZoneSet {
  const { words } = machine;
  const { pageKegs } = uma;
  const isTagged = machine.checkLevel >= CheckLevel.TRASH;
  const kegs = machine.area('kegs');
  const kegWords = layoutOf(KegRecord).words;
  const zones = new Array<Zone | undefined>(CLASS_SIZES.length).fill(undefined);
  /** Class of a keg of this set that is open here, plus 1, by the keg's number; else 0. */
  const classOfKeg = new Uint8Array(KEGS_MAX);
  const names = CLASS_SIZES.map((size) => (owner === 0 ? `malloc-${size}` : `malloc-${size}#${owner}`));

  uma.onZoneEnd(({ name }) => (names.includes(name) ? 'is used by malloc types' : ''));

  function zoneOf(index: number): Zone {
    const known = zones[index];
    if (known !== undefined) return known;
    const size = CLASS_SIZES[index] as number;
    const isPower = (size & (size - 1)) === 0;
    const zone = uma.zone({
      name: names[index] as string,
      size,
      // Larger ones are multiples of their size as well, for slabs begin where such a block may.
      align: isPower ? Math.min(size, PAGE_SIZE) : 16,
      ...(isTagged && { tagged: true }),
    });
    zones[index] = zone;
    classOfKeg[zone.keg] = index + 1;
    return zone;
  }

  return {
    isTagged,
    zoneOf,
    isOpen: (index) => zones[index] !== undefined,
    classAt(address) {
      const keg = pageKegs[address >>> PAGE_SHIFT] ?? 0;
      if (keg === 0) return -1;
      const known = (classOfKeg[keg] as number) - 1;
      if (known >= 0) return known;
      const index = names.indexOf(readText(words, kegs + keg * kegWords + KegRecord.name, KEG_NAME_WORDS));
      // Another thread has made it.
      if (index >= 0) zoneOf(index);
      return index;
    },
  };
}
