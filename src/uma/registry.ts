/**
 * The registry: zones by name. Writes the record of a new zone, compares what a thread asks for with what is
 * there, and clears the record of one that ends.
 *
 * A zone, or a keg, is there when its record has its number, which is written last and cleared first. Numbers
 * that have become free are given anew: there are holes below the highest one.
 */

import { damaged, LockRank, MbumaError } from '../check/index.js';
import { readText, writeText } from '../record/index.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import { initialCapacity } from './geometry.js';
import type { Hooks } from './hooks.js';
import type { Kegs } from './kegs.js';
import {
  BUCKET_BYTES_MAX,
  BUCKET_ITEMS,
  EPOCH_BUCKET_ITEMS,
  HookBit,
  Keg,
  KegFlag,
  OWN_PAGES,
  ThreadCache,
  UmaState,
  ZONE_WORDS,
  ZoneFlag,
  Zone as ZoneRecord,
} from './records.js';
import { flagNames } from './zone-flags.js';
import { type CheckedZoneOptions, EPOCH_ALIGN, type ZoneOptions } from './zone-options.js';

export interface Registry {
  /** Word index of a zone's record. */
  recordOf(number: number): number;
  /** Numbers of the zones there are. Others may come and go meanwhile, but under the lock. */
  numbers(): number[];
  /** Runs `act` under the registry lock. */
  locked<T>(act: () => T): T;
  /** Number of the zone of this name; 0: there is none. */
  findByName(name: string): number;
  zoneNames(): string[];
  /**
   * Opens the zone of the options' name for this thread; makes it, if there is none. Its number, and whether
   * it is new.
   */
  open(given: ZoneOptions, options: CheckedZoneOptions): { number: number; made: boolean };
  /** Clears the record of a zone, and of its keg if no other zone has it. Under the lock. */
  eraseLocked(number: number): void;
  /** @throws LAYOUT_MISMATCH, HOOKS_MISSING when the zone is another than what is asked for */
  checkAgreement(number: number, given: ZoneOptions, options: CheckedZoneOptions): void;
  /** A dead thread was about to destroy zones: they stay. */
  forgetDestroyer(slot: number): void;
  /** Runs after a death under the registry's lock: what is not there is empty. */
  onRepair(repair: () => void): void;
}

