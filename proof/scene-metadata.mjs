// Every word of metadata of a scene, by what it is a part of; and of which words any value may be right.

import { SUPERBLOCK, Superblock, ThreadSlot, Waiter } from '../dist/machine/records.js';
import { SiteTable } from '../dist/machine/sites.js';
import { SETTING_RANGES, Tunables } from '../dist/machine/tunables.js';
import { CELL_WORDS, MallocState, MallocType, TYPE_WORDS, TypeCell } from '../dist/malloc/records.js';
import { HEADER_SIZE, kindOf, Mbuf } from '../dist/mbuf/records.js';
import { MutexClass } from '../dist/mutex/records.js';
import { Page, PageState, Phys } from '../dist/phys/records.js';
import { layoutOf } from '../dist/record/index.js';
import { INTERNAL_KEGS } from '../dist/uma/context.js';
import {
  FOREIGN_KEG_WORDS,
  FOREIGN_KEGS_MAX,
  FOREIGN_RUN_WORDS,
  ForeignKegRecord,
  ForeignRun,
} from '../dist/uma/foreign-records.js';
import {
  BACKEND_WORDS,
  BACKENDS_MAX,
  Backend,
  COUNTER_STRIDE,
  GUARDED_ITEM_WORDS,
  GUARDED_PAGE,
  GUARDED_SITES,
  GuardedItem,
  GuardState,
  ITEM_SITES_WORDS,
  KEG_WORDS,
  Keg,
  Slab,
  ThreadCache,
  UmaState,
  Zone,
} from '../dist/uma/records.js';
import { MAX_THREADS, MAX_ZONES } from './scene.mjs';

const SLOT_WORDS = layoutOf(ThreadSlot).words;

/** The lines of the reference counters of a slab; of an item in use only what stands behind the count. */
function findCounters(words, owners, keg, slab) {
  const first = slab + words[keg + Keg.counterOffset];
  return Array.from({ length: words[keg + Keg.itemsPerSlab] }, (_, item) => {
    const address = words[slab + Slab.data] + item * words[keg + Keg.itemSize];
    const counted = owners[address >>> 4] === 0 ? 0 : 1;
    return [first + item * COUNTER_STRIDE + counted, COUNTER_STRIDE - counted];
  });
}

/** Every slab's header with its bitmap, and every bucket, from the page map; and every mbuf's header. */
function findPieces({ memory, machine, held, zones }) {
  const { words } = memory;
  const { pageCount } = machine.layout.parameters;
  const pageKegs = machine.halvesAt(machine.area('page kegs'), pageCount);
  const kegAt = (number) => machine.area('kegs') + number * KEG_WORDS;
  const objectOf = (page) => words[machine.area('pages') + page * 16 + 5];
  const owners = machine.bytesAt(machine.area('owners'), pageCount * 256);
  const seen = new Set();
  const counters = [];
  const slabs = [];
  const sites = [];
  const guarded = [];
  const buckets = [];
  for (let page = machine.layout.firstPage; page < pageCount; page++) {
    const keg = pageKegs[page];
    const slab = objectOf(page);
    if (keg === 0 || seen.has(slab)) continue;
    seen.add(slab);
    if (keg === GUARDED_PAGE) {
      guarded.push([slab, GUARDED_ITEM_WORDS]);
      continue;
    }
    const itemsPerSlab = words[kegAt(keg) + 20];
    const siteOffset = words[kegAt(keg) + Keg.siteOffset];
    if (siteOffset !== 0) sites.push([slab + siteOffset, itemsPerSlab * ITEM_SITES_WORDS]);
    const tagOffset = words[kegAt(keg) + Keg.tagOffset];
    if (tagOffset !== 0) sites.push([slab + tagOffset, itemsPerSlab]);
    slabs.push([slab, 8 + Math.ceil(itemsPerSlab / 32)]);
    if (keg === zones.counted.keg) counters.push(...findCounters(words, owners, kegAt(keg), slab));
    if (keg !== 1) continue;
    for (let item = 0; item < itemsPerSlab; item++) {
      const isFree = (words[slab + 8 + (item >>> 5)] & (1 << (item & 31))) !== 0;
      if (!isFree) buckets.push([(words[slab + Slab.data] >> 2) + item * 256, 256]);
    }
  }
  const mbufs = held.mbufs.map((m) => [m >> 2, HEADER_SIZE / 4]);
  return { slabs, sites, guarded, counters, buckets, mbufs };
}

/** The headers of the runs of the foreign keg, with their bitmaps. */
function findForeignRuns({ memory: { words }, machine }) {
  const record = machine.area('foreign kegs');
  const runs = [];
  for (let run = words[record + ForeignKegRecord.runs]; run !== 0; run = words[run + ForeignRun.next])
    runs.push([run, FOREIGN_RUN_WORDS + Math.ceil(words[record + ForeignKegRecord.itemsPerRun] / 32)]);
  return runs;
}

