/**
 * What lies at an address: which item, whose, and where it was allocated and freed. For reports, for
 * `memory.check` and `memory.leaks`; never for a fast path. Read without locks: what another thread does at
 * the same moment may be seen half.
 */

import { damaged, hex, hexDump } from '../check/index.js';
import { PAGE_SHIFT, siteHere } from '../machine/index.js';
import { readText } from '../record/index.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import type { Kegs } from './kegs.js';
import {
  GRANULE_SHIFT,
  GUARDED_PAGE,
  GUARDED_SITES,
  GuardedItem,
  GuardedState,
  ITEM_SITES_WORDS,
  ItemSites,
  KegFlag,
  OWNER_MEMORY,
  Slab,
  ZONE_WORDS,
  Zone,
} from './records.js';
import type { ZoneState } from './zone-state.js';

/** Bytes of a redzone before an item of a slab belong to it. */
const LEAD_BYTES = 16;

/** Bytes shown before and behind what is bad. */
const SHOWN_AROUND = 32;

const GENERATION_SHIFT = 8;

/** An item, in use or not. */
export interface FoundItem {
  readonly start: number;
  /** Bytes that its user may touch. */
  readonly size: number;
  /** Number of its keg. */
  readonly keg: number;
  readonly zone: string;
  /** Owner byte: 0 when it is free. */
  readonly owner: number;
  /** Word index of its `ItemSites`; 0: there are none. */
  readonly sites: number;
  /** Word index of its record when it stands on pages of its own; else 0. */
  readonly guarded: number;
  /** Word index of its tag; 0: it has none. */
  readonly tag: number;
}

export interface Items {
  /** The item in whose place the address lies, its redzones included; null when there is none. */
  find(address: number): FoundItem | null;
  /** The same for an address that must be an item's. @throws MEMORY_DAMAGED */
  known(address: number): FoundItem;
  /** The record of the guarded item on whose pages the address lies; 0 when it lies on none. */
  guardedAt(address: number): number;
  /** Number of the call site from which the program called; 0 where sites are not kept. */
  siteHere(zone: ZoneState, below: unknown): number;
  /** Writes down that this thread has allocated the item. */
  noteAlloc(zone: ZoneState, item: number, site: number): void;
  /** Writes down that this thread frees the item. */
  noteFree(zone: ZoneState, item: number, site: number): void;
  /** What the item is used for, or was last, as the layer that tags it says; '' where that is not known. */
  use(item: FoundItem): string;
  /** `z (thread 2, at src/a.js:1:2)`: what used the item last, and who freed it; `none` when nothing has. */
  lastUser(item: FoundItem): string;
  /** Several lines: all that is known of the item, and the bytes around `address`. */
  describe(address: number, item: FoundItem | null, isBad?: (address: number) => boolean): string;
  /** `src/a.js:1:2`, or that it is not known. */
  siteText(site: number): string;
}

/** The maps over the whole memory. */
export interface BareMaps {
  readonly words: Int32Array;
  readonly owners: Uint8Array;
  readonly pageKegs: Uint16Array;
}

/** Slot of a thread word: see `ItemSites`. */
export function slotOfThread(thread: number): number {
  return thread & 0xff;
}

