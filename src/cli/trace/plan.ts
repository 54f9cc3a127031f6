/**
 * A trace, cut into what each worker has to do: one step for each record, in the order of the trace.
 *
 *   step   [ operation and marks | object | bytes asked for | bytes before ]
 *
 * An object that goes on at another worker is given to it after the step, and awaited there before the next
 * step that needs it. Nothing else orders the workers among each other.
 */

import type { Trace } from './trace-file.js';

/** Words of a step. */
export const STEP_WORDS = 4;
export const STEP_OBJECT = 1;
export const STEP_SIZE = 2;
export const STEP_BEFORE = 3;

export const OPERATION_MASK = 7;
/** The object comes from another worker. */
export const AWAITS = 8;
/** The object goes to the worker whose number stands above. */
export const GIVES = 16;
export const RECEIVER_SHIFT = 8;

export interface Plan {
  /** Steps of each worker. */
  readonly steps: readonly Int32Array[];
  /** How often each worker is given an object. */
  readonly received: readonly number[];
}

/** Thread t of the trace is worker t modulo the number of workers. */
export function workerOf(trace: Trace, record: number, workers: number): number {
  return (trace.threads[record] as number) % workers;
}

export function makePlan(trace: Trace, workers: number): Plan {
  const { records, operations, objects, sizes, befores, objectMax } = trace;
  const counts = new Array<number>(workers).fill(0);
  for (let record = 0; record < records; record++) {
    const worker = workerOf(trace, record, workers);
    counts[worker] = (counts[worker] as number) + 1;
  }
  const steps = counts.map((count) => new Int32Array(count * STEP_WORDS));
  const received = new Array<number>(workers).fill(0);
  const filled = new Array<number>(workers).fill(0);
  /** Worker that had the object last, plus 1, and the place of its step. */
  const holders = new Uint8Array(objectMax + 1);
  const places = new Uint32Array(objectMax + 1);
  for (let record = 0; record < records; record++) {
    const worker = workerOf(trace, record, workers);
    const object = objects[record] as number;
    const holder = (holders[object] as number) - 1;
    const own = steps[worker] as Int32Array;
    const at = filled[worker] as number;
    filled[worker] = at + STEP_WORDS;
    own[at] = operations[record] as number;
    own[at + STEP_OBJECT] = object;
    own[at + STEP_SIZE] = sizes[record] as number;
    own[at + STEP_BEFORE] = befores[record] as number;
    if (holder >= 0 && holder !== worker) {
      const place = places[object] as number;
      const giver = steps[holder] as Int32Array;
      giver[place] = (giver[place] as number) | GIVES | (worker << RECEIVER_SHIFT);
      own[at] = (own[at] as number) | AWAITS;
      received[worker] = (received[worker] as number) + 1;
    }
    holders[object] = worker + 1;
    places[object] = at;
  }
  return { steps, received };
}

/** Number of the record, from 1, that is such a step of a worker. */
export function recordOf(trace: Trace, workers: number, worker: number, step: number): number {
  let left = step;
  for (let record = 0; record < trace.records; record++) {
    if (workerOf(trace, record, workers) === worker && left-- === 0) return record + 1;
  }
  throw new RangeError(`worker ${worker} has no step ${step}`);
}
