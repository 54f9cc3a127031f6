/**
 * Zones and kegs in the tree of tunables and figures: `vm.uma.<zone>`, `vm.uma_kegs.<keg>`, and figures of
 * them all; foreign kegs are in foreign-leaves.ts. Read without locks, from the records: of every zone of the
 * memory, opened by this thread or not.
 *
 * A new leaf is a line in one of the lists below: name, unit, sentence, how it is read.
 */

import { MbumaError } from '../check/index.js';
import { PAGE_SIZE } from '../machine/index.js';
import { readText } from '../record/index.js';
import { type Branch, branch, family, integer, keyed, type Leaf, text } from '../sysctl/index.js';
import type { ZoneAccount } from './accounts.js';
import type { Backends } from './backends.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import { foreignBranch } from './foreign-leaves.js';
import { headerItemBytes } from './geometry.js';
import type { KegState } from './keg-state.js';
import type { KegMarks, Kegs } from './kegs.js';
import { BUCKET_ITEMS, HookBit, Keg, OWN_PAGES, Zone } from './records.js';
import type { Registry } from './registry.js';
import { LIMIT_MAX } from './zone-api.js';
import { type FlagName, flagNames } from './zone-flags.js';
import { type ZoneStats, zoneStats } from './zone-stats.js';
import type { ZoneWithKeg } from './zone-tuning.js';

export interface LeafParts {
  readonly context: UmaContext;
  readonly kegs: Kegs;
  readonly backends: Backends;
  readonly registry: Registry;
  /** Changes the limit of a zone, opened by this thread or not, and serves who waits. */
  setLimit(zone: ZoneAccount & ZoneWithKeg, limit: number): void;
  /** Bounds what a zone may cache. */
  setMaxCached(zone: ZoneAccount, most: number): void;
  /** Changes how many free items the keg of a zone keeps. */
  setMark(zone: ZoneWithKeg, mark: keyof KegMarks, items: number): void;
}

/** A zone that there is, as its record tells it. */
interface RecordedZone extends ZoneAccount {
  readonly name: string;
}

const PAGES_MAX = 2 ** 19;

/** Percent of a slab's bytes that items take, an off-page header counted in. */
function efficiencyOf(words: Int32Array, keg: KegState): number {
  const header = keg.headerKeg === 0 ? 0 : headerItemBytes(words[keg.record + Keg.headerWords] as number);
  const bytes = keg.pagesPerSlab * PAGE_SIZE + header;
  return Math.floor((100 * keg.itemsPerSlab * keg.itemSize) / bytes);
}

const hookNames = Object.entries(HookBit);

/** Names of uma(9); a flag that it does not have is told by the name of its option. */
const umaNames: Readonly<Partial<Record<FlagName, string>>> = {
  referenceCounted: 'REFCNT',
  zeroFresh: 'ZINIT',
  contiguous: 'CONTIG',
  perThread: 'PCPU',
};

interface FlagWords {
  readonly flags: number;
  readonly hooks: number;
  readonly primary: number;
  readonly limit: number;
}

function describeFlags(zone: FlagWords, keg: KegState): string {
  const names = [
    ...(zone.primary === 0 ? [] : ['SECONDARY']),
    ...flagNames(keg.flags, zone.flags).map((name) => umaNames[name] ?? name.toUpperCase()),
    ...(keg.headerKeg === 0 ? [] : ['OFFPAGE']),
    ...hookNames.filter(([, bit]) => (zone.hooks & bit) !== 0).map(([name]) => name),
    ...(zone.limit === 0 ? [] : ['LIMIT']),
  ];
  return names.join(',');
}

/** The marks of a keg, by the names of their leaves. */
const MARKS: Readonly<Record<string, keyof KegMarks>> = {
  reserve: 'reserve',
  low_water: 'lowWater',
  high_water: 'highWater',
};

