/**
 * What is checked of an item when it is handed out and when it comes back, above what always is: trash,
 * redzones, and the note of who did it where. Level 2 and up, and zones that ask for it.
 *
 * What is found is told once: the item is made well again, and put where it belongs, before the error is
 * thrown.
 */

import { CheckLevel, hex, MbumaError } from '../check/index.js';
import type { UmaContext } from './context.js';
import type { FoundItem, Items } from './items.js';
import type { KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import type { RedzoneDamage } from './patterns.js';
import { KegFlag, ThreadCache } from './records.js';
import type { ZoneState } from './zone-state.js';

/** The flags of kegs whose items need the slow path. */
export const DEBUG_FLAGS: number = KegFlag.REDZONE | KegFlag.SITES | KegFlag.GUARDED;

export interface ItemChecks {
  /** Whether items of the zone are to be looked at here. */
  concerns(zone: ZoneState): boolean;
  /** An item of a slab is about to be handed out: what has been done to it while it was free. */
  whileFree(zone: ZoneState, item: number): MbumaError | null;
  /** An item of a slab comes back: what has been done around it. Its redzones are whole again. */
  aroundFreed(zone: ZoneState, item: number): MbumaError | null;
  /** Fills a free item with trash, if the zone's free items are. */
  trash(zone: ZoneState, item: number): void;
  /** The item is in use, and was found where free items are. */
  duplicate(zone: ZoneState, item: number): MbumaError;
}

/** The words of redzone(9) for the damage on one side, or both. */
export function redzoneMessage(
  item: Pick<FoundItem, 'start' | 'size'>,
  { before, behind }: RedzoneDamage,
): string {
  const side = (what: string, count: number, where: string): string =>
    `REDZONE: Buffer ${what} detected. ${count} byte${count === 1 ? '' : 's'} corrupted ${where} ` +
    `${hex(item.start)} (${item.size} bytes allocated).`;
  return [
    ...(before === 0 ? [] : [side('underflow', before, 'before')]),
    ...(behind === 0 ? [] : [side('overflow', behind, 'after')]),
  ].join('\n');
}

export function createItemChecks(context: UmaContext, kegs: Kegs, items: Items): ItemChecks {
  const { machine } = context;
  const { words, bytes, floats } = machine;
  const { patterns } = kegs;
  const leveled = machine.checkLevel >= CheckLevel.TRASH;
  const { checked: CHECKED, skipped: SKIPPED } = ThreadCache;

  /** Items that `init` of the zone has set up keep their state while they are free. */
  function isTrashed({ kegState, hooks }: ZoneState): boolean {
    return hooks.init === null && patterns.isTrashed(kegState);
  }

  function count(zone: ZoneState, field: number): void {
    const index = (zone.realCache + field) >> 1;
    floats[index] = (floats[index] as number) + 1;
  }

  function modified(zone: ZoneState, item: number, damaged: number): MbumaError {
    const found = items.find(item);
    const { size } = zone.kegState;
    const value = hex(words[damaged >>> 2] as number);
    const user = found === null ? 'none' : items.lastUser(found);
    return new MbumaError(
      'MODIFIED_AFTER_FREE',
      `Memory modified after free ${hex(item)}(${size}) val=${value} @ ${hex(damaged & ~3)} (zone ${zone.name})\n` +
        `Most recently used by ${user}`,
      { address: damaged, zone: zone.name, owner: 0, details: items.describe(damaged, found) },
    );
  }

  function redzoneError(zone: ZoneState, item: number, damage: RedzoneDamage): MbumaError {
    const found = items.known(item);
    const { kegState } = zone;
    const isBad = (at: number): boolean => isDamaged(kegState, item, at);
    let at = item - 16;
    while (!isBad(at)) at++;
    return new MbumaError('REDZONE_DAMAGED', redzoneMessage(found, damage), {
      address: at,
      zone: zone.name,
      owner: found.owner,
      details: items.describe(at, found, isBad),
    });
  }

  function isDamaged({ size, itemSize }: KegState, item: number, at: number): boolean {
    const inRedzone = (at >= item - 16 && at < item) || (at >= item + size && at < item + itemSize - 16);
    return inRedzone && bytes[at] !== 0x42;
  }

  function redzones(zone: ZoneState, item: number): MbumaError | null {
    const damage = patterns.redzoneDamage(zone.kegState, item);
    if (damage === null) return null;
    const error = redzoneError(zone, item, damage);
    patterns.mendRedzones(zone.kegState, item);
    return error;
  }

  return {
    concerns: ({ kegState }) => leveled || (kegState.flags & DEBUG_FLAGS) !== 0,
    whileFree(zone, item) {
      const { kegState } = zone;
      const trashed = isTrashed(zone);
      if (!trashed && (kegState.flags & KegFlag.REDZONE) === 0) return null;
      if (!patterns.isChecked(kegState, item)) {
        count(zone, SKIPPED);
        return null;
      }
      count(zone, CHECKED);
      const damaged = trashed ? patterns.findTrashDamage(kegState, item) : 0;
      if (damaged !== 0) return modified(zone, item, damaged);
      return redzones(zone, item);
    },
    aroundFreed: redzones,
    trash(zone, item) {
      if (isTrashed(zone)) patterns.trash(zone.kegState, item);
    },
    duplicate(zone, item) {
      const found = items.find(item);
      return new MbumaError(
        'ALLOC_TWICE',
        `Duplicate alloc of ${hex(item)} from zone ${zone.name}: it is in use`,
        { address: item, zone: zone.name, owner: found?.owner, details: items.describe(item, found) },
      );
    },
  };
}
