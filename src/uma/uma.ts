/**
 * The registry: zones by name. Makes a zone, or attaches to one that another thread made.
 */

import { CHECK_LEVEL_MAX, LockRank, MbumaError } from '../check/index.js';
import { readText } from '../record/index.js';
import { createAccess } from './access.js';
import { createAccounts, type ZoneAccount } from './accounts.js';
import { createAlarms } from './alarms.js';
import { createUmaAudit, type UmaParts } from './audit.js';
import { createBackendApi } from './backend-api.js';
import { createBackends } from './backends.js';
import { closeObject } from './closed-zone.js';
import type { UmaContext } from './context.js';
import { type CountedZoneState, createCountedZoneClass } from './counted-zone.js';
import { createCounters } from './counters.js';
import { createDeferral } from './deferral.js';
import { diagnoseFree } from './diagnose.js';
import { createDrains } from './drains.js';
import { createEpochZoneClass } from './epoch-zone.js';
import { createForeignKegApi } from './foreign-keg.js';
import { createGuard } from './guard.js';
import { type Hooks, NO_MEMORY } from './hooks.js';
import { createImports, type Imports } from './imports.js';
import { createItemChecks } from './item-checks.js';
import { createItems } from './items.js';
import { HeaderKind, type KegState } from './keg-state.js';
import { createKegs } from './kegs.js';
import { createLadder } from './ladder.js';
import { createInUse } from './leaks.js';
import { umaBranches } from './leaves.js';
import { createUmaReaper } from './reaper.js';
import { createReclaimer } from './reclaim.js';
import {
  BUCKET_WORDS,
  CACHE_WORDS,
  GRANULE_SHIFT,
  ThreadCache,
  ZoneFlag,
  Zone as ZoneRecord,
} from './records.js';
import { createRegistry } from './registry.js';
import { createRunWaits } from './run-waits.js';
import { createRunningHooks } from './running-hooks.js';
import { createShortages } from './shortage.js';
import { createSleepers } from './sleepers.js';
import { createTagNames, createTags } from './tags.js';
import type { Uma } from './uma-api.js';
import { createZoneClass, needsSlowPath, type OpenZone } from './zone.js';
import type { Zone } from './zone-api.js';
import { createZoneEnd, type ZoneEnd } from './zone-end.js';
import { type CheckedZoneOptions, readZoneOptions, type ZoneOptions } from './zone-options.js';
import { ALLOC_SITE, createZoneSlow } from './zone-slow.js';
import { Lack, readZone, type ZoneState } from './zone-state.js';
import { zoneStats } from './zone-stats.js';
import { createZoneTuning, type ZoneWithKeg } from './zone-tuning.js';

/** The hooks of a zone that imports: of one item at a time, where no bucket is filled. */
function importHooks(imports: Imports, hooks: Hooks): Hooks {
  return {
    ...hooks,
    init: (item, how) => (imports.takeOne(item, how) === 0 ? NO_MEMORY : 0),
    fini: (item) => imports.giveOne(item),
  };
}

function isCounted(state: ZoneState): state is CountedZoneState {
  return state.kegState.header === HeaderKind.COUNTED;
}

