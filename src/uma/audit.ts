/**
 * The audit of the zone allocator: walks every keg, slab, bucket and cache and checks the numbered
 * invariants of README.md. For a quiet memory: threads that work meanwhile are reported as damage.
 *
 * Nothing is trusted: an index is range-checked before it is followed, and no list is followed for
 * longer than it can be.
 */

import { hex } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import { countBits, readText } from '../record/index.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import { BUCKET_KEG, type KegState, type Kegs } from './kegs.js';
import {
  BUCKET_ITEMS,
  BUCKET_MASK,
  CACHE_WORDS,
  GRANULE_SHIFT,
  Keg,
  SLAB_HEADER_WORDS,
  Slab,
  SlabList,
  ThreadCache,
  UmaState,
  ZONE_WORDS,
  Zone,
} from './records.js';

export type Report = (rule: string, message: string) => void;

export interface UmaParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly maps: Maps;
  readonly dead: number;
  readonly maxThreads: number;
}

/** Where an item was found. */
const Mark = { NOWHERE: 0, IN_SLAB: 1, IN_BUCKET: 2 } as const;

/** What one audit has seen so far. */
interface Walk {
  readonly marks: Uint8Array;
  /** Items of each keg: free in slabs, in buckets, owned. */
  readonly inSlabs: number[];
  readonly inBuckets: number[];
  readonly owned: number[];
  readonly headers: number[];
  readonly itemsOut: number[];
  buckets: number;
  readonly report: Report;
}

