/**
 * A chunk of a file, and where the packets lie in it:
 *
 *   bytes     [ ....packet.....packet..packet... ]
 *   packets   [ start, captured, original, link | start, ... ]
 */

/** A piece of the file as it was read, and the packets that were found in it. */
export interface Chunk {
  bytes: ArrayBuffer;
  packets: Uint32Array<ArrayBuffer>;
  /** How many packets there are in it. */
  count: number;
}

/** Numbers that tell of one packet. */
export const PACKET_NUMBERS = 4;
/** Where the packet begins in `bytes`. */
export const PACKET_START = 0;
/** How many of its bytes were captured. */
export const PACKET_CAPTURED = 1;
/** How many bytes it had on the wire. */
export const PACKET_ORIGINAL = 2;
/** `LINK_...` */
export const PACKET_LINK = 3;

/** Bytes read from a file with one call. */
export const CHUNK_BYTES: number = 1024 * 1024;
/** No record of any capture format is shorter. */
const RECORD_BYTES_MIN = 16;

/** Memory that is not zeroed first: it is read into. */
export function freshBytes(byteLength: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(byteLength).buffer as ArrayBuffer;
}

export function createChunk(byteLength: number): Chunk {
  const packetsMax = Math.ceil(byteLength / RECORD_BYTES_MIN);
  return {
    bytes: freshBytes(byteLength),
    packets: new Uint32Array(packetsMax * PACKET_NUMBERS),
    count: 0,
  };
}

export function addPacket(
  chunk: Chunk,
  start: number,
  captured: number,
  original: number,
  link: number,
): void {
  const { packets } = chunk;
  const at = chunk.count * PACKET_NUMBERS;
  packets[at + PACKET_START] = start;
  packets[at + PACKET_CAPTURED] = captured;
  packets[at + PACKET_ORIGINAL] = original;
  packets[at + PACKET_LINK] = link;
  chunk.count++;
}
