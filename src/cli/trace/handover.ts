/**
 * Objects on their way from worker to worker: each worker has a ring, into which the others put the ids of
 * what is now its. To wake a sleeper costs as much as a hundred allocations, so ids are put by the batch, and
 * all that wait when their giver itself has to wait, or has done its part.
 */

import type { Ring } from '../../index.js';

/** Ids that are put with one call. */
const BULK = 256;
/** Ids that may wait for one receiver: a worker that is so far ahead waits. */
const WAITING_MAX = 4096;
/** Longest wait in one call, between two looks at the own ring. */
const WAIT_MS = 10;

export interface Handover {
  /** Gives an object to another worker, now or soon. */
  give(receiver: number, object: number): void;
  /** Waits until the object has been given to this worker. */
  await(object: number): void;
  /** Hands over all that waits. */
  flush(): void;
  /** Waits a little for what others do. */
  idle(): void;
}

/** @param rings of each worker; those that are given nothing have none */
export function createHandover(
  rings: readonly (Ring | undefined)[],
  own: number,
  objectMax: number,
): Handover {
  const ring = rings[own];
  /** Objects that have come, and have not been asked for yet. */
  const here = new Uint8Array(ring === undefined ? 0 : objectMax + 1);
  const batch = new Int32Array(ring === undefined ? 0 : BULK);
  const queues = rings.map((other) => new Int32Array(other === undefined ? 0 : WAITING_MAX));
  const queued = new Int32Array(rings.length);

  function receive(taken: number): void {
    for (let at = 0; at < taken; at++) here[batch[at] as number] = 1;
  }

  /** Takes what is there, and waits for it if there is nothing. */
  function takeSome(timeoutMs: number): void {
    if (ring !== undefined) receive(ring.takeMany(batch, BULK, timeoutMs));
  }

  function flushTo(receiver: number, timeoutMs: number): void {
    const waiting = queued[receiver] as number;
    if (waiting === 0) return;
    const queue = queues[receiver] as Int32Array;
    const other = rings[receiver] as Ring;
    const put = timeoutMs === 0 ? other.tryPutMany(queue, waiting) : other.putMany(queue, waiting, timeoutMs);
    queue.copyWithin(0, put, waiting);
    queued[receiver] = waiting - put;
  }

  /** Waits until no more than so many wait for a receiver; meanwhile others are not kept from giving. */
  function flushUntil(receiver: number, most: number): void {
    while ((queued[receiver] as number) > most) {
      flushTo(receiver, WAIT_MS);
      if (ring !== undefined) receive(ring.tryTakeMany(batch, BULK));
    }
  }

  function flush(): void {
    for (let receiver = 0; receiver < rings.length; receiver++) flushUntil(receiver, 0);
  }

  return {
    give(receiver, object) {
      const waiting = queued[receiver] as number;
      (queues[receiver] as Int32Array)[waiting] = object;
      queued[receiver] = waiting + 1;
      if (waiting + 1 < BULK) return;
      flushTo(receiver, 0);
      if ((queued[receiver] as number) === WAITING_MAX) flushUntil(receiver, WAITING_MAX - BULK);
    },
    await(object) {
      if (here[object] === 0) flush();
      while (here[object] === 0) takeSome(WAIT_MS);
      here[object] = 0;
    },
    flush,
    idle() {
      flush();
      takeSome(WAIT_MS);
    },
  };
}
