/** Memories of the size that `--memory` says, and what can be wrong with it, in words. */

import { createMemory, MbumaError, type Memory, type MemoryOptions } from '../index.js';
import { InputError } from './errors.js';

const MEMORY_BYTES_MIN: number = 2 ** 20;
const MEMORY_BYTES_MAX: number = 2 ** 31;

/** A size that no memory can have. */
function badMemory(bytes: number): InputError {
  const reason =
    bytes < MEMORY_BYTES_MIN
      ? `too small, the least is ${MEMORY_BYTES_MIN} (1M)`
      : `too large, the most is ${MEMORY_BYTES_MAX} (2G)`;
  return new InputError(`--memory: ${bytes} bytes are ${reason}`);
}

/** The memory does not do for this job. */
class MemoryTooSmallError extends InputError {
  readonly bytes: number;
  readonly reason: string;

  constructor(bytes: number, reason: string) {
    super(`--memory: ${bytes} bytes are too small: ${reason}`);
    this.bytes = bytes;
    this.reason = reason;
  }
}

/** A size that does not do for this job. */
export function memoryTooSmall(bytes: number, reason: string): InputError {
  return new MemoryTooSmallError(bytes, reason);
}

/** @throws InputError when there can be no such memory */
export function makeMemory(options: MemoryOptions): Memory {
  const { bytes } = options;
  if (bytes < MEMORY_BYTES_MIN || bytes > MEMORY_BYTES_MAX) throw badMemory(bytes);
  return needingMemory(bytes, () => createMemory(options));
}

/** What `make` gives; whatever the memory refuses is for want of it. */
export function needingMemory<Made>(bytes: number, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MbumaError)) throw error;
    throw memoryTooSmall(bytes, error.message);
  }
}

/** What went wrong while the memory was used, in words if it was too small. */
export function tooSmallOr(error: unknown, bytes: number, isSet: boolean): unknown {
  const isShort =
    error instanceof MbumaError && (error.code === 'OUT_OF_MEMORY' || error.code === 'TIMED_OUT');
  const told = isShort ? memoryTooSmall(bytes, error.message) : error;
  return isSet ? tooSmallOrSetSo(told) : told;
}

/** Where the user has set tunables of the memory, such as limits, they may be the reason. */
function tooSmallOrSetSo(error: unknown): unknown {
  if (!(error instanceof MemoryTooSmallError)) return error;
  return new InputError(
    `--memory: ${error.bytes} bytes are too small, or --set has made too little of them: ${error.reason}`,
  );
}
