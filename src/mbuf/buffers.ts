/**
 * Who refers to a buffer.
 *
 * An mbuf without SHARED is the only one that refers to its buffer; the counter is then 0 and not even
 * looked up, so that most buffers live and die without an atomic operation. The first `reference` writes
 * the counter and sets SHARED; from then on each mbuf of the buffer has SHARED and is counted.
 *
 * While a cluster is attached the memory owns it (owner byte 255): it goes from thread to thread with its
 * mbuf. It becomes this thread's again just before it is freed, with flags that say still that it is
 * attached: mbuf and cluster are then both this thread's, and its reaper frees the one with the other.
 */

import { damaged } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { OWNER_MEMORY, type Zone } from '../uma/index.js';
import { createCounters } from './counters.js';
import { BufferKind, KIND_MASK, kindOf, Mbuf, MbufFlag } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export interface Buffers {
  /** Zone of each kind of buffer; null for OWN, EXTERNAL and numbers that are no kind. */
  readonly zoneByKind: readonly (Zone | null)[];
  /** Finds a counter for the buffer of `m`, and names it there. False: no memory for one. */
  prepareShare(m: number): boolean;
  /**
   * Makes `count` mbufs, which are this thread's and name buffer and counter already, further references to
   * the
   * buffer of `m`, by giving them their flags.
   */
  shareMany(m: number, mbufs: Int32Array, count: number, flags: number): void;
  /** The same for one (word index `to`). */
  share(m: number, to: number, flags: number): void;
  /** Whether nobody else refers to the buffer of `m`. Stops counting when that is so. */
  isExclusive(m: number): boolean;
  /**
   * Gives up the reference of `m`. True: it was the last, `m` has the buffer for itself; else it has none
   * any more.
   */
  leave(m: number): boolean;
  /** The same for a run of mbufs of one buffer, below `count`; true: the last of them has it for itself. */
  leaveMany(mbufs: Int32Array, count: number): boolean;
  /** Takes the cluster off an mbuf (word index) that has it for itself, and frees it. */
  releaseCluster(m: number): void;
  /** Takes the counter off an mbuf (word index) that has its external buffer for itself, and frees it. */
  releaseCounter(m: number): void;
  /** Takes the cluster off the mbuf (word index); the last reference frees it. */
  dropCluster(m: number): void;
}

export function createBuffers(context: MbufContext, zones: MbufZones): Buffers {
  const { machine, threads, uma } = context;
  const { words } = machine;
  const { load } = machine.atomics;
  const { owners } = uma;
  const { slot } = threads;
  const { flags: FLAGS, buffer: BUFFER, counter: COUNTER } = Mbuf;
  const { SHARED } = MbufFlag;
  const { externalCounter } = zones;
  const counters = createCounters(context);
  // What is imported is a load for V8; what is local is not.
  const kindIn = kindOf;
  const BARE = ~(KIND_MASK | SHARED);
  const HELD_BY_MEMORY = OWNER_MEMORY;
  const counterSite = machine.failpoints.site('mbuf.counter', 'the counter of an external buffer');

  const zoneByKind: (Zone | null)[] = new Array<Zone | null>(256).fill(null);
  zoneByKind[BufferKind.CLUSTER] = zones.cluster;
  zoneByKind[BufferKind.PACKET] = zones.cluster;
  zoneByKind[BufferKind.JUMBO_PAGE] = zones.jumboPage;
  zoneByKind[BufferKind.JUMBO_9K] = zones.jumbo9k;
  zoneByKind[BufferKind.JUMBO_16K] = zones.jumbo16k;

  /** A counter for an external buffer. The item is this thread's until the mbuf, which is too, names it. */
  function takeCounter(m: number): boolean {
    const item = counterSite.fails(externalCounter.name) ? 0 : externalCounter.tryAlloc();
    if (item === 0) return false;
    owners[m >>> 2] = slot;
    words[item >> 2] = 0;
    words[m + COUNTER] = item >> 2;
    owners[item >>> 4] = HELD_BY_MEMORY;
    return true;
  }

  function releaseCluster(m: number): void {
    const flags = words[m + FLAGS] as number;
    const cluster = words[m + BUFFER] as Addr;
    owners[cluster >>> 4] = slot;
    const zone = zoneByKind[kindIn(flags)] ?? null;
    if (zone === null) throw damaged(`an mbuf has a buffer of kind ${kindIn(flags)}`, { address: cluster });
    words[m + FLAGS] = flags & BARE;
    zone.free(cluster);
  }

  return {
    zoneByKind,
    prepareShare(m) {
      if (words[m + COUNTER] !== 0) return true;
      if (kindIn(words[m + FLAGS] as number) === BufferKind.EXTERNAL) return takeCounter(m);
      words[m + COUNTER] = uma.counterOf(words[m + BUFFER] as number);
      return true;
    },
    shareMany: counters.join,
    share: counters.joinOne,
    isExclusive(m) {
      if (((words[m + FLAGS] as number) & SHARED) === 0) return true;
      const counter = words[m + COUNTER] as number;
      if (counter <= 0 || counter >= words.length)
        throw damaged(`an mbuf has its counter at word ${counter}`);
      if (load(counter) !== 1) return false;
      counters.stop(m);
      return true;
    },
    leave: counters.leaveOne,
    leaveMany: counters.leave,
    releaseCluster,
    dropCluster(m) {
      if (((words[m + FLAGS] as number) & SHARED) === 0 || counters.leaveOne(m)) releaseCluster(m);
    },
    releaseCounter(m) {
      const item = ((words[m + COUNTER] as number) << 2) as Addr;
      if (item === (0 as Addr)) return;
      owners[item >>> 4] = slot;
      words[m + COUNTER] = 0;
      externalCounter.free(item);
    },
  };
}
