/**
 * Freeing chains, one or many. First everything is looked at and marked VISITED; a mark that is met
 * again is a circle, or an mbuf that stands in two chains. Then all goes, and nothing can fail any more.
 *
 * Mbufs that follow each other with the same shared buffer give up their references with one atomic
 * subtraction, and go back to their zone in one call.
 */

import { CheckLevel, hex, MbumaError, requireInt32Array, requireInteger } from '../check/index.js';
import type { Addr } from '../record/index.js';
import type { Buffers } from './buffers.js';
import type { Chains } from './chains.js';
import { FREE_MASK, FREE_OWN, FREE_PACKET, type Freeing } from './free.js';
import { BufferKind, kindOf, Mbuf, MbufFlag, PACKET_FLAGS } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export interface FreeingMany {
  freeChain(m: Addr): void;
  freeMany(packets: Int32Array, n: number): void;
}

/** Mbufs that are given back to a zone in one call. */
const BATCH = 128;

export function createFreeingMany(
  { machine }: MbufContext,
  zones: MbufZones,
  chains: Chains,
  buffers: Buffers,
  freeing: Freeing,
): FreeingMany {
  const { words } = machine;
  const { next: NEXT, flags: FLAGS, buffer: BUFFER, counter: COUNTER } = Mbuf;
  const { SHARED, VISITED } = MbufFlag;
  const { PACKET, EXTERNAL } = BufferKind;
  const WHOLE_PACKET = PACKET_FLAGS;
  const DECIDING = FREE_MASK;
  const OWN_DECIDED = FREE_OWN;
  const PACKET_DECIDED = FREE_PACKET;
  const { mbuf: mbufZone, packet: packetZone } = zones;
  const { isMbuf } = chains;
  const { free, freeKnown, freeError, requireFunction, throwKept, partsWanted } = freeing;
  const kindIn = kindOf;
  const mayBatchPackets = machine.checkLevel < CheckLevel.TRASH;

  /** Mbufs without buffer, on their way to the mbuf zone. */
  const batch = new Int32Array(BATCH);
  let batched = 0;
  /** Packets, on their way to the packet zone. */
  const packetBatch = new Int32Array(BATCH);
  let packetsBatched = 0;
  const one = new Int32Array(1);
  /** References to one shared cluster, to be given up together. */
  let counter = 0;
  let times = 0;
  let cluster = 0;
  let kind = 0;
  machine.onRewind(() => {
    batched = 0;
    packetsBatched = 0;
    counter = 0;
  });

  function flushReferences(): void {
    const last = counter;
    counter = 0;
    if (last !== 0 && buffers.drop(last, times)) buffers.releaseCluster(kind, cluster);
  }

  function flush(): void {
    flushReferences();
    const mbufs = batched;
    batched = 0;
    if (mbufs !== 0) mbufZone.freeMany(batch, mbufs);
    const packets = packetsBatched;
    packetsBatched = 0;
    if (packets !== 0) packetZone.freeMany(packetBatch, packets);
  }

  function putIntoBatch(m: number): void {
    if (batched === BATCH) flush();
    batch[batched++] = m;
  }

  /** Frees one mbuf that has been looked at, or puts it into the batch. */
  function freeBatched(m: number): void {
    const at = m >> 2;
    const flags = words[at + FLAGS] as number;
    const how = flags & DECIDING;
    const kindHere = kindIn(flags);
    if (how === OWN_DECIDED) {
      putIntoBatch(m);
    } else if (
      kindHere === EXTERNAL ||
      (kindHere === PACKET && (how !== PACKET_DECIDED || !mayBatchPackets))
    ) {
      // A free function may come back into here: the batch must be nobody's then.
      flush();
      freeKnown(m as Addr);
    } else if (kindHere === PACKET) {
      putIntoPacketBatch(m);
    } else if ((flags & SHARED) === 0) {
      buffers.dropCluster(at, flags);
      putIntoBatch(m);
    } else {
      countReference(at, flags);
      putIntoBatch(m);
    }
  }

  function putIntoPacketBatch(m: number): void {
    if (partsWanted()) {
      flush();
      freeKnown(m as Addr);
      return;
    }
    if (packetsBatched === BATCH) flush();
    words[(m >> 2) + FLAGS] = WHOLE_PACKET;
    words[(m >> 2) + NEXT] = 0;
    packetBatch[packetsBatched++] = m;
  }

  /** One more reference that goes: with those before it, if it is to the same cluster. */
  function countReference(at: number, flags: number): void {
    const ours = words[at + COUNTER] as number;
    if (ours !== counter) {
      flushReferences();
      counter = ours;
      times = 0;
      cluster = words[at + BUFFER] as number;
      kind = kindIn(flags);
    }
    times++;
    words[at + FLAGS] = flags & ~DECIDING;
  }

  /** Marks a chain. 0: all is well; else the mbuf, or what is none, that stops it. */
  function markChain(first: number): number {
    for (let m = first; m !== 0; m = words[(m >> 2) + NEXT] as number) {
      if (!isMbuf(m)) return m;
      const at = m >> 2;
      const flags = words[at + FLAGS] as number;
      if ((flags & VISITED) !== 0) return m;
      if (kindIn(flags) === EXTERNAL) requireFunction(at);
      words[at + FLAGS] = flags | VISITED;
    }
    return 0;
  }

  function unmarkChain(first: number): void {
    for (let m = first; isMbuf(m); m = words[(m >> 2) + NEXT] as Addr) {
      const flags = words[(m >> 2) + FLAGS] as number;
      if ((flags & VISITED) === 0) return;
      words[(m >> 2) + FLAGS] = flags & ~VISITED;
    }
  }

  function stopError(m: number): MbumaError {
    if (!isMbuf(m)) return freeError(m);
    return new MbumaError('CHAIN_CYCLE', `mbuf ${hex(m)} is met twice on the way through the chains`, {
      address: m,
    });
  }

  function freeChain(m: Addr): void {
    if (m === (0 as Addr)) return;
    if (!isMbuf(m)) throw freeError(m);
    if (words[(m >> 2) + NEXT] === 0) {
      free(m);
      return;
    }
    one[0] = m;
    markAll(one, 1, 0);
    for (let each: Addr | 0 = m; each !== 0; ) {
      const next = words[(each >> 2) + NEXT] as Addr;
      freeBatched(each);
      each = next;
    }
    flush();
    throwKept();
  }

  /** Marks single packets as they came, until it meets something else; how many. */
  function markPackets(packets: Int32Array, n: number): number {
    let at = 0;
    for (; at < n; at++) {
      const m = packets[at] as number;
      if (!isMbuf(m)) break;
      const flags = words[(m >> 2) + FLAGS];
      if (flags !== WHOLE_PACKET || words[(m >> 2) + NEXT] !== 0) break;
      words[(m >> 2) + FLAGS] = WHOLE_PACKET | VISITED;
    }
    return at;
  }

  function unmarkPackets(packets: Int32Array, n: number): void {
    for (let at = 0; at < n; at++) words[((packets[at] as number) >> 2) + FLAGS] = WHOLE_PACKET;
  }

  /** Marks all chains from the `from`th on, the others being marked. Undoes all marks when it throws. */
  function markAll(packets: Int32Array, n: number, from: number): void {
    let at = from;
    try {
      for (; at < n; at++) {
        const m = packets[at] as number;
        const flags = isMbuf(m) ? (words[(m >> 2) + FLAGS] as number) : VISITED;
        if ((flags & VISITED) === 0 && words[(m >> 2) + NEXT] === 0 && kindIn(flags) !== EXTERNAL) {
          words[(m >> 2) + FLAGS] = flags | VISITED;
        } else {
          const stop = markChain(m);
          if (stop !== 0) throw stopError(stop);
        }
      }
    } catch (error) {
      for (let marked = 0; marked <= at; marked++) unmarkChain(packets[marked] as number);
      throw error;
    }
  }

  function freeMany(packets: Int32Array, n: number): void {
    requireInteger(n, 'n', 0, 0x7fffffff);
    requireInt32Array(packets, 'packets', n);
    const single = mayBatchPackets && !partsWanted() ? markPackets(packets, n) : 0;
    if (single === n) {
      unmarkPackets(packets, n);
      packetZone.freeMany(packets, n);
      return;
    }
    markAll(packets, n, single);
    for (let at = 0; at < n; at++) {
      let m = packets[at] as number;
      while (m !== 0) {
        const next = words[(m >> 2) + NEXT] as number;
        freeBatched(m);
        m = next;
      }
    }
    flush();
    throwKept();
  }

  return { freeChain, freeMany };
}
