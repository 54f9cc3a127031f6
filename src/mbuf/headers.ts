/** What a fresh mbuf says about itself. A few stores into one line. */

import { OWNER_MEMORY } from '../uma/index.js';
import {
  BARE_FLAGS,
  HEADER_FLAGS,
  HEADER_SIZE,
  MBUF_DATA_SIZE,
  Mbuf,
  PACKET_DATA_SIZE,
  PACKET_HEADER_SIZE,
} from './records.js';
import type { MbufContext } from './types.js';

export interface Headers {
  /** An mbuf without packet header, its own rest as buffer. */
  writeBare(address: number): void;
  /** With packet header. */
  writeHeader(address: number): void;
  /** With a cluster that this thread owns; from now on the memory does. */
  writeCluster(address: number, flags: number, cluster: number, size: number): void;
  /** A packet as it comes from the packet zone: buffer, flags and next stand in it already. */
  writePacket(address: number): void;
}

export function createHeaders({ machine, uma }: MbufContext): Headers {
  const { words } = machine;
  const { owners } = uma;
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS } = Mbuf;
  const { buffer: BUFFER, capacity: CAPACITY, counter: COUNTER, packetLength: PACKET_LENGTH } = Mbuf;

  // An imported constant is a load for V8; a local one is not.
  const BARE = BARE_FLAGS;
  const HEADER = HEADER_FLAGS;
  const HEADER_END = HEADER_SIZE;
  const PACKET_HEADER_END = PACKET_HEADER_SIZE;
  const BARE_CAPACITY = MBUF_DATA_SIZE;
  const HEADER_CAPACITY = PACKET_DATA_SIZE;
  const HELD_BY_MEMORY = OWNER_MEMORY;

  return {
    writeBare(address) {
      const m = address >> 2;
      words[m + FLAGS] = BARE;
      words[m + NEXT] = 0;
      words[m + LENGTH] = 0;
      words[m + DATA] = address + HEADER_END;
      words[m + BUFFER] = address + HEADER_END;
      words[m + CAPACITY] = BARE_CAPACITY;
    },
    writeHeader(address) {
      const m = address >> 2;
      words[m + FLAGS] = HEADER;
      words[m + NEXT] = 0;
      words[m + LENGTH] = 0;
      words[m + DATA] = address + PACKET_HEADER_END;
      words[m + BUFFER] = address + PACKET_HEADER_END;
      words[m + CAPACITY] = HEADER_CAPACITY;
      words[m + PACKET_LENGTH] = 0;
    },
    writeCluster(address, flags, cluster, size) {
      const m = address >> 2;
      words[m + NEXT] = 0;
      words[m + LENGTH] = 0;
      words[m + DATA] = cluster;
      words[m + BUFFER] = cluster;
      words[m + CAPACITY] = size;
      words[m + COUNTER] = 0;
      words[m + PACKET_LENGTH] = 0;
      words[m + FLAGS] = flags;
      owners[cluster >>> 4] = HELD_BY_MEMORY;
    },
    writePacket(address) {
      const m = address >> 2;
      words[m + LENGTH] = 0;
      words[m + DATA] = words[m + BUFFER] as number;
      words[m + PACKET_LENGTH] = 0;
    },
  };
}
