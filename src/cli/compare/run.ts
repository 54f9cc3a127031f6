/** The job of `mbuma replay` with Buffers, Maps and messages. */

import { performance } from 'node:perf_hooks';
import { CLASS_MASK, CLASS_TCP } from '../packet/fields.js';
import { sumGc, watchGc } from '../replay/gc-watch.js';
import type { WorkerCounts } from '../replay/messages.js';
import { CaptureFile } from './capture-file.js';
import {
  CHUNK_BYTES,
  type Chunk,
  createChunk,
  freshBytes,
  PACKET_CAPTURED,
  PACKET_LINK,
  PACKET_NUMBERS,
  PACKET_ORIGINAL,
  PACKET_START,
} from './chunk.js';
import { topRows } from './conversations.js';
import { decodePacket, flowHash, Headers } from './decode.js';
import type { Packet } from './messages.js';
import { peakRssBytes } from './peak-rss.js';
import type { BaselineOptions, BaselineResult } from './result.js';
import { Shard } from './shard.js';

export async function run(options: BaselineOptions): Promise<BaselineResult> {
  const { files, workers, top } = options;
  const gcWatch = watchGc();
  const shards = Array.from({ length: workers }, () => new Shard());
  await Promise.all(shards.map((shard) => shard.ready()));

  const started = performance.now();
  await feed(options, shards);
  const counted = await Promise.all(shards.map((shard) => shard.counted(top)));
  const seconds = (performance.now() - started) / 1000;

  const ownGc = await gcWatch.stop(started);
  const reports = await Promise.all(shards.map((shard) => shard.report()));
  const counts = sumCounts(counted.map((message) => message.counts));
  return {
    files: files.length,
    ...counts,
    top: topRows(
      reports.flatMap((report) => report.top),
      top,
    ),
    seconds,
    packetsPerSecond: counts.packets / seconds,
    bytesPerSecond: counts.bytes / seconds,
    gc: sumGc([ownGc, ...reports.map((report) => report.gc)]),
    peakRss: peakRssBytes(),
    workers,
  };
}

async function feed({ files, repeat }: BaselineOptions, shards: readonly Shard[]): Promise<void> {
  const chunk = createChunk(CHUNK_BYTES);
  const [only] = shards;
  const deal = shards.length === 1 && only !== undefined ? handOver(only) : createDealer(shards);
  for (let pass = 0; pass < repeat; pass++) {
    for (const path of files) {
      const file = new CaptureFile(path);
      try {
        while (file.fill(chunk)) await deal(chunk, pass);
      } finally {
        file.close();
      }
    }
  }
}

type Deal = (chunk: Chunk, pass: number) => Promise<void>;

/** The packets of a chunk as Buffers over it. */
function packetsOf({ bytes, packets, count }: Chunk): Packet[] {
  const buffer = Buffer.from(bytes);
  const list: Packet[] = [];
  for (let at = 0; at < count * PACKET_NUMBERS; at += PACKET_NUMBERS) {
    const start = packets[at + PACKET_START] as number;
    list.push({
      data: buffer.subarray(start, start + (packets[at + PACKET_CAPTURED] as number)),
      original: packets[at + PACKET_ORIGINAL] as number,
      link: packets[at + PACKET_LINK] as number,
    });
  }
  return list;
}

/** The only worker gets all packets of a chunk, and the chunk's memory with them: nothing is copied. */
function handOver(shard: Shard): Deal {
  return async (chunk, pass) => {
    const packets = packetsOf(chunk);
    const { bytes } = chunk;
    chunk.bytes = freshBytes(CHUNK_BYTES);
    await shard.send(packets, pass, [bytes]);
  };
}

/** Several workers: the packets of a chunk are copied, for its memory can go to only one of them. */
function createDealer(shards: readonly Shard[]): Deal {
  const headers = new Headers();
  let turn = 0;

  /** Packets of one conversation go to one worker; the others take turns. */
  function shardOf({ data, link }: Packet): number {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const kind = decodePacket(view, 0, data.byteLength, link, headers) & CLASS_MASK;
    const number = kind >= CLASS_TCP ? flowHash(view, headers) : turn++;
    return number % shards.length;
  }

  return async (chunk, pass) => {
    const batches: Packet[][] = shards.map(() => []);
    for (const packet of packetsOf(chunk)) {
      batches[shardOf(packet)]?.push({ ...packet, data: new Uint8Array(packet.data) });
    }
    for (const [index, batch] of batches.entries()) {
      const transfer = batch.map((packet) => packet.data.buffer);
      if (batch.length > 0) await shards[index]?.send(batch, pass, transfer);
    }
  };
}

function sumCounts(counts: readonly WorkerCounts[]): WorkerCounts {
  const sum = (of: (each: WorkerCounts) => number): number =>
    counts.reduce((total, each) => total + of(each), 0);
  return {
    packets: sum((each) => each.packets),
    bytes: sum((each) => each.bytes),
    tcp: sum((each) => each.tcp),
    udp: sum((each) => each.udp),
    otherIp: sum((each) => each.otherIp),
    nonIp: sum((each) => each.nonIp),
    fragments: sum((each) => each.fragments),
    conversations: {
      tcp: sum((each) => each.conversations.tcp),
      udp: sum((each) => each.conversations.udp),
    },
  };
}
