/** Recognises a capture by its first 8 bytes and hands over to the scanner of its format. */

import { Feed } from './feed.js';
import type { Parts } from './parts.js';
import { Payload } from './payload.js';
import { createPcapScanner, isPcapMagic } from './pcap.js';
import { createPcapngScanner, SECTION_HEADER } from './pcapng.js';
import { createByteOrder, type Refuse, refuser, type Scanner } from './scanner.js';

/** Bytes by which a file is recognised. */
const START_BYTES = 8;

export interface CaptureScanner extends Scanner {
  readonly feed: Feed;
}

/**
 * @param file for messages
 * @param bytes the memory in which the clusters lie
 * @param carry address of `CARRY_BYTES` bytes of that memory
 * @param parts where the packets found are put
 */
export function createCaptureScanner(
  file: string,
  bytes: Uint8Array,
  carry: number,
  parts: Parts,
): CaptureScanner {
  const feed = new Feed(bytes, carry);
  const payload = new Payload(feed, parts);
  const refuse: Refuse = refuser(file);
  let scanner: Scanner | undefined;

  function recognise(start: number): Scanner {
    for (const bigEndian of [false, true]) {
      const magic = createByteOrder(bytes, bigEndian).read32(start);
      if (isPcapMagic(magic)) return createPcapScanner(feed, payload, bigEndian, start, refuse);
      if (magic === SECTION_HEADER) return createPcapngScanner(feed, payload, parts, start, refuse);
    }
    return refuse(0, reasonForForeign(bytes, start));
  }

  return {
    feed,
    scan(): void {
      if (scanner === undefined) {
        const start = feed.take(START_BYTES);
        if (start === 0) return;
        scanner = recognise(start);
      }
      scanner.scan();
    },
    finish(): void {
      if (scanner !== undefined) scanner.finish();
      else if (feed.offset === 0) refuse(0, 'the file is empty');
      else refuse(feed.offset, 'the file is too short to be a capture');
    },
  };
}

function reasonForForeign(bytes: Uint8Array, start: number): string {
  const found = Array.from(bytes.subarray(start, start + 4), (each) => each.toString(16).padStart(2, '0'));
  const gzip = bytes[start] === 0x1f && bytes[start + 1] === 0x8b;
  const hint = gzip ? ' (it is compressed with gzip: decompress it first)' : '';
  return `not a pcap or pcapng capture: it begins with ${found.join(' ')}${hint}`;
}
