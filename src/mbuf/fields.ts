/** Reading and setting what an mbuf says, each with a check of the address and of the value. */

import { hex, MbumaError, requireInteger } from '../check/index.js';
import type { Addr } from '../record/index.js';
import type { Buffers } from './buffers.js';
import type { Chains } from './chains.js';
import { Mbuf, MbufFlag } from './records.js';
import type { MbufContext, Mbufs } from './types.js';

export type Fields = Pick<
  Mbufs,
  | 'dataOf'
  | 'lengthOf'
  | 'setLength'
  | 'setData'
  | 'setRange'
  | 'nextOf'
  | 'setNext'
  | 'packetLength'
  | 'setPacketLength'
  | 'chainLength'
  | 'capacityOf'
  | 'trailingSpace'
  | 'leadingSpace'
  | 'isWritable'
>;

const LENGTH_MAX = 0x7fffffff;

export function createFields({ machine }: MbufContext, chains: Chains, buffers: Buffers): Fields {
  const { words } = machine;
  const { requireMbuf } = chains;
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS } = Mbuf;
  const { buffer: BUFFER, capacity: CAPACITY, packetLength: PACKET_LENGTH } = Mbuf;
  const { PACKET_HEADER, READ_ONLY } = MbufFlag;

  const endOfBuffer = (at: number): number =>
    (words[at + BUFFER] as number) + (words[at + CAPACITY] as number);

  function isWritableAt(at: number): boolean {
    return ((words[at + FLAGS] as number) & READ_ONLY) === 0 && buffers.isExclusive(at);
  }

  function requireHeader(m: Addr): number {
    const at = requireMbuf(m);
    if (((words[at + FLAGS] as number) & PACKET_HEADER) !== 0) return at;
    throw new MbumaError('BAD_ARGUMENT', `mbuf ${hex(m)} has no packet header`, { address: m });
  }

  function setRange(m: Addr, address: number, length: number): void {
    const at = requireMbuf(m);
    const end = endOfBuffer(at);
    requireInteger(address, 'address', words[at + BUFFER] as number, end);
    requireInteger(length, 'length', 0, end - address);
    words[at + DATA] = address;
    words[at + LENGTH] = length;
  }

  return {
    dataOf: (m) => words[requireMbuf(m) + DATA] as Addr,
    lengthOf: (m) => words[requireMbuf(m) + LENGTH] as number,
    setLength(m, length) {
      const at = requireMbuf(m);
      words[at + LENGTH] = requireInteger(
        length,
        'length',
        0,
        endOfBuffer(at) - (words[at + DATA] as number),
      );
    },
    setData(m, address) {
      const at = requireMbuf(m);
      const last = endOfBuffer(at) - (words[at + LENGTH] as number);
      words[at + DATA] = requireInteger(address, 'address', words[at + BUFFER] as number, last);
    },
    setRange,
    nextOf: (m) => words[requireMbuf(m) + NEXT] as Addr,
    setNext(m, next) {
      const at = requireMbuf(m);
      if (next !== 0) requireMbuf(next);
      if (next === m)
        throw new MbumaError('CHAIN_CYCLE', `mbuf ${hex(m)} cannot follow itself`, { address: m });
      words[at + NEXT] = next;
    },
    packetLength: (m) => words[requireHeader(m) + PACKET_LENGTH] as number,
    setPacketLength(m, length) {
      words[requireHeader(m) + PACKET_LENGTH] = requireInteger(length, 'length', 0, LENGTH_MAX);
    },
    chainLength(m) {
      chains.requireChain(m);
      return chains.countBytes(m);
    },
    capacityOf: (m) => words[requireMbuf(m) + CAPACITY] as number,
    trailingSpace(m) {
      const at = requireMbuf(m);
      if (!isWritableAt(at)) return 0;
      return endOfBuffer(at) - (words[at + DATA] as number) - (words[at + LENGTH] as number);
    },
    leadingSpace(m) {
      const at = requireMbuf(m);
      return isWritableAt(at) ? (words[at + DATA] as number) - (words[at + BUFFER] as number) : 0;
    },
    isWritable: (m) => isWritableAt(requireMbuf(m)),
  };
}
