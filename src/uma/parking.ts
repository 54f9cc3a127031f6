/**
 * Parked items of an epoch zone: freed, waiting for readers, and in no bucket, for there was none.
 *
 * Nothing may be written to the item itself, for somebody may read it still. So the owner byte of its second
 * granule says it: OWNER_MEMORY there is an item that is parked, and the zone's tag is that of the last one.
 * It is slow, and happens only when pages have run out; but a free must never fail.
 *
 *   owner bytes of an item      slot 0    in use        0 0    free        0 255    parked
 */

import { LockRank } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Accounts } from './accounts.js';
import type { UmaContext } from './context.js';
import type { Kegs } from './kegs.js';
import { GRANULE, GRANULE_SHIFT, OWNER_MEMORY, Slab, SlabList, Zone } from './records.js';
import type { ZoneState } from './zone-state.js';

export interface Parking {
  /** Parks an item that this thread owns. */
  park(zone: ZoneState, item: number): void;
  /** Gives what is parked, and known to no reader any more, back to the keg; whether there was anything. */
  unpark(zone: ZoneState, finish: (item: number) => void): boolean;
  /** The zone's lock has been taken over: what a dead thread has in hand is parked no more. */
  repair(zone: number): void;
  /** What a dead thread was about to park is parked: nobody owns it. */
  settle(zone: ZoneState, slot: number): void;
}

export function createParking(
  context: UmaContext,
  kegs: Kegs,
  accounts: Accounts,
  owners: Uint8Array,
  pageKegs: Uint16Array,
): Parking {
  const { machine, locks, intents, hands, pages, epochs } = context;
  const { words } = machine;
  const { parkedTag: PARKED_TAG } = Zone;
  const { HELD, SECOND: UNITS } = Hand;
  const markOf = (item: number): number => (item >>> GRANULE_SHIFT) + 1;

  function park({ record }: ZoneState, item: number): void {
    locks.acquire(record, LockRank.ZONE);
    words[record + PARKED_TAG] = epochs.tag();
    owners[markOf(item)] = OWNER_MEMORY;
    owners[item >>> GRANULE_SHIFT] = 0;
    locks.release(record);
  }

  /** A parked item of the slab whose first page this is, for which `visit` answers true; 0: there is none. */
  function findInSlab({ kegState: keg }: ZoneState, page: number, visit: (item: number) => boolean): number {
    const slab = pages.objectOf(page);
    if (slab === 0 || words[slab + Slab.keg] !== keg.record || words[slab + Slab.page] !== page) return 0;
    if (words[slab + Slab.list] === SlabList.NONE) return 0;
    const data = words[slab + Slab.data] as number;
    for (let item = data; item < data + keg.itemsPerSlab * keg.itemSize; item += keg.itemSize) {
      if (owners[markOf(item)] === OWNER_MEMORY && visit(item)) return item;
    }
    return 0;
  }

  /** The first such item from a page on; 0: there is none. Under the zone's lock. */
  function find(zone: ZoneState, from: number, visit: (item: number) => boolean): number {
    const { number, record, lockRank } = zone.kegState;
    for (let page = from; page < pages.pageCount; page++) {
      if (pageKegs[page] !== number) continue;
      // A slab may be unmade meanwhile, and its page become another's.
      locks.acquire(record, lockRank);
      const item = pageKegs[page] === number ? findInSlab(zone, page, visit) : 0;
      locks.release(record);
      if (item !== 0) return item;
    }
    return 0;
  }

  /** One parked item into a hand, looked for from a page on first. False: there is none, or it must wait. */
  function takeParked(zone: ZoneState, hand: number, from: number): boolean {
    const { record } = zone;
    const tag = words[record + PARKED_TAG] as number;
    if (tag === 0 || !epochs.hasPassed(tag)) return false;
    const any = (): boolean => true;
    const item = find(zone, from, any) || find(zone, pages.firstPage, any);
    if (item === 0) {
      words[record + PARKED_TAG] = 0;
      return false;
    }
    intents.begin(record);
    intents.set(hand + HELD, item);
    intents.set(hand + UNITS, 1);
    intents.commit();
    owners[markOf(item)] = 0;
    return true;
  }

  function unpark(zone: ZoneState, finish: (item: number) => void): boolean {
    let from = pages.firstPage;
    for (let found = false; ; found = true) {
      if (words[zone.record + PARKED_TAG] === 0) return found;
      const hand = hands.open(HandKind.BACK, zone.number, 0, 0, 0);
      locks.acquire(zone.record, LockRank.ZONE);
      const isTaken = takeParked(zone, hand, from);
      locks.release(zone.record);
      if (!isTaken) {
        hands.close(hand);
        return found;
      }
      const item = words[hand + HELD] as number;
      // Where one is there are more: to begin at the first page for each would take for ever.
      from = words[kegs.slabOf(item) + Slab.page] as number;
      finish(item);
      kegs.giveItem(zone.kegState, item, hand + HELD);
      accounts.returnUnits(zone, hand);
    }
  }

  return {
    park,
    unpark,
    repair(zone) {
      hands.eachOfDead((hand) => {
        const item = words[hand + HELD] as number;
        const isItem = hands.kindOf(hand) === HandKind.BACK && hands.numberOf(hand) === zone && item !== 0;
        if (isItem && item % GRANULE === 0 && owners[markOf(item)] === OWNER_MEMORY) owners[markOf(item)] = 0;
      });
    },
    settle(zone, slot) {
      const { record } = zone;
      if (words[record + PARKED_TAG] === 0) return;
      locks.acquire(record, LockRank.ZONE);
      find(zone, pages.firstPage, (item) => {
        if (owners[item >>> GRANULE_SHIFT] === slot) owners[item >>> GRANULE_SHIFT] = 0;
        return false;
      });
      locks.release(record);
    },
  };
}
