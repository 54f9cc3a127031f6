/**
 * pcapng: blocks of `type, length, body, length`, a section header first. The section's byte order holds
 * until the next section header; interfaces are numbered anew in each section. Blocks of other types are
 * passed over.
 *
 *   section  0a0d0d0a  magic 1a2b3c4d, version, section length, options
 *   interface       1  link type, reserved, snap length, options
 *   packet          6  interface, time, captured length, original length, data, options
 *   simple packet   3  original length, data; of interface 0
 *   old packet      2  interface, drops (16 bits each), time, captured length, original length, data, options
 *
 * A block is scanned in the steps HEADER, FIXED (what its type has in front), payload, SKIP (padding and
 * options), TRAILER (the length again).
 */

import type { Feed } from './feed.js';
import { linkOf } from './links.js';
import type { Parts } from './parts.js';
import { PACKET_BYTES_MAX, type Payload } from './payload.js';
import { type ByteOrder, createByteOrder, type Refuse, type Scanner } from './scanner.js';

export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, length, and the length again. */
const FRAME_BYTES = 12;
const HEADER_BYTES = 8;
const TRAILER_BYTES = 4;
/** A packet block with no data and no options. */
const WHOLE_PACKET_BYTES = 32;
/** Interfaces of one section that are believed. */
const INTERFACES_MAX = 65_536;

/** Bytes in front of a body that a type must have. */
function fixedBytesOf(type: number): number {
  switch (type) {
    case SECTION_HEADER:
      return 16;
    case INTERFACE_DESCRIPTION:
      return 8;
    case OLD_PACKET:
    case ENHANCED_PACKET:
      return 20;
    case SIMPLE_PACKET:
      return 4;
    default:
      return 0;
  }
}

function nameOf(type: number): string {
  switch (type) {
    case SECTION_HEADER:
      return 'section header';
    case INTERFACE_DESCRIPTION:
      return 'interface description';
    case OLD_PACKET:
    case ENHANCED_PACKET:
      return 'packet';
    case SIMPLE_PACKET:
      return 'simple packet';
    default:
      return `0x${type.toString(16)}`;
  }
}

/**
 * Scans what follows the type and the length of the first section header, which are taken already and stood
 * at `start`.
 */
