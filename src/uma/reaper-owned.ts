/** After a death: the items that the thread had in use, and those on their way through a ring. */

import { PAGE_SHIFT } from '../machine/index.js';
import { INTERNAL_KEGS, REAPER_BATCH } from './context.js';
import { HookErrors } from './hooks.js';
import { HeaderKind } from './keg-state.js';
import type { ReaperParts } from './reaper.js';
import { GRANULE, GRANULE_SHIFT, GuardedItem, OWNER_MEMORY, OwnerDeath } from './records.js';
import type { ZoneState } from './zone-state.js';

/** What became of the items of one zone that a dead thread had in use. */
export interface OwnedItems {
  readonly zone: string;
  /** The malloc type of blocks, where it follows a death; of runs always. */
  readonly type?: string;
  /** Items that were freed. */
  freed: number;
  /** Items that stay allocated, and belong to the memory now. */
  kept: number;
  /** Their addresses, if the zone says `onOwnerDeath: 'report'`. */
  readonly items: number[];
}

/** Who frees the items of a keg that has several zones, or of which a layer keeps accounts. */
export interface Taker {
  readonly zone: string;
  readonly free: (item: number) => void;
  /** The item that goes where this one goes; 0 ends it. */
  readonly next: (item: number) => number;
  /** Whether an item is freed at all, and does not stay as the memory's. */
  readonly frees?: (item: number) => boolean;
  /** The malloc type of its items. */
  readonly type?: string;
}

const GRANULES_PER_PAGE = 256;

export interface OwnedReaper {
  /** Frees what a dead thread owned, or gives it to the memory, as the zones say. */
  settle(slot: number, errors: HookErrors, inTransit: ReadonlyMap<number, ReadonlySet<number>>): OwnedItems[];
  onOwned(keg: number, taker: Taker): void;
  takerOf(keg: number): Taker | undefined;
  eachWith(keg: number, item: number, visit: (item: number) => void): void;
}

/**
 * @param allZones every zone of the memory
 */
