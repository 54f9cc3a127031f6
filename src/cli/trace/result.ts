/** What the replay of traces is asked for, and what it gives. */

import type { SysctlLeaf } from '../../index.js';
import type { TypeFigures, ZoneFigures } from '../../stat/index.js';
import type { GcFigures } from '../replay/gc-watch.js';
import type { AuditFigures } from '../replay/result.js';
import type { Assignment } from '../sysctl/assignments.js';

export interface TraceOptions {
  readonly files: readonly string[];
  /** Absent: as many as the trace has threads, and processors are there. */
  readonly workers?: number;
  /** Passes over each file. */
  readonly repeat: number;
  readonly memoryBytes: number;
  /** Whether blocks are filled, and looked at before they are freed. */
  readonly fills: boolean;
  /** Tunables of the memory, set before anything is replayed. */
  readonly settings?: readonly Assignment[];
  /** Names of the tree to be told at the end. */
  readonly sysctl?: readonly string[];
}

/** How a program did on the job: the same figures for ours and for those it is compared with. */
export interface SpeedFigures {
  readonly ops: number;
  readonly seconds: number;
  readonly opsPerSecond: number;
  readonly gc: GcFigures;
  /** Bytes. */
  readonly peakRss: number;
}

/** Used bytes that nobody asked for. */
export interface Waste {
  /** Behind what was asked for, in the blocks in use. */
  readonly internal: number;
  /** In slabs: free items that no cache has, headers, what is left over. */
  readonly slab: number;
  /** In caches: free items, and the buckets that hold them. */
  readonly cached: number;
}

/** What the memory held at the moment when most of it was used; bytes. `live` and the waste sum to `peakUsed`. */
export interface SpaceFigures {
  readonly peakLive: number;
  readonly peakUsed: number;
  /** Asked for, at that moment. */
  readonly live: number;
  readonly waste: Waste;
  /** Part of the blocks' bytes that nobody asked for: of those in use at that moment, and of all there ever were. */
  readonly internalShare: { readonly atPeak: number; readonly overall: number };
}

export interface TraceResult extends SpeedFigures, SpaceFigures {
  readonly files: number;
  readonly workers: number;
  /** Of the traces: the most that one has. */
  readonly threads: number;
  /** When the last record had been replayed; what is live then is still in use. */
  readonly zones: readonly ZoneFigures[];
  readonly types: readonly TypeFigures[];
  readonly sysctl?: readonly SysctlLeaf[];
  readonly audit: AuditFigures;
}
