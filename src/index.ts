/** mbuma: one shared memory for JavaScript threads, managed the way a BSD kernel manages its own. */

export type { Adoption, AttachOptions } from './adoption.js';
export {
  type CheckLevel,
  ERROR_CODES,
  type ErrorCode,
  type FailFilter,
  type FailMode,
  type Failpoints,
  type FailSite,
  type FailSiteStats,
  MbumaError,
} from './check/index.js';
export type { MemoryHandle, ReadSection, ThreadName, WasmMemory } from './machine/index.js';
export type { MallocType, MallocTypeOptions, MallocTypeStats } from './malloc/index.js';
export {
  BufferKind,
  CLUSTER_SIZE,
  type ExternalBuffer,
  type FreeFunction,
  HEADER_SIZE,
  JUMBO_9K_SIZE,
  JUMBO_16K_SIZE,
  JUMBO_PAGE_SIZE,
  KIND_MASK,
  KIND_SHIFT,
  MBUF_DATA_SIZE,
  MBUF_SIZE,
  Mbuf,
  MbufFlag,
  type MbufStats,
  type Mbufs,
  MbufType,
  type MbufZones,
  PACKET_DATA_SIZE,
  PACKET_HEADER_SIZE,
  type Segment,
  TYPE_SHIFT,
  type WaitOptions,
} from './mbuf/index.js';
export { attachMemory, createMemory } from './memory.js';
export type { AuditReport, EpochStats, Memory, MemoryStats, Violation } from './memory-api.js';
export type { MemoryOptions, WasmReservation } from './memory-options.js';
export type { LockAsyncOptions, Mutex, MutexOptions, UnlockToken } from './mutex/index.js';
export type { PagesStats, ReclaimHandler, ReclaimHandlerStats, Thresholds } from './phys/index.js';
export type { Reaped, ReapListener } from './reaping.js';
export {
  type Addr,
  addr,
  array,
  type Field,
  f64,
  i32,
  printRecord,
  type Ref,
  ref,
  type Struct,
  struct,
  text,
  u32,
} from './record/index.js';
export type { Ring, RingOptions, RingWaitOptions } from './ring/index.js';
export type { SysctlLeaf, SysctlUnit, SysctlValue } from './sysctl/index.js';
export type { Sysctl, SysctlNames, SysctlValueOf } from './sysctl-api.js';
export {
  type AsyncOptions,
  type Backend,
  type BackendOptions,
  type BackendStats,
  CANFAIL,
  type CountedZone,
  type CountedZoneOptions,
  type FlagName,
  type FlagOptions,
  type ForeignKeg,
  type ForeignKegOptions,
  type ForeignKegStats,
  type GuardStats,
  type Hook,
  How,
  type Import,
  type Keg,
  type KegOptions,
  type Leak,
  NO_MEMORY,
  type OwnedItems,
  type Reclaimed,
  type ReclaimLevel,
  type Release,
  USE_INTERRUPT_RESERVE,
  USE_RESERVE,
  type WarningListener,
  ZERO,
  type Zone,
  type ZoneOptions,
  type ZoneStats,
} from './uma/index.js';
