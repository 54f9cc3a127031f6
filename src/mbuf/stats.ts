/** The numbers of `netstat -m`, by its own formulas. */

import { CLUSTER_SIZE, JUMBO_9K_SIZE, JUMBO_16K_SIZE, JUMBO_PAGE_SIZE, MBUF_SIZE } from './records.js';
import type { MbufStats, MbufZones } from './types.js';

export function mbufStats(zones: MbufZones): MbufStats {
  const mbuf = zones.mbuf.stats();
  const cluster = zones.cluster.stats();
  const packet = zones.packet.stats();
  const jumboPage = zones.jumboPage.stats();
  const jumbo9k = zones.jumbo9k.stats();
  const jumbo16k = zones.jumbo16k.stats();
  const externalCounter = zones.externalCounter.stats();

  const mbufs = { current: mbuf.used + packet.used, cache: mbuf.free + packet.free };
  // The clusters of cached packets are in use for their zone, and in the cache for everybody else.
  const clusters = { current: cluster.used - packet.free, cache: cluster.free + packet.free };
  const sum = (of: 'used' | 'free'): number =>
    jumboPage[of] * JUMBO_PAGE_SIZE + jumbo9k[of] * JUMBO_9K_SIZE + jumbo16k[of] * JUMBO_16K_SIZE;
  const current = mbufs.current * MBUF_SIZE + clusters.current * CLUSTER_SIZE + sum('used');
  const cache = mbufs.cache * MBUF_SIZE + clusters.cache * CLUSTER_SIZE + sum('free');
  return {
    zones: { mbuf, cluster, packet, jumboPage, jumbo9k, jumbo16k, externalCounter },
    mbufs: { ...mbufs, total: mbufs.current + mbufs.cache },
    clusters: { ...clusters, total: cluster.used + cluster.free, max: cluster.limit },
    packets: { current: packet.used, cache: packet.free },
    bytes: { current, cache, total: current + cache },
  };
}
