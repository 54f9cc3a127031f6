/**
 * Taking mbufs without sleeping.
 *
 *   tryGet, tryGethdr   the mbuf zone, then the header
 *   tryGetcl            the packet zone, then the header: the cluster is attached already
 *   tryGetjcl           the mbuf zone, and a cluster of that size
 */

import { CheckLevel, describeValue, type FailSite, MbumaError, trashFindDamage, hex } from '../check/index.js';
import type { Addr } from '../record/index.js';
import type { Buffers } from './buffers.js';
import type { Headers } from './headers.js';
import { BufferKind, CLUSTER_SIZE, HEADER_FLAGS, Mbuf } from './records.js';
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
  const { writeBare, writeHeader, writePacket } = headers;
  const { mbuf: mbufZone, packet: packetZone } = zones;
  const { buffer: BUFFER } = Mbuf;
  /** At check level 0 the failpoints of single mbufs are not there. */
  const probed = checkLevel >= CheckLevel.WITNESS;
  const getSite = failpoints.site('mbuf.get');
  const packetSite = failpoints.site('mbuf.packet');
  const jumboSite = failpoints.site('mbuf.jumbo');

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

  /** At check level 2 a cached packet's cluster is full of trash: see freePacket. */
  function checkTrash(m: Addr): Addr {
    const cluster = words[(m >> 2) + BUFFER] as number;
    const damaged = trashFindDamage(words, cluster, CLUSTER_SIZE);
    if (damaged === 0) return m;
    const message = `cluster ${hex(cluster)} of free packet ${hex(m)} was written to at ${hex(damaged)}`;
    throw new MbumaError('MODIFIED_AFTER_FREE', message, { address: damaged, zone: 'mbuf_packet' });
  }

  /** The functions above know no failpoint: from check level 1 on, these stand before them. */
  function guarded(site: FailSite, take: () => Addr | 0): () => Addr | 0 {
    if (!probed) return take;
    return () => (site.fails() ? 0 : take());
  }

  function guardedMany(site: FailSite, takeMany: Getters['tryGetMany']): Getters['tryGetMany'] {
    if (!probed) return takeMany;
    return (out, n) => (site.fails() ? 0 : takeMany(out, n));
  }

  function requireKind(size: unknown): number {
    const kind = typeof size === 'number' ? buffers.jumboKind(size) : BufferKind.OWN;
    if (kind !== BufferKind.OWN) return kind;
    throw new MbumaError(
      'BAD_ARGUMENT',
      `size must be 2048, 4096, 9216 or 16384, not ${describeValue(size)}`,
    );
  }

  function tryGetKind(kind: number, flags: number): Addr | 0 {
    if (probed && jumboSite.fails()) return 0;
    const zone = buffers.zoneOf(kind);
    const cluster = zone === undefined ? 0 : zone.tryAlloc();
    if (cluster === 0) return 0;
    const m = probed && getSite.fails() ? 0 : mbufZone.tryAlloc();
    if (m === 0) {
      zone?.free(cluster);
      return 0;
    }
    writeHeader(m);
    buffers.attachCluster(m >> 2, cluster, kind, flags);
    return m;
  }

  const checked = checkLevel >= CheckLevel.TRASH;
  const tryGetclChecked = (): Addr | 0 => {
    const m = tryGetcl();
    return m === 0 ? 0 : checkTrash(m);
  };
  const tryGetclManyChecked = (out: Int32Array, n: number): number => {
    const got = tryGetclMany(out, n);
    for (let at = 0; at < got; at++) checkTrash(out[at] as Addr);
    return got;
  };

  const getters: Getters = {
    tryGet: guarded(getSite, tryGet),
    tryGethdr: guarded(getSite, tryGethdr),
    tryGetcl: guarded(packetSite, checked ? tryGetclChecked : tryGetcl),
    tryGetjcl: (size) => {
      const kind = requireKind(size);
      return kind === BufferKind.CLUSTER ? getters.tryGetcl() : tryGetKind(kind, HEADER_FLAGS);
    },
    tryGetKind,
    tryGetMany: guardedMany(getSite, tryGetMany),
    tryGethdrMany: guardedMany(getSite, tryGethdrMany),
    tryGetclMany: guardedMany(packetSite, checked ? tryGetclManyChecked : tryGetclMany),
    requireKind,
  };
  return getters;
}
