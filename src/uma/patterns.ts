/**
 * Trash and redzones of the items of slabs: what is filled, and what is found when it is looked at.
 *
 * A slab keeps the divisor that was set when it was made (`Slab.divisor`): an item that was not filled is
 * never checked, whatever is set meanwhile.
 *
 *   . . r r | item              | r r r | r r | item ...
 *       front                     rear    front of the next       r = redzone, `.` = alignment
 */

import {
  CheckLevel,
  REDZONE_BYTES,
  redzoneCountDamage,
  redzoneFill,
  trashFill,
  trashFillTail,
  trashFindDamage,
  trashFindTailDamage,
} from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import type { UmaContext } from './context.js';
import type { KegState } from './keg-state.js';
import { KegFlag, Slab } from './records.js';

/** Damaged bytes before and behind an item. */
export interface RedzoneDamage {
  readonly before: number;
  readonly behind: number;
}

export interface Patterns {
  /** Whether the item has trash and redzones, as the divisor of its slab says. */
  isChecked(keg: KegState, item: number): boolean;
  /** Whether free items of the keg are kept as trash. Those that `init` has set up keep their state. */
  isTrashed(keg: KegState): boolean;
  /** Fills a free item with trash, where free items are. */
  trash(keg: KegState, item: number): void;
  /** Fills so many bytes with trash, whatever they are. */
  fill(address: number, size: number): void;
  /** Byte address of the first damage to a free item that is trash; 0: all is well, or it has none. */
  findTrashDamage(keg: KegState, item: number): number;
  /** Writes the slab's divisor, and fills the trash and redzones of its items, all of which are free. */
  dressSlab(keg: KegState, slab: number): void;
  /** What has happened to the redzones of an item; null: nothing, or it has none. */
  redzoneDamage(keg: KegState, item: number): RedzoneDamage | null;
  /** Makes the redzones of an item whole again. */
  mendRedzones(keg: KegState, item: number): void;
}

export function createPatterns({ machine, pages, settings }: UmaContext): Patterns {
  const { words, bytes } = machine;
  const trashing = machine.checkLevel >= CheckLevel.TRASH;

  function isTrashed(keg: KegState): boolean {
    const kept = KegFlag.INTERNAL | KegFlag.NO_TOUCH | KegFlag.IMPORTED;
    return trashing && keg.init === null && (keg.flags & kept) === 0;
  }

  function hasRedzones(keg: KegState): boolean {
    return (keg.flags & KegFlag.REDZONE) !== 0;
  }

  function isChecked(keg: KegState, item: number): boolean {
    const divisor = words[pages.objectOf(item >>> PAGE_SHIFT) + Slab.divisor] as number;
    return divisor === 1 || (divisor > 1 && Math.floor(item / keg.itemSize) % divisor === 0);
  }

  function fill(address: number, size: number): void {
    trashFill(words, address, size);
    trashFillTail(bytes, address, size);
  }

  function mendRedzones(keg: KegState, item: number): void {
    redzoneFill(bytes, item - REDZONE_BYTES, item);
    redzoneFill(bytes, item + keg.extent, item + keg.itemSize - REDZONE_BYTES);
  }

  return {
    isChecked,
    isTrashed,
    fill,
    trash(keg, item) {
      if (isTrashed(keg) && isChecked(keg, item)) fill(item, keg.fillBytes);
    },
    findTrashDamage(keg, item) {
      return trashFindDamage(words, item, keg.fillBytes) || trashFindTailDamage(bytes, item, keg.fillBytes);
    },
    dressSlab(keg, slab) {
      const isUsers = (keg.flags & KegFlag.INTERNAL) === 0;
      if (!isUsers || !(trashing || hasRedzones(keg))) return;
      words[slab + Slab.divisor] = settings.read('checkDivisor');
      const data = words[slab + Slab.data] as number;
      for (let index = 0; index < keg.itemsPerSlab; index++) {
        const item = data + index * keg.itemSize;
        if (!isChecked(keg, item)) continue;
        if (isTrashed(keg)) fill(item, keg.fillBytes);
        if (hasRedzones(keg)) mendRedzones(keg, item);
      }
    },
    redzoneDamage(keg, item) {
      if (!hasRedzones(keg) || !isChecked(keg, item)) return null;
      const before = redzoneCountDamage(words, bytes, item - REDZONE_BYTES, item);
      const behind = redzoneCountDamage(words, bytes, item + keg.extent, item + keg.itemSize - REDZONE_BYTES);
      return before + behind === 0 ? null : { before, behind };
    },
    mendRedzones,
  };
}
