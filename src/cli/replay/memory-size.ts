/** What can be wrong with `--memory`, in words. */

import { InputError } from '../errors.js';

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

/** A size that does not do for this job. */
export function memoryTooSmall(bytes: number, reason: string): InputError {
  return new InputError(`--memory: ${bytes} bytes are too small: ${reason}`);
}
