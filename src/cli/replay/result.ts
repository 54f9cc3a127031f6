/** What a replay is asked for, and what it gives. */

import type { SysctlLeaf } from '../../index.js';
import type { ZoneFigures } from '../../stat/index.js';
import type { ConversationRow } from '../conversation/read.js';
import type { Assignment } from '../sysctl/assignments.js';
import type { GcFigures } from './gc-watch.js';
import type { WorkerCounts } from './messages.js';

export interface ReplayOptions {
  readonly files: readonly string[];
  readonly workers: number;
  /** Passes over the files. */
  readonly repeat: number;
  readonly memoryBytes: number;
  /** Conversations to name. */
  readonly top: number;
  /** Tunables of the memory, set before anything is read. */
  readonly settings?: readonly Assignment[];
  /** Names of the tree to be told at the end. */
  readonly sysctl?: readonly string[];
}

/** How a program did on the job: the same figures for ours and for the one it is compared with. */
export interface JobFigures extends WorkerCounts {
  readonly files: number;
  readonly seconds: number;
  readonly packetsPerSecond: number;
  readonly gc: GcFigures;
  /** Bytes. */
  readonly peakRss: number;
  readonly workers: number;
}

export interface ReplayResult extends JobFigures {
  readonly top: readonly ConversationRow[];
  readonly zones: readonly ZoneFigures[];
  /** What was asked for, with everything but the conversations given back. */
  readonly sysctl?: readonly SysctlLeaf[];
  readonly audit: AuditFigures;
}

export interface AuditFigures {
  readonly clean: boolean;
  readonly violations: readonly { readonly rule: string; readonly message: string }[];
}

/** How far a replay is. */
export interface Progress {
  /** Bytes or records. */
  readonly done: number;
  /** How many there are to be done in all passes; 0 when that is not known. */
  readonly total: number;
  /** What is told as a number. */
  readonly count: number;
  readonly noun: 'packets' | 'operations';
}

export interface ReplayHooks {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}
