/** More mbufs for the same bytes. */

import { CheckLevel, hex, MbumaError, requireInt32Array, requireInteger } from '../check/index.js';
import type { Addr } from '../record/index.js';
import type { Buffers } from './buffers.js';
import type { Chains } from './chains.js';
import type { Getters } from './get.js';
import {
  BufferKind,
  HEADER_FLAGS,
  HEADER_SIZE,
  KIND_SHIFT,
  kindOf,
  Mbuf,
  MbufFlag,
  PACKET_HEADER_SIZE,
} from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export interface References {
  reference(m: Addr): Addr | 0;
  tryReferenceMany(m: Addr, out: Int32Array, n: number): number;
}

/** A reference to the cluster of a packet is a plain one: packets are whole. */
function referenceKind(flags: number): number {
  const kind = kindOf(flags);
  return kind === BufferKind.PACKET ? BufferKind.CLUSTER : kind;
}

export function createReferences(
  { machine }: MbufContext,
  zones: MbufZones,
  chains: Chains,
  buffers: Buffers,
  getters: Getters,
): References {
  const { words } = machine;
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS } = Mbuf;
  const { buffer: BUFFER, capacity: CAPACITY, counter: COUNTER, packetLength: PACKET_LENGTH } = Mbuf;
  const { freeFunction: FREE_FUNCTION, freeArgument: FREE_ARGUMENT } = Mbuf;
  const { PACKET_HEADER, READ_ONLY, END_OF_RECORD, USER, SHARED } = MbufFlag;
  const { mbuf: mbufZone } = zones;
  /** What a copy has of the original's flags; the type is in the high byte. */
  const COPIED_FLAGS = PACKET_HEADER | READ_ONLY | END_OF_RECORD | USER | 0xff00_0000;
  const HEADER_WORDS = HEADER_SIZE >> 2;
  const PACKET_HEADER_WORDS = PACKET_HEADER_SIZE >> 2;
  // What is imported is a load for V8; what is local is not.
  const kindIn = referenceKind;
  const KIND_PLACE = KIND_SHIFT;
  const HEADER = HEADER_FLAGS;
  const { OWN, EXTERNAL } = BufferKind;
  const probed = machine.checkLevel >= CheckLevel.WITNESS;
  const referenceSite = machine.failpoints.site('mbuf.reference', 'a reference; from check level 1 on');

  /** Makes `to` an empty mbuf of that buffer, but for the flags: those come with the count. */
  function pointAtBuffer(to: number, buffer: number, capacity: number, counter: number): void {
    words[to + NEXT] = 0;
    words[to + DATA] = buffer;
    words[to + LENGTH] = 0;
    words[to + BUFFER] = buffer;
    words[to + CAPACITY] = capacity;
    words[to + COUNTER] = counter;
    words[to + PACKET_LENGTH] = 0;
  }

  function copyFreeFunction(to: number, from: number): void {
    words[to + FREE_FUNCTION] = words[from + FREE_FUNCTION] as number;
    words[to + FREE_ARGUMENT] = words[from + FREE_ARGUMENT] as number;
  }

  /** Length, position and packet header of `from`, for a `to` with the same buffer or a copy of it. */
  function copyHeader(to: number, from: number): void {
    const offset = (words[from + DATA] as number) - (words[from + BUFFER] as number);
    words[to + DATA] = (words[to + BUFFER] as number) + offset;
    words[to + LENGTH] = words[from + LENGTH] as number;
    if (((words[from + FLAGS] as number) & PACKET_HEADER) === 0) return;
    // A loop: copyWithin costs a call of 30 ns.
    for (let word = HEADER_WORDS; word < PACKET_HEADER_WORDS; word++) {
      words[to + word] = words[from + word] as number;
    }
  }

  function copyOwn(from: number, flags: number): Addr | 0 {
    const copy = (flags & PACKET_HEADER) === 0 ? getters.tryGet() : getters.tryGethdr();
    if (copy === 0) return 0;
    const to = copy >> 2;
    words[to + FLAGS] = flags & COPIED_FLAGS;
    copyHeader(to, from);
    machine.copyBytes(
      words[to + DATA] as number,
      words[from + DATA] as number,
      words[from + LENGTH] as number,
    );
    return copy;
  }

  function reference(m: Addr): Addr | 0 {
    const from = chains.requireMbuf(m);
    if (probed && referenceSite.fails()) return 0;
    const flags = words[from + FLAGS] as number;
    const kind = kindIn(flags);
    if (kind === OWN) return copyOwn(from, flags);
    const item = mbufZone.tryAlloc();
    if (item === 0) return 0;
    if (!buffers.prepareShare(from)) {
      mbufZone.free(item);
      return 0;
    }
    const to = item >> 2;
    const shared = (flags & COPIED_FLAGS) | SHARED | (kind << KIND_PLACE);
    pointAtBuffer(
      to,
      words[from + BUFFER] as number,
      words[from + CAPACITY] as number,
      words[from + COUNTER] as number,
    );
    copyHeader(to, from);
    if (kind === EXTERNAL) copyFreeFunction(to, from);
    buffers.share(from, to, shared);
    return item;
  }

  function tryReferenceMany(m: Addr, out: Int32Array, n: number): number {
    const from = chains.requireMbuf(m);
    requireInteger(n, 'n', 0, 0x7fffffff);
    requireInt32Array(out, 'out', n);
    const flags = words[from + FLAGS] as number;
    const kind = kindIn(flags);
    if (kind === OWN) {
      throw new MbumaError('BAD_ARGUMENT', `mbuf ${hex(m)} has no buffer that could be shared`, {
        address: m,
      });
    }
    if (probed && referenceSite.fails()) return 0;
    const got = mbufZone.tryAllocMany(out, n);
    if (got === 0) return 0;
    if (!buffers.prepareShare(from)) {
      mbufZone.freeMany(out, got);
      return 0;
    }
    const shared = HEADER | SHARED | (flags & READ_ONLY) | (kind << KIND_PLACE);
    const buffer = words[from + BUFFER] as number;
    const capacity = words[from + CAPACITY] as number;
    const counter = words[from + COUNTER] as number;
    for (let at = 0; at < got; at++) {
      const to = (out[at] as number) >> 2;
      pointAtBuffer(to, buffer, capacity, counter);
      if (kind === EXTERNAL) copyFreeFunction(to, from);
    }
    buffers.shareMany(from, out, got, shared);
    return got;
  }

  return { reference, tryReferenceMany };
}
