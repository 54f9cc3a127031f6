/** One replay, from an empty memory to the audit. */

import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Memory } from '../../index.js';
import type { ZoneFigures } from '../../stat/index.js';
import { peakRssBytes } from '../compare/index.js';
import { conversationIndexZone } from '../conversation/index-pages.js';
import { createConversationReader, topRows } from '../conversation/read.js';
import { conversationZone } from '../conversation/table.js';
import { makeMemory, tooSmallOr } from '../memory-size.js';
import { assign } from '../sysctl/assignments.js';
import { leavesLeft, leavesUnder } from '../sysctl/run.js';
import { type Crew, hireCrew, type WorkerReport } from './crew.js';
import { createFeeder } from './feeder.js';
import { sumGc, watchGc } from './gc-watch.js';
import type { WorkerCounts } from './messages.js';
import type { ReplayHooks, ReplayOptions, ReplayResult } from './result.js';

/** Packets that a ring holds: enough to keep a worker busy while the reader waits for the disk. */
const RING_CAPACITY_MAX = 4096;
const RING_CAPACITY_MIN = 256;
/** One word of all rings together for so many bytes of memory. */
const BYTES_PER_RING_WORD = 256;

function ringCapacityFor({ memoryBytes, workers }: ReplayOptions): number {
  const words = Math.floor(memoryBytes / BYTES_PER_RING_WORD / workers);
  return Math.max(RING_CAPACITY_MIN, Math.min(RING_CAPACITY_MAX, words));
}

/** Zones of the network buffers, of the conversations, and some to spare. */
const ZONES_MAX = 48;

/** Smallest memory that reads into jumbo clusters, and into pages. */
const BYTES_FOR_16K = 8 << 20;
const BYTES_FOR_4K = 2 << 20;

function clusterBytesFor(memoryBytes: number): number {
  if (memoryBytes >= BYTES_FOR_16K) return 16384;
  return memoryBytes >= BYTES_FOR_4K ? 4096 : 2048;
}

/** Bytes to be read, or 0 when some file cannot tell. */
function totalBytes({ files, repeat }: ReplayOptions): number {
  let sum = 0;
  for (const path of files) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined || !stats.isFile()) return 0;
    sum += stats.size;
  }
  return sum * repeat;
}

/**
 * Packets may not take it all, or a worker that needs one record more waits for ever for packets that wait
 * for it: so much of the pages that can be had is theirs at most. The rest is for conversations.
 */
const CLUSTER_SHARE = 3 / 8;
const MBUF_SHARE = 1 / 8;
const MBUFS_MIN = 512;

function limitPackets(memory: Memory): void {
  const { mbuf, cluster, jumboPage, jumbo16k } = memory.mbufs.zones;
  const bytes = memory.stats().pages.pages * jumboPage.size;
  mbuf.max = Math.max(MBUFS_MIN, Math.floor((bytes * MBUF_SHARE) / mbuf.size));
  for (const zone of [cluster, jumboPage, jumbo16k])
    zone.max = Math.floor((bytes * CLUSTER_SHARE) / zone.size);
}

/** @throws InputError, CaptureError, InterruptedError: then all threads have ended */
export async function runReplay(options: ReplayOptions, hooks: ReplayHooks = {}): Promise<ReplayResult> {
  const { memoryBytes, workers } = options;
  const memory = makeMemory({ bytes: memoryBytes, maxThreads: workers + 1, maxZones: ZONES_MAX });
  return replayIn(memory, options, hooks);
}

/** The same in a memory that is there already. */
export async function replayIn(
  memory: Memory,
  options: ReplayOptions,
  hooks: ReplayHooks = {},
): Promise<ReplayResult> {
  limitPackets(memory);
  // All zones are there, so that all their names are.
  conversationZone(memory);
  conversationIndexZone(memory);
  const { settings = [], memoryBytes } = options;
  for (const setting of settings) assign(memory, setting);
  try {
    return await replayAndConclude(memory, options, hooks);
  } catch (error) {
    throw tooSmallOr(error, memoryBytes, settings.length > 0);
  }
}

