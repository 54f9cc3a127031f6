export type { WarningListener } from './alarms.js';
export type { BackendOptions } from './backend-api.js';
export type { BackendStats } from './backends.js';
export { INTERNAL_KEGS, planUma, type UmaContext } from './context.js';
export type { ForeignKeg, ForeignKegStats } from './foreign-keg.js';
export type { ForeignKegOptions } from './foreign-options.js';
export { ForeignKegRecord, ForeignRun } from './foreign-records.js';
export { chooseGeometry, type Geometry, type Shape } from './geometry.js';
export type { GuardStats } from './guard.js';
export { type Hook, type HookAnswer, HookErrors, How, NO_MEMORY } from './hooks.js';
export type { Import, Release } from './imports.js';
export { redzoneMessage } from './item-checks.js';
export { type Keg, type KegOptions, makeKeg, zoneOfKeg } from './keg-api.js';
export type { Leak } from './leaks.js';
export type { OwnedItems } from './reaper-owned.js';
export type { Reclaimed, ReclaimLevel } from './reclaim.js';
export {
  Backend as BackendRecord,
  BUCKET_MASK,
  COUNTER_STRIDE,
  GRANULE,
  GRANULE_SHIFT,
  GUARDED_PAGE,
  GuardedItem,
  GuardState,
  ItemSites,
  Keg as KegRecord,
  OWNER_MEMORY,
  OwnerDeath,
  Slab,
  ThreadCache,
  UmaState,
  Zone as ZoneRecord,
} from './records.js';
export { inClassOf } from './request-class.js';
export type { RunWait } from './run-waits.js';
export type { AsyncOptions } from './sleepers.js';
export { createUma } from './uma.js';
export type { Uma } from './uma-api.js';
export {
  ALL_FLAGS,
  type Backend,
  CANFAIL,
  type CountedZone,
  USE_INTERRUPT_RESERVE,
  USE_RESERVE,
  ZERO,
  type Zone,
} from './zone-api.js';
export type { FlagName, FlagOptions } from './zone-flags.js';
export { type CountedZoneOptions, readOwnerDeath, type ZoneOptions } from './zone-options.js';
export type { ZoneStats } from './zone-stats.js';
