/** mbuma: one shared memory for JavaScript threads, managed the way a BSD kernel manages its own. */

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
export type { MemoryHandle } from './machine/index.js';
export * from './mbuf/index.js';
export {
  type AuditReport,
  attachMemory,
  createMemory,
  type Memory,
  type MemoryOptions,
  type MemoryStats,
  type Violation,
} from './memory.js';
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
export {
  type AsyncOptions,
  CANFAIL,
  type Hook,
  How,
  NO_MEMORY,
  USE_INTERRUPT_RESERVE,
  USE_RESERVE,
  ZERO,
  type Zone,
  type ZoneOptions,
  type ZoneStats,
} from './uma/index.js';
