/**
 * Network buffers as `netstat -m` of FreeBSD 13 and later prints them, by its formulas:
 *
 *   mbufs in use      = mbufs + packets
 *   clusters in use   = clusters - cached packets (each of which holds one)
 *   bytes in use      = mbufs in use, clusters in use, jumbo clusters in use
 *
 * Its lines on sendfile are left out: there is none here.
 */

import type { ZoneFigures } from './figures.js';

const NOTHING: ZoneFigures = {
  name: '',
  size: 0,
  limit: 0,
  used: 0,
  free: 0,
  requests: 0,
  failures: 0,
  sleeps: 0,
};

type Count = 'used' | 'free' | 'failures' | 'sleeps';

function kilobytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}K`;
}

/** The lines, without a newline at the end of the last. Zones that are missing count as empty. */
export function formatNetstatM(zones: readonly ZoneFigures[]): string {
  const find = (name: string): ZoneFigures => zones.find((zone) => zone.name === name) ?? NOTHING;
  const mbuf = find('mbuf');
  const packet = find('mbuf_packet');
  const cluster = find('mbuf_cluster');
  const jumbos = [find('mbuf_jumbo_page'), find('mbuf_jumbo_9k'), find('mbuf_jumbo_16k')] as const;

  const mbufs = { used: mbuf.used + packet.used, free: mbuf.free + packet.free };
  const clusters = { used: cluster.used - packet.free, free: cluster.free + packet.free };
  const bytes = (of: 'used' | 'free'): number =>
    mbufs[of] * mbuf.size +
    clusters[of] * cluster.size +
    jumbos.reduce((sum, zone) => sum + zone[of] * zone.size, 0);
  const [bytesUsed, bytesFree] = [bytes('used'), bytes('free')];

  const mbufCounts = (of: Count): string => `${mbuf[of]}/${cluster[of]}/${packet[of]}`;
  const jumboCounts = (of: Count): string => jumbos.map((zone) => zone[of]).join('/');
  const jumboLine = (zone: ZoneFigures, title: string): string => {
    const counts = `${zone.used}/${zone.free}/${zone.used + zone.free}/${zone.limit}`;
    return `${counts} ${title} jumbo clusters in use (current/cache/total/max)`;
  };
  const clusterCounts = `${clusters.used}/${clusters.free}/${clusters.used + clusters.free}/${cluster.limit}`;
  const byteCounts = [bytesUsed, bytesFree, bytesUsed + bytesFree].map(kilobytes).join('/');

  return [
    `${mbufs.used}/${mbufs.free}/${mbufs.used + mbufs.free} mbufs in use (current/cache/total)`,
    `${clusterCounts} mbuf clusters in use (current/cache/total/max)`,
    `${packet.used}/${packet.free} mbuf+clusters out of packet secondary zone in use (current/cache)`,
    jumboLine(jumbos[0], '4k (page size)'),
    jumboLine(jumbos[1], '9k'),
    jumboLine(jumbos[2], '16k'),
    `${byteCounts} bytes allocated to network (current/cache/total)`,
    `${mbufCounts('failures')} requests for mbufs denied (mbufs/clusters/mbuf+clusters)`,
    `${mbufCounts('sleeps')} requests for mbufs delayed (mbufs/clusters/mbuf+clusters)`,
    `${jumboCounts('sleeps')} requests for jumbo clusters delayed (4k/9k/16k)`,
    `${jumboCounts('failures')} requests for jumbo clusters denied (4k/9k/16k)`,
  ].join('\n');
}
