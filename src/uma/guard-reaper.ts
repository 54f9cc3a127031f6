/**
 * After a death: the guarded items that the thread had in hand, and those that it owned.
 *
 * A free that has begun and is in no hand yet (the thread died in `dtor`) is taken back: the item is in use,
 * and the dead thread's. A free that is in a hand is finished.
 */

import { Hand } from '../machine/index.js';
import type { UmaContext } from './context.js';
import type { Guard } from './guard.js';
import type { HookErrors } from './hooks.js';
import type { OwnedItems, Taker } from './reaper-owned.js';
import { GRANULE_SHIFT, GuardedItem, GuardedState, OWNER_MEMORY, OwnerDeath } from './records.js';
import type { ZoneState } from './zone-state.js';

const STATE_MASK = 0xff;
const STATE_BITS = 8;

export interface GuardReaper {
  /** Empties a hand of the kind `HandKind.GUARD` of a dead thread. */
  emptyHand(hand: number, errors: HookErrors): void;
  /** Frees the guarded items that a dead thread owned, or gives them to the memory, as the zones say. */
  settle(slot: number, errors: HookErrors): OwnedItems[];
}

export interface GuardReaperParts {
  readonly context: UmaContext;
  readonly guard: Guard;
  readonly owners: Uint8Array;
  readonly zoneOf: (number: number) => ZoneState;
  readonly isOpen: (number: number) => boolean;
  readonly takerOf: (keg: number) => Taker | undefined;
  /** Frees an item as its user would have. */
  readonly freeOwned: (zone: ZoneState, item: number) => void;
}

export function createGuardReaper(parts: GuardReaperParts): GuardReaper {
  const { context, guard, owners, zoneOf } = parts;
  const { machine, pages, hands, threads } = context;
  const { words } = machine;
  const { load, store, compareExchangeByte } = machine.atomics;
  const ownersAddress = machine.area('owners') << 2;
  const { state: STATE, item: ITEM } = GuardedItem;
  const read = (index: number): number => words[index] as number;

  function emptyHand(hand: number, errors: HookErrors): void {
    const zone = zoneOf(hands.numberOf(hand));
    const page = read(hand + Hand.HELD);
    const record = read(hand + Hand.THIRD) >>> 2;
    // Not yet whole, or not any more: the run or the record alone, or a unit.
    if (page === 0 || record === 0 || pages.objectOf(page) !== record) {
      guard.unmake(zone, hand, errors);
      return;
    }
    const word = load(record + STATE);
    const state = word & STATE_MASK;
    if (state === GuardedState.FREEING) guard.finishFree(zone, hand, errors);
    else if (state === GuardedState.BUILDING || state === GuardedState.LEAVING)
      guard.unmake(zone, hand, errors);
    // In use: it was about to say so.
    else words[hand] = 0;
  }

  /**
   * Makes the item of a record its heir's, under the guard's lock: whoever has just freed it cannot take it
   * out of quarantine meanwhile. The zone of an item that was the dead thread's; else null.
   */
  function inheritLocked(record: number, slot: number): ZoneState | null {
    const item = read(record + ITEM);
    if (load(record + STATE) === (GuardedState.FREEING | (slot << STATE_BITS))) {
      owners[item >>> GRANULE_SHIFT] = slot;
      store(record + STATE, GuardedState.IN_USE);
    }
    if (load(record + STATE) !== GuardedState.IN_USE) return null;
    const zone = zoneOf(read(record + GuardedItem.zone));
    const heir = isFreed(zone) || followerOf(zone) !== null ? threads.slot : OWNER_MEMORY;
    // Another thread may free it at this moment: its 0 must stand.
    const isOurs = compareExchangeByte(ownersAddress + (item >>> GRANULE_SHIFT), slot, heir) === slot;
    return isOurs ? zone : null;
  }

  function isFreed({ onOwnerDeath, isBare, number }: ZoneState): boolean {
    return onOwnerDeath === OwnerDeath.free && (isBare || parts.isOpen(number));
  }

  /** Who decides of each item whether it is freed. */
  function followerOf({ kegState }: ZoneState): (Taker & { frees: (item: number) => boolean }) | null {
    const taker = parts.takerOf(kegState.number);
    return taker?.frees === undefined ? null : { ...taker, frees: taker.frees };
  }

  /** What became of the item whose run starts at `page`; null when none does, or it was not the dead one's. */
  function settleItem(page: number, slot: number, errors: HookErrors): OwnedItems | null {
    let zone: ZoneState | null = null;
    let item = 0;
    guard.withRecordAt(page, (record) => {
      zone = inheritLocked(record, slot);
      item = read(record + ITEM);
    });
    return zone === null ? null : dispose(zone, item, errors);
  }

  function dispose(zone: ZoneState, item: number, errors: HookErrors): OwnedItems {
    const follower = followerOf(zone);
    const freed = follower === null ? isFreed(zone) : follower.frees(item);
    if (freed) errors.attempt(() => (follower === null ? parts.freeOwned(zone, item) : follower.free(item)));
    else compareExchangeByte(ownersAddress + (item >>> GRANULE_SHIFT), threads.slot, OWNER_MEMORY);
    return {
      zone: zone.name,
      ...(follower?.type !== undefined && { type: follower.type }),
      freed: freed ? 1 : 0,
      kept: freed ? 0 : 1,
      items: zone.onOwnerDeath === OwnerDeath.report && !freed ? [item] : [],
    };
  }

  return {
    emptyHand,
    settle(slot, errors) {
      const found: OwnedItems[] = [];
      for (let page = pages.firstPage; page < pages.pageCount; page++) {
        const settled = settleItem(page, slot, errors);
        if (settled !== null) found.push(settled);
      }
      return found;
    },
  };
}

/** Adds what became of further items to what became of the others of their zones. */
export function mergeOwned(settled: OwnedItems[], more: readonly OwnedItems[]): OwnedItems[] {
  for (const each of more) {
    const known = settled.find(({ zone, type }) => zone === each.zone && type === each.type);
    if (known === undefined) {
      settled.push({ ...each, items: [...each.items] });
      continue;
    }
    known.freed += each.freed;
    known.kept += each.kept;
    known.items.push(...each.items);
  }
  return settled;
}
