/** What the main thread and its workers say to each other, beside the packets. */

import type { Addr, MemoryHandle } from '../../index.js';
import type { GcFigures } from './gc-watch.js';

export interface WorkerInput {
  readonly handle: MemoryHandle;
  readonly ring: string;
  readonly capacity: number;
  readonly seed: number;
}

/** What a worker has counted. */
export interface WorkerCounts {
  readonly packets: number;
  /** On the wire. */
  readonly bytes: number;
  readonly nonIp: number;
  readonly otherIp: number;
  readonly tcp: number;
  readonly udp: number;
  readonly fragments: number;
  readonly conversations: { readonly tcp: number; readonly udp: number };
}

export type WorkerMessage =
  | { readonly kind: 'ready' }
  /** It cannot count any more, but goes on freeing. */
  | { readonly kind: 'failed'; readonly reason: string }
  | {
      readonly kind: 'done';
      readonly counts: WorkerCounts;
      /** List of its conversations: yours to read and to free. */
      readonly first: Addr | 0;
      readonly gc: GcFigures;
    };
