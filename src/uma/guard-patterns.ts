/** How the pages of a guarded item look, and what has been written to them that should not. */

import {
  hex,
  MbumaError,
  REDZONE_BYTE,
  REDZONE_BYTES,
  redzoneCountDamage,
  TRASH_WORD,
} from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import type { UmaContext } from './context.js';
import { redzoneMessage } from './item-checks.js';
import type { Items } from './items.js';
import type { KegState } from './keg-state.js';
import { GuardedItem } from './records.js';
import type { ZoneState } from './zone-state.js';

/** The run of a guarded item. */
export interface GuardedShape {
  readonly pages: number;
  /** Bytes from its start to the item. */
  readonly offset: number;
}

export interface GuardPatterns {
  shapeOf(keg: KegState): GuardedShape;
  /** What has been written around an item in use; null: nothing. */
  aroundFreed(zone: ZoneState, item: number): MbumaError | null;
  /** What has been written to an item, or around it, since it was freed; null: nothing. */
  whileQuarantined(zone: ZoneState, record: number, count: number): MbumaError | null;
}

const PAGE = 1 << PAGE_SHIFT;

export function createGuardPatterns({ machine, threads }: UmaContext, items: Items): GuardPatterns {
  const { words, bytes } = machine;
  const read = (index: number): number => words[index] as number;

  function shapeOf({ extent: size, align }: KegState): GuardedShape {
    let before = Math.ceil(size / PAGE);
    const offsetIn = (count: number): number => (count * PAGE - size) & -align;
    if (offsetIn(before) < REDZONE_BYTES) before++;
    return { pages: before + 1, offset: offsetIn(before) };
  }

  function aroundFreed(zone: ZoneState, item: number): MbumaError | null {
    const { extent: size } = zone.kegState;
    const { pages: count, offset } = shapeOf(zone.kegState);
    const from = item - offset;
    const end = from + count * PAGE;
    const before = redzoneCountDamage(words, bytes, from, item);
    const behind = redzoneCountDamage(words, bytes, item + size, end);
    if (before + behind === 0) return null;
    const found = items.known(item);
    const isBad = (at: number): boolean =>
      at >= from && at < end && (at < item || at >= item + size) && bytes[at] !== REDZONE_BYTE;
    let at = before === 0 ? item + size : from;
    while (!isBad(at)) at++;
    return new MbumaError('REDZONE_DAMAGED', redzoneMessage(found, { before, behind }), {
      address: at,
      zone: zone.name,
      owner: threads.slot,
      details: items.describe(at, found, isBad),
    });
  }

  function whileQuarantined(zone: ZoneState, record: number, count: number): MbumaError | null {
    const from = (read(record + GuardedItem.page) << PAGE_SHIFT) >>> 2;
    const end = from + ((count << PAGE_SHIFT) >>> 2);
    let at = from;
    while (at < end && words[at] === TRASH_WORD) at++;
    if (at === end) return null;
    const item = read(record + GuardedItem.item);
    const found = items.known(item);
    const value = hex(read(at));
    return new MbumaError(
      'MODIFIED_AFTER_FREE',
      `Memory modified after free ${hex(item)}(${found.size}) val=${value} @ ${hex(at << 2)} (zone ${zone.name})\n` +
        `Most recently used by ${items.lastUser(found)}`,
      { address: at << 2, zone: zone.name, owner: 0, details: items.describe(at << 2, found) },
    );
  }

  return { shapeOf, aroundFreed, whileQuarantined };
}
