/**
 * The registry: zones by name. Makes a zone, or attaches to one that another thread made.
 */

import { CHECK_LEVEL_MAX, damaged, LockRank, MbumaError } from '../check/index.js';
import { readText, writeText } from '../record/index.js';
import { createAccounts } from './accounts.js';
import { createUmaAudit, type UmaParts } from './audit.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import { createDeferral } from './deferral.js';
import { createDrains } from './drains.js';
import { createEpochZoneClass } from './epoch-zone.js';
import { initialCapacity } from './geometry.js';
import type { Hooks } from './hooks.js';
import type { KegState } from './keg-state.js';
import { createKegs } from './kegs.js';
import { createLadder } from './ladder.js';
import { createUmaReaper, type UmaReaper } from './reaper.js';
import { createReclaimer, type Reclaimer } from './reclaim.js';
import {
  BUCKET_BYTES_MAX,
  BUCKET_ITEMS,
  BUCKET_WORDS,
  CACHE_WORDS,
  COUNTER_STRIDE,
  EPOCH_BUCKET_ITEMS,
  GRANULE_SHIFT,
  HookBit,
  KEG_WORDS,
  KegFlag,
  Slab,
  ThreadCache,
  UmaState,
  ZONE_WORDS,
  Zone as ZoneRecord,
} from './records.js';
import { createSleepers } from './sleepers.js';
import { createZoneClass, needsSlowPath, type OpenZone } from './zone.js';
import type { Zone } from './zone-api.js';
import { type CheckedZoneOptions, readZoneOptions, type ZoneOptions } from './zone-options.js';
import { ALLOC_SITE, createZoneSlow } from './zone-slow.js';
import { Lack, type ZoneState } from './zone-state.js';
import { type ZoneStats, zoneStats } from './zone-stats.js';

export interface Uma {
  zone(options: ZoneOptions): Zone;
  /** The zone of this name that this thread has opened. */
  findZone(name: string): Zone | undefined;
  /** The zones that this thread has opened. */
  zones(): readonly Zone[];
  /** Names of all zones of the memory. */
  zoneNames(): readonly string[];
  /** Figures of every zone of the memory, opened by this thread or not. */
  stats(): readonly ZoneStats[];
  /** Word index of the reference counter of an item of a `referenceCounted` zone. About 10 ns. */
  counterOf(item: number): number;
  /** Owner byte of each 16-byte granule: 0 free, 1 to 254 a slot, OWNER_MEMORY. */
  readonly owners: Uint8Array;
  /** Number of the keg of each page; 0 none. */
  readonly pageKegs: Uint16Array;
  /**
   * Makes an item in use that of another thread, without a check of who has it. Nothing, for what is none.
   */
  carry(keg: number, item: number, slot: number): void;
  readonly reclaimer: Reclaimer;
  readonly reaper: UmaReaper;
  /** Puts away what this thread has freed in epoch zones, so that it gets ripe with the next grace. */
  putAwayFreed(): void;
  /** Gives back all cached items and empty slabs of the zones that this thread has opened. */
  drain(): void;
  audit(report: (rule: string, message: string) => void): void;
}

function hookBits(hooks: Hooks): number {
  return (
    (hooks.ctor === null ? 0 : HookBit.CTOR) |
    (hooks.dtor === null ? 0 : HookBit.DTOR) |
    (hooks.init === null ? 0 : HookBit.INIT) |
    (hooks.fini === null ? 0 : HookBit.FINI)
  );
}

function kegFlags({ zeroed, epoch }: CheckedZoneOptions): number {
  return (zeroed ? KegFlag.ZEROED : 0) | (epoch ? KegFlag.EPOCH : 0);
}