/** @param nameTag what a zone's tag says; '' where nobody here knows */
export function createItems(
  context: UmaContext,
  kegs: Kegs,
  maps: BareMaps,
  nameTag: (zone: string, tag: number) => string,
): Items {
  const { machine, threads, pages, sites } = context;
  const { words, owners, pageKegs } = maps;
  const zonesArea = machine.area('zones');
  const self = (threads.generation << GENERATION_SHIFT) | threads.slot;
  const read = (index: number): number => words[index] as number;

  function zoneName(number: number): string {
    return readText(words, zonesArea + number * ZONE_WORDS + Zone.name, 12);
  }

  function guardedAt(address: number): number {
    if (pageKegs[address >>> PAGE_SHIFT] !== GUARDED_PAGE) return 0;
    return pages.objectOf(address >>> PAGE_SHIFT);
  }

  function findGuarded(record: number): FoundItem {
    const number = read(record + GuardedItem.zone);
    const keg = kegs.byNumber(read(zonesArea + number * ZONE_WORDS + Zone.keg));
    const start = read(record + GuardedItem.item);
    const state = read(record + GuardedItem.state) & 0xff;
    // While it is freed, too: `dtor` works on it.
    const inUse = state === GuardedState.IN_USE || state === GuardedState.FREEING;
    return {
      start,
      size: keg.extent,
      keg: keg.number,
      zone: zoneName(number),
      owner: inUse ? (owners[start >>> GRANULE_SHIFT] as number) : 0,
      sites: record + GUARDED_SITES,
      guarded: record,
      tag: (keg.flags & KegFlag.TAGGED) === 0 ? 0 : record + GuardedItem.tag,
    };
  }

  function find(address: number): FoundItem | null {
    const number = pageKegs[address >>> PAGE_SHIFT] as number;
    if (number === GUARDED_PAGE) {
      const record = guardedAt(address);
      return record === 0 ? null : findGuarded(record);
    }
    if (number <= INTERNAL_KEGS) return null;
    const keg = kegs.byNumber(number);
    const slab = pages.objectOf(address >>> PAGE_SHIFT);
    const lead = (keg.flags & KegFlag.REDZONE) === 0 ? 0 : LEAD_BYTES;
    const data = read(slab + Slab.data);
    const index = Math.floor((address - data + lead) / keg.itemSize);
    if (index < 0 || index >= keg.itemsPerSlab) return null;
    const start = data + index * keg.itemSize;
    const at = keg.siteOffset === 0 ? 0 : slab + keg.siteOffset + index * ITEM_SITES_WORDS;
    const zone = at === 0 ? 0 : read(at + ItemSites.zone);
    return {
      start,
      size: keg.extent,
      keg: number,
      zone: zone === 0 ? keg.name : zoneName(zone),
      owner: owners[start >>> GRANULE_SHIFT] as number,
      sites: at,
      guarded: 0,
      tag: keg.tagOffset === 0 ? 0 : slab + keg.tagOffset + index,
    };
  }

  function sitesOf(zone: ZoneState, item: number): number {
    const guarded = guardedAt(item);
    if (guarded !== 0) return guarded + GUARDED_SITES;
    const { siteOffset, itemSize } = zone.kegState;
    if (siteOffset === 0) return 0;
    const slab = pages.objectOf(item >>> PAGE_SHIFT);
    if (slab === 0) return 0;
    return slab + siteOffset + ((item - read(slab + Slab.data)) / itemSize) * ITEM_SITES_WORDS;
  }

  const use = (item: FoundItem): string => nameTag(item.zone, item.tag === 0 ? -1 : read(item.tag));

  const siteText = (site: number): string => sites.textOf(site) || 'an unknown place';

  function who(thread: number, site: number): string {
    return `thread ${slotOfThread(thread)} (generation ${thread >>> GENERATION_SHIFT}), at ${siteText(site)}`;
  }

  function ownerText(owner: number): string {
    if (owner === 0) return 'nobody: it is free';
    return owner === OWNER_MEMORY ? 'the memory' : `thread ${owner}`;
  }

  function place(address: number, { start, size }: FoundItem): string {
    if (address < start) return `${start - address} before it`;
    if (address >= start + size) return `${address - start - size} behind its end`;
    return `byte ${address - start} of it`;
  }

  function describe(
    address: number,
    item: FoundItem | null,
    isBad: (address: number) => boolean = (at) => at === address,
  ): string {
    const hex = (value: number): string => `0x${value.toString(16)}`;
    const lines: string[] = [];
    if (item === null) {
      lines.push(`address   ${hex(address)}, which lies in no item`);
    } else {
      lines.push(
        `address   ${hex(address)}, ${place(address, item)}`,
        `zone      ${item.zone}, items of ${item.size} bytes`,
        `item      ${hex(item.start)}${item.guarded === 0 ? '' : ', on pages of its own'}`,
        `owner     ${ownerText(item.owner)}`,
        ...(use(item) === '' ? [] : [`used for  ${use(item)}`]),
      );
      const thread = (field: number): number => (item.sites === 0 ? 0 : read(item.sites + field));
      if (thread(ItemSites.allocThread) !== 0)
        lines.push(`allocated by ${who(thread(ItemSites.allocThread), thread(ItemSites.allocSite))}`);
      if (thread(ItemSites.freeThread) !== 0)
        lines.push(`freed     by ${who(thread(ItemSites.freeThread), thread(ItemSites.freeSite))}`);
    }
    lines.push(hexDump(machine.bytes, address - SHOWN_AROUND, address + SHOWN_AROUND + 1, isBad));
    return lines.join('\n');
  }

  return {
    find,
    known(address) {
      const found = find(address);
      if (found === null) throw damaged(`${hex(address)} should be an item, and is none`, { address });
      return found;
    },
    guardedAt,
    siteText,
    siteHere({ kegState }, below) {
      return (kegState.flags & KegFlag.SITES) === 0 ? 0 : sites.intern(siteHere(below));
    },
    noteAlloc(zone, item, site) {
      const at = sitesOf(zone, item);
      if (at === 0) return;
      words[at + ItemSites.allocSite] = site;
      words[at + ItemSites.allocThread] = self;
      words[at + ItemSites.zone] = zone.number;
    },
    noteFree(zone, item, site) {
      const at = sitesOf(zone, item);
      if (at === 0) return;
      words[at + ItemSites.freeSite] = site;
      words[at + ItemSites.freeThread] = self;
      words[at + ItemSites.zone] = zone.number;
    },
    use,
    lastUser(item) {
      const thread = item.sites === 0 ? 0 : read(item.sites + ItemSites.freeThread);
      const unused = item.tag !== 0 && read(item.tag) === 0;
      if (unused || (item.sites !== 0 && thread === 0)) return 'none';
      const user = use(item) || item.zone;
      return thread === 0 ? user : `${user} (${who(thread, read(item.sites + ItemSites.freeSite))})`;
    },
    describe,
  };
}
