/** The audit of kegs and slabs: U1 to U4, U6, U12 and U18 of README.md. */

import { hex } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import { countBitmap, isPowerOfTwo } from '../record/index.js';
import type { DebugAudit } from './audit-debug.js';
import { BUCKET_KEG, INTERNAL_KEGS, type UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import { chooseGeometry, headerItemBytes } from './geometry.js';
import { headerKegNumber, type KegState } from './keg-state.js';
import type { Kegs } from './kegs.js';
import {
  GRANULE_SHIFT,
  GUARDED_PAGE,
  KEG_WORDS,
  Keg,
  KegFlag,
  OWNER_MEMORY,
  SLAB_HEADER_WORDS,
  Slab,
  SlabList,
  UmaState,
} from './records.js';

export type Report = (rule: string, message: string) => void;

/** Where the start of an item was found. */
export const Mark = { NOWHERE: 0, IN_SLAB: 1, OUT: 2, IN_BUCKET: 3 } as const;

/** What one audit has seen so far. Counts are by number of keg. */
export interface Walk {
  readonly report: Report;
  /** Mark of each granule. */
  readonly marks: Uint8Array;
  /** Kegs whose records are sound; the others are left alone. */
  readonly kegs: KegState[];
  readonly slabs: Set<number>;
  readonly buckets: Set<number>;
  readonly inSlabs: number[];
  readonly inBuckets: number[];
  readonly owned: number[];
  /** Items of epoch zones that are freed and in no bucket. */
  readonly parked: number[];
  readonly headers: number[];
  readonly itemsOut: number[];
  /** Guarded items in use. */
  readonly guarded: number[];
}

export function countAt(counts: readonly number[], number: number): number {
  return counts[number] ?? 0;
}

/** Asked for only where something is wrong: no text is made for what is sound. */
export function itemText({ name }: { readonly name: string }, item: number): string {
  return `item ${hex(item)} of ${name}`;
}

const ALL_FLAGS = Object.values(KegFlag).reduce((all, flag) => all | flag, 0);

/** Largest item of any keg. */
const SIZE_MAX = 1 << 20;

export function createSlabAudit(
  context: UmaContext,
  kegs: Kegs,
  maps: Maps,
  { auditDebug, auditGuarded }: DebugAudit,
): (walk: Walk) => void {
  const { machine, pages } = context;
  const { words, owners, pageKegs } = maps;
  const { pageCount, maxThreads, maxZones } = machine.layout.parameters;
  const { firstPage } = machine.layout;
  const read = (index: number): number => words[index] as number;

  /** What the geometry of the keg's size gives must be what its record says: all else relies on it. */
  function isSoundKeg(number: number): boolean {
    const record = machine.area('kegs') + number * KEG_WORDS;
    const field = (offset: number): number => read(record + offset);
    const size = field(Keg.size);
    const align = field(Keg.align);
    const flags = field(Keg.flags);
    if (field(Keg.number) !== number || size < 1 || size > SIZE_MAX) return false;
    if (align < 16 || align > 4096 || !isPowerOfTwo(align)) return false;
    if ((flags & ~ALL_FLAGS) !== 0) return false;
    const counting = flags & (KegFlag.REFERENCE_COUNTED | KegFlag.LAYER_COUNTED);
    if (counting === KegFlag.LAYER_COUNTED) return false;
    if (((flags & KegFlag.INTERNAL) !== 0) !== number <= INTERNAL_KEGS) return false;
    const geometry = chooseGeometry({
      size,
      align,
      flags,
      copies: maxThreads,
      inlineOnly: number > BUCKET_KEG && number <= INTERNAL_KEGS,
    });
    if (geometry === null) return false;
    const headerKeg = geometry.offPage ? headerKegNumber(headerItemBytes(geometry.headerWords)) : 0;
    return (
      field(Keg.itemSize) === geometry.itemSize &&
      field(Keg.itemsPerSlab) === geometry.itemsPerSlab &&
      field(Keg.pagesPerSlab) === geometry.pagesPerSlab &&
      field(Keg.headerOffset) === geometry.headerOffset &&
      field(Keg.headerWords) === geometry.headerWords &&
      field(Keg.counterOffset) === geometry.counterOffset &&
      field(Keg.dataOffset) === geometry.dataOffset &&
      field(Keg.siteOffset) === geometry.siteOffset &&
      field(Keg.tagOffset) === geometry.tagOffset &&
      field(Keg.headerKeg) === headerKeg
    );
  }

  function findKegs(walk: Walk): void {
    const count = read(machine.area('uma') + UmaState.kegCount);
    const most = maxZones + INTERNAL_KEGS;
    if (count < INTERNAL_KEGS || count > most)
      walk.report('U12', `${count} kegs are counted, of at most ${most}`);
    for (let number = 1; number <= Math.min(count, most); number++) {
      if (!kegs.has(number)) continue;
      if (isSoundKeg(number)) walk.kegs.push(kegs.byNumber(number));
      else walk.report('U12', `the record of keg ${number} is not what its size and alignment give`);
    }
  }

  function isParked({ flags }: KegState, granule: number): boolean {
    return (flags & KegFlag.EPOCH) !== 0 && owners[granule + 1] === OWNER_MEMORY;
  }

  function auditItems(walk: Walk, keg: KegState, slab: number, data: number): void {
    const { number } = keg;
    const granules = keg.itemSize >>> GRANULE_SHIFT;
    for (let index = 0; index < keg.itemsPerSlab; index++) {
      const isFree = (read(slab + SLAB_HEADER_WORDS + (index >>> 5)) & (1 << (index & 31))) !== 0;
      const item = data + index * keg.itemSize;
      const granule = item >>> GRANULE_SHIFT;
      walk.marks[granule] = isFree ? Mark.IN_SLAB : Mark.OUT;
      if (isFree) walk.inSlabs[number] = countAt(walk.inSlabs, number) + 1;
      if (owners[granule] !== 0) {
        walk.owned[number] = countAt(walk.owned, number) + 1;
        if (isFree) walk.report('U5', `${itemText(keg, item)} is owned and free in its slab`);
        if (number <= INTERNAL_KEGS) walk.report('U6', `${itemText(keg, item)} has an owner`);
      }
      if (isParked(keg, granule)) {
        walk.parked[number] = countAt(walk.parked, number) + 1;
        if (isFree || owners[granule] !== 0)
          walk.report('U6', `${itemText(keg, item)} is parked, and free or owned`);
      }
      for (let inner = granule + (isParked(keg, granule) ? 2 : 1); inner < granule + granules; inner++) {
        if (owners[inner] !== 0)
          walk.report('U6', `${hex(inner << GRANULE_SHIFT)} inside an item of ${keg.name} has an owner`);
      }
    }
  }

  /** Where the header stands: behind the items, or in an item of the header keg that is in use. */
  function isHeaderInPlace(walk: Walk, keg: KegState, slab: number, data: number): boolean {
    if (keg.headerKeg === 0) return slab === (data - keg.dataOffset + keg.headerOffset) >>> 2;
    const page = slab >>> (PAGE_SHIFT - 2);
    return pageKegs[page] === keg.headerKeg && walk.marks[slab >>> (GRANULE_SHIFT - 2)] === Mark.OUT;
  }

  function auditSlab(walk: Walk, keg: KegState, slab: number, list: number): void {
    const { report } = walk;
    const where = `slab ${slab} of keg ${keg.name}`;
    const free = read(slab + Slab.freeCount);
    const data = read(slab + Slab.data);
    const page = read(slab + Slab.page);
    if (read(slab + Slab.keg) !== keg.record)
      report('U4', `${where} names keg record ${read(slab + Slab.keg)}`);
    const fits = page >= firstPage && page + keg.pagesPerSlab <= pageCount;
    if (!fits || data !== (page << PAGE_SHIFT) + keg.dataOffset || !isHeaderInPlace(walk, keg, slab, data)) {
      report('U4', `${where} has its items at ${hex(data)} and its first page ${page}`);
      return;
    }
    auditDebug(walk, keg, slab);
    const beyond = keg.itemsPerSlab & 31;
    const lastWord = read(slab + SLAB_HEADER_WORDS + ((keg.itemsPerSlab - 1) >>> 5));
    if (beyond !== 0 && lastWord >>> beyond !== 0) report('U1', `${where} has bits of items that it has not`);
    const bits = countBitmap(words, slab + SLAB_HEADER_WORDS, keg.itemsPerSlab);
    if (bits !== free) report('U1', `${where} has ${bits} bits set and counts ${free} free`);
    const should = free === 0 ? SlabList.FULL : free === keg.itemsPerSlab ? SlabList.EMPTY : SlabList.PARTIAL;
    if (list !== should || read(slab + Slab.list) !== list)
      report('U2', `${where} with ${free} free stands on list ${list}`);
    for (let at = page; at < page + keg.pagesPerSlab; at++) {
      if (pageKegs[at] !== keg.number)
        report('U4', `page ${at} of ${where} is mapped to keg ${pageKegs[at]}`);
      if (pages.objectOf(at) !== slab)
        report('U4', `page ${at} of ${where} has the object ${pages.objectOf(at)}`);
    }
    auditItems(walk, keg, slab, data);
  }

  function auditList(walk: Walk, keg: KegState, head: number, list: number): number {
    let previous = 0;
    let count = 0;
    for (let slab = read(keg.record + head); slab !== 0; slab = read(slab + Slab.next)) {
      const inside = slab >= firstPage << (PAGE_SHIFT - 2) && slab + SLAB_HEADER_WORDS <= words.length;
      if (!inside || walk.slabs.has(slab)) {
        walk.report('U2', `list ${list} of keg ${keg.name} runs astray at ${slab}`);
        return count;
      }
      walk.slabs.add(slab);
      count++;
      if (read(slab + Slab.previous) !== previous)
        walk.report('U2', `slab ${slab} of keg ${keg.name} has a wrong previous link`);
      previous = slab;
      auditSlab(walk, keg, slab, list);
    }
    return count;
  }

  /** The number of its slabs. */
  function auditKeg(walk: Walk, keg: KegState): number {
    const field = (offset: number): number => read(keg.record + offset);
    const empty = auditList(walk, keg, Keg.empty, SlabList.EMPTY);
    const partial = auditList(walk, keg, Keg.partial, SlabList.PARTIAL);
    const slabs = empty + partial + auditList(walk, keg, Keg.full, SlabList.FULL);
    const free = countAt(walk.inSlabs, keg.number);
    if (slabs !== field(Keg.slabCount))
      walk.report('U3', `keg ${keg.name} counts ${field(Keg.slabCount)} slabs, there are ${slabs}`);
    if (empty !== field(Keg.emptyCount))
      walk.report('U3', `keg ${keg.name} counts ${field(Keg.emptyCount)} empty slabs, there are ${empty}`);
    if (free !== field(Keg.freeItems))
      walk.report('U3', `keg ${keg.name} counts ${field(Keg.freeItems)} free items, there are ${free}`);
    if (keg.headerKeg !== 0) walk.headers[keg.headerKeg] = countAt(walk.headers, keg.headerKeg) + slabs;
    return slabs;
  }

  function auditMaps(walk: Walk, mappedPages: number): void {
    let mapped = 0;
    for (const number of pageKegs) if (number !== 0 && number !== GUARDED_PAGE) mapped++;
    if (mapped !== mappedPages)
      walk.report('U4', `${mapped} pages are mapped to kegs, their slabs have ${mappedPages}`);
    let marked = 0;
    const first = machine.area('owners');
    for (let word = first; word < first + owners.length / 4; word++) {
      if (words[word] === 0) continue;
      for (let at = (word - first) * 4; at < (word - first + 1) * 4; at++) if (owners[at] !== 0) marked++;
    }
    const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + (count ?? 0), 0);
    const owned = sum(walk.owned) + sum(walk.guarded) + sum(walk.parked);
    if (marked !== owned)
      walk.report('U6', `${marked} owner bytes are set, ${owned} of them where items start, or are parked`);
  }

  return (walk) => {
    findKegs(walk);
    let mappedPages = 0;
    // The kegs that hold headers come first: their marks tell which headers are in use.
    const inline = walk.kegs.filter((keg) => keg.headerKeg === 0);
    const offPage = walk.kegs.filter((keg) => keg.headerKeg !== 0);
    for (const keg of [...inline, ...offPage]) mappedPages += auditKeg(walk, keg) * keg.pagesPerSlab;
    auditGuarded(walk);
    auditMaps(walk, mappedPages);
  };
}
