/** Allocation traces: a file is read whole, and each record judged, before anything of it is replayed. */

import { readFileSync, statSync } from 'node:fs';
import { fileReason, InputError } from '../errors.js';

/** What a record asks for: its byte in the file. */
export const OP_MALLOC = 1;
export const OP_FREE = 2;
export const OP_CALLOC = 3;
export const OP_REALLOC = 4;
/** As malloc, but aligned; to what, the trace does not say. */
export const OP_MEMALIGN = 5;

/** id, size, operation, thread, time. */
export const RECORD_BYTES = 12;
const SIZE_OFFSET = 4;
const OPERATION_OFFSET = 8;
const THREAD_OFFSET = 9;

const FILE_BYTES_MAX = 2 ** 30;
/** Ids are numbers of a table, and no larger than need be. */
export const OBJECT_MAX: number = 2 ** 26 - 1;

/** A trace that can be replayed. Of each record, by its number from 0: */
export interface Trace {
  readonly file: string;
  readonly records: number;
  readonly operations: Uint8Array;
  readonly threads: Uint8Array;
  /** Id of the object, from 1 to `objectMax`. */
  readonly objects: Uint32Array;
  /** Bytes asked for; 0 of a free. */
  readonly sizes: Uint32Array;
  /** Bytes that the object had before. */
  readonly befores: Uint32Array;
  readonly objectMax: number;
  readonly threadCount: number;
  /** Most bytes, as asked for, that were live at one time, in the order of the trace. */
  readonly peakLive: number;
}

/** What is wrong with a trace, and with which record, counted from 1. */
export class TraceError extends InputError {
  readonly record: number;

  constructor(file: string, record: number, reason: string) {
    const offset = (record - 1) * RECORD_BYTES;
    super(`${file}: record ${record}, at byte offset ${offset}: ${reason}`);
    this.record = record;
  }
}

/** @throws InputError for a file that cannot be read, TraceError for one that is no trace */
export function readTrace(file: string): Trace {
  return parseTrace(file, readBytes(file));
}

function readBytes(file: string): Uint8Array {
  const tooLong = (size: number): InputError =>
    new InputError(`${file}: ${size} bytes are too many for a trace, the most is ${FILE_BYTES_MAX}`);
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) throw tooLong(size);
    const bytes = readFileSync(file);
    if (bytes.length > FILE_BYTES_MAX) throw tooLong(bytes.length);
    return bytes;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: ${fileReason(error)}`);
  }
}

const UNKNOWN = 0;
const LIVE = 1;
const FREED = 2;

/** What is known of the objects while the records are read. */
class Objects {
  readonly states: Uint8Array;
  readonly sizes: Uint32Array;
  live = 0;
  peakLive = 0;

  constructor(max: number) {
    this.states = new Uint8Array(max + 1);
    this.sizes = new Uint32Array(max + 1);
  }

  /** Does what a record says; what is wrong with it, or nothing. */
  apply(operation: number, object: number, size: number): string {
    const state = this.states[object] as number;
    if (operation === OP_FREE || operation === OP_REALLOC) {
      const what = operation === OP_FREE ? 'freed' : 'reallocated';
      if (state === UNKNOWN) return `object ${object} is ${what} and was never allocated`;
      if (state === FREED) return `object ${object} is ${what} and has been freed before`;
      if (operation === OP_FREE && size !== 0) return `a free has a size, ${size}`;
    } else if (state !== UNKNOWN) {
      return `object ${object} is allocated a second time`;
    }
    this.live += size - (this.sizes[object] as number);
    this.peakLive = Math.max(this.peakLive, this.live);
    this.sizes[object] = size;
    this.states[object] = operation === OP_FREE ? FREED : LIVE;
    return '';
  }
}

/** @param file name to be told in errors */
export function parseTrace(file: string, bytes: Uint8Array): Trace {
  const records = Math.floor(bytes.length / RECORD_BYTES);
  if (bytes.length === 0) throw new InputError(`${file}: the file is empty`);
  const rest = bytes.length % RECORD_BYTES;
  if (rest !== 0) {
    throw new TraceError(file, records + 1, `the file ends after ${rest} of its ${RECORD_BYTES} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const trace = {
    operations: new Uint8Array(records),
    threads: new Uint8Array(records),
    objects: new Uint32Array(records),
    sizes: new Uint32Array(records),
    befores: new Uint32Array(records),
  };
  let objectMax = 0;
  let threadCount = 0;
  for (let record = 0; record < records; record++) {
    const at = record * RECORD_BYTES;
    const object = view.getUint32(at, true);
    const operation = view.getUint8(at + OPERATION_OFFSET);
    const thread = view.getUint8(at + THREAD_OFFSET);
    const refuse = (reason: string): TraceError => new TraceError(file, record + 1, reason);
    if (operation < OP_MALLOC || operation > OP_MEMALIGN) {
      throw refuse(`no operation has the number ${operation}: not an allocation trace, or a damaged one`);
    }
    if (object === 0 || object > OBJECT_MAX) {
      throw refuse(`the id of an object must be from 1 to ${OBJECT_MAX}, not ${object}`);
    }
    if (thread > threadCount) throw refuse(`thread ${thread} comes before thread ${threadCount}`);
    if (thread === threadCount) threadCount++;
    objectMax = Math.max(objectMax, object);
    trace.objects[record] = object;
    trace.operations[record] = operation;
    trace.threads[record] = thread;
    trace.sizes[record] = view.getUint32(at + SIZE_OFFSET, true);
  }
  const peakLive = judgeOrder(file, trace, objectMax);
  return { file, records, ...trace, objectMax, threadCount, peakLive };
}

/** Follows each object through the records, and notes what it had before; gives the most bytes live. */
function judgeOrder(
  file: string,
  { operations, objects, sizes, befores }: Pick<Trace, 'operations' | 'objects' | 'sizes' | 'befores'>,
  objectMax: number,
): number {
  const known = new Objects(objectMax);
  for (let record = 0; record < operations.length; record++) {
    const object = objects[record] as number;
    befores[record] = known.sizes[object] as number;
    const wrong = known.apply(operations[record] as number, object, sizes[record] as number);
    if (wrong !== '') throw new TraceError(file, record + 1, wrong);
  }
  return known.peakLive;
}
