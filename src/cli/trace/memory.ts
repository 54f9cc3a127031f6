/** The memories that traces are replayed in, and the malloc types in them. */

import { basename } from 'node:path';
import type { Memory } from '../../index.js';
import { makeMemory } from '../memory-size.js';
import type { AuditFigures } from '../replay/result.js';
import { assign } from '../sysctl/assignments.js';
import type { TraceOptions } from './result.js';
import type { Trace } from './trace-file.js';

/** A zone for each size class, that of the types' cells, and some to spare. */
const ZONES_MAX = 64;

/** Most characters of a type's name. */
const NAME_MAX = 47;

/** Type of what the replay itself needs. */
export const TABLE_TYPE = 'replay table';

/** The type that the blocks of a trace belong to is called as the file. */
export function typeNameOf({ file }: Trace): string {
  const name = basename(file)
    .replace(/\.trace$/i, '')
    .replaceAll(/[^ -~]/g, '?');
  return name.slice(0, NAME_MAX).trim() || 'trace';
}

/** @param threads that may attach to it */
export function makeTraceMemory(
  { memoryBytes, settings = [] }: TraceOptions,
  traces: readonly Trace[],
  threads: number,
): Memory {
  const memory = makeMemory({ bytes: memoryBytes, maxThreads: threads, maxZones: ZONES_MAX });
  // All types are there, so that all their names are.
  for (const trace of traces) memory.mallocType({ name: typeNameOf(trace) });
  for (const setting of settings) assign(memory, setting);
  return memory;
}

/** Looks whether all is there again. */
export function auditTraceMemory(memory: Memory): AuditFigures['violations'] {
  const leaks = memory
    .stats()
    .malloc.filter(({ used }) => used > 0)
    .map(({ name, used }) => ({
      rule: 'trace.leak',
      message: `malloc type ${name}: ${used} blocks were not given back`,
    }));
  return [...memory.audit().violations, ...leaks];
}
