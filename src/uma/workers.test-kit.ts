/** Workers for tests of zones, and what they share besides the memory. */

import { Worker } from 'node:worker_threads';
import type { MemoryHandle } from '../machine/index.js';
import type { Memory } from '../memory-api.js';
import { seed } from './uma.test-kit.js';

/** Words of the board, a small array that all workers of a test share. */
export const Board = {
  GO: 0,
  INSIDE: 1,
  MOST_INSIDE: 2,
  TICKETS: 3,
  DONE: 4,
  LIMIT: 5,
  MAILBOX: 16,
} as const;
/** Mailboxes of each zone. */
export const MAILBOXES = 64;
export const BOARD_WORDS = 1024;

export interface Orders {
  readonly task: string;
  readonly handle: MemoryHandle;
  readonly board: Int32Array;
  /** One word for each granule: 1 while somebody has the item that starts there. */
  readonly shadow: Int32Array;
  readonly number: number;
  readonly rounds: number;
  readonly seed: number;
}

export function makeBoard(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(BOARD_WORDS * 4));
}

export function makeShadow(memory: Memory): Int32Array {
  return new Int32Array(new SharedArrayBuffer(memory.bytes.length / 4));
}

/** A worker at its task; `done` has what it says at the end, or is rejected with its error. */
export interface Hand {
  readonly done: Promise<unknown>;
  end(): Promise<void>;
}

export function startHand(orders: Omit<Orders, 'seed'>): Hand {
  const worker = new Worker(new URL('./uma.test-worker.js', import.meta.url), {
    workerData: { ...orders, seed: seed + orders.number * 7919 } satisfies Orders,
  });
  const done = new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`worker ${orders.number} ended with ${code}`)));
  });
  // Whoever waits for another hand sees this one's error later.
  done.catch(() => undefined);
  return {
    done,
    async end() {
      await worker.terminate();
    },
  };
}

/** Runs `body` with workers, and ends them whatever happens. */
export async function withHands(
  count: number,
  orders: Omit<Orders, 'seed' | 'number'>,
  body: (hands: Hand[]) => Promise<void>,
): Promise<void> {
  const hands = Array.from({ length: count }, (_, number) => startHand({ ...orders, number: number + 1 }));
  try {
    await body(hands);
  } finally {
    await Promise.all(hands.map((hand) => hand.end()));
  }
}