/** Leaves of a keg, for kegs of zones and for internal ones. */
function kegLeaves(words: Int32Array, backends: Backends): readonly Leaf<KegState>[] {
  const items = { most: LIMIT_MAX };
  const word = (field: number) => (keg: KegState) => (words[keg.record + field] as number) >>> 0;
  return [
    text('name', 'Name of the keg: that of the zone that made it.', (keg) => keg.name),
    integer('rsize', 'bytes', 'Bytes from one item to the next.', (keg) => keg.itemSize),
    integer('ppera', 'pages', 'Pages of a slab.', (keg) => keg.pagesPerSlab, { least: 1, most: PAGES_MAX }),
    integer('ipers', 'items', 'Items of a slab.', (keg) => keg.itemsPerSlab, { least: 1, most: 512 }),
    integer('align', 'bytes', 'Alignment of items.', (keg) => keg.align, { least: 16, most: 4096 }),
    integer(
      'efficiency',
      'percent',
      'Share of its slabs that is items; headers count, wherever they are.',
      (keg) => efficiencyOf(words, keg),
      { most: 100 },
    ),
    integer(
      'domain.0.pages',
      'pages',
      'Pages of its slabs.',
      (keg) => word(Keg.slabCount)(keg) * keg.pagesPerSlab,
      { most: PAGES_MAX },
    ),
    integer('domain.0.free_items', 'items', 'Items free in its slabs.', word(Keg.freeItems)),
    integer('domain.0.free_slabs', 'slabs', 'Slabs that are wholly free.', word(Keg.emptyCount)),
    integer('reserve', 'items', 'Free items that only USE_RESERVE may take.', word(Keg.reserve), items),
    integer('low_water', 'items', 'Free items that there should always be.', word(Keg.lowWater), items),
    integer(
      'high_water',
      'items',
      'Free items beyond which a slab goes back; 0: none.',
      word(Keg.highWater),
      items,
    ),
    integer('low_misses', 'times', 'Times that low_water could not be kept.', word(Keg.lowMisses)),
    text(
      'backend',
      'Name of the backend that its pages come from.',
      (keg) => backends.stats(keg.backend).name,
    ),
  ];
}

