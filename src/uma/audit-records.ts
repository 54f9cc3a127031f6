/** The audit of records as such: U14 to U16 of README.md. Nothing is followed, so nothing can go astray. */

import { lifeOf, ThreadSlot, ThreadState } from '../machine/index.js';
import { isZero, readText, unsoundFields } from '../record/index.js';
import type { Walk } from './audit-slabs.js';
import { INTERNAL_KEGS, type UmaContext } from './context.js';
import type { Maps } from './diagnose.js';
import {
  BACKEND_WORDS,
  BACKENDS_MAX,
  Backend,
  BUCKET_BYTES_MAX,
  BUCKET_ITEMS,
  CACHE_WORDS,
  EPOCH_BUCKET_ITEMS,
  HookBit,
  KEG_WORDS,
  Keg,
  KegFlag,
  OWN_PAGES,
  OWNER_MEMORY,
  OwnerDeath,
  ThreadCache,
  UmaState,
  ZONE_FLAGS_ALL,
  ZONE_WORDS,
  Zone,
} from './records.js';

const NAME_WORDS = 12;

/** More allocations than 2^32 times this many are not believed. */
const REQUESTS_HIGH_MAX = 1 << 20;

export function createRecordAudit(context: UmaContext, maps: Maps, dead: number): (walk: Walk) => void {
  const { machine, threads } = context;
  const { words, owners } = maps;
  const { floats } = machine;
  const { maxThreads, maxZones, pageCount } = machine.layout.parameters;
  const state = machine.area('uma');
  const kegsArea = machine.area('kegs');
  const backendsArea = machine.area('backends');
  const zonesArea = machine.area('zones');
  const cachesArea = machine.area('thread caches');
  const read = (index: number): number => words[index] as number;
  const ownerDeaths: readonly number[] = Object.values(OwnerDeath);

  function auditState({ report }: Walk): void {
    for (const name of unsoundFields(words, floats, UmaState, state))
      report('U14', `the registry has an unsound ${name}`);
    if (read(state + UmaState.lock) !== 0) report('U15', 'the lock of the registry is not free');
  }

  function auditKegs({ report }: Walk, zones: number): void {
    const count = read(state + UmaState.kegCount);
    for (let number = 0; number <= maxZones + INTERNAL_KEGS; number++) {
      const record = kegsArea + number * KEG_WORDS;
      if (number === 0 || number > count || read(record + Keg.number) !== number) {
        if (!isZero(words, record, record + KEG_WORDS)) report('U14', `keg ${number} is none, and not all 0`);
        continue;
      }
      for (const name of unsoundFields(words, floats, Keg, record))
        report('U14', `keg ${number} has an unsound ${name}`);
      if (read(record + Keg.lock) !== 0) report('U15', `the lock of keg ${number} is not free`);
      if (number <= INTERNAL_KEGS) auditInternalName({ report }, number, record);
      else if (!hasPrimary(number, record, zones))
        report('U14', `keg ${number} has the name of no zone that made it`);
    }
  }

  /** What its kegs have, slab by slab, is what a backend counts; the memory's own pages count themselves. */
  function auditBackends({ report }: Walk): void {
    const count = read(state + UmaState.backendCount);
    if (count < 1 || count > BACKENDS_MAX) report('U14', `there are ${count} backends`);
    const kegCount = Math.min(read(state + UmaState.kegCount), maxZones + INTERNAL_KEGS);
    for (let number = 0; number <= BACKENDS_MAX; number++) {
      const record = backendsArea + number * BACKEND_WORDS;
      if (number === 0 || number > count) {
        if (!isZero(words, record, record + BACKEND_WORDS))
          report('U14', `backend ${number} is none, and not all 0`);
        continue;
      }
      for (const name of unsoundFields(words, floats, Backend, record))
        report('U14', `backend ${number} has an unsound ${name}`);
      if (read(record + Backend.lock) !== 0) report('U15', `the lock of backend ${number} is not free`);
      if (read(record + Backend.number) !== number) report('U14', `backend ${number} has another number`);
      let pages = 0;
      for (let keg = INTERNAL_KEGS + 1; keg <= kegCount; keg++) {
        const at = kegsArea + keg * KEG_WORDS;
        if (read(at + Keg.backend) === number)
          pages += read(at + Keg.slabCount) * read(at + Keg.pagesPerSlab);
      }
      const counted = read(record + Backend.pagesUsed);
      if (counted !== (number === OWN_PAGES ? 0 : pages))
        report('U17', `backend ${number} counts ${counted} pages, its kegs have ${pages}`);
    }
  }

  function auditInternalName({ report }: Pick<Walk, 'report'>, number: number, record: number): void {
    const name = readText(words, record + Keg.name, NAME_WORDS);
    const right = number === 1 ? 'bucket' : `slab header ${read(record + Keg.size)}`;
    if (name !== right) report('U14', `keg ${number} is named ${name}, not ${right}`);
  }

  function hasPrimary(number: number, record: number, zones: number): boolean {
    const name = readText(words, record + Keg.name, NAME_WORDS);
    for (let each = 1; each <= zones; each++) {
      const zone = zonesArea + each * ZONE_WORDS;
      if (read(zone + Zone.keg) !== number || read(zone + Zone.primary) !== 0) continue;
      return readText(words, zone + Zone.name, NAME_WORDS) === name;
    }
    return false;
  }

  function auditZones(walk: Walk, zones: number): void {
    const names = new Set<string>();
    for (let number = 0; number <= maxZones; number++) {
      const record = zonesArea + number * ZONE_WORDS;
      if (number === 0 || number > zones || read(record + Zone.number) !== number) {
        if (!isZero(words, record, record + ZONE_WORDS))
          walk.report('U14', `zone ${number} is none, and not all 0`);
        continue;
      }
      for (const name of unsoundFields(words, floats, Zone, record))
        walk.report('U14', `zone ${number} has an unsound ${name}`);
      const name = readText(words, record + Zone.name, NAME_WORDS);
      if (names.has(name)) walk.report('U14', `zone ${number} has the name ${name} of another`);
      names.add(name);
      auditZone(walk, number, record, zones);
    }
  }

  function auditZone({ report }: Walk, number: number, record: number, zones: number): void {
    const field = (offset: number): number => read(record + offset);
    const tell = (message: string): void => report('U14', `zone ${number} ${message}`);
    if (field(Zone.lock) !== 0) report('U15', `the lock of zone ${number} is not free`);
    const cached = field(Zone.cachedItems);
    for (const least of [field(Zone.cachedMin), field(Zone.batchMin)]) {
      if (least < 0 || least > cached || field(Zone.cachedMax) < cached)
        tell(`has cached ${cached} items, not ${least} to ${field(Zone.cachedMax)}`);
    }
    const most = pageCount * 256;
    for (const estimate of [Zone.cachedMax, Zone.workingSet, Zone.longMin]) {
      if (field(estimate) < 0 || field(estimate) > most)
        tell('has had more items than the memory has room for');
    }
    if (field(Zone.idlePeriods) >>> 0 > 0xffff) tell('has been idle for longer than is counted');
    if ((field(Zone.flags) & ~ZONE_FLAGS_ALL) !== 0) tell(`has the flags ${field(Zone.flags)}`);
    if (!ownerDeaths.includes(field(Zone.onOwnerDeath)))
      tell(`does ${field(Zone.onOwnerDeath)} with the items of the dead`);
    const allHooks = HookBit.CTOR | HookBit.DTOR | HookBit.INIT | HookBit.FINI;
    if ((field(Zone.hooks) & ~allHooks) !== 0) tell(`has the hooks ${field(Zone.hooks)}`);
    const itemSize = read(kegsArea + field(Zone.keg) * KEG_WORDS + Keg.itemSize);
    const slots = field(Zone.epoch) === 0 ? BUCKET_ITEMS : EPOCH_BUCKET_ITEMS;
    const capacity = Math.max(1, Math.min(slots, Math.floor(BUCKET_BYTES_MAX / itemSize)));
    if (field(Zone.capacityMax) !== capacity)
      tell(`puts ${field(Zone.capacityMax)} items into a bucket, not ${capacity} at most`);
    auditEpoch(field, tell);
    const primary = field(Zone.primary);
    const below = zonesArea + primary * ZONE_WORDS;
    if (primary !== 0 && (primary < 0 || primary > zones || read(below + Zone.keg) !== field(Zone.keg)))
      tell(`is stacked on zone ${primary}`);
    const destroyer = field(Zone.destroyer);
    if (destroyer !== 0 && !threads.isLive(destroyer)) tell(`is being destroyed by thread ${destroyer}`);
    if (field(Zone.waitSleeps) >>> 0 < field(Zone.waitCount) >>> 0) tell('has more waiters than ever came');
  }

  /** What only an epoch zone has. Tags are odd, as all sequences are. */
  function auditEpoch(field: (offset: number) => number, tell: (message: string) => void): void {
    const flags = read(kegsArea + field(Zone.keg) * KEG_WORDS + Keg.flags);
    const isEpoch = (flags & KegFlag.EPOCH) !== 0;
    if (field(Zone.epoch) !== (isEpoch ? 1 : 0)) tell(`says of epochs ${field(Zone.epoch)}, and its keg not`);
    const parked = field(Zone.parkedTag);
    if (parked !== 0 && (!isEpoch || (parked & 1) === 0)) tell(`has parked items with the tag ${parked}`);
    if (!isEpoch && field(Zone.deferredTop) !== 0) tell('has deferred buckets, and is no epoch zone');
  }

  /** As a thread finds its caches: the dead bucket in both places, all else 0. */
  function isFresh(cache: number): boolean {
    const { top, spare } = ThreadCache;
    return (
      read(cache + top) === dead &&
      read(cache + spare) === dead &&
      isZero(words, cache + spare + 1, cache + CACHE_WORDS)
    );
  }

  function auditCaches({ report }: Walk, zones: number): void {
    for (let slot = 0; slot <= maxThreads; slot++) {
      const first = cachesArea + slot * (maxZones + 1) * CACHE_WORDS;
      const place = threads.slotRef(slot);
      if (slot === 0 || read(place + ThreadSlot.state) === 0) {
        if (!isZero(words, first, first + (maxZones + 1) * CACHE_WORDS))
          report('U14', `slot ${slot} was never taken, and its caches are not all 0`);
        continue;
      }
      const isFree = lifeOf(read(place + ThreadSlot.state)) === ThreadState.FREE;
      for (let number = 0; number <= maxZones; number++) {
        const cache = first + number * CACHE_WORDS;
        const where = `the cache of slot ${slot} for zone ${number}`;
        const isZone = read(zonesArea + number * ZONE_WORDS + Zone.number) === number;
        if (isFree || number === 0 || number > zones || !isZone) {
          if (!isFresh(cache)) report('U14', `${where} is not in use, and not empty`);
        } else if (unsoundFields(words, floats, ThreadCache, cache).length > 0) {
          report('U14', `${where} has unsound words`);
        } else if (read(cache + ThreadCache.requestsHigh) >>> 0 > REQUESTS_HIGH_MAX) {
          report('U14', `${where} counts more requests than there can be`);
        }
      }
    }
  }

  /** Every owner is the memory, or a thread that has not left. */
  function auditOwners({ report }: Walk): void {
    const known = new Uint8Array(256);
    known[0] = 1;
    known[OWNER_MEMORY] = 1;
    for (let slot = 1; slot <= maxThreads; slot++)
      if (lifeOf(read(threads.slotRef(slot) + ThreadSlot.state)) !== ThreadState.FREE) known[slot] = 1;
    const first = machine.area('owners');
    for (let word = first; word < first + owners.length / 4; word++) {
      if (words[word] === 0) continue;
      for (let at = (word - first) * 4; at < (word - first + 1) * 4; at++) {
        const owner = owners[at] as number;
        if (known[owner] === 0) report('U16', `granule ${at} is owned by thread ${owner}, which is not here`);
      }
    }
  }

  return (walk) => {
    const zones = Math.max(0, Math.min(read(state + UmaState.zoneCount), maxZones));
    auditState(walk);
    auditKegs(walk, zones);
    auditBackends(walk);
    auditZones(walk, zones);
    auditCaches(walk, zones);
    auditOwners(walk);
  };
}
