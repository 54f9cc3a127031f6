/**
 * Taking mbufs, with sleep if need be. A packet is not waited for as such: its two parts are, the cluster
 * first. Both zones serve their waiters first come, first served, and `free` takes packets apart while
 * anybody waits for a part.
 */

import { CheckLevel, requireInteger, requireSignal, requireTimeout } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { ZERO, type Zone } from '../uma/index.js';
import type { Buffers } from './buffers.js';
import type { Getters } from './get.js';
import type { Headers } from './headers.js';
import { BufferKind, HEADER_FLAGS, KIND_SHIFT, Mbuf } from './records.js';
import type { MbufContext, Mbufs, MbufZones, WaitOptions } from './types.js';

type WaitingForms = Pick<
  Mbufs,
  'get' | 'getAsync' | 'gethdr' | 'gethdrAsync' | 'getcl' | 'getclAsync' | 'getjcl' | 'getjclAsync'
>;

const FLAGS_MAX = 15;

export function createWaitingGetters(
  { machine, waiting }: MbufContext,
  zones: MbufZones,
  buffers: Buffers,
  headers: Headers,
  getters: Getters,
): WaitingForms {
  const { words, now: clock } = machine;
  const { buffer: BUFFER, capacity: CAPACITY } = Mbuf;
  const { mbuf: mbufZone } = zones;
  const { writeBare, writeHeader } = headers;

  const zoneOf = (kind: number): Zone => buffers.zoneByKind[kind] as Zone;

  /** ZERO is for the data: zeroing the item would wipe the header. */
  function zeroData(m: Addr, flags: number): Addr {
    if ((flags & ZERO) !== 0) {
      machine.fillBytes(words[(m >> 2) + BUFFER] as number, 0, words[(m >> 2) + CAPACITY] as number);
    }
    return m;
  }

  function dress(m: Addr, write: (m: Addr) => void, flags: number): Addr {
    if (m === (0 as Addr)) return m;
    write(m);
    return zeroData(m, flags);
  }

  function requireFlags(flags: unknown): number {
    return requireInteger(flags, 'flags', 0, FLAGS_MAX) & ~ZERO;
  }

  function getBlocking(write: (m: Addr) => void, flags = 0, timeoutMs?: number): Addr {
    return dress(mbufZone.alloc(requireFlags(flags), timeoutMs), write, flags);
  }

  async function getLater(write: (m: Addr) => void, flags = 0, options?: WaitOptions): Promise<Addr> {
    return dress(await mbufZone.allocAsync(requireFlags(flags), options), write, flags);
  }

  function join(m: Addr, cluster: Addr, kind: number, flags: number): Addr {
    headers.writeCluster(m, HEADER_FLAGS | (kind << KIND_SHIFT), cluster, zoneOf(kind).size);
    return zeroData(m, flags);
  }

  const witnessed = machine.checkLevel >= CheckLevel.WITNESS;

  /** Whether it will sleep or not. */
  function assertSleepable(kind: number, awaits: boolean): void {
    if (!witnessed) return;
    const call = kind === BufferKind.CLUSTER ? 'getcl' : 'getjcl';
    waiting.assertMaySleep(`${call} of zone ${zoneOf(kind).name}`, awaits);
  }

  function tryNow(kind: number): Addr | 0 {
    return kind === BufferKind.CLUSTER ? getters.tryGetcl() : getters.tryGetKind(kind, HEADER_FLAGS);
  }

  function getKindBlocking(kind: number, flags = 0, timeoutMs?: number): Addr {
    const zoneFlags = requireFlags(flags);
    assertSleepable(kind, false);
    const deadline = clock() + requireTimeout(timeoutMs);
    const now = tryNow(kind);
    if (now !== 0) return zeroData(now, flags);
    const zone = zoneOf(kind);
    const left = (): number => Math.max(0, deadline - clock());
    const cluster = zone.alloc(zoneFlags, left());
    let m: Addr;
    try {
      m = mbufZone.alloc(zoneFlags, left());
    } catch (error) {
      zone.free(cluster);
      throw error;
    }
    return join(m, cluster, kind, flags);
  }

  async function getKindLater(kind: number, flags = 0, options?: WaitOptions): Promise<Addr> {
    const zoneFlags = requireFlags(flags);
    requireSignal(options?.signal)?.throwIfAborted();
    assertSleepable(kind, true);
    const now = tryNow(kind);
    if (now !== 0) return zeroData(now, flags);
    const zone = zoneOf(kind);
    const cluster = await zone.allocAsync(zoneFlags, options);
    let m: Addr;
    try {
      m = await mbufZone.allocAsync(zoneFlags, options);
    } catch (error) {
      zone.free(cluster);
      throw error;
    }
    return join(m, cluster, kind, flags);
  }

  return {
    get: (flags, timeoutMs) => getBlocking(writeBare, flags, timeoutMs),
    getAsync: (flags, options) => getLater(writeBare, flags, options),
    gethdr: (flags, timeoutMs) => getBlocking(writeHeader, flags, timeoutMs),
    gethdrAsync: (flags, options) => getLater(writeHeader, flags, options),
    getcl: (flags, timeoutMs) => getKindBlocking(BufferKind.CLUSTER, flags, timeoutMs),
    getclAsync: (flags, options) => getKindLater(BufferKind.CLUSTER, flags, options),
    getjcl: (size, flags, timeoutMs) => getKindBlocking(getters.requireKind(size), flags, timeoutMs),
    getjclAsync: async (size, flags, options) => getKindLater(getters.requireKind(size), flags, options),
  };
}