export function createUma(context: UmaContext, initialise: boolean): Uma {
  const { machine, threads, locks, waiting } = context;
  const { words } = machine;
  const { pageCount, maxZones } = machine.layout.parameters;
  const state = machine.area('uma');
  const zonesArea = machine.area('zones');
  const cachesArea = machine.area('thread caches');
  const dead = machine.area('dead bucket');
  const owners = machine.bytesAt(machine.area('owners'), pageCount * 256);
  const pageKegs = machine.halvesAt(machine.area('page kegs'), pageCount);
  const maps = { words, owners, pageKegs };
  const kegs = createKegs(context, initialise);
  const accounts = createAccounts(context);
  const deferral = createDeferral(context, kegs, accounts, owners, pageKegs, dead);
  const ladder = createLadder(context, kegs, accounts, owners, deferral, dead);
  const drains = createDrains(context, kegs, accounts, deferral, dead);
  const reclaimer = createReclaimer(context, kegs, drains, owners);
  const sleepers = createSleepers(context, kegs, accounts, ladder, deferral, drains, reclaimer);
  const slow = createZoneSlow(context, kegs, ladder, deferral, reclaimer, maps);
  const zoneParts = { context, kegs, ladder, drains, sleepers, maps, reclaimer, slow };
  const makeZone = createZoneClass(zoneParts);
  const makeEpochZone = createEpochZoneClass(zoneParts, makeZone);
  const createSite = machine.failpoints.site('uma.zone', 'the record of a new zone');
  const allocSite = machine.failpoints.site(ALLOC_SITE);
  const opened = new Map<string, { zone: OpenZone; state: ZoneState }>();
  /** This thread has detached: its slot, and the caches with it, may be another's. */
  let left = false;

  const recordOf = (number: number): number => zonesArea + number * ZONE_WORDS;
  const cacheOf = (number: number): number =>
    cachesArea + (threads.slot * (maxZones + 1) + number) * CACHE_WORDS;

  /** Every cache of a slot starts with the dead bucket; number 0 keeps it for good. */
  function resetCaches(slot: number): void {
    const first = accounts.cacheOf(slot, 0);
    const end = accounts.cacheOf(slot, maxZones + 1);
    for (let cache = first; cache < end; cache += CACHE_WORDS) {
      words.fill(0, cache + ThreadCache.freeLimit, cache + CACHE_WORDS);
      words[cache + ThreadCache.top] = dead;
      words[cache + ThreadCache.spare] = dead;
    }
  }

  /** The cache that the fast path of a zone looks at: a dead one when there is work to do on each item. */
  function frontCache(name: string, number: number, hooks: Hooks): number {
    const slow = left || needsSlowPath(hooks, machine.checkLevel) || allocSite.concerns(name);
    return cacheOf(slow ? 0 : number);
  }

  function showCaches(): void {
    for (const { zone, state } of opened.values()) {
      state.cache = frontCache(state.name, state.number, state.hooks);
      zone.cache = state.cache;
    }
  }

  allocSite.onChange(showCaches);

  function zoneCount(): number {
    const count = machine.atomics.load(state + UmaState.zoneCount);
    if (count < 0 || count > maxZones) throw damaged(`it has ${count} zones, of ${maxZones} at most`);
    return count;
  }

  function findByName(name: string): number {
    const count = zoneCount();
    for (let number = 1; number <= count; number++) {
      if (readText(words, recordOf(number) + ZoneRecord.name, 12) === name) return number;
    }
    return 0;
  }

  function openedState(zone: Zone | undefined): ZoneState | null {
    if (zone === undefined) return null;
    const found = opened.get((zone as { name?: string }).name ?? '');
    if (found === undefined || found.zone !== zone) {
      throw new MbumaError('BAD_ARGUMENT', 'primary must be a zone of this memory');
    }
    return found.state;
  }

  /** Writes a new zone's record. Under the registry lock. */
  function writeZone(options: CheckedZoneOptions, maxBucket: boolean): number {
    const { name, shape, limit, hooks, primary } = options;
    const number = (words[state + UmaState.zoneCount] as number) + 1;
    if (number > maxZones)
      throw new MbumaError('TOO_MANY_ZONES', `all ${maxZones} zones are taken: see maxZones`);
    if (createSite.fails(name))
      throw new MbumaError('OUT_OF_MEMORY', `zone ${name} cannot be made`, { zone: name });
    const keg = primary?.kegState ?? kegs.create(name, shape, kegFlags(options));
    const record = recordOf(number);
    words.fill(0, record, record + ZONE_WORDS);
    const slots = options.epoch ? EPOCH_BUCKET_ITEMS : BUCKET_ITEMS;
    const capacityMax = Math.max(1, Math.min(slots, Math.floor(BUCKET_BYTES_MAX / keg.itemSize)));
    words[record + ZoneRecord.number] = number;
    words[record + ZoneRecord.keg] = keg.number;
    words[record + ZoneRecord.limit] = limit;
    words[record + ZoneRecord.hooks] = hookBits(hooks);
    words[record + ZoneRecord.onOwnerDeath] = options.onOwnerDeath;
    words[record + ZoneRecord.capacityMax] = capacityMax;
    words[record + ZoneRecord.bucketCapacity] = Math.min(
      capacityMax,
      initialCapacity(keg.itemSize, maxBucket),
    );
    words[record + ZoneRecord.primary] = primary?.number ?? 0;
    words[record + ZoneRecord.epoch] = options.epoch ? 1 : 0;
    writeText(words, record + ZoneRecord.name, 12, name);
    machine.atomics.store(state + UmaState.zoneCount, number);
    return number;
  }

  /** Compares what this thread asks for with what is there. */
  function checkAgreement(number: number, options: CheckedZoneOptions): void {
    const { name, shape, hooks, primary } = options;
    const record = recordOf(number);
    const keg = kegs.byNumber(words[record + ZoneRecord.keg] as number);
    const differences: string[] = [];
    if (keg.size !== shape.size) differences.push(`size is ${keg.size}, not ${shape.size}`);
    if (keg.align !== shape.align) differences.push(`align is ${keg.align}, not ${shape.align}`);
    const counted = keg.counterOffset !== 0;
    if (primary === null && counted !== shape.referenceCounted)
      differences.push(`referenceCounted is ${counted}`);
    const epoch = words[record + ZoneRecord.epoch] !== 0;
    if (epoch !== options.epoch) differences.push(`epoch is ${epoch}`);
    if ((words[record + ZoneRecord.primary] as number) !== (primary?.number ?? 0))
      differences.push('its primary zone is another');
    if (differences.length > 0) {
      throw new MbumaError('LAYOUT_MISMATCH', `zone ${name} exists: ${differences.join('; ')}`, {
        zone: name,
      });
    }
    const wanted = words[record + ZoneRecord.hooks] as number;
    if (wanted === hookBits(hooks)) return;
    const kinds = Object.entries(HookBit).filter(([, bit]) => (wanted & bit) !== 0);
    throw new MbumaError(
      'HOOKS_MISSING',
      `zone ${name} has the hooks [${kinds.map(([kind]) => kind.toLowerCase()).join(' ')}]: this thread must register just these`,
      { zone: name },
    );
  }

  function openZone(number: number, given: ZoneOptions, options: CheckedZoneOptions): Zone {
    const { hooks, primary } = options;
    const record = recordOf(number);
    const kegState: KegState = kegs.byNumber(words[record + ZoneRecord.keg] as number);
    if (primary === null) {
      kegState.init = hooks.init;
      kegState.fini = hooks.fini;
    }
    const zoneState: ZoneState = {
      name: options.name,
      record,
      number,
      kegState,
      cache: frontCache(options.name, number, hooks),
      realCache: cacheOf(number),
      hooks: primary === null ? { ...hooks, init: null, fini: null } : hooks,
      finiIsSafe: given.finiIsSafe === true,
      primaryRecord: primary?.record ?? 0,
      epoch: words[record + ZoneRecord.epoch] !== 0,
      capacityMax: words[record + ZoneRecord.capacityMax] as number,
      onExhausted: given.onExhausted ?? null,
      lack: Lack.NONE,
    };
    const made = zoneState.epoch ? makeEpochZone(zoneState) : makeZone(zoneState);
    opened.set(options.name, { zone: made, state: zoneState });
    byNumber.set(number, zoneState);
    reclaimer.register(zoneState);
    return made;
  }

  function zone(given: ZoneOptions): Zone {
    const options = readZoneOptions(given, openedState);
    const known = opened.get(options.name);
    if (known !== undefined) {
      checkAgreement(known.state.number, { ...options, hooks: allHooks(known.state) });
      return known.zone;
    }
    locks.acquire(state + UmaState.lock, LockRank.REGISTRY);
    let number = 0;
    try {
      number = findByName(options.name);
      if (number === 0) number = writeZone(options, given.maxBucket === true);
      else checkAgreement(number, options);
    } finally {
      locks.release(state + UmaState.lock);
    }
    return openZone(number, given, options);
  }

  function allHooks(zoneState: ZoneState): Hooks {
    if (zoneState.primaryRecord !== 0) return zoneState.hooks;
    return { ...zoneState.hooks, init: zoneState.kegState.init, fini: zoneState.kegState.fini };
  }

  function counterOf(item: number): number {
    const slab = kegs.slabOf(item);
    const keg = kegs.byNumber(pageKegs[item >>> 12] as number);
    const index = ((item - (words[slab + Slab.data] as number)) / keg.itemSize) | 0;
    return slab + keg.counterOffset + index * COUNTER_STRIDE;
  }

  /** What is not counted does not exist: its record is empty again. Nor does a keg without a zone. */
  function repairRegistry(): void {
    while (kegs.count() > INTERNAL_KEGS && !hasZone(kegs.count())) {
      machine.atomics.store(state + UmaState.kegCount, kegs.count() - 1);
    }
    const keg = machine.area('kegs') + (kegs.count() + 1) * KEG_WORDS;
    if (kegs.count() < maxZones + INTERNAL_KEGS) words.fill(0, keg, keg + KEG_WORDS);
    const zones = machine.atomics.load(state + UmaState.zoneCount);
    if (zones < maxZones) words.fill(0, recordOf(zones + 1), recordOf(zones + 2));
  }

  function hasZone(keg: number): boolean {
    const count = machine.atomics.load(state + UmaState.zoneCount);
    for (let number = 1; number <= count; number++) {
      if (words[recordOf(number) + ZoneRecord.keg] === keg) return true;
    }
    return false;
  }

  locks.onTakeOver(state + UmaState.lock, state + UmaState.lock + 1, LockRank.REGISTRY, repairRegistry);
  locks.onTakeOver(recordOf(1), recordOf(maxZones + 1), LockRank.ZONE, (record) => {
    accounts.repair(record);
    deferral.repair(record);
  });
  const byNumber = new Map<number, ZoneState>();
  const reaper = createUmaReaper({
    context,
    kegs,
    accounts,
    ladder,
    drains,
    deferral,
    owners,
    pageKegs,
    dead,
    openedByNumber: (number) => byNumber.get(number),
    freeOwned: slow.freeSlow,
    freeOwnedMany: ({ name }, items, count) => opened.get(name)?.zone.freeMany(items, count),
    retireCounts: reclaimer.retireCounts,
    resetCaches,
  });

  if (initialise) words.fill(0, dead, dead + BUCKET_WORDS);
  if (machine.checkLevel > CHECK_LEVEL_MAX) throw new MbumaError('BAD_HANDLE', 'the check level is unknown');
  resetCaches(threads.slot);
  waiting.onPoll(() => reclaimer.answerAttention());
  const parts: UmaParts = { context, kegs, maps, dead };
  return {
    zone,
    findZone: (name) => opened.get(name)?.zone,
    zones: () => [...opened.values()].map((each) => each.zone),
    zoneNames() {
      const count = zoneCount();
      const names: string[] = [];
      for (let number = 1; number <= count; number++)
        names.push(readText(words, recordOf(number) + ZoneRecord.name, 12));
      return names;
    },
    stats() {
      const count = zoneCount();
      const figures: ZoneStats[] = [];
      for (let number = 1; number <= count; number++) {
        const record = recordOf(number);
        const name = readText(words, record + ZoneRecord.name, 12);
        const kegState = kegs.byNumber(words[record + ZoneRecord.keg] as number);
        figures.push(zoneStats(context, { name, record, number, kegState }));
      }
      return figures;
    },
    counterOf,
    carry(keg, item, slot) {
      reaper.eachWith(keg, item, (each) => {
        owners[each >>> GRANULE_SHIFT] = slot;
      });
    },
    owners,
    pageKegs,
    reclaimer: {
      ...reclaimer,
      leave() {
        sleepers.leave();
        reclaimer.leave();
        left = true;
        showCaches();
      },
    },
    reaper,
    putAwayFreed() {
      for (const each of opened.values()) deferral.putAway(each.state);
    },
    drain() {
      // What leaves one zone may go to another: a packet that is drained gives its cluster back.
      for (let pass = 0, freed = 1; freed > 0 && pass <= opened.size; pass++) {
        freed = 0;
        for (const each of opened.values()) freed += reclaimer.drain(each.state);
      }
      reclaimer.drainInternal();
    },
    audit: createUmaAudit(parts),
  };
}