export function createUma(context: UmaContext, initialise: boolean): Uma {
  const { machine, threads, locks, waiting } = context;
  const { words } = machine;
  const { pageCount, maxZones } = machine.layout.parameters;
  const dead = machine.area('dead bucket');
  const owners = machine.bytesAt(machine.area('owners'), pageCount * 256);
  const pageKegs = machine.halvesAt(machine.area('page kegs'), pageCount);
  const backends = createBackends(context, initialise);
  const kegs = createKegs(context, backends, initialise);
  const tagNames = createTagNames();
  const items = createItems(context, kegs, { words, owners, pageKegs }, tagNames.nameOf);
  const maps = { words, owners, pageKegs, items };
  const registry = createRegistry(context, kegs, (number) => cacheOf(number));
  registry.onRepair(backends.clearUnmade);
  const { recordOf } = registry;
  const backendApi = createBackendApi(context, backends);
  const alarms = createAlarms(context);
  const accounts = createAccounts(context);
  const checks = createItemChecks(context, kegs, items);
  const deferral = createDeferral(context, kegs, accounts, owners, pageKegs, dead);
  const drains = createDrains(context, kegs, accounts, deferral, dead);
  const ladder = createLadder(context, kegs, accounts, drains, owners, deferral, dead, checks.duplicate);
  const guard = createGuard(context, kegs, accounts, maps, (number) => reaper.stateOf(number));
  const reclaimer = createReclaimer(context, kegs, backends, drains, guard, owners);
  const shortages = createShortages(context, reclaimer, alarms);
  const runWaits = createRunWaits(context, shortages);
  const sleepers = createSleepers(context, kegs, accounts, ladder, deferral, drains, reclaimer, shortages);
  const slow = createZoneSlow(
    context,
    kegs,
    ladder,
    deferral,
    reclaimer,
    shortages,
    alarms,
    maps,
    checks,
    guard,
  );
  const tuning = createZoneTuning(context, kegs, drains, sleepers);
  const end = (): ZoneEnd => zoneEnd;
  const zoneParts = { context, kegs, ladder, drains, sleepers, maps, reclaimer, slow, tuning, end };
  const makeZone = createZoneClass(zoneParts);
  const counters = createCounters(context, kegs, maps);
  const deadCache = accounts.cacheOf(threads.slot, 0);
  const makeCountedZone = createCountedZoneClass(zoneParts, counters, makeZone, deadCache);
  const makeEpochZone = createEpochZoneClass(zoneParts, makeZone, deadCache);
  const allocSite = machine.failpoints.site(ALLOC_SITE);
  const running = createRunningHooks(machine);
  const opened = new Map<string, { zone: OpenZone; state: ZoneState }>();
  /** This thread has detached: its slot, and the caches with it, may be another's. */
  let left = false;

  const frontListeners: (() => void)[] = [];

  const cacheOf = (number: number): number => accounts.cacheOf(threads.slot, number);

  /** Every cache of a slot starts with the dead bucket; number 0 keeps it for good. */
  function resetCaches(slot: number): void {
    const first = accounts.cacheOf(slot, 0);
    const end = accounts.cacheOf(slot, maxZones + 1);
    for (let cache = first; cache < end; cache += CACHE_WORDS) {
      words[cache + ThreadCache.freeLimit] = 0;
      words.fill(0, cache + ThreadCache.requests, cache + CACHE_WORDS);
      words[cache + ThreadCache.top] = dead;
      words[cache + ThreadCache.spare] = dead;
      // The last: whoever destroys the zone looks whether it is open here.
      machine.atomics.store(cache + ThreadCache.open, 0);
    }
  }

  /** The cache that the fast path of a zone looks at: a dead one when there is work to do on each item. */
  function chooseCache(zone: ZoneState): void {
    const isCached = (zone.flags & ZoneFlag.NO_BUCKET) === 0;
    const slow = left || needsSlowPath(zone, machine.checkLevel) || allocSite.concerns(zone.name);
    zone.cache = cacheOf(slow || !isCached ? 0 : zone.number);
    zone.inBatches = !slow && !isCached;
  }

  function showCaches(): void {
    for (const { zone, state } of opened.values()) {
      chooseCache(state);
      zone.cache = state.cache;
    }
    for (const changed of frontListeners) changed();
  }

  allocSite.onChange(showCaches);

  function openedState(zone: Zone | undefined): ZoneState | null {
    if (zone === undefined) return null;
    const found = opened.get((zone as { name?: string }).name ?? '');
    if (found === undefined || found.zone !== zone) {
      throw new MbumaError('BAD_ARGUMENT', 'primary must be a zone of this memory');
    }
    return found.state;
  }

  function makeOf(state: ZoneState): OpenZone {
    if (state.epoch) return makeEpochZone(state);
    return isCounted(state) ? makeCountedZone(state) : makeZone(state);
  }

  function openZone(number: number, given: ZoneOptions, options: CheckedZoneOptions): Zone {
    const { primary } = options;
    const kegState: KegState = kegs.byNumber(words[recordOf(number) + ZoneRecord.keg] as number);
    kegs.open.add(kegState.number);
    const recorded = readZone(words, machine.area('zones'), number, kegState);
    const watched = running.watchAll(options.name, options.hooks);
    const imports = options.imports && createImports(words, recorded, running, options.imports);
    const hooks = imports === null ? watched : importHooks(imports, watched);
    // Hooks of a primary zone work on slabs: they are the keg's.
    const ofKeg = primary === null && imports === null;
    if (ofKeg) kegState.init = hooks.init;
    if (primary === null) kegState.fini = hooks.fini;
    const zoneState: ZoneState = {
      ...recorded,
      cache: 0,
      inBatches: false,
      realCache: cacheOf(number),
      hooks: ofKeg ? { ...hooks, init: null, fini: null } : hooks,
      imports,
      // A cell says by itself whether it holds something.
      finiIsSafe: given.finiIsSafe === true || imports !== null,
      onExhausted: given.onExhausted ?? null,
      warning: given.warning ?? null,
      maxAction: given.maxAction ?? null,
      actionIsDue: false,
      lack: Lack.NONE,
    };
    chooseCache(zoneState);
    const made = makeOf(zoneState);
    opened.set(options.name, { zone: made, state: zoneState });
    byNumber.set(number, zoneState);
    reclaimer.register(zoneState);
    return made;
  }

  function zone(given: ZoneOptions): Zone {
    const facts = { maxThreads: threads.maxThreads, checkLevel: machine.checkLevel };
    const options = readZoneOptions(given, openedState, backendApi.numberOf, facts);
    const known = opened.get(options.name);
    if (known !== undefined) {
      registry.checkAgreement(known.state.number, given, { ...options, hooks: allHooks(known.state) });
      return known.zone;
    }
    const { number, made } = registry.open(given, options);
    const zone = openZone(number, given, options);
    // Only now: slabs are made by the hooks that this thread knows since it has opened the zone.
    if (made && options.marks.lowWater !== 0) kegs.setMarks(kegs.byNumber(zone.keg), {});
    return zone;
  }

  function allHooks(zoneState: ZoneState): Hooks {
    if (zoneState.primaryRecord !== 0 || zoneState.imports !== null) return zoneState.hooks;
    return { ...zoneState.hooks, init: zoneState.kegState.init, fini: zoneState.kegState.fini };
  }

  /** Under the registry lock: nobody can destroy the zone meanwhile. Nothing when somebody has. */
  function changeUnopened(zone: ZoneAccount, change: () => void): void {
    registry.locked(() => {
      if (words[zone.record + ZoneRecord.number] === zone.number) change();
    });
  }

  function setLimit(zone: ZoneWithKeg & ZoneAccount, limit: number): void {
    tuning.refuseLimit(zone, limit);
    const known = byNumber.get(zone.number);
    if (known === undefined) changeUnopened(zone, () => sleepers.setLimitUnopened(zone, limit));
    else sleepers.setLimit(known, limit);
  }

  function setMaxCached(zone: ZoneWithKeg & ZoneAccount, most: number): void {
    const known = byNumber.get(zone.number);
    if (known === undefined) changeUnopened(zone, () => tuning.writeMaxCached(zone, most));
    else tuning.setMaxCached(known, most);
  }

  function forget({ name, number, kegState, primaryRecord }: ZoneState): void {
    const known = opened.get(name) as { zone: OpenZone & { plain?: object }; state: ZoneState };
    opened.delete(name);
    byNumber.delete(number);
    reclaimer.unregister(known.state);
    if (primaryRecord === 0) {
      kegState.init = kegState.fini = null;
      kegs.open.delete(kegState.number);
    }
    for (const each of [known.zone.plain, known.zone]) if (each !== undefined) closeObject(each);
  }

  locks.onTakeOver(recordOf(1), recordOf(maxZones + 1), LockRank.ZONE, (record) => {
    accounts.repair(record);
    deferral.repair(record);
  });
  machine.witness.describe(
    LockRank.ZONE,
    (at) => `lock of zone ${readText(words, at + ZoneRecord.name, 12)}`,
  );
  const byNumber = new Map<number, ZoneState>();
  const reaper = createUmaReaper({
    context,
    kegs,
    registry,
    accounts,
    ladder,
    drains,
    guard,
    items,
    deferral,
    owners,
    pageKegs,
    counters,
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
  context.pages.lowMemory.onFailure(alarms.warn);
  const foreign = createForeignKegApi(context, kegs, registry, reaper);
  const inUse = createInUse(context, kegs, maps, items);
  const zoneEnd = createZoneEnd({
    ...zoneParts,
    registry,
    deferral,
    guard,
    leaks: inUse.leaks,
    forget,
    running,
    cacheOf: accounts.cacheOf,
  });
  const parts: UmaParts = { context, kegs, maps, guard, dead };
  return {
    zone: zone as Uma['zone'],
    backend: backendApi.open,
    alarms,
    findZone: (name) => opened.get(name)?.zone,
    frontOf: (zone) => (zone as OpenZone).cache,
    deadFront: deadCache,
    requireItem(zone, item) {
      const error = diagnoseFree(maps, kegs, kegs.byNumber(zone.keg), zone.name, item, false);
      if (error !== null) throw error;
    },
    requireWhole({ name }, item) {
      const { state } = opened.get(name) as { state: ZoneState };
      if (!checks.concerns(state)) return;
      const look = items.guardedAt(item) === 0 ? checks.aroundFreed : guard.aroundFreed;
      const error = look(state, item);
      if (error !== null) throw error;
    },
    onFronts(changed) {
      frontListeners.push(changed);
    },
    hasOpen: (object) => [...opened.values()].some(({ zone }) => zone === object),
    zones: () => [...opened.values()].map((each) => each.zone),
    findRecord(name) {
      const number = registry.findByName(name);
      return number === 0 ? 0 : recordOf(number);
    },
    branches: () =>
      umaBranches({ context, kegs, backends, registry, setLimit, setMaxCached, setMark: tuning.setMark }),
    zoneNames: registry.zoneNames,
    stats: () =>
      registry.locked(() =>
        registry.numbers().map((number) => {
          const record = recordOf(number);
          const name = readText(words, record + ZoneRecord.name, 12);
          const kegState = kegs.byNumber(words[record + ZoneRecord.keg] as number);
          return zoneStats(context, { name, record, number, kegState });
        }),
      ),
    counterOf: counters.counterOf,
    tags: createTags(maps, items, tagNames),
    kegAt: (address) => items.find(address)?.keg ?? 0,
    describe: (address) => items.describe(address, items.find(address)),
    access: createAccess(items, pageKegs, words.length * 4),
    leaks: inUse.leaks,
    eachInUse: inUse.each,
    onZoneEnd: zoneEnd.onEnd,
    refuseInHook: running.refuse,
    foreignKeg: foreign.open,
    isGuardChosen: guard.isChosen,
    guardStats: guard.stats,
    carry(keg, item, slot) {
      reaper.eachWith(keg, item, (each) => {
        owners[each >>> GRANULE_SHIFT] = slot;
        counters.adopt(keg, each);
      });
    },
    owners,
    pageKegs,
    reclaimer: {
      ...reclaimer,
      leave() {
        sleepers.leave();
        runWaits.leave();
        reclaimer.leave();
        for (const { state } of opened.values()) machine.atomics.store(state.realCache + ThreadCache.open, 0);
        left = true;
        showCaches();
      },
    },
    reaper,
    runWaits,
    putAwayFreed() {
      for (const each of opened.values()) deferral.putAway(each.state);
    },
    audit: createUmaAudit(parts),
  };
}