export function createUmaAudit(parts: UmaParts): (report: Report) => void {
  const { context, kegs, maps, dead, maxThreads } = parts;
  const { machine } = context;
  const { words, owners, pageKegs } = maps;
  const { pageCount, maxZones } = machine.layout.parameters;
  const wordCount = words.length;
  const read = (index: number): number => words[index] as number;
  const sound = (index: number, size: number): boolean =>
    index >= machine.layout.firstPage << 10 && index + size <= wordCount;

  // --- slabs ---

  function auditSlab(walk: Walk, keg: KegState, slab: number, list: number): void {
    const { report } = walk;
    const where = `slab ${slab} of keg ${keg.name}`;
    const free = read(slab + Slab.freeCount);
    const data = read(slab + Slab.data);
    const page = read(slab + Slab.page);
    if (read(slab + Slab.keg) !== keg.record) report('U4', `${where} names keg record ${read(slab + Slab.keg)}`);
    if (data !== page << PAGE_SHIFT || page < machine.layout.firstPage || page + keg.pagesPerSlab > pageCount) {
      report('U4', `${where} has its items at ${hex(data)} and its first page ${page}`);
      return;
    }
    let bits = 0;
    for (let at = 0; at < Math.ceil(keg.itemsPerSlab / 32); at++) bits += countBits(read(slab + SLAB_HEADER_WORDS + at));
    if (bits !== free) report('U1', `${where} has ${bits} bits set and counts ${free} free`);
    const should = free === 0 ? SlabList.FULL : free === keg.itemsPerSlab ? SlabList.EMPTY : SlabList.PARTIAL;
    if (list !== should || read(slab + Slab.list) !== list) report('U2', `${where} with ${free} free stands on list ${list}`);
    for (let at = page; at < page + keg.pagesPerSlab; at++) {
      if (pageKegs[at] !== keg.number) report('U4', `page ${at} of ${where} is mapped to keg ${pageKegs[at]}`);
      if (context.pages.objectOf(at) !== slab) report('U4', `page ${at} of ${where} has the object ${context.pages.objectOf(at)}`);
    }
    const granules = keg.itemSize >>> GRANULE_SHIFT;
    for (let index = 0; index < keg.itemsPerSlab; index++) {
      const bit = read(slab + SLAB_HEADER_WORDS + (index >>> 5)) & (1 << (index & 31));
      const granule = (data + index * keg.itemSize) >>> GRANULE_SHIFT;
      if (bit !== 0) walk.marks[granule] = Mark.IN_SLAB;
      if (bit !== 0) walk.inSlabs[keg.number] = (walk.inSlabs[keg.number] ?? 0) + 1;
      if (owners[granule] !== 0) {
        walk.owned[keg.number] = (walk.owned[keg.number] ?? 0) + 1;
        if (bit !== 0) report('U5', `item ${hex(granule << GRANULE_SHIFT)} of ${keg.name} is owned and free in its slab`);
      }
      for (let inner = granule + 1; inner < granule + granules; inner++) {
        if (owners[inner] !== 0) report('U6', `${hex(inner << GRANULE_SHIFT)} inside an item of ${keg.name} has an owner`);
      }
    }
  }

  function auditList(walk: Walk, keg: KegState, head: number, list: number): number {
    const most = read(keg.record + Keg.slabCount) + 1;
    let previous = 0;
    let count = 0;
    for (let slab = read(keg.record + head); slab !== 0; slab = read(slab + Slab.next)) {
      if (!sound(slab, SLAB_HEADER_WORDS) || count++ > most) {
        walk.report('U2', `list ${list} of keg ${keg.name} runs astray at ${slab}`);
        return count;
      }
      if (read(slab + Slab.previous) !== previous) walk.report('U2', `slab ${slab} of keg ${keg.name} has a wrong previous link`);
      previous = slab;
      auditSlab(walk, keg, slab, list);
    }
    return count;
  }

  function auditKeg(walk: Walk, keg: KegState): void {
    const { record } = keg;
    const empty = auditList(walk, keg, Keg.empty, SlabList.EMPTY);
    const slabs = empty + auditList(walk, keg, Keg.partial, SlabList.PARTIAL) + auditList(walk, keg, Keg.full, SlabList.FULL);
    if (slabs !== read(record + Keg.slabCount)) walk.report('U3', `keg ${keg.name} counts ${read(record + Keg.slabCount)} slabs, there are ${slabs}`);
    if (empty !== read(record + Keg.emptyCount)) walk.report('U3', `keg ${keg.name} counts ${read(record + Keg.emptyCount)} empty slabs, there are ${empty}`);
    const free = walk.inSlabs[keg.number] ?? 0;
    if (free !== read(record + Keg.freeItems)) walk.report('U3', `keg ${keg.name} counts ${read(record + Keg.freeItems)} free items, there are ${free}`);
    if (keg.headerKeg !== 0) walk.headers[keg.headerKeg] = (walk.headers[keg.headerKeg] ?? 0) + slabs;
  }

  // --- buckets ---

  /** One bucket: its items are marked, and counted for the keg. */
  function auditBucket(walk: Walk, keg: KegState, top: number, where: string): void {
    const { report } = walk;
    const bucket = top & ~BUCKET_MASK;
    walk.buckets++;
    if (pageKegs[bucket >>> 10] !== BUCKET_KEG) {
      report('U8', `${where}: ${bucket} is no bucket`);
      return;
    }
    for (let at = bucket + 1; at <= bucket + BUCKET_ITEMS; at++) {
      const item = read(at);
      if (at > top) {
        if (item !== 0) report('U10', `${where}: slot ${at - bucket} above the top holds ${hex(item)}`);
        continue;
      }
      if (item <= 0 || item >= wordCount * 4 || pageKegs[item >>> PAGE_SHIFT] !== keg.number) {
        report('U5', `${where}: slot ${at - bucket} holds ${hex(item)}, no item of keg ${keg.name}`);
        continue;
      }
      const granule = item >>> GRANULE_SHIFT;
      if (walk.marks[granule] !== Mark.NOWHERE) report('U5', `${where}: item ${hex(item)} is in two places`);
      if (owners[granule] !== 0) report('U5', `${where}: item ${hex(item)} is cached and owned by thread ${owners[granule]}`);
      walk.marks[granule] = Mark.IN_BUCKET;
      walk.inBuckets[keg.number] = (walk.inBuckets[keg.number] ?? 0) + 1;
    }
  }

  function auditBucketList(walk: Walk, keg: KegState, head: number, where: string): { count: number; items: number } {
    let count = 0;
    let items = 0;
    for (let top = read(head); top !== 0; top = read(top & ~BUCKET_MASK)) {
      if (!sound(top & ~BUCKET_MASK, BUCKET_MASK + 1) || count++ > pageCount * 8) {
        walk.report('U8', `${where} runs astray at ${top}`);
        break;
      }
      items += top & BUCKET_MASK;
      auditBucket(walk, keg, top, where);
    }
    return { count, items };
  }

  function auditCache(walk: Walk, keg: KegState, cache: number, where: string): void {
    for (const word of [ThreadCache.top, ThreadCache.spare]) {
      const top = read(cache + word);
      if (top === dead) continue;
      if (!sound(top & ~BUCKET_MASK, BUCKET_MASK + 1)) walk.report('U8', `${where} names ${top}, no bucket`);
      else auditBucket(walk, keg, top, where);
    }
    if (read(cache + ThreadCache.top) === dead && read(cache + ThreadCache.freeLimit) !== 0) {
      walk.report('U9', `${where} takes frees into the dead bucket`);
    }
    if (read(cache + ThreadCache.inFlight) !== 0) walk.report('U9', `${where} has bucket ${read(cache + ThreadCache.inFlight)} in flight`);
  }

  function auditZone(walk: Walk, number: number): void {
    const record = machine.area('zones') + number * ZONE_WORDS;
    const name = readText(words, record + Zone.name, 12);
    const kegNumber = read(record + Zone.keg);
    if (kegNumber <= INTERNAL_KEGS || kegNumber > kegs.count()) {
      walk.report('U8', `zone ${name} names keg ${kegNumber}`);
      return;
    }
    const keg = kegs.byNumber(kegNumber);
    const full = auditBucketList(walk, keg, record + Zone.fullTop, `full list of zone ${name}`);
    if (full.count !== read(record + Zone.fullCount) || full.items !== read(record + Zone.cachedItems)) {
      walk.report('U8', `zone ${name} counts ${read(record + Zone.cachedItems)} items in ${read(record + Zone.fullCount)} buckets, there are ${full.items} in ${full.count}`);
    }
    const empty = auditBucketList(walk, keg, record + Zone.emptyTop, `empty list of zone ${name}`);
    if (empty.count !== read(record + Zone.emptyCount) || empty.items !== 0) {
      walk.report('U8', `zone ${name} counts ${read(record + Zone.emptyCount)} empty buckets, there are ${empty.count}`);
    }
    for (let slot = 1; slot <= maxThreads; slot++) {
      if (!context.threads.isLive(slot)) continue;
      const cache = machine.area('thread caches') + (slot * (maxZones + 1) + number) * CACHE_WORDS;
      auditCache(walk, keg, cache, `cache of thread ${slot} for zone ${name}`);
    }
    walk.itemsOut[kegNumber] = (walk.itemsOut[kegNumber] ?? 0) + read(record + Zone.itemsOut);
  }

  // --- conservation ---

  function auditSums(walk: Walk): void {
    const { report } = walk;
    const at = (counts: readonly number[], number: number): number => counts[number] ?? 0;
    for (let number = 1; number <= kegs.count(); number++) {
      const keg = kegs.byNumber(number);
      const items = read(keg.record + Keg.slabCount) * keg.itemsPerSlab;
      const out = items - at(walk.inSlabs, number);
      if (number <= INTERNAL_KEGS) {
        const expected = number === BUCKET_KEG ? walk.buckets : at(walk.headers, number);
        if (out !== expected) report('U11', `keg ${keg.name} has ${out} items out, ${expected} are in use`);
        continue;
      }
      const found = at(walk.inBuckets, number) + at(walk.owned, number);
      if (out !== found) report('U5', `keg ${keg.name} has ${out} items out of slabs, found are ${found} in buckets or owned`);
      if (at(walk.itemsOut, number) !== found) report('U7', `the zones of keg ${keg.name} count ${at(walk.itemsOut, number)} items out, there are ${found}`);
    }
  }

  return (report) => {
    const walk: Walk = {
      marks: new Uint8Array(owners.length),
      inSlabs: [],
      inBuckets: [],
      owned: [],
      headers: [],
      itemsOut: [],
      buckets: 0,
      report,
    };
    for (let number = 1; number <= kegs.count(); number++) auditKeg(walk, kegs.byNumber(number));
    const zoneCount = read(machine.area('uma') + UmaState.zoneCount);
    for (let number = 1; number <= Math.min(zoneCount, maxZones); number++) auditZone(walk, number);
    auditSums(walk);
  };
}