/** Offsets in a record from `from` to `to`, the last included. */
function offsets(from, to = from) {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/**
 * Words of which any value may be right: statistics, settings, and what nobody reads in the state that its
 * record is in. An audit cannot tell; the work after the flip is done all the same.
 */
function findUncheckable({ memory, machine, held }, areas, { slabs, guarded }) {
  const { words } = memory;
  const { maxThreads, maxZones } = machine.layout.parameters;
  const all = new Set();
  const add = (record, list) => {
    for (const offset of list) all.add(record + offset);
  };
  const slotAt = (slot) => areas.threads[0] + slot * SLOT_WORDS;
  const taken = (slot) => words[slotAt(slot) + ThreadSlot.state] !== 0;
  add(SUPERBLOCK, [Superblock.deaths, Superblock.adoptions, Superblock.sleepsRefused]);
  add(
    areas.tunables[0],
    Object.keys(SETTING_RANGES).map((name) => Tunables[name]),
  );
  for (let slot = 1; slot <= maxThreads; slot++) {
    if (!taken(slot)) continue;
    const at = slotAt(slot);
    add(at, [ThreadSlot.agent, ThreadSlot.native, ThreadSlot.counted, ThreadSlot.heartbeat]);
    add(at, [ThreadSlot.asked, ThreadSlot.answered, ThreadSlot.wanted]);
    add(at, offsets(ThreadSlot.held, ThreadSlot.held + 7));
    add(at, offsets(ThreadSlot.operands, ThreadSlot.operands + 30));
    // A hand whose kind is 0 holds nothing.
    for (let hand = 0; hand < 12; hand++) add(at + ThreadSlot.hands + hand * 4, offsets(1, 3));
    add(at, offsets(ThreadSlot.sleeps, ThreadSlot.sleeps + 1));
    for (let waiter = 0; waiter < 32; waiter++)
      add(areas.waiters[0] + (slot * 32 + waiter) * 8, [Waiter.grant, Waiter.request, Waiter.ticket]);
    const counts = [
      ThreadCache.requests,
      ThreadCache.requestsHigh,
      ...offsets(ThreadCache.failures, ThreadCache.skipped + 1),
    ];
    for (let zone = 1; zone <= maxZones; zone++)
      if (words[areas.zones[0] + zone * 64 + Zone.number] !== 0)
        add(areas['thread caches'][0] + (slot * (maxZones + 1) + zone) * 16, counts);
  }
  add(areas.sites[0], [SiteTable.refused]);
  // The second mutex has a rank, and nobody has had it yet.
  add(areas['mutex classes'][0] + layoutOf(MutexClass).words, [MutexClass.rank]);
  add(areas.phys[0], offsets(Phys.requests, Phys.failures + 1));
  for (let page = machine.layout.firstPage; page < machine.layout.parameters.pageCount; page++) {
    const at = areas.pages[0] + page * 16;
    if (words[at + Page.state] !== PageState.FREE) add(at, [Page.order, Page.next, Page.previous]);
  }
  for (let zone = 1; zone <= maxZones; zone++) {
    const at = areas.zones[0] + zone * 64;
    if (words[at + Zone.number] === 0) continue;
    add(at, [
      Zone.limit,
      Zone.bucketCapacity,
      Zone.cachedMax,
      Zone.cachedMin,
      Zone.workingSet,
      Zone.batchMin,
      Zone.longMin,
      Zone.idlePeriods,
      Zone.maxCached,
      Zone.warnedAt,
      Zone.warnings,
      Zone.tickedAt,
      Zone.parkedTag,
      Zone.waitSleeps,
    ]);
    add(at, offsets(Zone.retiredRequests, Zone.retiredSkipped + 1));
  }
  add(areas.guard[0], [GuardState.guarded, GuardState.declined]);
  // Nobody can tell one divisor from another, nor one place of the program.
  for (const [slab] of slabs) if (words[slab + Slab.divisor] !== 0) add(slab, [Slab.divisor]);
  for (const [record] of guarded) {
    add(record, [GuardedItem.counter]);
    add(record + GUARDED_SITES, offsets(0, ITEM_SITES_WORDS - 1));
  }
  for (let keg = INTERNAL_KEGS + 1; keg <= words[areas.uma[0] + UmaState.kegCount]; keg++)
    add(areas.kegs[0] + keg * KEG_WORDS, [Keg.reserve, Keg.lowWater, Keg.highWater, Keg.lowMisses]);
  for (let foreign = 0; foreign < FOREIGN_KEGS_MAX; foreign++)
    add(areas['foreign kegs'][0] + foreign * FOREIGN_KEG_WORDS, [ForeignKegRecord.serial]);
  for (let backend = 1; backend <= words[areas.uma[0] + UmaState.backendCount]; backend++) {
    const { pagesMax, rotor, reclaims, shortages } = Backend;
    add(areas.backends[0] + backend * BACKEND_WORDS, [pagesMax, rotor, reclaims, shortages]);
  }
  for (const type of typesOf(words, areas)) {
    add(type, [MallocType.limit, MallocType.high, ...offsets(MallocType.blocked, MallocType.blocked + 1)]);
    add(type, [MallocType.line + 3]);
    const { allocations, sizes } = TypeCell;
    for (const cell of cellsOf(words, type))
      add(cell, [...offsets(allocations, sizes - 1), sizes, sizes + 1]);
  }
  for (const m of held.mbufs) {
    add(m >> 2, [Mbuf.nextPacket]);
    if (kindOf(words[(m >> 2) + Mbuf.flags]) === 0) add(m >> 2, [Mbuf.counter]);
  }
  return all;
}

function typesOf(words, areas) {
  const count = words[areas.malloc[0] + MallocState.count];
  return Array.from({ length: count }, (_, index) => areas['malloc types'][0] + index * TYPE_WORDS);
}

/** The cell of each slot. */
function cellsOf(words, type) {
  const first = words[type + MallocType.cells] >> 2;
  return Array.from({ length: MAX_THREADS }, (_, slot) => first + slot * CELL_WORDS);
}

/** The name of the piece of metadata that an audit cannot judge. */
export const UNCHECKABLE = 'counters, unread';

/** The word indexes of each piece of metadata, by name. */
export function metadataOf(scene) {
  const { machine } = scene;
  const { firstPage } = machine.layout;
  const starts = [...machine.layout.areas.entries()].sort((a, b) => a[1] - b[1]);
  const areas = Object.fromEntries(
    starts.map(([name, start], index) => [
      name,
      [start, (starts[index + 1]?.[1] ?? firstPage * 1024) - start],
    ]),
  );
  const found = findPieces(scene);
  const { slabs, sites, guarded, counters, buckets, mbufs } = found;
  const ranges = {
    superblock: [[SUPERBLOCK, 16]],
    'thread slots': [areas.threads],
    waiters: [areas.waiters],
    settings: [[areas.tunables[0], 16]],
    'phys record': [areas.phys],
    'page records': [areas.pages],
    'uma state': [[areas.uma[0], 16]],
    'dead bucket': [[areas['dead bucket'][0], 256]],
    epochs: [[areas.epochs[0], 16]],
    'backend records': [[areas.backends[0], (BACKENDS_MAX + 1) * BACKEND_WORDS]],
    'keg records': [[areas.kegs[0], (MAX_ZONES + INTERNAL_KEGS + 1) * KEG_WORDS]],
    'zone records': [[areas.zones[0], (MAX_ZONES + 1) * 64]],
    'thread caches': [[areas['thread caches'][0], (MAX_THREADS + 1) * (MAX_ZONES + 1) * 16]],
    'page map': [[areas['page kegs'][0], machine.layout.parameters.pageCount / 2]],
    'owner bytes': [[areas.owners[0], machine.layout.parameters.pageCount * 64]],
    'slab headers': slabs,
    'item sites': sites,
    guard: [[areas.guard[0], 16]],
    'guarded items': guarded,
    'foreign kegs': [[areas['foreign kegs'][0], FOREIGN_KEGS_MAX * FOREIGN_KEG_WORDS]],
    'foreign runs': findForeignRuns(scene),
    'reference counters': counters,
    buckets,
    'call sites': [areas.sites],
    'ring records': [[areas.rings[0], 16 + 64 * 96]],
    'mutex records': [areas['mutex registry'], areas['mutex classes'], areas.mutexes],
    'mutex orders': [areas['mutex orders']],
    'malloc types': [areas.malloc, areas['malloc types']],
    'malloc cells': typesOf(machine.words, areas).flatMap((type) =>
      cellsOf(machine.words, type).map((cell) => [cell, CELL_WORDS]),
    ),
    'mbuf headers': mbufs,
    'free functions': [[areas['mbuf free functions'][0], 16 + 64 * 12]],
  };
  const uncheckable = findUncheckable(scene, areas, found);
  const pieces = { [UNCHECKABLE]: [...uncheckable] };
  for (const [name, list] of Object.entries(ranges)) {
    const all = list.flatMap(([first, length]) => Array.from({ length }, (_, at) => first + at));
    pieces[name] = all.filter((word) => !uncheckable.has(word));
  }
  return pieces;
}
