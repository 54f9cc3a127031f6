/** Runs a capture scanner over a plain buffer, cluster by cluster, and puts the packets together again. */

import { createCaptureScanner } from '../capture/capture.js';
import { CARRY_BYTES } from '../capture/feed.js';
import { PART_CONTINUED, PART_CONTINUES, PART_LINK_MASK, Parts } from '../capture/parts.js';
import { type Bytes, concatAll } from './captures.test-kit.js';

export interface ScannedPacket {
  readonly data: Bytes;
  readonly original: number;
  readonly link: number;
}

const CARRY_ADDRESS = 64;
const FIRST_CLUSTER = 256;

/**
 * @param clusterBytes how much of the file is offered at a time
 * @param filler what stands in the memory around the clusters: the result must not depend on it
 */
export function scanAll(file: Bytes, clusterBytes: number, filler = 0): ScannedPacket[] {
  const memory = new Uint8Array(FIRST_CLUSTER + 2 * (clusterBytes + 256)).fill(filler);
  const parts = new Parts(clusterBytes);
  const scanner = createCaptureScanner('test.pcap', memory, CARRY_ADDRESS, parts);
  const packets: ScannedPacket[] = [];
  let open: Bytes[] = [];
  let openTotal = 0;
  for (let offset = 0, turn = 0; offset < file.length; offset += clusterBytes, turn++) {
    // Two clusters in turn: what was in the one before must not be looked at again.
    const start = FIRST_CLUSTER + (turn % 2) * (clusterBytes + 256);
    const chunk = file.subarray(offset, offset + clusterBytes);
    memory.fill(filler, FIRST_CLUSTER);
    memory.set(chunk, start);
    parts.clear();
    scanner.feed.offer(start, chunk.length);
    scanner.scan();
    for (let index = 0; index < parts.count; index++) {
      const mark = parts.marks[index] as number;
      const at = parts.starts[index] as number;
      const length = parts.lengths[index] as number;
      if (at < start || length < 0 || at + length > start + chunk.length) {
        throw new Error(`part ${at}+${length} lies outside of its cluster ${start}+${chunk.length}`);
      }
      if (((mark & PART_CONTINUES) !== 0) !== open.length > 0) throw new Error('a part without its packet');
      open.push(memory.slice(at, at + length));
      openTotal = parts.totals[index] as number;
      if ((mark & PART_CONTINUED) !== 0) continue;
      const data = concatAll(open);
      if (data.length !== openTotal) throw new Error(`${data.length} bytes instead of ${openTotal}`);
      packets.push({ data, original: (parts.originals[index] as number) >>> 0, link: mark & PART_LINK_MASK });
      open = [];
    }
  }
  if (scanner.feed.available !== 0) throw new Error('the scanner left bytes of a cluster');
  scanner.finish();
  return packets;
}

const CARRY_FITS: boolean = CARRY_ADDRESS + CARRY_BYTES <= FIRST_CLUSTER;
if (!CARRY_FITS) throw new Error('the carry does not fit');
