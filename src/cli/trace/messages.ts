/** What the main thread and the workers of a trace say to each other. */

import type { Addr, MemoryHandle } from '../../index.js';
import type { GcFigures } from '../replay/gc-watch.js';

export interface WorkerInput {
  readonly handle: MemoryHandle;
  /** Name of the malloc type that is allocated from. */
  readonly type: string;
  /** Number of this worker. */
  readonly number: number;
  /** See `plan.ts`. */
  readonly steps: Int32Array;
  readonly objectMax: number;
  /** Addresses of the objects, in words, by their ids; behind them the place of each worker in its steps. */
  readonly table: Addr;
  /** Rings of the workers: null for one that is given nothing. */
  readonly rings: readonly (RingName | null)[];
  readonly fills: boolean;
}

export interface RingName {
  readonly name: string;
  readonly capacity: number;
}

/** Do your steps, or end. */
export type ToWorker = 'play' | 'end';

export type FromWorker =
  | { readonly kind: 'ready' }
  /** All steps are done. */
  | { readonly kind: 'played'; readonly gc: GcFigures }
  /** One cannot be done; the step's number, from 0. */
  | { readonly kind: 'failed'; readonly step: number; readonly reason: Failure; readonly message: string };

/** Why not: no memory, the block was not as it must be, or the allocator threw what the message says. */
export type Failure = 'no memory' | 'damage' | 'error';
