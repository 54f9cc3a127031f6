/**
 * pcapng: blocks of type, length, body, length. A section header sets the byte order and forgets the
 * interfaces.
 */

import { linkOf } from '../capture/links.js';
import { CaptureError } from '../errors.js';
import { addPacket, type Chunk } from './chunk.js';
import { type CaptureFormat, checkCaptured } from './format.js';

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and length. */
const BLOCK_HEADER_BYTES = 8;
/** Type, length, and the length again. */
const BLOCK_BYTES_MIN = 12;

/** Bytes that the body of a block begins with, by its type. */
const fixedBytes = new Map([
  [SECTION_HEADER, 16],
  [INTERFACE_DESCRIPTION, 8],
  [OLD_PACKET, 20],
  [SIMPLE_PACKET, 4],
  [ENHANCED_PACKET, 20],
]);

interface CaptureInterface {
  readonly link: number;
  /** 0 is no limit. */
  readonly snapLength: number;
}

export function isPcapng(header: DataView): boolean {
  return header.getUint32(0) === SECTION_HEADER;
}

export class PcapngFormat implements CaptureFormat {
  private isLittleEndian = true;
  private interfaces: CaptureInterface[] = [];

  constructor(private readonly file: string) {}

  findPackets(chunk: DataView, from: number, to: number, offset: number, into: Chunk): number {
    let at = from;
    while (to - at >= BLOCK_BYTES_MIN) {
      const type = chunk.getUint32(at, this.isLittleEndian);
      if (type === SECTION_HEADER) this.readByteOrder(chunk, at, offset);
      const length = chunk.getUint32(at + 4, this.isLittleEndian);
      const body = at + BLOCK_HEADER_BYTES;
      const fixed = fixedBytes.get(type) ?? 0;
      if (length % 4 !== 0 || length < BLOCK_BYTES_MIN + fixed) {
        throw new CaptureError(this.file, offset + at, `a block cannot be ${length} bytes long`);
      }
      if (to - body < fixed) break;
      const isRead = this.readBlock(chunk, type, at, to, length - BLOCK_BYTES_MIN - fixed, offset, into);
      if (!isRead) break;
      at += length;
      if (at <= to && chunk.getUint32(at - 4, this.isLittleEndian) !== length) {
        throw new CaptureError(
          this.file,
          offset + at - 4,
          `the block of ${length} bytes ends in another length`,
        );
      }
    }
    return at;
  }

  private readByteOrder(chunk: DataView, at: number, offset: number): void {
    const magic = at + BLOCK_HEADER_BYTES;
    this.isLittleEndian = chunk.getUint32(magic, true) === BYTE_ORDER_MAGIC;
    if (!this.isLittleEndian && chunk.getUint32(magic) !== BYTE_ORDER_MAGIC) {
      throw new CaptureError(this.file, offset + magic, 'not the byte-order magic of a section');
    }
  }

  /**
   * False when the packet of the block at `at` is not there whole. `room` are the bytes that it may take.
   */
  private readBlock(
    chunk: DataView,
    type: number,
    at: number,
    to: number,
    room: number,
    offset: number,
    into: Chunk,
  ): boolean {
    const body = at + BLOCK_HEADER_BYTES;
    let number = 0;
    let captured = 0;
    let original = 0;
    let start = body + 20;
    switch (type) {
      case ENHANCED_PACKET:
        number = chunk.getUint32(body, this.isLittleEndian);
        captured = chunk.getUint32(body + 12, this.isLittleEndian);
        original = chunk.getUint32(body + 16, this.isLittleEndian);
        break;
      case OLD_PACKET:
        number = chunk.getUint16(body, this.isLittleEndian);
        captured = chunk.getUint32(body + 12, this.isLittleEndian);
        original = chunk.getUint32(body + 16, this.isLittleEndian);
        break;
      case SIMPLE_PACKET:
        original = chunk.getUint32(body, this.isLittleEndian);
        captured = Math.min(original, this.interfaces[0]?.snapLength || original);
        start = body + 4;
        break;
      case INTERFACE_DESCRIPTION: {
        const snapLength = chunk.getUint32(body + 4, this.isLittleEndian);
        this.interfaces.push({ link: linkOf(chunk.getUint16(body, this.isLittleEndian)), snapLength });
        return true;
      }
      case SECTION_HEADER: {
        const major = chunk.getUint16(body + 4, this.isLittleEndian);
        if (major !== 1) {
          throw new CaptureError(this.file, offset + body + 4, `pcapng version ${major} is not known`);
        }
        this.interfaces = [];
        return true;
      }
      default:
        return true;
    }
    const from = this.interfaces[number];
    if (from === undefined) {
      throw new CaptureError(this.file, offset + at, `interface ${number} has not been described`);
    }
    checkCaptured(this.file, offset + at, captured);
    if (captured > room) {
      throw new CaptureError(this.file, offset + at, `${captured} captured bytes do not fit the block`);
    }
    if (to - start < captured) return false;
    addPacket(into, start, captured, original, from.link);
    return true;
  }
}
