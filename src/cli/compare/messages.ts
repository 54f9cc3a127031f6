/** What the main thread and its workers post to each other. */

import type { ConversationRow } from '../conversation/read.js';
import type { GcFigures } from '../replay/gc-watch.js';
import type { WorkerCounts } from '../replay/messages.js';

/** A packet on its way to a worker. */
export interface Packet {
  /** Posted as a Buffer, it arrives as a Uint8Array. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Bytes that it had on the wire. */
  readonly original: number;
  /** `LINK_...` */
  readonly link: number;
}

export type ToWorker =
  | { readonly kind: 'batch'; readonly packets: readonly Packet[]; readonly pass: number }
  /** There are no more batches. */
  | { readonly kind: 'finish'; readonly top: number };

export type FromWorker =
  | { readonly kind: 'ready' }
  /** A batch has been counted: another may be posted. */
  | { readonly kind: 'done' }
  | { readonly kind: 'counted'; readonly counts: WorkerCounts }
  /** Follows `counted`. */
  | { readonly kind: 'report'; readonly top: readonly ConversationRow[]; readonly gc: GcFigures };