export function umaBranches(parts: LeafParts): readonly Branch[] {
  const { context, kegs, backends, registry, setLimit, setMaxCached, setMark } = parts;
  const { machine } = context;
  const { words } = machine;
  const { maxZones } = machine.layout.parameters;

  const word = (field: number) => (zone: RecordedZone) => (words[zone.record + field] as number) >>> 0;
  function kegOf(zone: RecordedZone): KegState {
    const keg = word(Zone.keg)(zone);
    if (keg === 0) throw new MbumaError('NO_SUCH_SYSCTL', `zone ${zone.name} has just been destroyed`);
    return kegs.byNumber(keg);
  }

  /** Of a zone, a leaf of its keg; marks may be written. */
  function ofKeg(leaf: Leaf<KegState>): Leaf<RecordedZone> {
    const mark = MARKS[leaf.name];
    const write =
      mark === undefined
        ? null
        : (zone: RecordedZone, items: number) => setMark({ ...zone, kegState: kegOf(zone) }, mark, items);
    const read = (zone: RecordedZone) => leaf.read(kegOf(zone));
    return { ...leaf, name: `keg.${leaf.name}`, read, write } as Leaf<RecordedZone>;
  }

  const figures = (zone: RecordedZone): ZoneStats => zoneStats(context, { ...zone, kegState: kegOf(zone) });

  function* zones(): Generator<readonly [name: string, zone: RecordedZone]> {
    for (const number of registry.numbers()) {
      const record = registry.recordOf(number);
      const name = readText(words, record + Zone.name, 12);
      yield [name, { name, number, record }];
    }
  }

  function* internalKegs(): Generator<readonly [name: string, keg: KegState]> {
    for (let number = 1; number <= INTERNAL_KEGS; number++) {
      const keg = kegs.byNumber(number);
      yield [keg.name, keg];
    }
  }

  /** Numbers of backends. The memory's own pages are told of with the pages. */
  function* ownBackends(): Generator<readonly [name: string, backend: number]> {
    const count = backends.count();
    for (let number = OWN_PAGES + 1; number <= count; number++) yield [backends.stats(number).name, number];
  }

  function slabBytes(): number {
    let bytes = 0;
    for (let number = 1; number <= kegs.count(); number++) {
      if (!kegs.has(number)) continue;
      const keg = kegs.byNumber(number);
      bytes += (words[keg.record + Keg.slabCount] as number) * keg.pagesPerSlab * PAGE_SIZE;
    }
    return bytes;
  }

  const zoneLeaves: readonly Leaf<RecordedZone>[] = [
    integer('size', 'bytes', 'Bytes of an item, as asked for.', (zone) => kegOf(zone).size, {
      most: 2 ** 20,
    }),
    text('flags', 'What it is made of: names, separated by commas.', (zone) =>
      describeFlags(
        {
          flags: word(Zone.flags)(zone),
          hooks: word(Zone.hooks)(zone),
          primary: word(Zone.primary)(zone),
          limit: word(Zone.limit)(zone),
        },
        kegOf(zone),
      ),
    ),
    integer(
      'bucket_size',
      'items',
      'Items that a bucket is filled with: grows with misses.',
      word(Zone.bucketCapacity),
      { least: 1, most: BUCKET_ITEMS },
    ),
    integer('bucket_size_max', 'items', 'The most that bucket_size grows to.', word(Zone.capacityMax), {
      least: 1,
      most: BUCKET_ITEMS,
    }),
    ...kegLeaves(words, backends).map(ofKeg),
    integer(
      'limit.items',
      'items',
      'Items out, in use and cached: the limit counts these.',
      word(Zone.itemsOut),
    ),
    integer('limit.max_items', 'items', 'Most items out at one time; 0: no limit.', word(Zone.limit), {
      most: LIMIT_MAX,
      write: (zone, limit) => setLimit({ ...zone, kegState: kegOf(zone) }, limit),
    }),
    integer('limit.sleepers', 'times', 'Calls that wait for an item now.', word(Zone.waitCount)),
    integer('limit.sleeps', 'times', 'Calls that ever had to wait.', word(Zone.waitSleeps)),
    integer(
      'limit.bucket_max',
      'items',
      'Most items in buckets of zone and threads together; 0: no such bound.',
      word(Zone.maxCached),
      { most: LIMIT_MAX, write: setMaxCached },
    ),
    integer('limit.warnings', 'times', 'Warnings given.', word(Zone.warnings)),
    integer('domain.0.nitems', 'items', 'Items in full buckets of the zone.', word(Zone.cachedItems)),
    integer('domain.0.imax', 'items', 'Most of nitems in this period.', word(Zone.cachedMax)),
    integer('domain.0.imin', 'items', 'Fewest of nitems in this period.', word(Zone.cachedMin)),
    integer('domain.0.bimin', 'items', 'Fewest of nitems since imax was reached.', word(Zone.batchMin)),
    integer(
      'domain.0.wss',
      'items',
      'Working set: items that allocations draw at a stretch.',
      word(Zone.workingSet),
    ),
    integer(
      'domain.0.limin',
      'items',
      'Items beyond the working set that nobody wants for long.',
      word(Zone.longMin),
    ),
    integer(
      'domain.0.timin',
      'times',
      'Periods in a row without a lack of cached items.',
      word(Zone.idlePeriods),
    ),
    integer('stats.current', 'items', 'Items that users hold.', (zone) => figures(zone).used),
    integer('stats.allocs', 'times', 'Allocations that succeeded.', (zone) => figures(zone).requests),
    integer('stats.frees', 'times', 'Items given back: allocs less current.', (zone) => {
      const { requests, used } = figures(zone);
      return Math.max(0, requests - used);
    }),
    integer('stats.fails', 'times', 'Allocations that failed.', (zone) => figures(zone).failures),
  ];

  const totals: readonly Leaf[] = [
    integer('zone_count', 'zones', 'Zones that there are.', () => registry.numbers().length, {
      most: 1024,
    }),
    integer('zone_max', 'zones', 'Zones that there can be.', () => maxZones, { least: 16, most: 1024 }),
    integer('uma_kmem_total', 'bytes', 'Bytes of all slabs.', slabBytes, { most: 2 ** 31 }),
  ];

  const backendLeaves: readonly Leaf<number>[] = [
    integer(
      'pages_max',
      'pages',
      'Most pages that its kegs may have together; 0: no bound.',
      (backend) => backends.stats(backend).pagesMax,
      { most: PAGES_MAX, write: backends.setMax },
    ),
    integer('pages', 'pages', 'Pages that its kegs have.', (backend) => backends.stats(backend).pagesUsed, {
      most: PAGES_MAX,
    }),
    integer(
      'reclaims',
      'times',
      'Times that draining one keg has freed pages for another.',
      (backend) => backends.stats(backend).reclaims,
    ),
    integer(
      'shortages',
      'times',
      'Times that there were no pages, and draining freed none.',
      (backend) => backends.stats(backend).shortages,
    ),
  ];

  return [
    branch('vm', totals),
    family('vm.uma_backends', () => keyed(ownBackends()), backendLeaves),
    family('vm.uma', () => keyed(zones()), zoneLeaves),
    family('vm.uma_kegs', () => keyed(internalKegs()), kegLeaves(words, backends)),
    foreignBranch(context),
  ];
}
