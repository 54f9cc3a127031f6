/** What is in use, by where it was allocated: for whoever looks for what was never freed. */

import { PAGE_SHIFT } from '../machine/index.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import type { BareMaps, FoundItem, Items } from './items.js';
import { slotOfThread } from './items.js';
import type { Kegs } from './kegs.js';
import { GRANULE_SHIFT, GUARDED_PAGE, GuardedItem, ItemSites, OWNER_MEMORY, Slab } from './records.js';

/** Items in use that have zone, use, and place and thread of their allocation in common. */
export interface Leak {
  readonly zone: string;
  /** The malloc type of blocks; '' of what is none, or where that is not kept: below check level 2, in shared zones. */
  readonly type: string;
  /** `src/worker.js:12:5`, where they were allocated; '' where that is not known or not kept. */
  readonly site: string;
  /**
   * Slot of the thread that allocated them; of a zone without sites, of the thread that owns them, and then 0
   * is the memory itself.
   */
  readonly thread: number;
  readonly count: number;
  /** As asked for, together. */
  readonly bytes: number;
  /** Addresses of some of them. */
  readonly addresses: readonly number[];
}

const ADDRESSES_KEPT = 8;

/** What is in use. Read without locks: exact when nobody works. */
export interface InUse {
  /** Every item in use, grouped, the most bytes first. */
  leaks(): Leak[];
  /** Every item in use of users' kegs. */
  each(visit: (item: FoundItem) => void): void;
}

export function createInUse(context: UmaContext, kegs: Kegs, maps: BareMaps, items: Items): InUse {
  const { pages, sites } = context;
  const { words, owners, pageKegs } = maps;
  const read = (index: number): number => words[index] as number;

  function each(visit: (item: FoundItem) => void): void {
    const visitAt = (address: number): void => {
      if (owners[address >>> GRANULE_SHIFT] === 0) return;
      const item = items.find(address);
      if (item !== null && item.owner !== 0 && item.start === address) visit(item);
    };
    for (let page = pages.firstPage; page < pages.pageCount; page++) {
      const number = pageKegs[page] as number;
      const object = pages.objectOf(page);
      if (number === 0 || number <= INTERNAL_KEGS || object === 0) continue;
      if (number === GUARDED_PAGE) {
        if (read(object + GuardedItem.page) === page) visitAt(read(object + GuardedItem.item));
        continue;
      }
      if (read(object + Slab.page) !== page) continue;
      const { itemSize, itemsPerSlab, dataOffset } = kegs.byNumber(number);
      const data = (page << PAGE_SHIFT) + dataOffset;
      for (let index = 0; index < itemsPerSlab; index++) visitAt(data + index * itemSize);
    }
  }

  function threadOf(item: FoundItem): number {
    if (item.sites !== 0) return slotOfThread(read(item.sites + ItemSites.allocThread));
    return item.owner === OWNER_MEMORY ? 0 : item.owner;
  }

  function leaks(): Leak[] {
    const groups = new Map<string, Leak & { count: number; bytes: number; addresses: number[] }>();
    each((item) => {
      const site = item.sites === 0 ? '' : sites.textOf(read(item.sites + ItemSites.allocSite));
      const thread = threadOf(item);
      const type = items.use(item);
      const key = `${item.zone}\n${type}\n${site}\n${thread}`;
      const group = groups.get(key) ?? {
        zone: item.zone,
        type,
        site,
        thread,
        count: 0,
        bytes: 0,
        addresses: [],
      };
      group.count++;
      group.bytes += item.size;
      if (group.addresses.length < ADDRESSES_KEPT) group.addresses.push(item.start);
      groups.set(key, group);
    });
    return [...groups.values()].sort((one, other) => other.bytes - one.bytes);
  }

  return { leaks, each };
}
