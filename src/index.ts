/** mbuma: one shared memory for JavaScript threads, managed the way a BSD kernel manages its own. */

export { type CheckLevel, type ErrorCode, ERROR_CODES, type Failpoints, type FailMode, MbumaError } from './check/index.js';
export type { MemoryHandle } from './machine/index.js';
export { type AuditReport, attachMemory, createMemory, type Memory, type MemoryOptions, type MemoryStats, type Violation } from './memory.js';
export { addr, array, type Addr, f64, type Field, i32, printRecord, ref, type Ref, type Struct, struct, text, u32 } from './record/index.js';
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
