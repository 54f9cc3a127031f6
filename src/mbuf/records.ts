/**
 * The record of network buffers.
 *
 * Words: an *mbuf* is an item of 256 bytes that describes bytes. Its *buffer* is where they may lie: the
 * mbuf's own rest, a *cluster*, or an *external* buffer. Its *data* are the bytes in use, a part of the
 * buffer. A *packet header* is the part that the first mbuf of a packet has. A *packet* is an mbuf with a
 * packet header whose cluster is attached already (zone `mbuf_packet`).
 *
 * Guards: `H` the thread that holds the mbuf: it took it, or it was handed over by a ring, a lock or a
 * message. `B` the same; meaningful only for an mbuf with a buffer outside of itself.
 *
 *   byte 0       32                    88                                  256
 *        | header | packet header       | data (168 bytes)                  |   with packet header
 *        | header | data (224 bytes)                                        |   without
 *        | header | (packet header)     | free function, argument           |   with an external buffer
 *        |<------ line 0: 64 bytes ------>|
 *
 *   flags word:   31   24 23   16 15                                      0
 *                [  type |  kind  | user bits | ... S V | ... R E H ... ]
 *                 H PACKET_HEADER  E END_OF_RECORD  R READ_ONLY  S SHARED  V VISITED
 */

import { addr, array, i32, struct, text, u32 } from '../record/index.js';

export const Mbuf = struct(
  'mbuf',
  {
    // Line 0: all that an alloc, a free and a reader of the packet touch.
    next: addr('H', 'Next mbuf of the chain; 0 ends it.'),
    nextPacket: addr(
      'H',
      'Yours: next packet of a queue that you keep. Nothing here reads, writes or clears it.',
    ),
    data: addr('H', 'First byte in use.'),
    length: u32('H', 'Bytes in use.'),
    flags: u32('H', 'Type, kind of the buffer, MbufFlag bits.'),
    buffer: addr('H', 'First byte of the buffer.'),
    capacity: u32('H', 'Bytes of the buffer.'),
    counter: u32('B', "Word index of the buffer's reference counter; 0 while nobody has asked for it."),
    // Packet header, 56 bytes.
    packetLength: u32('H', 'Bytes of the whole chain, as its user says.'),
    user0: u32('H', "Yours, and so on: what stands in them in a fresh mbuf is the last user's."),
    user1: u32('H', 'Yours.'),
    user2: u32('H', 'Yours.'),
    user3: u32('H', 'Yours.'),
    user4: u32('H', 'Yours.'),
    user5: u32('H', 'Yours.'),
    user6: u32('H', 'Yours.'),
    // Line 1 on: rare.
    user7: array(6, 'H', 'Yours.'),
    freeFunction: u32('B', 'Number of the free function of an external buffer; else data.'),
    freeArgument: i32('B', 'Argument of the free function; else data.'),
    rest: array(40, 'H', 'Data.'),
  },
  { words: 64 },
);

/** Names of the free functions of external buffers: a number means the same in every thread. */
export const FreeFunctions = struct(
  'mbuf free functions',
  {
    lock: u32('A', 'Guards the names.'),
    count: u32('L', 'Names in the table; numbers are 1 to count.'),
    spare: array(14, 'const', 'Fills the line.'),
    names: array(64 * 12, 'L', '64 names of 48 bytes.'),
  },
  { words: 16 + 64 * 12 },
);

/** One name in that table. */
export const FreeFunctionName = struct(
  'mbuf free function name',
  { name: text(12, 'L', 'Printable ASCII; written before the count says that it is there.') },
  { words: 12 },
);

/** Names that the table holds. */
export const FREE_FUNCTIONS_MAX = 64;

/** Records of this layer, for the hash by which two builds recognise each other. */
export const mbufRecords: readonly object[] = [Mbuf, FreeFunctions, FreeFunctionName];

/** Bytes of an mbuf, its header, and its header with a packet header. */
export const MBUF_SIZE = 256;
export const HEADER_SIZE = 32;
export const PACKET_HEADER_SIZE = 88;

/** Bytes of data in an mbuf itself: 224, with packet header 168. */
export const MBUF_DATA_SIZE: number = MBUF_SIZE - HEADER_SIZE;
export const PACKET_DATA_SIZE: number = MBUF_SIZE - PACKET_HEADER_SIZE;

/** Bytes of clusters. */
export const CLUSTER_SIZE = 2048;
export const JUMBO_PAGE_SIZE = 4096;
export const JUMBO_9K_SIZE = 9216;
export const JUMBO_16K_SIZE = 16384;

/** Bits of the flags word. The low ones are FreeBSD's. */
export const MbufFlag = {
  PACKET_HEADER: 0x2,
  /** Ends a record. For users; nothing here reads it. */
  END_OF_RECORD: 0x4,
  /** The data must not be changed. */
  READ_ONLY: 0x8,
  /** Other mbufs refer to the buffer, or did; its counter tells. Without it the counter is not in use. */
  SHARED: 0x100,
  /** Set and cleared within one call that frees several mbufs. */
  VISITED: 0x200,
  /** Four bits for users. */
  USER: 0xf000,
} as const;

/** Bits of the flags word that mean nothing. */
export const FLAGS_UNKNOWN: number =
  0xffff & ~Object.values(MbufFlag).reduce<number>((all, bit) => all | bit, 0);

/** What the buffer is. FreeBSD's numbers, but for the last. */
export const BufferKind = {
  /** The mbuf's own rest. */
  OWN: 0,
  CLUSTER: 1,
  JUMBO_PAGE: 3,
  JUMBO_9K: 4,
  JUMBO_16K: 5,
  /** The cluster that a packet of the packet zone came with. */
  PACKET: 6,
  EXTERNAL: 7,
} as const;

/** What the data are. Ordinary data, unless its user says something else. */
export const MbufType = { DATA: 1 } as const;

export const KIND_SHIFT = 16;
export const KIND_MASK = 0xff_0000;
export const TYPE_SHIFT = 24;

/** Flags words of fresh mbufs. */
export const BARE_FLAGS: number = MbufType.DATA << TYPE_SHIFT;
export const HEADER_FLAGS: number = BARE_FLAGS | MbufFlag.PACKET_HEADER;
export const PACKET_FLAGS: number = HEADER_FLAGS | (BufferKind.PACKET << KIND_SHIFT);

/** Kind of the buffer in a flags word. */
export function kindOf(flags: number): number {
  return (flags >>> KIND_SHIFT) & 0xff;
}
