/**
 * Who refers to a buffer.
 *
 * An mbuf without SHARED is the only one that refers to its buffer; the counter is then 0 and not even
 * looked up, so that most buffers live and die without an atomic operation. The first `reference` writes
 * the counter and sets SHARED; from then on each mbuf of the buffer has SHARED and is counted.
 *
 * While a cluster is attached the memory owns it (owner byte 255): it goes from thread to thread with its
 * mbuf. It becomes this thread's again just before it is freed. The owner byte is the truth: set last
 * when a cluster is attached, changed first when it is given up.
 */

import { damaged } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { OWNER_MEMORY, type Zone } from '../uma/index.js';
import { BufferKind, KIND_MASK, kindOf, Mbuf, MbufFlag } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export interface Buffers {
  /** Zone of each kind of buffer; null for OWN, EXTERNAL and numbers that are no kind. */
  readonly zoneByKind: readonly (Zone | null)[];
  /** Counts `more` further references to the buffer of `m`. False: no memory for a counter. */
  share(m: number, more: number): boolean;
  /** Whether nobody else refers to the buffer of `m`. Stops counting when that is so. */
  isExclusive(m: number): boolean;
  /** Gives up `times` references. True: they were the last, the buffer is the caller's to release. */
  drop(counter: number, times: number): boolean;
  /** Takes the cluster off the mbuf (word index); the last reference frees it. */
  dropCluster(m: number, flags: number): void;
  /** Frees a cluster that no mbuf refers to any more. */
  releaseCluster(kind: number, cluster: number): void;
  /** Frees the counter of an external buffer. */
  releaseCounter(counter: number): void;
}

export function createBuffers(context: MbufContext, zones: MbufZones): Buffers {
  const { machine, threads, uma } = context;
  const { words } = machine;
  const { load, add } = machine.atomics;
  const { owners } = uma;
  const { slot } = threads;
  const { flags: FLAGS, buffer: BUFFER, counter: COUNTER } = Mbuf;
  const { SHARED } = MbufFlag;
  const { externalCounter } = zones;
  // What is imported is a load for V8; what is local is not.
  const kindIn = kindOf;
  const KINDS = KIND_MASK;
  const HELD_BY_MEMORY = OWNER_MEMORY;
  const counterSite = machine.failpoints.site('mbuf.counter', 'the counter of an external buffer');

  const zoneByKind: (Zone | null)[] = new Array<Zone | null>(256).fill(null);
  zoneByKind[BufferKind.CLUSTER] = zones.cluster;
  zoneByKind[BufferKind.PACKET] = zones.cluster;
  zoneByKind[BufferKind.JUMBO_PAGE] = zones.jumboPage;
  zoneByKind[BufferKind.JUMBO_9K] = zones.jumbo9k;
  zoneByKind[BufferKind.JUMBO_16K] = zones.jumbo16k;

  /** Word index of a counter for an external buffer; 0 when there is no memory. */
  function takeCounter(): number {
    const item = counterSite.fails(externalCounter.name) ? 0 : externalCounter.tryAlloc();
    if (item === 0) return 0;
    owners[item >>> 4] = HELD_BY_MEMORY;
    return item >> 2;
  }

  function drop(counter: number, times: number): boolean {
    if (words[counter] === times) {
      // All that are left are ours. The load orders what others did with the buffer before.
      load(counter);
      words[counter] = 0;
      return true;
    }
    return add(counter, -times) === times;
  }

  function releaseCluster(kind: number, cluster: number): void {
    owners[cluster >>> 4] = slot;
    const zone = zoneByKind[kind] ?? null;
    if (zone === null) throw damaged(`an mbuf has a buffer of kind ${kind}`, { address: cluster });
    zone.free(cluster as Addr);
  }

  return {
    zoneByKind,
    share(m, more) {
      const flags = words[m + FLAGS] as number;
      let counter = words[m + COUNTER] as number;
      if ((flags & SHARED) !== 0) {
        add(counter, more);
        return true;
      }
      if (counter === 0) {
        const external = kindIn(flags) === BufferKind.EXTERNAL;
        counter = external ? takeCounter() : uma.counterOf(words[m + BUFFER] as number);
        if (counter === 0) return false;
        words[m + COUNTER] = counter;
      }
      // Nobody else knows the buffer yet: whoever will, learns of it by a hand-over that orders this.
      words[counter] = 1 + more;
      words[m + FLAGS] = flags | SHARED;
      return true;
    },
    isExclusive(m) {
      const flags = words[m + FLAGS] as number;
      if ((flags & SHARED) === 0) return true;
      const counter = words[m + COUNTER] as number;
      if (counter <= 0 || counter >= words.length)
        throw damaged(`an mbuf has its counter at word ${counter}`);
      if (load(counter) !== 1) return false;
      words[counter] = 0;
      words[m + FLAGS] = flags & ~SHARED;
      return true;
    },
    drop,
    dropCluster(m, flags) {
      const cluster = words[m + BUFFER] as number;
      words[m + FLAGS] = flags & ~(KINDS | SHARED);
      if ((flags & SHARED) === 0 || drop(words[m + COUNTER] as number, 1)) {
        releaseCluster(kindIn(flags), cluster);
      }
    },
    releaseCluster,
    releaseCounter(counter) {
      const item = (counter << 2) as Addr;
      words[counter] = 0;
      owners[item >>> 4] = slot;
      externalCounter.free(item);
    },
  };
}
