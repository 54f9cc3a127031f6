/** What the workers that read and change lists share. */

import type { Memory, MemoryHandle, Zone } from '../index.js';

/** END: not 0 when all shall end. WRONG, READS: what the readers have counted so far. */
export const Board = { END: 0, WRONG: 1, READS: 2 } as const;

export interface Orders {
  readonly handle: MemoryHandle;
  readonly role: 'reader' | 'writer';
  /** A writer has the lists of its parity alone. */
  readonly number: number;
  /** False: an ordinary zone, whose items are reused at once. */
  readonly epoch: boolean;
  /** Words by `Board`. */
  readonly board: Int32Array;
  /** Word index of the first list's link. */
  readonly root: number;
  readonly lists: number;
  /** Nodes of each list. */
  readonly length: number;
}

/** What a worker says at its end. */
export interface Said {
  readonly role: 'reader' | 'writer';
  readonly rounds: number;
  /** Nodes that changed while a reader read them. */
  readonly wrong: number;
}

export function openLists(memory: Memory, epoch: boolean): Zone {
  return memory.zone({ name: 'nodes', size: 64, epoch });
}

/** What a node says beside its serial. */
export function serialOf(item: number, serial: number): number {
  return Math.imul(item ^ serial, 0x9e3779b1) | 1;
}
