/**
 * The flags of zones and kegs: options that are true or absent, and which of them cannot stand together.
 *
 * Names and meanings after the UMA_ZONE flags of uma(9); what has no meaning here is listed in README.md.
 */

import { optionalBoolean } from '../check/index.js';
import { KegFlag, ZoneFlag } from './records.js';

/** The options of a zone that are flags. */
export interface FlagOptions {
  /**
   * Each item has a reference counter beside the slab, in a cache line of its own: the zone is a
   * `CountedZone`, with `hold`, `drop` and `references`. 'layer': the counters are there, and who makes the
   * zone counts by himself. (REFCNT)
   */
  readonly referenceCounted?: boolean | 'layer';
  /** New slabs are zeroed: an item holds 0, or what its last user left. (ZINIT) */
  readonly zeroFresh?: boolean;
  /** Every item is zeroed when it is allocated, as if the flag ZERO were given. */
  readonly zero?: boolean;
  /** Starts with the largest buckets, for zones of busy small items. (MAXBUCKET) */
  readonly maxBucket?: boolean;
  /**
   * A bucket is filled with a quarter of what the zone has out, and no more: a zone of few items caches few.
   * Its first hundred items take some twenty fills instead of one or two.
   */
  readonly frugal?: boolean;
  /** Caches nothing: each call goes to the keg. About 150 ns instead of 3. (NOBUCKET) */
  readonly noBucket?: boolean;
  /** Pages that the zone has got stay its own for good. (NOFREE) */
  readonly noFree?: boolean;
  /** Trimming passes it by: what it caches goes back only when it is drained. (NOTRIM) */
  readonly noTrim?: boolean;
  /** `memory.reclaim`, shortages and the timer pass it by: only its own `trim` and `drain` reach it. (UNMANAGED) */
  readonly unmanaged?: boolean;
  /** The allocator writes nothing into items: headers stand elsewhere, no trash, no ZERO. (NOTOUCH) */
  readonly noTouch?: boolean;
  /** No item lies across a page's end that need not: slabs are as small as they can be. (CONTIG) */
  readonly contiguous?: boolean;
  /** Items start at all cache lines of their pages in turn, not at the same few. (CACHESPREAD) */
  readonly cacheSpread?: boolean;
  /**
   * At least 16 bytes of 0x42 before and behind each item, looked at when it comes back and when it goes out
   * again. Every zone has them at check level 3. A secondary zone has what its primary has.
   */
  readonly redzone?: boolean;
  /** Who allocated and freed each item, and where, is kept: for reports, and `memory.leaks`. As above. */
  readonly sites?: boolean;
  /**
   * Items come alone on pages of their own, as many of 100,000 as the setting `guardFrequency` says and as
   * there are pages for; freed ones are kept out of use as long as that goes. With `sites`. Not of a
   * secondary zone.
   */
  readonly guard?: boolean;
  /**
   * Freed items are not reused before every read section that was open at the free has ended (`memory.enter`,
   * `memory.leave`); UMA's SMR. Until then they keep their contents; then `dtor` runs, in whichever thread
   * finds them, and what it throws is told to the call that did. Items take 32 bytes at least, and such a
   * zone has no secondary zones.
   */
  readonly epoch?: boolean;
  /**
   * A number beside each item says what it is used for, and what it was used for last. It is the layer's that
   * made the zone; reports tell it as far as that layer names it.
   */
  readonly tagged?: boolean;
  /** An item is one copy for each thread slot, on cache lines of its own: see `Zone.copyOf`. (PCPU) */
  readonly perThread?: boolean;
}

export type FlagName = keyof FlagOptions;

/** Flags that say how slabs look or live: those of the keg. */
const KEG_FLAGS: Readonly<Partial<Record<FlagName, number>>> = {
  // Both: who counts is held to as well.
  referenceCounted: KegFlag.REFERENCE_COUNTED | KegFlag.LAYER_COUNTED,
  zeroFresh: KegFlag.ZEROED,
  noFree: KegFlag.NO_FREE,
  noTouch: KegFlag.NO_TOUCH,
  contiguous: KegFlag.CONTIGUOUS,
  cacheSpread: KegFlag.CACHE_SPREAD,
  perThread: KegFlag.PER_THREAD,
  redzone: KegFlag.REDZONE,
  sites: KegFlag.SITES,
  guard: KegFlag.GUARDED,
  epoch: KegFlag.EPOCH,
  tagged: KegFlag.TAGGED,
};

