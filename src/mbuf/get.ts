/**
 * Taking mbufs without sleeping.
 *
 *   tryGet, tryGethdr   the mbuf zone, then the header
 *   tryGetcl            the packet zone, then the header: the cluster is attached already
 *   tryGetjcl           the mbuf zone, and a cluster of that size
 */

import {
  CheckLevel,
  describeValue,
  type FailSite,
  hex,
  MbumaError,
  trashFill,
  trashFindDamage,
} from '../check/index.js';
import type { Addr } from '../record/index.js';
import type { Zone } from '../uma/index.js';
import type { Buffers } from './buffers.js';
import type { Headers } from './headers.js';
import { BufferKind, CLUSTER_SIZE, HEADER_FLAGS, KIND_SHIFT, Mbuf } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export interface Getters {
  tryGet(): Addr | 0;
  tryGethdr(): Addr | 0;
  tryGetcl(): Addr | 0;
  tryGetjcl(size: number): Addr | 0;
  /** An mbuf with `flags` and a cluster of the kind, which is not PACKET. */
  tryGetKind(kind: number, flags: number): Addr | 0;
  tryGetMany(out: Int32Array, n: number): number;
  tryGethdrMany(out: Int32Array, n: number): number;
  tryGetclMany(out: Int32Array, n: number): number;
  /** Kind of the clusters of `size`; BAD_ARGUMENT for another size. */
  requireKind(size: unknown): number;
}

export function createGetters(
  { machine }: MbufContext,
  zones: MbufZones,
  buffers: Buffers,
  headers: Headers,
): Getters {
  const { words, failpoints, checkLevel } = machine;
  const { writeBare, writeHeader, writeCluster, writePacket } = headers;
  const { zoneByKind } = buffers;
  const { mbuf: mbufZone, packet: packetZone } = zones;
  const { buffer: BUFFER } = Mbuf;
  const { OWN, CLUSTER, JUMBO_PAGE, JUMBO_9K, JUMBO_16K } = BufferKind;
  /** By `size >>> SIZE_SHIFT`: 2048, 4096, 9216 and 16384 have places of their own. */
  const kindBySize = [OWN, CLUSTER, JUMBO_PAGE, OWN, JUMBO_9K, OWN, OWN, OWN, JUMBO_16K];
  const SIZE_SHIFT = 11;
  // What is imported is a load for V8; what is local is not.
  const KIND_PLACE = KIND_SHIFT;
  const HEADER = HEADER_FLAGS;
  /** At check level 0 the failpoints of single mbufs are not there. */
  const probed = checkLevel >= CheckLevel.WITNESS;
  const getSite = failpoints.site('mbuf.get', 'an mbuf; from check level 1 on');
  const packetSite = failpoints.site('mbuf.packet', 'a packet; from check level 1 on');
  const jumboSite = failpoints.site('mbuf.jumbo', 'an mbuf with a jumbo cluster; from check level 1 on');

  function tryGet(): Addr | 0 {
    const m = mbufZone.tryAlloc();
    if (m !== 0) writeBare(m);
    return m;
  }

  function tryGethdr(): Addr | 0 {
    const m = mbufZone.tryAlloc();
    if (m !== 0) writeHeader(m);
    return m;
  }

  function tryGetcl(): Addr | 0 {
    const m = packetZone.tryAlloc();
    if (m !== 0) writePacket(m);
    return m;
  }

  function tryGetMany(out: Int32Array, n: number): number {
    const got = mbufZone.tryAllocMany(out, n);
    for (let at = 0; at < got; at++) writeBare(out[at] as number);
    return got;
  }

  function tryGethdrMany(out: Int32Array, n: number): number {
    const got = mbufZone.tryAllocMany(out, n);
    for (let at = 0; at < got; at++) writeHeader(out[at] as number);
    return got;
  }

  function tryGetclMany(out: Int32Array, n: number): number {
    const got = packetZone.tryAllocMany(out, n);
    for (let at = 0; at < got; at++) writePacket(out[at] as number);
    return got;
  }

  /**
   * At check level 2 the cluster of a cached packet is full of trash (see freePacket). Packets with damage go
   * back, with the others, filled anew; the error is for the caller who would have got them.
   */
  function checkTrash(packets: Int32Array, n: number): void {
    let error: MbumaError | null = null;
    for (let at = 0; at < n; at++) {
      const m = packets[at] as number;
      const cluster = words[(m >> 2) + BUFFER] as number;
      const damaged = trashFindDamage(words, cluster, CLUSTER_SIZE);
      if (damaged === 0) continue;
      const message = `cluster ${hex(cluster)} of free packet ${hex(m)} was written to at ${hex(damaged)}`;
      error ??= new MbumaError('MODIFIED_AFTER_FREE', message, { address: damaged, zone: packetZone.name });
      trashFill(words, cluster, CLUSTER_SIZE);
    }
    if (error === null) return;
    packetZone.freeMany(packets, n);
    throw error;
  }

  /** The functions above know no failpoint: from check level 1 on, these stand before them. */
  function guarded(site: FailSite, { name }: Zone, take: () => Addr | 0): () => Addr | 0 {
    if (!probed) return take;
    return () => (site.fails(name) ? 0 : take());
  }

  function guardedMany(
    site: FailSite,
    { name }: Zone,
    takeMany: Getters['tryGetMany'],
  ): Getters['tryGetMany'] {
    if (!probed) return takeMany;
    return (out, n) => (site.fails(name) ? 0 : takeMany(out, n));
  }

  function requireKind(size: unknown): number {
    const kind = typeof size === 'number' ? (kindBySize[size >>> SIZE_SHIFT] ?? OWN) : OWN;
    if (kind !== OWN && (zoneByKind[kind] as Zone).size === size) return kind;
    throw new MbumaError(
      'BAD_ARGUMENT',
      `size must be 2048, 4096, 9216 or 16384, not ${describeValue(size)}`,
    );
  }

  function tryGetKind(kind: number, flags: number): Addr | 0 {
    const zone = zoneByKind[kind] as Zone;
    if (probed && jumboSite.fails(zone.name)) return 0;
    const cluster = zone.tryAlloc();
    if (cluster === 0) return 0;
    const m = probed && getSite.fails(mbufZone.name) ? 0 : mbufZone.tryAlloc();
    if (m === 0) zone.free(cluster);
    else writeCluster(m, flags | (kind << KIND_PLACE), cluster, zone.size);
    return m;
  }

  const checked = checkLevel >= CheckLevel.TRASH;
  const tryGetclChecked = (): Addr | 0 => {
    const m = tryGetcl();
    if (m !== 0) checkTrash(Int32Array.of(m), 1);
    return m;
  };
  const tryGetclManyChecked = (out: Int32Array, n: number): number => {
    const got = tryGetclMany(out, n);
    checkTrash(out, got);
    return got;
  };

  const getters: Getters = {
    tryGet: guarded(getSite, mbufZone, tryGet),
    tryGethdr: guarded(getSite, mbufZone, tryGethdr),
    tryGetcl: guarded(packetSite, packetZone, checked ? tryGetclChecked : tryGetcl),
    tryGetjcl: (size) => {
      const kind = requireKind(size);
      return kind === CLUSTER ? getters.tryGetcl() : tryGetKind(kind, HEADER);
    },
    tryGetKind,
    tryGetMany: guardedMany(getSite, mbufZone, tryGetMany),
    tryGethdrMany: guardedMany(getSite, mbufZone, tryGethdrMany),
    tryGetclMany: guardedMany(packetSite, packetZone, checked ? tryGetclManyChecked : tryGetclMany),
    requireKind,
  };
  return getters;
}
