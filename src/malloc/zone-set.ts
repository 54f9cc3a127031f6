/** The zones of small blocks: one for each size class, opened with the first block of the class. */

import { CheckLevel } from '../check/index.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../machine/index.js';
import { layoutOf, readText } from '../record/index.js';
import { GUARDED_PAGE, KegRecord, OwnerDeath, type Zone } from '../uma/index.js';
import { CLASS_SIZES } from './classes.js';
import type { MallocContext } from './context.js';
import { blockZoneName } from './zone-names.js';

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
  /** Opens every zone of the set that there is in the memory. */
  openAll(): void;
  /** Class of the keg that an address lies in, which is opened if need be; -1: of none of this set. */
  classAt(address: number): number;
}

/** Whose zones they are, and how its blocks are treated. */
export interface ZoneSetOptions {
  /** Number of the type whose zones these are. */
  readonly owner: number;
  readonly guarded: boolean;
  /** A value of `OwnerDeath`. */
  readonly onOwnerDeath: number;
}

/** Of the zones that all types share. */
const SHARED: ZoneSetOptions = { owner: 0, guarded: false, onOwnerDeath: OwnerDeath.keep };

const POLICIES = ['keep', 'free', 'report'] as const;

/** @param onOpen called with each zone of the set that this thread opens */
export function createZoneSet(
  { machine, uma }: MallocContext,
  { owner, guarded, onOwnerDeath }: ZoneSetOptions = SHARED,
  onOpen: (zone: Zone) => void = () => {},
): ZoneSet {
  const { words } = machine;
  const { pageKegs } = uma;
  const isTagged = machine.checkLevel >= CheckLevel.TRASH || onOwnerDeath !== OwnerDeath.keep;
  const kegs = machine.area('kegs');
  const kegWords = layoutOf(KegRecord).words;
  const zones = new Array<Zone | undefined>(CLASS_SIZES.length).fill(undefined);
  /** Class of a keg of this set that is open here, plus 1, by the keg's number; else 0. */
  const classOfKeg = new Uint8Array(KEGS_MAX);
  const names = CLASS_SIZES.map((size) => blockZoneName(size, owner));

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
      // Programs ask for many sizes, and for a few blocks of most.
      frugal: true,
      ...(isTagged && { tagged: true }),
      ...(guarded && { guard: true }),
      onOwnerDeath: POLICIES[onOwnerDeath] ?? 'keep',
    });
    zones[index] = zone;
    classOfKeg[zone.keg] = index + 1;
    onOpen(zone);
    return zone;
  }

  return {
    isTagged,
    zoneOf,
    isOpen: (index) => zones[index] !== undefined,
    openAll() {
      names.forEach((name, index) => {
        if (uma.findRecord(name) !== 0) zoneOf(index);
      });
    },
    classAt(address) {
      const mapped = pageKegs[address >>> PAGE_SHIFT] ?? 0;
      const keg = mapped === GUARDED_PAGE ? uma.kegAt(address) : mapped;
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
