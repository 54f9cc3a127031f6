/** Copying between the memory and byte arrays anywhere. */

import { damaged, describeValue, hex, MbumaError, optionalInteger } from '../check/index.js';
import type { Machine } from '../machine/index.js';

export interface ByteCopies {
  /** From `source[offset]` on into the memory. */
  copyIn(target: number, source: Uint8Array, offset: number, length: number): void;
  /** From the memory to `target[offset]` on. */
  copyOut(source: number, target: Uint8Array, offset: number, length: number): void;
}

/** Below this a loop beats making a view. */
const LOOP_BYTES = 48;

/**
 * @param check refuses what is not all in one item that is in use: for check level 2. null: not looked at
 */
export function createByteCopies(
  { bytes, copyBytes }: Machine,
  check: ((address: number, length: number) => void) | null,
): ByteCopies {
  const plain = createPlainCopies(bytes, copyBytes);
  if (check === null) return plain;
  return {
    copyIn(target, source, offset, length) {
      check(target, length);
      plain.copyIn(target, source, offset, length);
    },
    copyOut(source, target, offset, length) {
      check(source, length);
      plain.copyOut(source, target, offset, length);
    },
  };
}

function createPlainCopies(bytes: Uint8Array, copyBytes: Machine['copyBytes']): ByteCopies {
  /** What the header of an mbuf says may be wrong, when something has written there. */
  function requireInMemory(address: number, length: number): void {
    if (address >= 0 && length >= 0 && address + length <= bytes.length) return;
    throw damaged(`an mbuf has ${length} bytes at ${hex(address)}`, { address });
  }

  return {
    copyIn(target, source, offset, length) {
      if (source.buffer === bytes.buffer) {
        copyBytes(target, source.byteOffset + offset, length);
      } else if (length <= LOOP_BYTES) {
        for (let at = 0; at < length; at++) bytes[target + at] = source[offset + at] as number;
      } else {
        requireInMemory(target, length);
        bytes.set(length === source.length ? source : source.subarray(offset, offset + length), target);
      }
    },
    copyOut(source, target, offset, length) {
      if (target.buffer === bytes.buffer) {
        copyBytes(target.byteOffset + offset, source, length);
      } else if (length <= LOOP_BYTES) {
        for (let at = 0; at < length; at++) target[offset + at] = bytes[source + at] as number;
      } else {
        requireInMemory(source, length);
        target.set(bytes.subarray(source, source + length), offset);
      }
    },
  };
}

/** Requires a Uint8Array (a Buffer is one). */
export function requireBytes(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new MbumaError('BAD_ARGUMENT', `${name} must be a Uint8Array, not ${describeValue(value)}`);
}

/** Requires an offset into an array of `size` bytes; 0 when it is not given. */
export function requireOffset(value: unknown, name: string, size: number): number {
  return optionalInteger(value, name, 0, size, 0);
}