export function createPcapngScanner(
  feed: Feed,
  payload: Payload,
  parts: Parts,
  start: number,
  refuse: Refuse,
): Scanner {
  const littleEndian = createByteOrder(feed.bytes, false);
  const bigEndian = createByteOrder(feed.bytes, true);

  const view = new DataView(feed.bytes.buffer, feed.bytes.byteOffset, feed.bytes.byteLength);

  const HEADER = 0;
  const FIXED = 1;
  const PAYLOAD = 2;
  const SKIP = 3;
  const TRAILER = 4;

  let order: ByteOrder = littleEndian;
  let step = FIXED;
  let type = SECTION_HEADER;
  let length = littleEndian.read32(start + 4);
  let fixedBytes = fixedBytesOf(SECTION_HEADER);
  let blockOffset = 0;
  let skipBytes = 0;

  /** Link shape and snap length of each interface of this section. */
  let links: number[] = [];
  let snapLengths: number[] = [];

  function readHeader(header: number): void {
    blockOffset = feed.offset - HEADER_BYTES;
    type = order.read32(header);
    length = order.read32(header + 4);
    fixedBytes = fixedBytesOf(type);
    // The length of a section header is in an order that only its magic tells.
    if (type !== SECTION_HEADER) checkLength();
  }

  function checkLength(): void {
    if (length < FRAME_BYTES + fixedBytes || length % 4 !== 0) {
      refuse(blockOffset, `a ${nameOf(type)} block cannot be ${length} bytes long`);
    }
  }

  /** Reads the fixed part at `fixed` and leaves in `skipBytes` what lies between payload and trailer. */
  function readFixed(fixed: number): void {
    skipBytes = length - FRAME_BYTES - fixedBytes;
    switch (type) {
      case ENHANCED_PACKET:
        readPacket(order.read32(fixed), order.read32(fixed + 12), order.read32(fixed + 16));
        return;
      case OLD_PACKET:
        readPacket(order.read16(fixed), order.read32(fixed + 12), order.read32(fixed + 16));
        return;
      case SIMPLE_PACKET: {
        const original = order.read32(fixed);
        const snapLength = snapLengths[0] ?? 0;
        const wanted = snapLength === 0 ? original : Math.min(original, snapLength);
        readPacket(0, wanted, original);
        return;
      }
      case SECTION_HEADER:
        readSection(fixed);
        return;
      case INTERFACE_DESCRIPTION:
        if (links.length === INTERFACES_MAX) {
          refuse(blockOffset, `more than ${INTERFACES_MAX} interfaces in one section`);
        }
        links.push(linkOf(order.read16(fixed)));
        snapLengths.push(order.read32(fixed + 4));
        return;
    }
  }

  function readSection(fixed: number): void {
    const { bytes } = feed;
    const lengthBytes = length;
    if (littleEndian.read32(fixed) === BYTE_ORDER_MAGIC) {
      length = order === bigEndian ? swap(lengthBytes) : lengthBytes;
      order = littleEndian;
    } else if (bigEndian.read32(fixed) === BYTE_ORDER_MAGIC) {
      length = order === bigEndian ? lengthBytes : swap(lengthBytes);
      order = bigEndian;
    } else {
      const found = Array.from(bytes.subarray(fixed, fixed + 4), (each) =>
        each.toString(16).padStart(2, '0'),
      );
      refuse(blockOffset + HEADER_BYTES, `${found.join(' ')} is not the byte-order magic of a section`);
    }
    const major = order.read16(fixed + 4);
    if (major !== 1) {
      refuse(
        blockOffset + 12,
        `pcapng version ${major}.${order.read16(fixed + 6)} is not known, only 1.x is`,
      );
    }
    checkLength();
    skipBytes = length - FRAME_BYTES - fixedBytes;
    links = [];
    snapLengths = [];
  }

  function readPacket(interfaceNumber: number, captured: number, original: number): void {
    const link = links[interfaceNumber];
    if (link === undefined) {
      refuse(
        blockOffset,
        `the packet is of interface ${interfaceNumber}, which the section has not described`,
      );
    }
    if (captured > PACKET_BYTES_MAX) {
      refuse(
        blockOffset,
        `the block claims a packet of ${captured} captured bytes, more than the ${PACKET_BYTES_MAX} that a capture may hold`,
      );
    }
    if (captured > skipBytes) {
      refuse(blockOffset, `a packet of ${captured} captured bytes does not fit a block of ${length}`);
    }
    skipBytes -= captured;
    payload.begin(captured, original, link);
  }

  function readTrailer(trailer: number): void {
    const again = order.read32(trailer);
    if (again !== length) {
      refuse(blockOffset, `the block says ${length} bytes at its start and ${again} at its end`);
    }
  }

  /**
   * Packets of type 6 that lie in this cluster whole and have nothing wrong: nearly all. Stops before
   * anything else, for `scan` to look at it step by step.
   */
  function scanWholePackets(): void {
    if (step !== HEADER || feed.carriesBytes) return;
    const { limit } = feed;
    const isLittle = order === littleEndian;
    let { position } = feed;
    while (limit - position >= WHOLE_PACKET_BYTES && view.getUint32(position, isLittle) === ENHANCED_PACKET) {
      const blockBytes = view.getUint32(position + 4, isLittle);
      const captured = view.getUint32(position + 20, isLittle);
      const link = links[view.getUint32(position + 8, isLittle)];
      if (
        blockBytes > limit - position ||
        blockBytes < WHOLE_PACKET_BYTES + captured ||
        blockBytes % 4 !== 0 ||
        captured > PACKET_BYTES_MAX ||
        link === undefined ||
        view.getUint32(position + blockBytes - TRAILER_BYTES, isLittle) !== blockBytes
      ) {
        break;
      }
      const data = position + WHOLE_PACKET_BYTES - TRAILER_BYTES;
      parts.add(data, captured, captured, view.getUint32(position + 24, isLittle), link);
      position += blockBytes;
    }
    feed.position = position;
  }

  function scan(): void {
    for (;;) {
      scanWholePackets();
      switch (step) {
        case HEADER: {
          const header = feed.take(HEADER_BYTES);
          if (header === 0) return;
          readHeader(header);
          step = FIXED;
          if (fixedBytes > 0) break;
          skipBytes = length - FRAME_BYTES;
          step = SKIP;
          break;
        }
        case FIXED: {
          const fixed = feed.take(fixedBytes);
          if (fixed === 0) return;
          readFixed(fixed);
          step = PAYLOAD;
          break;
        }
        case PAYLOAD:
          if (!payload.advance()) return;
          step = SKIP;
          break;
        case SKIP: {
          const skipped = Math.min(skipBytes, feed.available);
          feed.position += skipped;
          skipBytes -= skipped;
          if (skipBytes > 0) return;
          step = TRAILER;
          break;
        }
        default: {
          const trailer = feed.take(TRAILER_BYTES);
          if (trailer === 0) return;
          readTrailer(trailer);
          step = HEADER;
        }
      }
    }
  }

  function finish(): void {
    if (step !== HEADER) {
      refuse(
        blockOffset,
        `the file ends at byte ${feed.offset}, inside this ${nameOf(type)} block of ${length} bytes`,
      );
    }
    if (feed.carriesBytes) refuse(feed.offset, 'the file ends inside the header of a block');
  }

  return { scan, finish };
}

function swap(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
