/**
 * How a packet of a capture stands in an mbuf chain, for the thread that makes it and the threads that read
 * it.
 *
 *   packet length   captured bytes
 *   user word 0     bytes on the wire
 *   user word 1     link shape in the low byte, pass of the replay above it
 */

import { Mbuf, type Memory } from '../../index.js';
import { CLASS_CUT } from '../packet/fields.js';
import { createPacketParser } from '../packet/parse.js';

export const ORIGINAL_LENGTH: number = Mbuf.user0;
export const LINK_AND_PASS: number = Mbuf.user1;
export const LINK_MASK = 0xff;
export const PASS_SHIFT = 8;
/** Passes are told apart by so many bits; they come one after the other. */
export const PASS_MASK = 0x3fffff;

/** Most bytes of a packet in which headers are looked for when its first mbuf does not hold them. */
const HEADER_BYTES_MAX = 65_536;

export interface ChainParser {
  /** See `packet/fields.ts`. Valid after an answer of class TCP or UDP, until the next call. */
  readonly fields: Int32Array;
  /** Parses the packet that begins with mbuf `m`. Gives `CLASS_...`. */
  parse(m: number): number;
}

/**
 * Parses packets where they lie. A packet whose headers are cut in two by the end of a cluster is the rare
 * exception: its first bytes are copied together.
 */
export function createChainParser(memory: Memory, seed: number): ChainParser {
  const { words, mbufs } = memory;
  const { next: NEXT, data: DATA, length: LENGTH, packetLength: PACKET_LENGTH } = Mbuf;
  const LINK = LINK_AND_PASS;
  const CUT = CLASS_CUT;
  const inPlace = createPacketParser(memory.bytes, seed);
  const { parse: parseInPlace } = inPlace;
  let gathered: Uint8Array | undefined;
  let fromCopy: ReturnType<typeof createPacketParser> | undefined;
  let fields = inPlace.fields;

  function parseCopy(m: number, link: number): number {
    gathered ??= new Uint8Array(HEADER_BYTES_MAX);
    fromCopy ??= createPacketParser(gathered, seed);
    const length = Math.min(words[(m >> 2) + PACKET_LENGTH] as number, HEADER_BYTES_MAX);
    mbufs.copyOut(m as Parameters<typeof mbufs.copyOut>[0], 0, length, gathered);
    fields = fromCopy.fields;
    return fromCopy.parse(0, length, link);
  }

  function parse(m: number): number {
    const word = m >> 2;
    const data = words[word + DATA] as number;
    const link = (words[word + LINK] as number) & LINK_MASK;
    const found = parseInPlace(data, data + (words[word + LENGTH] as number), link);
    if ((found & CUT) !== 0 && words[word + NEXT] !== 0) return parseCopy(m, link);
    fields = inPlace.fields;
    return found;
  }

  return {
    parse,
    get fields() {
      return fields;
    },
  };
}
