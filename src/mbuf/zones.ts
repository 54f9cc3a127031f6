/**
 * The zones: two primary kegs of the commit (mbufs, clusters), one secondary zone, the jumbo clusters.
 *
 * A packet is made when it enters the packet zone's cache: `init` takes a cluster and attaches it, `fini`
 * gives it back. What is cached keeps its cluster, so that `tryGetcl` is one alloc and a few stores.
 */

import { CheckLevel, trashFill } from '../check/index.js';
import { Hand, HandKind, type Machine } from '../machine/index.js';
import { type Addr, layoutOf } from '../record/index.js';
import { type HookAnswer, NO_MEMORY, OWNER_MEMORY, type Zone, ZoneRecord } from '../uma/index.js';
import {
  BufferKind,
  CLUSTER_SIZE,
  JUMBO_9K_SIZE,
  JUMBO_16K_SIZE,
  JUMBO_PAGE_SIZE,
  kindOf,
  MBUF_SIZE,
  Mbuf,
  PACKET_FLAGS,
} from './records.js';
import type { MbufContext, MbufZones } from './types.js';

/**
 * By default no kind of cluster may take more than half of the memory's pages (FreeBSD's maxmbufmem). A
 * cluster of 2048 bytes takes half a page, one of 9216 three.
 */
export const MEMORY_SHARE: number = 1 / 2;
const PAGES_OF = { cluster: 1 / 2, jumboPage: 1, jumbo9k: 3, jumbo16k: 4 } as const;

function defaultMax(pageCount: number, pagesEach: number): number {
  return Math.max(1, Math.floor((pageCount * MEMORY_SHARE) / pagesEach));
}

/** The limits that the zones are made with, in items; 0: none. `max`: that of the clusters. */
export function initialLimits(pageCount: number, max: number | undefined): Readonly<Record<Limited, number>> {
  return {
    mbuf: 0,
    cluster: max ?? defaultMax(pageCount, PAGES_OF.cluster),
    jumboPage: defaultMax(pageCount, PAGES_OF.jumboPage),
    jumbo9k: defaultMax(pageCount, PAGES_OF.jumbo9k),
    jumbo16k: defaultMax(pageCount, PAGES_OF.jumbo16k),
  };
}

/** Zones that have limits of their own. */
export type Limited = 'mbuf' | 'cluster' | 'jumboPage' | 'jumbo9k' | 'jumbo16k';

/** Name of the zone that is made last: where it is, all are. */
export const LAST_MBUF_ZONE = 'mbuf_ext_refcnt';

/** Names of zones, which are FreeBSD's. */
export const ZONE_NAMES: Readonly<Record<Limited, string>> = {
  mbuf: 'mbuf',
  cluster: 'mbuf_cluster',
  jumboPage: 'mbuf_jumbo_page',
  jumbo9k: 'mbuf_jumbo_9k',
  jumbo16k: 'mbuf_jumbo_16k',
};

/** A cache line, so that two counters never share one. */
const COUNTER_SIZE = 64;

/** The zones, and the means to take this thread's and the packet zone's cached packets apart. */
export interface ZonesAndDrain {
  readonly zones: MbufZones;
  /** True when a packet was taken apart. */
  drainPackets(polled?: boolean): boolean;
}