async function replayAndConclude(
  memory: Memory,
  options: ReplayOptions,
  hooks: ReplayHooks,
): Promise<ReplayResult> {
  const seed = randomInt(2 ** 31);
  const crew = hireCrew(memory, options, ringCapacityFor(options), seed);
  const gcWatch = watchGc();
  try {
    await crew.ready;
    // A name that is not there is told now, and not after the work.
    leavesUnder(memory, options.sysctl ?? []);
    const started = performance.now();
    await feedAll(memory, crew, options, hooks, seed);
    const reports = await crew.finish();
    const seconds = (performance.now() - started) / 1000;
    if (crew.failure !== undefined) throw crew.failure;
    const ownGc = await gcWatch.stop(started);
    const gc = sumGc([ownGc, ...reports.map((report) => report.gc)]);
    return conclude(memory, options, reports, seconds, gc);
  } catch (error) {
    await crew.dismiss();
    throw error;
  }
}

async function feedAll(
  memory: Memory,
  crew: Crew,
  options: ReplayOptions,
  hooks: ReplayHooks,
  seed: number,
): Promise<void> {
  const clusterBytes = clusterBytesFor(options.memoryBytes);
  const feeder = createFeeder(memory, crew, options, hooks, clusterBytes, totalBytes(options), seed);
  try {
    await feeder.feed();
  } finally {
    await feeder.close();
  }
}

function sumCounts(reports: readonly WorkerReport[]): WorkerCounts {
  const sum = (of: (counts: WorkerCounts) => number): number =>
    reports.reduce((total, { counts }) => total + of(counts), 0);
  return {
    packets: sum((counts) => counts.packets),
    bytes: sum((counts) => counts.bytes),
    tcp: sum((counts) => counts.tcp),
    udp: sum((counts) => counts.udp),
    otherIp: sum((counts) => counts.otherIp),
    nonIp: sum((counts) => counts.nonIp),
    fragments: sum((counts) => counts.fragments),
    conversations: {
      tcp: sum((counts) => counts.conversations.tcp),
      udp: sum((counts) => counts.conversations.udp),
    },
  };
}

/** Reads the conversations, gives everything back, and looks whether all is there again. */
function conclude(
  memory: Memory,
  options: ReplayOptions,
  reports: readonly WorkerReport[],
  seconds: number,
  gc: ReplayResult['gc'],
): ReplayResult {
  const counts = sumCounts(reports);
  const reader = createConversationReader(memory);
  const lists = reports.map(({ first }) => first);
  const top = topRows(reader, lists, options.top);
  for (const first of lists) reader.free(first);
  const { zones } = memory.stats();
  const sysctl = leavesLeft(memory, options.sysctl);
  const { violations } = memory.audit();
  const leaks = zones.filter(({ used, name }) => used > 0 && isOurs(name, zones));
  const leakReports = leaks.map(({ name, used }) => ({
    rule: 'replay.leak',
    message: `zone ${name}: ${used} items were not given back`,
  }));
  const all = [...violations, ...leakReports];
  return {
    files: options.files.length,
    ...counts,
    top,
    seconds,
    packetsPerSecond: counts.packets / seconds,
    gc,
    peakRss: peakRssBytes(),
    workers: options.workers,
    zones,
    ...(sysctl === undefined ? {} : { sysctl }),
    audit: { clean: all.length === 0, violations: all },
  };
}

/** Clusters of cached packets are in use for their zone, and rightly so. */
function isOurs(name: string, zones: readonly ZoneFigures[]): boolean {
  const find = (wanted: string): ZoneFigures | undefined => zones.find((zone) => zone.name === wanted);
  if (name === 'mbuf_cluster') return (find(name)?.used ?? 0) !== (find('mbuf_packet')?.free ?? 0);
  return name.startsWith('mbuf') || name.startsWith('conversation');
}
