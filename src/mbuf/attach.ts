/** External buffers: bytes of the memory that come from somewhere else, with a function that frees them. */

import { describeValue, hex, MbumaError, requireInteger } from '../check/index.js';
import { PAGE_SIZE } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import type { Chains } from './chains.js';
import type { FreeFunctionTable } from './free-functions.js';
import { BufferKind, KIND_MASK, KIND_SHIFT, kindOf, Mbuf } from './records.js';
import type { ExternalBuffer, FreeFunction, MbufContext } from './types.js';

export type Attach = (
  m: Addr,
  buffer: ExternalBuffer,
  freeFunction: string | FreeFunction,
  argument?: number,
) => void;

export function createAttach(
  { machine, threads, uma }: MbufContext,
  chains: Chains,
  functions: FreeFunctionTable,
): Attach {
  const { words, bytes } = machine;
  const { owners } = uma;
  const { data: DATA, length: LENGTH, flags: FLAGS, buffer: BUFFER, capacity: CAPACITY } = Mbuf;
  const { counter: COUNTER, freeFunction: FREE_FUNCTION, freeArgument: FREE_ARGUMENT } = Mbuf;
  const firstByte = machine.layout.firstPage * PAGE_SIZE;
  const attachSite = machine.failpoints.site('mbuf.attach', 'an external buffer');

  function addressOf(buffer: unknown): number {
    if (buffer instanceof Uint8Array) {
      if (buffer.buffer !== bytes.buffer) {
        throw new MbumaError('BAD_ARGUMENT', 'buffer must be a view over this memory');
      }
      return buffer.byteOffset;
    }
    if (typeof buffer !== 'object' || buffer === null) {
      throw new MbumaError(
        'BAD_ARGUMENT',
        `buffer must be a Uint8Array over this memory or {address, length}, not ${describeValue(buffer)}`,
      );
    }
    const { address } = buffer as { address?: unknown };
    return requireInteger(address, 'buffer.address', firstByte, bytes.length);
  }

  return (m, buffer, freeFunction, argument = 0) => {
    threads.assertHere();
    const at = chains.requireMbuf(m);
    const address = requireInteger(addressOf(buffer), 'address of buffer', firstByte, bytes.length);
    const length = requireInteger(
      (buffer as { length?: unknown }).length,
      'length of buffer',
      1,
      bytes.length - address,
    );
    requireInteger(argument, 'argument', -0x80000000, 0xffffffff);
    const number = functions.numberOf(freeFunction);
    const flags = words[at + FLAGS] as number;
    if (kindOf(flags) !== BufferKind.OWN) {
      throw new MbumaError('BAD_ARGUMENT', `mbuf ${hex(m)} has a buffer already`, { address: m });
    }
    if (words[at + LENGTH] !== 0) {
      throw new MbumaError('BAD_ARGUMENT', `mbuf ${hex(m)} holds ${words[at + LENGTH]} bytes of its own`, {
        address: m,
      });
    }
    if (attachSite.fails()) {
      throw new MbumaError('OUT_OF_MEMORY', `the buffer cannot be attached to mbuf ${hex(m)}`, {
        address: m,
      });
    }
    // From here on it is this thread's, or its reaper's: a half attached buffer is nobody else's trouble.
    owners[m >>> 4] = threads.slot;
    words[at + FREE_FUNCTION] = number;
    words[at + FREE_ARGUMENT] = argument;
    words[at + COUNTER] = 0;
    words[at + BUFFER] = address;
    words[at + CAPACITY] = length;
    words[at + DATA] = address;
    words[at + FLAGS] = (flags & ~KIND_MASK) | (BufferKind.EXTERNAL << KIND_SHIFT);
  };
}
