/**
 * Mbufs that are freed together: they go back to their zones in one call, and mbufs that follow each other
 * with the same shared buffer give up their references in one step.
 *
 * What is in a batch has been marked, and so is this thread's: should it die, its reaper finds all of it.
 */

import { CheckLevel } from '../check/index.js';
import type { Machine } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import type { Buffers } from './buffers.js';
import { FREE_MASK, FREE_OWN, FREE_PACKET, type Freeing } from './free.js';
import { BufferKind, kindOf, Mbuf, MbufFlag, PACKET_FLAGS } from './records.js';
import type { MbufZones } from './types.js';

export interface Batch {
  /** Frees one mbuf that has been looked at and marked, now or by `flush`. */
  free(m: Addr): void;
  flush(): void;
}

/** Mbufs that are given back to a zone in one call. */
const BATCH = 128;

/** At check level 2 a packet that goes back is filled with trash first. */
export function mayBatchPackets({ checkLevel }: Machine): boolean {
  return checkLevel < CheckLevel.TRASH;
}

export function createBatch(machine: Machine, zones: MbufZones, buffers: Buffers, freeing: Freeing): Batch {
  const { words } = machine;
  const { next: NEXT, flags: FLAGS, counter: COUNTER } = Mbuf;
  const { SHARED } = MbufFlag;
  const { PACKET, EXTERNAL } = BufferKind;
  const WHOLE_PACKET = PACKET_FLAGS;
  const DECIDING = FREE_MASK;
  const OWN_DECIDED = FREE_OWN;
  const PACKET_DECIDED = FREE_PACKET;
  const { mbuf: mbufZone, packet: packetZone } = zones;
  const { freeKnown, partsWanted } = freeing;
  const kindIn = kindOf;
  const batchesPackets = mayBatchPackets(machine);

  /** Mbufs without buffer, and those of the run, on their way to the mbuf zone. */
  const mbufs = new Int32Array(BATCH);
  let mbufCount = 0;
  /** Packets, on their way to the packet zone. */
  const packets = new Int32Array(BATCH);
  let packetCount = 0;
  /** Mbufs of one shared cluster, which give up their references together. */
  const run = new Int32Array(BATCH);
  let runCount = 0;
  let counter = 0;

  function flushRun(): void {
    const count = runCount;
    if (count === 0) return;
    runCount = 0;
    if (buffers.leaveMany(run, count)) buffers.releaseCluster((run[count - 1] as number) >> 2);
  }

  function flush(): void {
    flushRun();
    const bare = mbufCount;
    mbufCount = 0;
    if (bare !== 0) mbufZone.freeMany(mbufs, bare);
    const whole = packetCount;
    packetCount = 0;
    if (whole !== 0) packetZone.freeMany(packets, whole);
  }

  function putBare(m: number): void {
    if (mbufCount === BATCH) flush();
    mbufs[mbufCount++] = m;
  }

  function putPacket(m: Addr): void {
    if (partsWanted()) {
      flush();
      freeKnown(m);
      return;
    }
    if (packetCount === BATCH) flush();
    words[(m >> 2) + FLAGS] = WHOLE_PACKET;
    words[(m >> 2) + NEXT] = 0;
    packets[packetCount++] = m;
  }

  /** One more reference that goes: with those before it, if it is to the same cluster. */
  function putReference(m: number): void {
    const ours = words[(m >> 2) + COUNTER] as number;
    if (ours !== counter) {
      flushRun();
      counter = ours;
    }
    putBare(m);
    run[runCount++] = m;
  }

  return {
    flush,
    free(m) {
      const at = m >> 2;
      const flags = words[at + FLAGS] as number;
      const how = flags & DECIDING;
      const kind = kindIn(flags);
      if (how === OWN_DECIDED) {
        putBare(m);
      } else if (kind === EXTERNAL || (kind === PACKET && (how !== PACKET_DECIDED || !batchesPackets))) {
        // A free function may come back into here: nothing is half done then.
        flush();
        freeKnown(m);
      } else if (kind === PACKET) {
        putPacket(m);
      } else if ((flags & SHARED) === 0) {
        buffers.dropCluster(at);
        putBare(m);
      } else {
        putReference(m);
      }
    },
  };
}
