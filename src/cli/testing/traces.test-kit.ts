/** Makes allocation traces. */

import { OP_CALLOC, OP_FREE, OP_MALLOC, OP_MEMALIGN, OP_REALLOC, RECORD_BYTES } from '../trace/trace-file.js';

export interface TraceRecord {
  readonly object: number;
  readonly operation: number;
  /** Default 0. */
  readonly size?: number;
  /** Default 0. */
  readonly thread?: number;
}

export function traceBytes(records: readonly TraceRecord[]): Uint8Array {
  const bytes = new Uint8Array(records.length * RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { object, operation, size = 0, thread = 0 }] of records.entries()) {
    const at = index * RECORD_BYTES;
    view.setUint32(at, object, true);
    view.setUint32(at + 4, size, true);
    view.setUint8(at + 8, operation);
    view.setUint8(at + 9, thread);
    view.setUint16(at + 10, index & 0xffff, true);
  }
  return bytes;
}

export const malloc = (object: number, size: number, thread = 0): TraceRecord => ({
  object,
  operation: OP_MALLOC,
  size,
  thread,
});
export const free = (object: number, thread = 0): TraceRecord => ({ object, operation: OP_FREE, thread });
export const calloc = (object: number, size: number, thread = 0): TraceRecord => ({
  object,
  operation: OP_CALLOC,
  size,
  thread,
});
export const realloc = (object: number, size: number, thread = 0): TraceRecord => ({
  object,
  operation: OP_REALLOC,
  size,
  thread,
});
export const memalign = (object: number, size: number, thread = 0): TraceRecord => ({
  object,
  operation: OP_MEMALIGN,
  size,
  thread,
});

const makers = [malloc, malloc, malloc, calloc, memalign];

/** Numbers that look like chance, the same each time: 0 to below `below`. */
function createChance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Threads that allocate, grow and shrink, and free what often was another's. Some objects stay live. */
export function busyTrace(count: number, threads: number, seed: number): TraceRecord[] {
  const chance = createChance(seed);
  const records: TraceRecord[] = Array.from({ length: threads }, (_, thread) =>
    malloc(thread + 1, 100, thread),
  );
  const live = records.map(({ object }) => object);
  let next = threads + 1;
  while (records.length < count) {
    const thread = chance(threads);
    const size = chance(60) === 0 ? chance(80_000) : chance(600);
    const dice = chance(10);
    if (live.length === 0 || dice < 5) {
      const make = makers[dice % makers.length] as typeof malloc;
      records.push(make(next, size, thread));
      live.push(next++);
      continue;
    }
    const index = chance(live.length);
    const object = live[index] as number;
    if (dice === 5) records.push(realloc(object, size, thread));
    else {
      live[index] = live.at(-1) as number;
      live.pop();
      records.push(free(object, thread));
    }
  }
  return records;
}
