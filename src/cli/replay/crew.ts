/** The workers of a replay and their rings, from start to end. */

import { Worker } from 'node:worker_threads';
import type { Memory, Ring } from '../../index.js';
import { memoryTooSmall } from '../memory-size.js';
import type { WorkerInput, WorkerMessage } from './messages.js';
import type { ReplayOptions } from './result.js';

export type WorkerReport = Extract<WorkerMessage, { kind: 'done' }>;

export interface Crew {
  readonly rings: readonly Ring[];
  /** When all are at work. */
  readonly ready: Promise<void>;
  /** Why the replay cannot go on, once a worker has said so or died. */
  readonly failure: Error | undefined;
  /** Lets the workers finish what is in the rings. Their reports; rejects when one has failed. */
  finish(): Promise<readonly WorkerReport[]>;
  /** Frees what dead workers left in their rings, and waits until all threads have ended. */
  dismiss(): Promise<void>;
}

interface Member {
  readonly ring: Ring;
  readonly worker: Worker;
  readonly ready: Promise<void>;
  readonly done: Promise<WorkerReport>;
  readonly exited: Promise<void>;
}

export function hireCrew(
  memory: Memory,
  { workers, memoryBytes }: ReplayOptions,
  ringCapacity: number,
  seed: number,
): Crew {
  let failure: Error | undefined;

  function hire(ring: Ring, number: number): Member {
    const input: WorkerInput = { handle: memory.handle, ring: ring.name, capacity: ringCapacity, seed };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: input });
    const ready = promise<void>();
    const done = promise<WorkerReport>();
    const exited = promise<void>();
    let isDone = false;
    const fail = (error: Error): void => {
      failure ??= error;
      ready.reject(error);
      done.reject(error);
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') ready.resolve();
      else if (message.kind === 'failed') failure ??= memoryTooSmall(memoryBytes, message.reason);
      else {
        isDone = true;
        done.resolve(message);
      }
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.code === 'OUT_OF_MEMORY' ? memoryTooSmall(memoryBytes, error.message) : error);
    });
    worker.on('exit', () => {
      if (!isDone) fail(new Error(`worker ${number} ended before its work was done`));
      exited.resolve();
    });
    return { ring, worker, ready: ready.promise, done: done.promise, exited: exited.promise };
  }

  // All rings first: if the memory is too small for them, no worker has begun.
  const rings = Array.from({ length: workers }, (_, number) =>
    memory.ring({ name: `packets ${number}`, capacity: ringCapacity }),
  );
  const members = rings.map(hire);

  async function finish(): Promise<readonly WorkerReport[]> {
    for (const { ring } of members) ring.close();
    const reports = await Promise.all(members.map(({ done }) => done));
    await Promise.all(members.map(({ exited }) => exited));
    return reports;
  }

  function freeWaiting(ring: Ring): void {
    const batch = new Int32Array(256);
    for (let taken = ring.tryTakeMany(batch, 256); taken > 0; taken = ring.tryTakeMany(batch, 256)) {
      memory.mbufs.freeMany(batch, taken);
    }
  }

  async function dismiss(): Promise<void> {
    for (const { ring } of members) if (!ring.closed) ring.close();
    await Promise.allSettled(members.map(({ done }) => done));
    await Promise.all(members.map(({ exited }) => exited));
    for (const { ring } of members) freeWaiting(ring);
  }

  return {
    rings,
    ready: Promise.all(members.map(({ ready }) => ready)).then(() => undefined),
    get failure() {
      return failure;
    },
    finish,
    dismiss,
  };
}

interface Settled<Value> {
  readonly promise: Promise<Value>;
  resolve(value: Value): void;
  reject(error: Error): void;
}

/** A promise with its ends outside. A rejection that nobody looks at is no error. */
function promise<Value>(): Settled<Value> {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const made = new Promise<Value>((resolveIt, rejectIt) => {
    resolve = resolveIt;
    reject = rejectIt;
  });
  made.catch(() => {});
  return { promise: made, resolve, reject };
}
