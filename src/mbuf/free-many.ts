/**
 * Freeing chains, one or many. First everything is looked at and marked VISITED; a mark that is met
 * again is a circle, or an mbuf that stands in two chains. Then all goes, and nothing can fail any more.
 *
 * Mbufs that follow each other with the same shared buffer give up their references with one atomic
 * subtraction, and go back to their zone in one call.
 */

import { hex, MbumaError, requireInt32Array, requireInteger } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { type Batch, createBatch, mayBatchPackets } from './batch.js';
import type { Buffers } from './buffers.js';
import type { Chains } from './chains.js';
import type { Freeing } from './free.js';
import { BufferKind, kindOf, Mbuf, MbufFlag, PACKET_FLAGS } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export interface FreeingMany {
  freeChain(m: Addr): void;
  freeMany(packets: Int32Array, n: number): void;
}

export function createFreeingMany(
  { machine, threads, uma }: MbufContext,
  zones: MbufZones,
  chains: Chains,
  buffers: Buffers,
  freeing: Freeing,
): FreeingMany {
  const { words } = machine;
  const { owners } = uma;
  const { slot } = threads;
  const { next: NEXT, flags: FLAGS } = Mbuf;
  const { VISITED } = MbufFlag;
  const { EXTERNAL } = BufferKind;
  const WHOLE_PACKET = PACKET_FLAGS;
  const { packet: packetZone } = zones;
  const { isMbuf } = chains;
  const { free, freeError, requireFunction, throwKept, partsWanted } = freeing;
  const kindIn = kindOf;
  const batchesPackets = mayBatchPackets(machine);

  const one = new Int32Array(1);
  /** Batches that nobody is using: what a call does may free other mbufs, and so come back into here. */
  const resting: Batch[] = [];
  machine.onRewind(() => {
    resting.length = 0;
  });

  function takeBatch(): Batch {
    return resting.pop() ?? createBatch(machine, zones, buffers, freeing);
  }

  function finish(batch: Batch): void {
    batch.flush();
    resting.push(batch);
    throwKept();
  }

  /** The mbuf is this thread's from now on, and its reaper's if it dies: then the mark means nothing. */
  function mark(m: number, flags: number): void {
    owners[m >>> 4] = slot;
    words[(m >> 2) + FLAGS] = flags | VISITED;
  }

  /** Marks a chain. 0: all is well; else the mbuf, or what is none, that stops it. */
  function markChain(first: number): number {
    for (let m = first; m !== 0; m = words[(m >> 2) + NEXT] as number) {
      if (!isMbuf(m)) return m;
      const at = m >> 2;
      const flags = words[at + FLAGS] as number;
      if ((flags & VISITED) !== 0) return m;
      if (kindIn(flags) === EXTERNAL) requireFunction(at);
      mark(m, flags);
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
    threads.assertHere();
    one[0] = m;
    markAll(one, 1, 0);
    const batch = takeBatch();
    for (let each: Addr | 0 = m; each !== 0; ) {
      const next = words[(each >> 2) + NEXT] as Addr;
      batch.free(each);
      each = next;
    }
    finish(batch);
  }

  /** Marks single packets as they came, until it meets something else; how many. */
  function markPackets(packets: Int32Array, n: number): number {
    let at = 0;
    for (; at < n; at++) {
      const m = packets[at] as number;
      if (!isMbuf(m)) break;
      const flags = words[(m >> 2) + FLAGS];
      if (flags !== WHOLE_PACKET || words[(m >> 2) + NEXT] !== 0) break;
      owners[m >>> 4] = slot;
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
          mark(m, flags);
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
    threads.assertHere();
    const single = batchesPackets && !partsWanted() ? markPackets(packets, n) : 0;
    if (single === n) {
      unmarkPackets(packets, n);
      packetZone.freeMany(packets, n);
      return;
    }
    markAll(packets, n, single);
    const batch = takeBatch();
    for (let at = 0; at < n; at++) {
      let m = packets[at] as number;
      while (m !== 0) {
        const next = words[(m >> 2) + NEXT] as number;
        batch.free(m as Addr);
        m = next;
      }
    }
    finish(batch);
  }

  return { freeChain, freeMany };
}