/** Flags that say what a zone does with items: each zone of a keg has its own. */
const ZONE_FLAGS: Readonly<Partial<Record<FlagName, number>>> = {
  zero: ZoneFlag.ZERO,
  maxBucket: ZoneFlag.MAX_BUCKET,
  frugal: ZoneFlag.FRUGAL,
  noBucket: ZoneFlag.NO_BUCKET,
  noTrim: ZoneFlag.NO_TRIM,
  unmanaged: ZoneFlag.UNMANAGED,
};

const NAMES = [...Object.keys(KEG_FLAGS), ...Object.keys(ZONE_FLAGS)] as readonly FlagName[];

const CONTRADICTIONS: readonly (readonly [FlagName, FlagName, string])[] = [
  ['maxBucket', 'noBucket', 'one asks for the largest buckets, the other for none'],
  ['maxBucket', 'frugal', 'one asks for full buckets, the other for as little in them as does'],
  ['noTouch', 'zeroFresh', 'zeros would have to be written into the items'],
  ['noTouch', 'zero', 'zeros would have to be written into the items'],
  ['epoch', 'noBucket', 'what is freed waits in buckets'],
  ['epoch', 'guard', 'freed pages would be overwritten while somebody may read them'],
  ['epoch', 'referenceCounted', 'both say when an item is free'],
  ['guard', 'referenceCounted', 'references are counted beside slabs'],
  ['noTouch', 'guard', 'freed items would have to be filled'],
  ['cacheSpread', 'contiguous', 'one needs large slabs, the other the smallest'],
  ['cacheSpread', 'perThread', 'the copies have cache lines of their own already'],
  ['perThread', 'referenceCounted', 'there is one counter, and a copy for each thread'],
];

/** The flags of a zone as bits, and which of the options were given at all. */
export interface CheckedFlags {
  readonly keg: number;
  readonly zone: number;
  /** Bits of the options that were given, true or false: who attaches is held to those. */
  readonly givenKeg: number;
  readonly givenZone: number;
}

/** Reads the flags; what is wrong with them is added to `reasons`. */
export function readFlags(given: FlagOptions, reasons: string[]): CheckedFlags {
  const flags = { keg: 0, zone: 0, givenKeg: 0, givenZone: 0 };
  const set = new Set<FlagName>();
  let countedByLayer = false;
  for (const name of NAMES) {
    try {
      const byLayer = name === 'referenceCounted' && given[name] === 'layer';
      const value = byLayer || optionalBoolean(given[name], name);
      if (value === undefined) continue;
      countedByLayer ||= byLayer;
      const kegBit = KEG_FLAGS[name] ?? 0;
      const zoneBit = ZONE_FLAGS[name] ?? 0;
      flags.givenKeg |= kegBit;
      flags.givenZone |= zoneBit;
      if (!value) continue;
      set.add(name);
      flags.keg |= byLayer ? kegBit : kegBit & ~KegFlag.LAYER_COUNTED;
      flags.zone |= zoneBit;
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  for (const [one, other, why] of CONTRADICTIONS) {
    // A layer that counts by itself finds the counters of guarded items, too.
    if (other === 'referenceCounted' && countedByLayer) continue;
    if (set.has(one) && set.has(other)) reasons.push(`${one} and ${other} contradict each other: ${why}`);
  }
  return flags;
}

/** Names of the flags of a keg and a zone. */
export function flagNames(keg: number, zone: number): FlagName[] {
  return NAMES.filter(
    (name) => ((KEG_FLAGS[name] ?? 0) & keg) !== 0 || ((ZONE_FLAGS[name] ?? 0) & zone) !== 0,
  );
}
