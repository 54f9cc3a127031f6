/**
 * The registry: zones by name. Writes the record of a new zone, and compares what a thread asks for with
 * what is there.
 */

import { damaged, LockRank, MbumaError } from '../check/index.js';
import { readText, writeText } from '../record/index.js';
import type { Backends } from './backends.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import { initialCapacity } from './geometry.js';
import type { Hooks } from './hooks.js';
import type { Kegs } from './kegs.js';
import {
  BUCKET_BYTES_MAX,
  BUCKET_ITEMS,
  EPOCH_BUCKET_ITEMS,
  HookBit,
  KEG_WORDS,
  Keg,
  KegFlag,
  OWN_PAGES,
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
  zoneCount(): number;
  /** Number of the zone of this name; 0: there is none. */
  findByName(name: string): number;
  zoneNames(): string[];
  /** The zone of the options' name; made, if there is none. Its number, and whether it is new. */
  findOrMake(given: ZoneOptions, options: CheckedZoneOptions): { number: number; made: boolean };
  /** @throws LAYOUT_MISMATCH, HOOKS_MISSING when the zone is another than what is asked for */
  checkAgreement(number: number, given: ZoneOptions, options: CheckedZoneOptions): void;
  hookBits(hooks: Hooks): number;
}

export function createRegistry(context: UmaContext, backends: Backends, kegs: Kegs): Registry {
  const { machine, locks } = context;
  const { words } = machine;
  const { maxZones } = machine.layout.parameters;
  const state = machine.area('uma');
  const zonesArea = machine.area('zones');
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

  /** Writes a new zone's record. Under the registry lock. */
  function writeZone(options: CheckedZoneOptions): number {
    const { name, shape, limit, hooks, primary } = options;
    const number = (words[state + UmaState.zoneCount] as number) + 1;
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
    words.fill(0, record, record + ZONE_WORDS);
    const epoch = (keg.flags & KegFlag.EPOCH) !== 0;
    const slots = epoch ? EPOCH_BUCKET_ITEMS : BUCKET_ITEMS;
    const capacityMax = Math.max(1, Math.min(slots, Math.floor(BUCKET_BYTES_MAX / keg.itemSize)));
    words[record + ZoneRecord.epoch] = epoch ? 1 : 0;
    words[record + ZoneRecord.number] = number;
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
    machine.atomics.store(state + UmaState.zoneCount, number);
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

  /** What is not counted does not exist: its record is empty again. Nor does a keg without a zone. */
  function repairRegistry(): void {
    while (kegs.count() > INTERNAL_KEGS && !hasZone(kegs.count())) {
      machine.atomics.store(state + UmaState.kegCount, kegs.count() - 1);
    }
    const keg = machine.area('kegs') + (kegs.count() + 1) * KEG_WORDS;
    if (kegs.count() < maxZones + INTERNAL_KEGS) words.fill(0, keg, keg + KEG_WORDS);
    const zones = machine.atomics.load(state + UmaState.zoneCount);
    if (zones < maxZones) words.fill(0, recordOf(zones + 1), recordOf(zones + 2));
    backends.clearUnmade();
  }

  function hasZone(keg: number): boolean {
    const count = machine.atomics.load(state + UmaState.zoneCount);
    for (let number = 1; number <= count; number++) {
      if (words[recordOf(number) + ZoneRecord.keg] === keg) return true;
    }
    return false;
  }

  locks.onTakeOver(state + UmaState.lock, state + UmaState.lock + 1, LockRank.REGISTRY, repairRegistry);
  return {
    recordOf,
    zoneCount,
    findByName,
    zoneNames() {
      const count = zoneCount();
      const names: string[] = [];
      for (let number = 1; number <= count; number++)
        names.push(readText(words, recordOf(number) + ZoneRecord.name, 12));
      return names;
    },
    findOrMake(given, options) {
      locks.acquire(state + UmaState.lock, LockRank.REGISTRY);
      try {
        const number = findByName(options.name);
        if (number === 0) return { number: writeZone(options), made: true };
        checkAgreement(number, given, options);
        return { number, made: false };
      } finally {
        locks.release(state + UmaState.lock);
      }
    },
    checkAgreement,
    hookBits,
  };
}
