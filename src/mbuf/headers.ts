/** What a fresh mbuf says about itself. A few stores into one line. */

import type { Machine } from '../machine/index.js';
import {
  BARE_FLAGS,
  HEADER_FLAGS,
  HEADER_SIZE,
  MBUF_DATA_SIZE,
  Mbuf,
  PACKET_DATA_SIZE,
  PACKET_HEADER_SIZE,
} from './records.js';

export interface Headers {
  /** An mbuf without packet header, its own rest as buffer. */
  writeBare(address: number): void;
  /** With packet header. */
  writeHeader(address: number): void;
  /** A packet as it comes from the packet zone: buffer, flags and next stand in it already. */
  writePacket(address: number): void;
}

export function createHeaders({ words }: Machine): Headers {
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS } = Mbuf;
  const { buffer: BUFFER, capacity: CAPACITY, packetLength: PACKET_LENGTH } = Mbuf;

  return {
    writeBare(address) {
      const m = address >> 2;
      words[m + FLAGS] = BARE_FLAGS;
      words[m + NEXT] = 0;
      words[m + LENGTH] = 0;
      words[m + DATA] = address + HEADER_SIZE;
      words[m + BUFFER] = address + HEADER_SIZE;
      words[m + CAPACITY] = MBUF_DATA_SIZE;
    },
    writeHeader(address) {
      const m = address >> 2;
      words[m + FLAGS] = HEADER_FLAGS;
      words[m + NEXT] = 0;
      words[m + LENGTH] = 0;
      words[m + DATA] = address + PACKET_HEADER_SIZE;
      words[m + BUFFER] = address + PACKET_HEADER_SIZE;
      words[m + CAPACITY] = PACKET_DATA_SIZE;
      words[m + PACKET_LENGTH] = 0;
    },
    writePacket(address) {
      const m = address >> 2;
      words[m + LENGTH] = 0;
      words[m + DATA] = words[m + BUFFER] as number;
      words[m + PACKET_LENGTH] = 0;
    },
  };
}
