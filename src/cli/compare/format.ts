/** What the two capture formats have in common. */

import { PACKET_BYTES_MAX } from '../capture/payload.js';
import { CaptureError } from '../errors.js';
import type { Chunk } from './chunk.js';

/**
 * Bytes by which a file is recognised: the header of an empty pcap file, the shortest capture there is.
 */
export const FILE_HEADER_BYTES = 24;

export interface CaptureFormat {
  /**
   * Adds the packets in bytes `from` to before `to` of the chunk to the into. Gives where the first record
   * begins that is not there whole; behind `to` when what follows can be passed over.
   * @param offset of the chunk in the file
   */
  findPackets(chunk: DataView, from: number, to: number, offset: number, into: Chunk): number;
}

export function checkCaptured(file: string, offset: number, captured: number): void {
  if (captured <= PACKET_BYTES_MAX) return;
  throw new CaptureError(file, offset, `${captured} captured bytes are more than a packet may have`);
}
