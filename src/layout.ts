/** What stands in a memory: who plans its areas, and every record in them. */

import {
  type AreaPlanner,
  EpochState,
  planThreads,
  Site,
  SiteTable,
  Superblock,
  ThreadSlot,
  Tunables,
  Waiter,
  WaitQueue,
} from './machine/index.js';
import { MallocState, MallocTypeRecord, planMalloc, TypeCell } from './malloc/index.js';
import { mbufRecords, planMbufs } from './mbuf/index.js';
import { MutexClass, MutexOrder, MutexRecord, MutexRegistry, planMutexes } from './mutex/index.js';
import { Page, Phys, planPages } from './phys/index.js';
import { layoutHash } from './record/index.js';
import { planRings, RingRecord, RingRegistry } from './ring/index.js';
import {
  BackendRecord,
  ForeignKegRecord,
  ForeignRun,
  GuardedItem,
  GuardState,
  ItemSites,
  KegRecord,
  planUma,
  Slab,
  ThreadCache,
  UmaState,
  ZoneRecord,
} from './uma/index.js';

export const planners: readonly AreaPlanner[] = [
  planThreads,
  planPages,
  planUma,
  planRings,
  planMbufs,
  planMutexes,
  planMalloc,
];
const records = [
  Superblock,
  ThreadSlot,
  Tunables,
  SiteTable,
  Site,
  EpochState,
  Waiter,
  WaitQueue,
  Page,
  Phys,
  UmaState,
  BackendRecord,
  KegRecord,
  Slab,
  ZoneRecord,
  ThreadCache,
  ItemSites,
  GuardedItem,
  GuardState,
  ForeignKegRecord,
  ForeignRun,
  RingRecord,
  RingRegistry,
  MutexRecord,
  MutexClass,
  MutexOrder,
  MutexRegistry,
  MallocState,
  MallocTypeRecord,
  TypeCell,
  ...mbufRecords,
];

/** Memories of another build have another one: a thread of this build cannot attach to them. */
export const LAYOUT_HASH: number = layoutHash(records);
