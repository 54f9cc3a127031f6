// A memory with something of everything in it, and where its metadata lie.

import { createFabric } from '../dist/machine/fabric.js';
import { createWasmMemory, wasmPageBytes } from '../dist/machine/helper/index.js';
import { FORMAT_VERSION, SUPERBLOCK, Superblock, ThreadSlot, Waiter } from '../dist/machine/records.js';
import { SiteTable } from '../dist/machine/sites.js';
import { SETTING_RANGES, Tunables } from '../dist/machine/tunables.js';
import { HEADER_SIZE, kindOf, Mbuf } from '../dist/mbuf/records.js';
import { attachMemory, createMemoryOver } from '../dist/memory.js';
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

const BYTES = 1 << 20;
const MAX_THREADS = 4;
const MAX_ZONES = 20;
const SLOT_WORDS = layoutOf(ThreadSlot).words;

/** A memory whose attachments can forget what they keep outside of it. */
function makeMemory(checkLevel) {
  const rewinds = [];
  const options = { bytes: BYTES, maxThreads: MAX_THREADS, maxZones: MAX_ZONES, checkLevel };
  const made = createMemoryOver(options, (byteLength) => {
    const wasm = createWasmMemory(byteLength / wasmPageBytes);
    const fabric = createFabric(wasm.buffer, wasm, byteLength);
    fabric.onRewind = (reset) => rewinds.push(reset);
    return { handle: { kind: 'mbuma-memory', version: FORMAT_VERSION, buffer: null, wasm }, fabric };
  });
  return {
    ...made,
    rewind() {
      for (const reset of rewinds) reset();
    },
  };
}

export function openZones(memory) {
  const small = memory.zone({ name: 'small', size: 48 });
  return {
    small,
    middle: memory.zone({ name: 'middle', size: 700 }),
    large: memory.zone({
      name: 'large',
      size: 3000,
      backend: memory.backend({ name: 'bounded', max: 30 }),
    }),
    counted: memory.zone({ name: 'counted', size: 256, referenceCounted: true }),
    limited: memory.zone({ name: 'limited', size: 96, max: 24 }),
    hooked: memory.zone({ name: 'hooked', size: 64, ctor: () => 0, dtor: () => 0 }),
    fenced: memory.zone({ name: 'fenced', size: 77, redzone: true, sites: true }),
    guarded: memory.zone({ name: 'guarded', size: 300, guard: true }),
    read: memory.zone({ name: 'read', size: 120, epoch: true }),
    cells: memory.zone({
      name: 'cells',
      import(words, n) {
        words.fill(7, 0, n);
        return n;
      },
      release() {},
    }),
    second: memory.zone({ name: 'second', primary: small, init: () => 0, fini: () => 0 }),
  };
}

/** A keg over an endless memory that is nowhere. */
export function openForeign(memory) {
  let runs = 0;
  return memory.foreignKeg({
    name: 'nowhere',
    size: 200,
    runBytes: 4096,
    allocRun: (bytes) => ((runs++ % 1000) + 1) * bytes,
    freeRun() {},
  });
}

export function openRings(memory) {
  return {
    work: memory.ring({ name: 'work', capacity: 100 }),
    ended: memory.ring({ name: 'ended', capacity: 8 }),
  };
}

function fillMbufs(memory, held) {
  const { mbufs } = memory;
  const bytes = Uint8Array.from({ length: 3000 }, (_, at) => at);
  mbufs.registerFree('nothing', () => {});
  for (let index = 0; index < 6; index++) {
    const m = mbufs.tryGetcl();
    mbufs.append(m, bytes, 0, 500 * index);
    held.push(m);
    if (index % 2 === 0) held.push(mbufs.reference(m));
  }
  for (const size of [4096, 9216, 16384]) held.push(mbufs.tryGetjcl(size));
  const external = mbufs.tryGethdr();
  mbufs.attach(external, { address: memory.bytes.length - 64, length: 64 }, 'nothing');
  held.push(external, mbufs.reference(external));
  for (let index = 0; index < 8; index++) held.push(mbufs.tryGet());
}

/**
 * Two threads, one of them idle, with items used, cached and free, mbufs of every kind, rings with words,
 * mutexes. `held` says by zone what is in use.
 */
export function makeScene(checkLevel = 0) {
  const { memory, machine, rewind } = makeMemory(checkLevel);
  const other = attachMemory(memory.handle);
  const gone = attachMemory(memory.handle);
  const zones = openZones(memory);
  const theirs = openZones(other);
  const held = { mbufs: [] };
  gone.detach();
  for (const [name, zone] of Object.entries(zones)) {
    const many = name === 'small' ? 700 : name === 'large' ? 6 : name === 'guarded' ? 8 : 20;
    const items = Array.from({ length: many }, () => zone.tryAlloc()).filter((item) => item !== 0);
    // So many go back that buckets are loaded, spare and in the zone's list.
    for (const item of items.splice(Math.floor(many / 4))) zone.free(item);
    held[name] = items;
    const mine = theirs[name].tryAlloc();
    if (mine !== 0) theirs[name].free(mine);
    const kept = theirs[name].tryAlloc();
    if (kept !== 0) held[name].push(kept);
  }
  fillMbufs(memory, held.mbufs);
  other.mbufs.registerFree('nothing', () => {});
  const foreign = openForeign(memory);
  const elsewhere = new Int32Array(70);
  foreign.give(elsewhere.subarray(0, foreign.tryTake(elsewhere, 70)), 30);
  held.foreign = [...elsewhere.subarray(30)];
  const rings = openRings(memory);
  openRings(other);
  for (let word = 1; word <= 60; word++) rings.work.put(word);
  for (let word = 1; word <= 5; word++) rings.ended.put(word);
  rings.ended.close();
  memory.mutex('held').lock();
  other.mutex('free', { rank: 3 });
  const { clean, violations } = memory.audit();
  if (!clean) throw new Error(`the scene is damaged: ${JSON.stringify(violations)}`);
  const kegs = { mine: foreign, theirs: openForeign(other) };
  return { memory, machine, other, zones, theirs, kegs, rings, held, rewind };
}

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
    add(at, [ThreadSlot.asked, ThreadSlot.answered]);
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
  for (const m of held.mbufs) {
    add(m >> 2, [Mbuf.nextPacket]);
    if (kindOf(words[(m >> 2) + Mbuf.flags]) === 0) add(m >> 2, [Mbuf.counter]);
  }
  return all;
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