/** @param cacheOf word index of this thread's cache for a zone */
export function createRegistry(
  context: UmaContext,
  kegs: Kegs,
  cacheOf: (number: number) => number,
): Registry {
  const { machine, locks, threads } = context;
  const { words } = machine;
  const { load, store } = machine.atomics;
  const { maxZones } = machine.layout.parameters;
  const state = machine.area('uma');
  const zonesArea = machine.area('zones');
  const repairs: (() => void)[] = [];
  const createSite = machine.failpoints.site('uma.zone', 'the record of a new zone');

  const recordOf = (number: number): number => zonesArea + number * ZONE_WORDS;

  function hookBits(hooks: Hooks): number {
    return (
      (hooks.ctor === null ? 0 : HookBit.CTOR) |
      (hooks.dtor === null ? 0 : HookBit.DTOR) |
      (hooks.init === null ? 0 : HookBit.INIT) |
      (hooks.fini === null ? 0 : HookBit.FINI)
    );
  }

  function zoneCount(): number {
    const count = load(state + UmaState.zoneCount);
    if (count < 0 || count > maxZones) throw damaged(`it has ${count} zones, of ${maxZones} at most`);
    return count;
  }

  function numbers(): number[] {
    const found: number[] = [];
    const count = zoneCount();
    for (let number = 1; number <= count; number++)
      if (load(recordOf(number) + ZoneRecord.number) === number) found.push(number);
    return found;
  }

  const nameOf = (number: number): string => readText(words, recordOf(number) + ZoneRecord.name, 12);

  function findByName(name: string): number {
    return numbers().find((number) => nameOf(number) === name) ?? 0;
  }

  /** Writes a new zone's record. Under the registry lock. */
  function writeZone(options: CheckedZoneOptions): number {
    const { name, shape, limit, hooks, primary } = options;
    let number = 1;
    while (number <= maxZones && words[recordOf(number) + ZoneRecord.number] !== 0) number++;
    if (number > maxZones)
      throw new MbumaError('TOO_MANY_ZONES', `all ${maxZones} zones are taken: see maxZones`);
    if (createSite.fails(name))
      throw new MbumaError('OUT_OF_MEMORY', `zone ${name} cannot be made`, { zone: name });
    const keg = primary?.kegState ?? kegs.create(name, shape, options.backend || OWN_PAGES);
    if (primary === null) {
      const { reserve, lowWater, highWater } = options.marks;
      words[keg.record + Keg.reserve] = reserve;
      words[keg.record + Keg.lowWater] = lowWater;
      words[keg.record + Keg.highWater] = highWater;
    }
    const record = recordOf(number);
    wipe(record);
    const epoch = (keg.flags & KegFlag.EPOCH) !== 0;
    const slots = epoch ? EPOCH_BUCKET_ITEMS : BUCKET_ITEMS;
    const capacityMax = Math.max(1, Math.min(slots, Math.floor(BUCKET_BYTES_MAX / keg.itemSize)));
    words[record + ZoneRecord.epoch] = epoch ? 1 : 0;
    words[record + ZoneRecord.keg] = keg.number;
    words[record + ZoneRecord.limit] = limit;
    words[record + ZoneRecord.maxCached] = options.maxCached;
    words[record + ZoneRecord.hooks] = hookBits(hooks);
    words[record + ZoneRecord.onOwnerDeath] = options.onOwnerDeath;
    words[record + ZoneRecord.capacityMax] = capacityMax;
    words[record + ZoneRecord.flags] = options.flags.zone;
    words[record + ZoneRecord.bucketCapacity] = Math.min(
      capacityMax,
      initialCapacity(keg.itemSize, (options.flags.zone & ZoneFlag.MAX_BUCKET) !== 0),
    );
    words[record + ZoneRecord.primary] = primary?.number ?? 0;
    writeText(words, record + ZoneRecord.name, 12, name);
    if (number > zoneCount()) store(state + UmaState.zoneCount, number);
    store(record + ZoneRecord.number, number);
    return number;
  }

  /** Compares what this thread asks for with what is there. */
  function checkAgreement(number: number, given: ZoneOptions, options: CheckedZoneOptions): void {
    const { name, shape, hooks, primary, flags } = options;
    const record = recordOf(number);
    const keg = kegs.byNumber(words[record + ZoneRecord.keg] as number);
    const differences: string[] = [];
    if (keg.size !== shape.size) differences.push(`size is ${keg.size}, not ${shape.size}`);
    const align = (keg.flags & KegFlag.EPOCH) === 0 ? shape.align : Math.max(shape.align, EPOCH_ALIGN);
    if (keg.align !== align) differences.push(`align is ${keg.align}, not ${shape.align}`);
    if (options.backend !== 0 && keg.backend !== options.backend) differences.push('its backend is another');
    const kegFlags = (keg.flags ^ flags.keg) & flags.givenKeg;
    const zoneFlags = ((words[record + ZoneRecord.flags] as number) ^ flags.zone) & flags.givenZone;
    for (const flag of flagNames(kegFlags, zoneFlags)) differences.push(`${flag} is ${!given[flag]}`);
    const imports = (keg.flags & KegFlag.IMPORTED) !== 0;
    if (imports !== (options.imports !== null))
      differences.push(`it ${imports ? 'imports' : 'does not import'} its items`);
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
      kinds.length === 0
        ? `zone ${name} has no hooks: this thread must not register any`
        : `zone ${name} has ${kinds.map(([kind]) => kind.toLowerCase()).join(', ')}: this thread must register just these`,
      { zone: name },
    );
  }

  /** All but the number, which is 0 by now: others look at that at any time, without the lock. */
  function wipe(record: number): void {
    words.fill(0, record, record + ZoneRecord.number);
    words.fill(0, record + ZoneRecord.number + 1, record + ZONE_WORDS);
  }

  function clear(number: number): void {
    const record = recordOf(number);
    store(record + ZoneRecord.number, 0);
    wipe(record);
    while (zoneCount() > 0 && words[recordOf(zoneCount()) + ZoneRecord.number] === 0)
      store(state + UmaState.zoneCount, zoneCount() - 1);
  }

  function eraseLocked(number: number): void {
    clear(number);
    eraseLonelyKegs();
  }

  /** No keg is there without a zone: it would be one in the making, or the last zone on it has gone. */
  function eraseLonelyKegs(): void {
    const used = new Set(numbers().map((number) => words[recordOf(number) + ZoneRecord.keg]));
    for (let keg = kegs.count(); keg > INTERNAL_KEGS; keg--) if (!used.has(keg)) kegs.erase(keg);
  }

  /** What has no number does not exist: its record is empty again. */
  function repairRegistry(): void {
    const there = new Set(numbers());
    for (let number = 1; number <= Math.min(zoneCount() + 1, maxZones); number++)
      if (!there.has(number)) clear(number);
    eraseLonelyKegs();
    if (kegs.count() < maxZones + INTERNAL_KEGS) kegs.erase(kegs.count() + 1);
    for (const repair of repairs) repair();
  }

  /** Whoever is about to destroy the zone keeps it from being opened, unless he has died. */
  function refuseIfDestroyed(number: number): void {
    const at = recordOf(number) + ZoneRecord.destroyer;
    const destroyer = words[at] as number;
    if (destroyer === 0) return;
    if (destroyer !== threads.slot && threads.isLive(destroyer)) {
      throw new MbumaError('ZONE_BUSY', `zone ${nameOf(number)} is being destroyed by thread ${destroyer}`, {
        zone: nameOf(number),
        owner: destroyer,
      });
    }
    words[at] = 0;
  }

  function locked<T>(act: () => T): T {
    locks.acquire(state + UmaState.lock, LockRank.REGISTRY);
    try {
      return act();
    } finally {
      locks.release(state + UmaState.lock);
    }
  }

  locks.onTakeOver(state + UmaState.lock, state + UmaState.lock + 1, LockRank.REGISTRY, repairRegistry);
  return {
    recordOf,
    numbers,
    locked,
    findByName,
    zoneNames: () => numbers().map(nameOf),
    open: (given, options) =>
      locked(() => {
        const known = findByName(options.name);
        if (known !== 0) {
          refuseIfDestroyed(known);
          checkAgreement(known, given, options);
        }
        const number = known || writeZone(options);
        store(cacheOf(number) + ThreadCache.open, 1);
        return { number, made: known === 0 };
      }),
    eraseLocked,
    checkAgreement,
    forgetDestroyer: (slot) =>
      locked(() => {
        for (const number of numbers()) {
          const at = recordOf(number) + ZoneRecord.destroyer;
          if (words[at] === slot) words[at] = 0;
        }
      }),
    onRepair(repair) {
      repairs.push(repair);
    },
  };
}