export function createOwnedReaper(parts: ReaperParts, allZones: () => ZoneState[]): OwnedReaper {
  const { context, kegs, ladder, deferral, owners, pageKegs, counters } = parts;
  const { machine, threads, pages } = context;
  const { words } = machine;
  const { compareExchangeByte } = machine.atomics;
  const ownersAddress = machine.area('owners') << 2;
  const takers = new Map<number, Taker>();
  const inheritAtOnce = machine.helper.inherit;
  /** Items of one page that were taken from their owner; in the memory, where WebAssembly can write them. */
  const batchAt = machine.area('reaper batches') + threads.slot * REAPER_BATCH;
  const batch =
    inheritAtOnce === undefined
      ? new Int32Array(REAPER_BATCH)
      : words.subarray(batchAt, batchAt + REAPER_BATCH);

  /** Zones of each keg that is a user's. */
  function zonesByKeg(): Map<number, ZoneState[]> {
    const found = new Map<number, ZoneState[]>();
    for (const zone of allZones()) {
      const zones = found.get(zone.kegState.number);
      if (zones === undefined) found.set(zone.kegState.number, [zone]);
      else zones.push(zone);
    }
    return found;
  }

  /** Frees an item of a zone without hooks that this thread has not opened. */
  function releaseUsed(zone: ZoneState, item: number): void {
    if (zone.epoch) {
      deferral.freeItem(zone, item);
      return;
    }
    kegs.trash(zone.kegState, item);
    ladder.releaseItem(zone, item);
  }

  /** Somebody has claimed one of the batch too late, and may have freed it: the others go one by one. */
  function freeRest(zone: ZoneState, count: number): number {
    const items = Array.from({ length: count }, (_, at) => batch[at] as number);
    const claimed = new HookErrors();
    for (const item of items)
      if (owners[item >>> GRANULE_SHIFT] === threads.slot) claimed.attempt(() => parts.freeOwned(zone, item));
    return count - claimed.all.length;
  }

  /** How the items of a keg are given up, so many of `batch`; tells how many are free now. Null: they stay. */
  function freeingOf(
    keg: number,
    zones: readonly ZoneState[],
    errors: HookErrors,
  ): ((count: number) => number) | null {
    const each = (free: (item: number) => void) => (count: number) => {
      // To free an item may need what another dead thread has: then the batch is used for that one meanwhile.
      const items = Array.from({ length: count }, (_, at) => batch[at] as number);
      const last = items.filter((item) => counters.disown(keg, item));
      for (const item of last) errors.attempt(() => free(item));
      return last.length;
    };
    const taker = takers.get(keg);
    if (taker !== undefined) return each(taker.free);
    const zone = zones[0] as ZoneState;
    if (zones.length > 1 || zone.onOwnerDeath !== OwnerDeath.free) return null;
    if (parts.openedByNumber(zone.number) === undefined) {
      return zone.isBare ? each((item) => releaseUsed(zone, item)) : null;
    }
    // Without hooks thousands at a time are freed ten times as fast.
    if (!zone.isBare || zone.kegState.header === HeaderKind.COUNTED)
      return each((item) => parts.freeOwned(zone, item));
    return (count) => {
      try {
        parts.freeOwnedMany(zone, batch, count);
        return count;
      } catch {
        return freeRest(zone, count);
      }
    };
  }

  /** Whether an item of the keg stands there on pages of its own. */
  function isGuarded(keg: number, item: number): boolean {
    const record = item > 0 ? parts.items.guardedAt(item) : 0;
    if (record === 0 || words[record + GuardedItem.item] !== item) return false;
    return parts.items.find(item)?.keg === keg;
  }

  /** A chain is as long as there are granules, at most: it may be a circle. */
  function eachWith(keg: number, first: number, visit: (item: number) => void): void {
    const next = takers.get(keg)?.next;
    let item = first;
    for (let left = owners.length; left > 0; left--) {
      const inKeg = pageKegs[item >>> PAGE_SHIFT] === keg || isGuarded(keg, item);
      const isItem = (item & -GRANULE) === item && inKeg;
      if (!isItem || !((owners[item >>> GRANULE_SHIFT] as number) > 0)) return;
      visit(item);
      if (next === undefined) return;
      item = next(item);
    }
  }

  /** Items that are on their way to somebody become the memory's, with what goes with them. */
  function letGo(keg: number, items: ReadonlySet<number>, slot: number): void {
    const give = (item: number): void => {
      compareExchangeByte(ownersAddress + (item >>> GRANULE_SHIFT), slot, OWNER_MEMORY);
    };
    for (const item of items) eachWith(keg, item, give);
  }

  /** Gives what a dead thread owns in a page to `heir`, and names it in `batch`; how many. */
  function inherit(page: number, step: number, slot: number, heir: number): number {
    const first = page * GRANULES_PER_PAGE;
    const end = first + GRANULES_PER_PAGE;
    if (inheritAtOnce !== undefined) {
      const from = ownersAddress + first;
      return inheritAtOnce(from, ownersAddress + end, step, slot, heir, first << GRANULE_SHIFT, batchAt << 2);
    }
    let count = 0;
    // A scan of its own for each finding: most pages have none.
    for (let granule = owners.indexOf(slot, first); granule >= 0 && granule < end; ) {
      // Another thread may have it, and free it at this moment: its 0 must stand.
      if (compareExchangeByte(ownersAddress + granule, slot, heir) === slot) {
        batch[count++] = granule << GRANULE_SHIFT;
      }
      granule = owners.indexOf(slot, granule + step);
    }
    return count;
  }

  /** Items of the batch that are not freed become the memory's, and leave the batch. */
  function spare(frees: (item: number) => boolean, count: number): number[] {
    const items = Array.from(batch.subarray(0, count));
    const spared = items.filter((item) => !frees(item));
    for (const item of spared)
      compareExchangeByte(ownersAddress + (item >>> GRANULE_SHIFT), threads.slot, OWNER_MEMORY);
    const freed = items.filter((item) => !spared.includes(item));
    batch.set(freed);
    return spared;
  }

  function settleOwned(
    keg: number,
    zones: readonly ZoneState[],
    slot: number,
    errors: HookErrors,
  ): OwnedItems {
    const zone = zones[0] as ZoneState;
    const free = freeingOf(keg, zones, errors);
    const names = zone.onOwnerDeath === OwnerDeath.report;
    const taker = takers.get(keg);
    const result: OwnedItems = {
      zone: taker?.zone ?? zone.name,
      ...(taker?.type !== undefined && { type: taker.type }),
      freed: 0,
      kept: 0,
      items: [],
    };
    const heir = free === null ? OWNER_MEMORY : threads.slot;
    // Slabs start with a page: no item starts between the multiples of the power of two in its size.
    const apart = zone.kegState.itemSize | zone.kegState.dataOffset;
    const step = Math.min(GRANULES_PER_PAGE, (apart & -apart) >>> GRANULE_SHIFT);
    for (let page = pages.firstPage; page < pages.pageCount; page++) {
      if (pageKegs[page] !== keg) continue;
      let count = inherit(page, step, slot, heir);
      if (taker?.frees !== undefined) {
        const spared = spare(taker.frees, count);
        count -= spared.length;
        result.kept += spared.length;
        if (names) result.items.push(...spared);
      }
      if (count === 0) continue;
      if (free === null) {
        result.kept += count;
        if (names) result.items.push(...batch.subarray(0, count));
      } else {
        const freed = free(count);
        result.freed += freed;
        // What others have references to stays.
        result.kept += count - freed;
      }
    }
    return result;
  }

  return {
    settle(slot, errors, inTransit) {
      for (const [keg, items] of inTransit) letGo(keg, items, slot);
      const settled: OwnedItems[] = [];
      const byKeg = [...zonesByKeg()].filter(([keg]) => keg > INTERNAL_KEGS);
      for (const taken of [true, false]) {
        for (const [keg, zones] of byKeg) {
          if (takers.has(keg) === taken) settled.push(settleOwned(keg, zones, slot, errors));
        }
      }
      return settled.filter(({ freed, kept }) => freed + kept > 0);
    },
    eachWith,
    onOwned(keg, taker) {
      takers.set(keg, taker);
    },
    takerOf: (keg) => takers.get(keg),
  };
}
