/**
 * pcap: a file header of 24 bytes, then for each packet 16 bytes (seconds, fraction, captured length,
 * original length) and the captured bytes.
 *
 *   magic a1b2c3d4 (microseconds) or a1b23c4d (nanoseconds), in the byte order of the whole file
 */

import type { Feed } from './feed.js';
import { linkOf } from './links.js';
import { PACKET_BYTES_MAX, type Payload } from './payload.js';
import { createByteOrder, type Refuse, type Scanner } from './scanner.js';

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

/** Bytes of the file header after the magic and the version. */
const REST_OF_FILE_HEADER = 16;
const RECORD_HEADER = 16;

/** Whether the 32-bit number `magic`, read in one byte order, begins a pcap file of that order. */
export function isPcapMagic(magic: number): boolean {
  return magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS;
}

/** Scans what follows the magic and the version (8 bytes), which are taken already and stood at `start`. */
export function createPcapScanner(
  feed: Feed,
  payload: Payload,
  bigEndian: boolean,
  start: number,
  refuse: Refuse,
): Scanner {
  const { read16, read32 } = createByteOrder(feed.bytes, bigEndian);
  const major = read16(start + 4);
  if (major !== 2) refuse(4, `pcap version ${major}.${read16(start + 6)} is not known, only 2.x is`);

  let link = -1;
  /** Where the record stands that the cluster cut. */
  let recordOffset = 0;

  function scanFileHeader(): boolean {
    const rest = feed.take(REST_OF_FILE_HEADER);
    if (rest === 0) return false;
    // The upper half of the last word says whether frames end in a checksum; the lower half is the link type.
    link = linkOf(read32(rest + 12) & 0xffff);
    return true;
  }

  function scan(): void {
    if (!payload.advance()) return;
    if (link < 0 && !scanFileHeader()) return;
    for (;;) {
      const header = feed.take(RECORD_HEADER);
      if (header === 0) return;
      const captured = read32(header + 8);
      const original = read32(header + 12);
      if (captured > PACKET_BYTES_MAX) {
        refuse(
          feed.offset - RECORD_HEADER,
          `the record claims a packet of ${captured} captured bytes, more than the ${PACKET_BYTES_MAX} that a capture may hold`,
        );
      }
      payload.begin(captured, original, link);
      if (payload.missing > 0) {
        recordOffset = feed.offset - (captured - payload.missing) - RECORD_HEADER;
        return;
      }
    }
  }

  function finish(): void {
    if (payload.missing > 0) {
      refuse(
        recordOffset,
        `the record is longer than the file, which ends ${payload.missing} bytes too early, at byte ${feed.offset}`,
      );
    }
    if (link < 0) refuse(feed.offset, 'the file ends inside its header of 24 bytes');
    if (feed.carriesBytes) refuse(feed.offset, 'the file ends inside the header of a record');
  }

  return { scan, finish };
}
