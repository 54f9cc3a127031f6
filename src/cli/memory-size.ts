/** What can be wrong with `--memory`, in words. */

import { InputError } from './errors.js';

export const MEMORY_BYTES_MIN: number = 2 ** 20;
export const MEMORY_BYTES_MAX: number = 2 ** 31;

/** A size that no memory can have. */
export function badMemory(bytes: number): InputError {
  const reason =
    bytes < MEMORY_BYTES_MIN
      ? `too small, the least is ${MEMORY_BYTES_MIN} (1M)`
      : `too large, the most is ${MEMORY_BYTES_MAX} (2G)`;
  return new InputError(`--memory: ${bytes} bytes are ${reason}`);
}

/** The memory does not do for this job. */
export class MemoryTooSmallError extends InputError {
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

/** The same where the user has set tunables of the memory, such as limits, which may be the reason. */
export function tooSmallOrSetSo(error: unknown): unknown {
  if (!(error instanceof MemoryTooSmallError)) return error;
  return new InputError(
    `--memory: ${error.bytes} bytes are too small, or --set has made too little of them: ${error.reason}`,
  );
}