export function createMbufZones(context: MbufContext, max: number | undefined): ZonesAndDrain {
  const { machine, threads, uma, hands } = context;
  const { words, layout, checkLevel } = machine;
  const { owners } = uma;
  const { slot } = threads;
  const { next: NEXT, flags: FLAGS, buffer: BUFFER, capacity: CAPACITY, counter: COUNTER } = Mbuf;
  const { pageCount, reservedPages } = layout.parameters;
  const clusterSite = machine.failpoints.site('mbuf.cluster', 'the cluster of a packet that is made');
  const trash = checkLevel >= CheckLevel.TRASH;

  /** A packet is being made by this thread just now: its zone must not be drained meanwhile. */
  let making = false;
  /** Packets of this thread whose cluster went back. */
  let unmade = 0;

  /**
   * Caches full of packets hold clusters and mbufs that others lack: gives them back. A thread that polls
   * does not ask the others: those who wait would wake each other without end.
   */
  function drainPackets(polled = false): boolean {
    if (making) return false;
    const before = unmade;
    if (polled) packet.drainHere();
    else packet.drain();
    return unmade !== before;
  }

  const limits = initialLimits(pageCount - reservedPages, max);
  const cluster = uma.zone({
    name: ZONE_NAMES.cluster,
    size: CLUSTER_SIZE,
    referenceCounted: 'layer',
    max: limits.cluster,
    onExhausted: () => drainPackets(),
    onOwnerDeath: 'free',
  });
  const mbuf = uma.zone({
    name: ZONE_NAMES.mbuf,
    max: limits.mbuf,
    size: MBUF_SIZE,
    align: MBUF_SIZE,
    maxBucket: true,
    onExhausted: () => drainPackets(),
    onOwnerDeath: 'free',
    // So that the flags of an mbuf that was never used say that it has no buffer.
    zeroFresh: true,
  });

  /**
   * Writes nothing before it has the cluster: a failed init leaves the item as it was. Until the flags are
   * there
   * the cluster is this thread's, from then on the packet's, and `fini` frees it whatever its owner byte
   * says.
   */
  function packetInit(item: Addr): HookAnswer {
    if (clusterSite.fails(cluster.name)) return NO_MEMORY;
    making = true;
    let address: Addr | 0;
    try {
      address = cluster.tryAlloc();
    } finally {
      making = false;
    }
    if (address === 0) return NO_MEMORY;
    if (trash) trashFill(words, address, CLUSTER_SIZE);
    const m = item >> 2;
    words[m + BUFFER] = address;
    words[m + CAPACITY] = CLUSTER_SIZE;
    words[m + COUNTER] = 0;
    words[m + NEXT] = 0;
    words[m + FLAGS] = PACKET_FLAGS;
    owners[address >>> 4] = OWNER_MEMORY;
    return 0;
  }

  /** The item may have been through `init`, half through it, or through `fini`: its flags say so. */
  function packetFini(item: Addr): void {
    const m = item >> 2;
    const address = words[m + BUFFER] as Addr;
    if (kindOf(words[m + FLAGS] as number) === BufferKind.PACKET) {
      const hand = hands.open(HandKind.CLUSTER, 0, address, item, 0);
      words[m + FLAGS] = 0;
      owners[address >>> 4] = slot;
      hands.close(hand);
      unmade++;
      cluster.free(address);
    }
    // Items of the mbuf keg are kept as trash when free; those of this zone are not.
    if (trash) trashFill(words, item, MBUF_SIZE);
  }

  /**
   * A dead thread was in `fini`. The packet has let go of the cluster, which is the dead thread's then, or
   * not yet.
   */
  uma.reaper.onHand(HandKind.CLUSTER, (hand, dead) => {
    const address = words[hand + Hand.HELD] as number;
    const m = (words[hand + Hand.SECOND] as number) >> 2;
    const attached =
      kindOf(words[m + FLAGS] as number) === BufferKind.PACKET && words[m + BUFFER] === address;
    if (!attached) owners[address >>> 4] = dead;
    words[hand] = 0;
  });

  const packet: Zone = uma.zone({
    name: 'mbuf_packet',
    // There are never more packets than clusters; the limit keeps the buckets of packets as small as theirs.
    max: limits.cluster,
    primary: mbuf,
    init: packetInit,
    fini: packetFini,
    finiIsSafe: true,
    onOwnerDeath: 'free',
  });

  function jumbo(kind: 'jumboPage' | 'jumbo9k' | 'jumbo16k', size: number): Zone {
    return uma.zone({
      name: ZONE_NAMES[kind],
      size,
      referenceCounted: 'layer',
      max: limits[kind],
      onOwnerDeath: 'free',
    });
  }

  const zones = {
    mbuf,
    cluster,
    packet,
    jumboPage: jumbo('jumboPage', JUMBO_PAGE_SIZE),
    jumbo9k: jumbo('jumbo9k', JUMBO_9K_SIZE),
    jumbo16k: jumbo('jumbo16k', JUMBO_16K_SIZE),
    externalCounter: uma.zone({
      name: LAST_MBUF_ZONE,
      size: COUNTER_SIZE,
      align: COUNTER_SIZE,
      onOwnerDeath: 'free',
    }),
  };
  const names = new Set(Object.values(zones).map(({ name }) => name));
  uma.onZoneEnd(({ name }) => (names.has(name) ? 'is used by memory.mbufs' : ''));
  return { zones, drainPackets };
}

/** Word that is not 0 while somebody waits for an item of the zone. A load of it is all that `free` pays. */
export function waitersWord(machine: Machine, zone: Zone): number {
  return machine.area('zones') + zone.index * layoutOf(ZoneRecord).words + ZoneRecord.waitCount;
}
