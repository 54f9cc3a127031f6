/**
 * Checks the invariants M1 to M10 of README.md. Walks every mbuf in use, every cached packet and every
 * attached buffer; the memory must be at rest. Nothing is changed, and nothing is believed: an address is
 * looked at only when it lies in the memory.
 */

import { hex, requireFunction } from '../check/index.js';
import { PAGE_SHIFT } from '../machine/index.js';
import { OWNER_MEMORY } from '../uma/index.js';
import type { Buffers } from './buffers.js';
import type { Chains } from './chains.js';
import type { FreeFunctionTable } from './free-functions.js';
import {
  BufferKind,
  FLAGS_UNKNOWN,
  HEADER_SIZE,
  kindOf,
  MBUF_SIZE,
  Mbuf,
  MbufFlag,
  PACKET_FLAGS,
  PACKET_HEADER_SIZE,
} from './records.js';
import type { MbufContext, MbufZones, Report } from './types.js';

/** What refers to one buffer. */
interface Referrers {
  /** Mbufs that refer to it, cached packets included. */
  count: number;
  shared: number;
  counter: number;
  /** One of them, for messages. */
  readonly mbuf: number;
  readonly buffer: number;
  readonly kind: number;
}

export function createMbufAudit(
  { machine, uma, pages }: MbufContext,
  zones: MbufZones,
  chains: Chains,
  buffers: Buffers,
  functions: FreeFunctionTable,
): (report: Report) => void {
  const { words, bytes } = machine;
  const { owners, pageKegs } = uma;
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS } = Mbuf;
  const { buffer: BUFFER, capacity: CAPACITY, counter: COUNTER } = Mbuf;
  const { packetLength: PACKET_LENGTH, freeFunction: FREE_FUNCTION } = Mbuf;
  const { PACKET_HEADER, SHARED, VISITED } = MbufFlag;
  const { OWN, EXTERNAL } = BufferKind;
  const memoryBytes = bytes.length;

  /** Every item of the keg that has an owner. */
  function eachOwned(keg: number, align: number, visit: (item: number, owner: number) => void): void {
    for (let page = pages.firstPage; page < pages.pageCount; page++) {
      if (pageKegs[page] !== keg) continue;
      const end = (page + 1) << PAGE_SHIFT;
      for (let item = page << PAGE_SHIFT; item < end; item += align) {
        const owner = owners[item >>> 4] as number;
        if (owner !== 0) visit(item, owner);
      }
    }
  }

  return (report) => {
    requireFunction(report, 'report');
    /**
     * By address of the cluster. An external buffer may be attached twice: it goes by its counter, or alone.
     */
    const referrers = new Map<number, Referrers>();
    const predecessors = new Map<number, number>();

    function countReference(m: number): void {
      const at = m >> 2;
      const flags = words[at + FLAGS] as number;
      const buffer = words[at + BUFFER] as number;
      const shared = (flags & SHARED) === 0 ? 0 : 1;
      const counter = words[at + COUNTER] as number;
      const alone = shared === 1 ? -2 * counter : -2 * m - 1;
      const key = kindOf(flags) === EXTERNAL ? alone : buffer;
      const known = referrers.get(key);
      if (known === undefined) {
        referrers.set(key, { count: 1, shared, counter, mbuf: m, buffer, kind: kindOf(flags) });
        return;
      }
      known.count++;
      known.shared += shared;
      if (shared === 1 && known.counter === 0) known.counter = counter;
      if (shared === 1 && known.counter !== counter) {
        report('M5', `mbuf ${hex(m)} and mbuf ${hex(known.mbuf)} share a buffer and name different counters`);
      }
    }

    /** M2: the buffer is what the flags say. False: it cannot be looked at. */
    function checkBuffer(m: number): boolean {
      const at = m >> 2;
      const flags = words[at + FLAGS] as number;
      const kind = kindOf(flags);
      const buffer = words[at + BUFFER] as number;
      const capacity = words[at + CAPACITY] as number;
      if (kind === OWN) {
        const header = buffer - m;
        if ((header === HEADER_SIZE || header === PACKET_HEADER_SIZE) && header + capacity === MBUF_SIZE)
          return true;
        report('M2', `mbuf ${hex(m)}: its own buffer is said to be ${capacity} bytes at ${hex(buffer)}`);
        return false;
      }
      if (kind === EXTERNAL) {
        const number = words[at + FREE_FUNCTION] as number;
        if (number < 1 || number > functions.count()) {
          report('M9', `mbuf ${hex(m)}: there is no free function ${number}`);
        }
        if (buffer > 0 && capacity > 0 && buffer + capacity <= memoryBytes) return true;
        report('M2', `mbuf ${hex(m)}: external buffer of ${capacity} bytes at ${hex(buffer)}`);
        return false;
      }
      const zone = buffers.zoneByKind[kind] ?? null;
      if (zone === null) {
        report('M1', `mbuf ${hex(m)}: there is no kind of buffer ${kind}`);
        return false;
      }
      if (buffer <= 0 || (buffer & 15) !== 0 || pageKegs[buffer >>> PAGE_SHIFT] !== zone.keg) {
        report('M2', `mbuf ${hex(m)}: its cluster ${hex(buffer)} is not of zone ${zone.name}`);
        return false;
      }
      if (owners[buffer >>> 4] !== OWNER_MEMORY) {
        report('M2', `mbuf ${hex(m)}: its cluster ${hex(buffer)} has owner ${owners[buffer >>> 4]}`);
        return false;
      }
      if (capacity !== zone.size) {
        report('M2', `mbuf ${hex(m)}: its cluster of ${zone.size} bytes is said to have ${capacity}`);
      }
      return true;
    }

    /** M3: the data lie in the buffer. */
    function checkData(m: number): void {
      const at = m >> 2;
      const data = words[at + DATA] as number;
      const length = words[at + LENGTH] as number;
      const buffer = words[at + BUFFER] as number;
      const end = buffer + (words[at + CAPACITY] as number);
      if (data < buffer || data > end) {
        report('M3', `mbuf ${hex(m)}: data at ${hex(data)}, buffer from ${hex(buffer)} to ${hex(end)}`);
      } else if (length < 0 || data + length > end) {
        report('M3', `mbuf ${hex(m)}: ${length} bytes at ${hex(data)}, the buffer ends at ${hex(end)}`);
      }
    }

    /** M6: the next is an mbuf in use, and the next of no other. */
    function checkNext(m: number): void {
      const next = words[(m >> 2) + NEXT] as number;
      if (next === 0) return;
      if (!chains.isMbuf(next)) {
        report('M6', `mbuf ${hex(m)}: its next, ${hex(next)}, is not an mbuf in use`);
        return;
      }
      const other = predecessors.get(next);
      if (other !== undefined) {
        report('M6', `mbuf ${hex(next)} is the next of two: ${hex(other)} and ${hex(m)}`);
      }
      predecessors.set(next, m);
    }

    function checkInUse(m: number): void {
      const flags = words[(m >> 2) + FLAGS] as number;
      if ((flags & FLAGS_UNKNOWN) !== 0) report('M1', `mbuf ${hex(m)} has the flags ${hex(flags)}`);
      if ((flags & VISITED) !== 0) report('M1', `mbuf ${hex(m)}: a call that frees left its mark`);
      if (kindOf(flags) === OWN && (flags & SHARED) !== 0) {
        report('M1', `mbuf ${hex(m)}: shared, without a buffer to share`);
      }
      if (checkBuffer(m)) {
        checkData(m);
        if (kindOf(flags) !== OWN) countReference(m);
      }
      checkNext(m);
    }

    /** M8: a cached packet is as its `init` left it. */
    function checkCached(m: number): void {
      const flags = words[(m >> 2) + FLAGS] as number;
      const next = words[(m >> 2) + NEXT] as number;
      if (flags !== PACKET_FLAGS || next !== 0) {
        report('M8', `cached packet ${hex(m)} has flags ${hex(flags)} and next ${hex(next)}`);
      } else if (checkBuffer(m)) {
        countReference(m);
      }
    }

    /** M5: the counter says how many refer to the buffer, and is 0 when nobody shares. */
    function checkCounter(found: Referrers): void {
      const { count, shared, counter, mbuf, buffer } = found;
      const says = counter > 0 && counter < words.length ? (words[counter] as number) : 0;
      if (shared === 0 && count === 1) {
        if (counter !== 0 && says !== 0) {
          report('M5', `buffer ${hex(buffer)} of mbuf ${hex(mbuf)} is not shared, and counted ${says} times`);
        }
      } else if (shared !== count) {
        report(
          'M5',
          `buffer ${hex(buffer)} has ${count} mbufs, only ${shared} of them know that it is shared`,
        );
      } else if (says !== count) {
        report('M5', `buffer ${hex(buffer)} has ${count} mbufs, its counter says ${says}`);
      }
      if (found.kind !== EXTERNAL && counter !== 0 && counter !== uma.counterOf(buffer)) {
        report('M5', `mbuf ${hex(mbuf)}: word ${counter} is not the counter of cluster ${hex(buffer)}`);
      }
    }

    /** M4: what the memory holds, an mbuf refers to. */
    function checkHeld(): void {
      const clusterZones = [zones.cluster, zones.jumboPage, zones.jumbo9k, zones.jumbo16k];
      for (const zone of clusterZones) {
        eachOwned(zone.keg, 16, (item, owner) => {
          if (owner === OWNER_MEMORY && !referrers.has(item)) {
            report('M4', `cluster ${hex(item)} of zone ${zone.name} is attached to no mbuf`);
          }
        });
      }
      const counters = new Set<number>();
      for (const found of referrers.values()) if (found.kind === EXTERNAL) counters.add(found.counter << 2);
      eachOwned(zones.externalCounter.keg, 16, (item, owner) => {
        if (owner === OWNER_MEMORY && !counters.has(item)) {
          report('M4', `counter ${hex(item)} belongs to no external buffer`);
        }
      });
    }

    /** M7: what a packet header says is the sum of its chain; and every chain ends. */
    function checkChains(mbufs: readonly number[]): void {
      let left = mbufs.length;
      for (const head of mbufs) {
        if (predecessors.has(head)) continue;
        let sum = 0;
        for (let m = head; m !== 0 && left > 0 && chains.isMbuf(m); m = words[(m >> 2) + NEXT] as number) {
          sum += words[(m >> 2) + LENGTH] as number;
          left--;
        }
        const said = words[(head >> 2) + PACKET_LENGTH] as number;
        if (((words[(head >> 2) + FLAGS] as number) & PACKET_HEADER) === 0 || said === 0) continue;
        if (said !== sum)
          report('M7', `packet ${hex(head)}: its header says ${said} bytes, its chain has ${sum}`);
      }
      // A chain without a head is a circle: its mbufs have not been counted.
      if (left > 0) report('M6', `${left} mbufs stand in circles`);
    }

    functions.audit(report);
    const inUse: number[] = [];
    eachOwned(zones.mbuf.keg, MBUF_SIZE, (m) => inUse.push(m));
    for (const m of inUse) checkInUse(m);
    zones.packet.eachCached(checkCached);
    for (const found of referrers.values()) checkCounter(found);
    checkHeld();
    checkChains(inUse);
  };
}
