/**
 * pcap: a file header of 24 bytes, then each packet behind a header of 16: time, captured and original
 * length.
 */

import { linkOf } from '../capture/links.js';
import { CaptureError } from '../errors.js';
import { addPacket, type Chunk } from './chunk.js';
import { type CaptureFormat, checkCaptured, FILE_HEADER_BYTES } from './format.js';

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const RECORD_HEADER_BYTES = 16;

function isMagic(word: number): boolean {
  return word === MAGIC_MICROSECONDS || word === MAGIC_NANOSECONDS;
}

export function isPcap(header: DataView): boolean {
  return isMagic(header.getUint32(0, true)) || isMagic(header.getUint32(0));
}

export class PcapFormat implements CaptureFormat {
  private readonly isLittleEndian: boolean;
  private readonly link: number;

  constructor(
    private readonly file: string,
    header: DataView,
  ) {
    this.isLittleEndian = isMagic(header.getUint32(0, true));
    const major = header.getUint16(4, this.isLittleEndian);
    if (major !== 2) throw new CaptureError(file, 4, `pcap version ${major} is not known`);
    const network = header.getUint32(20, this.isLittleEndian);
    this.link = linkOf(network & 0xffff);
  }

  findPackets(chunk: DataView, from: number, to: number, offset: number, into: Chunk): number {
    const { isLittleEndian, link, file } = this;
    let at = offset + from === 0 ? FILE_HEADER_BYTES : from;
    while (to - at >= RECORD_HEADER_BYTES) {
      const captured = chunk.getUint32(at + 8, isLittleEndian);
      checkCaptured(file, offset + at, captured);
      const start = at + RECORD_HEADER_BYTES;
      if (to - start < captured) break;
      const original = chunk.getUint32(at + 12, isLittleEndian);
      addPacket(into, start, captured, original, link);
      at = start + captured;
    }
    return at;
  }
}
