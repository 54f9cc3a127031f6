/**
 * Freeing. One mbuf:
 *
 *   1 a packet whose cluster is its own   back to the packet zone as it is, cluster attached
 *   2 no buffer outside of itself         back to the mbuf zone
 *   3 everything else (freeSlow)          the reference goes, the last one takes the buffer along, and the
 *                                         mbuf goes back to the mbuf zone
 *
 * A packet is *demoted* when its cluster is still shared, or when somebody waits for a cluster or an mbuf: it
 * leaves the accounts of the packet zone, its parts go back to where they came from, and whoever waits for
 * one of them is served.
 */

import { CheckLevel, describeValue, hex, MbumaError, trashFill } from '../check/index.js';
import { Hand, HandKind } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import type { Buffers } from './buffers.js';
import { ADDRESS_MASK, type Chains } from './chains.js';
import type { FreeFunctionTable } from './free-functions.js';
import {
  BufferKind,
  CLUSTER_SIZE,
  KIND_MASK,
  KIND_SHIFT,
  kindOf,
  Mbuf,
  MbufFlag,
  PACKET_FLAGS,
} from './records.js';
import type { MbufContext, MbufZones } from './types.js';
import { waitersWord } from './zones.js';

/**
 * What decides how an mbuf is freed: kind of its buffer, and whether that is or was shared. A packet goes the
 * fast way only when nothing else has been set either, and it has no next: so what is cached is as `init`
 * left it, and `tryGetcl` need not write it again.
 */
export const FREE_MASK: number = KIND_MASK | MbufFlag.SHARED;
export const FREE_PACKET: number = BufferKind.PACKET << KIND_SHIFT;
/** An mbuf with nothing outside of itself. */
export const FREE_OWN = 0;

export interface Freeing {
  free(m: Addr): Addr | 0;
  /** Frees an mbuf that has been looked at. An error of a free function is kept, not thrown. */
  freeKnown(m: Addr): Addr | 0;
  /** The same for an mbuf of a dead thread: an error is thrown at once. */
  freeDead(m: Addr): void;
  /** The error that tells what is wrong with freeing `m`. */
  freeError(m: unknown): MbumaError;
  /** Refuses an external buffer whose free function this thread does not have. */
  requireFunction(m: number): void;
  /** Throws the first error of the free functions that were called since the last time. */
  throwKept(): void;
  /** Whether anybody waits for a cluster or an mbuf. */
  partsWanted(): boolean;
}

export function createFreeing(
  { machine, threads, uma, hands, intents }: MbufContext,
  zones: MbufZones,
  chains: Chains,
  buffers: Buffers,
  functions: FreeFunctionTable,
): Freeing {
  const { words } = machine;
  const { owners, pageKegs } = uma;
  const { slot } = threads;
  const { next: NEXT, flags: FLAGS, buffer: BUFFER, capacity: CAPACITY } = Mbuf;
  const { freeFunction: FREE_FUNCTION, freeArgument: FREE_ARGUMENT } = Mbuf;
  const { PACKET, EXTERNAL } = BufferKind;
  const { zoneByKind } = buffers;
  const { SHARED } = MbufFlag;
  const { mbuf: mbufZone, packet: packetZone, cluster: clusterZone } = zones;
  const clusterWaiters = waitersWord(machine, clusterZone);
  const mbufWaiters = waitersWord(machine, mbufZone);
  const trash = machine.checkLevel >= CheckLevel.TRASH;
  // An imported constant is a load for V8; a local one is not.
  const WHOLE_PACKET = PACKET_FLAGS;
  const DECIDING = FREE_MASK;
  const kindIn = kindOf;
  let kept: unknown;
  let hasKept = false;
  machine.onRewind(() => {
    kept = undefined;
    hasKept = false;
  });

  // The fast way looks at the first only: who waits for mbufs lacks pages, and looks for them himself.
  const partsWanted = (): boolean => words[clusterWaiters] !== 0 || words[mbufWaiters] !== 0;

  /**
   * Reads before it checks: a wrong address finds any words, or none, and the zone that it then comes to
   * looks at the address itself, before anything is changed.
   */
  function free(m: Addr): Addr | 0 {
    if (typeof m === 'number') {
      const flags = words[(m >> 2) + FLAGS] as number;
      const next = words[(m >> 2) + NEXT] as Addr;
      if (flags === WHOLE_PACKET && next === (0 as Addr) && !trash && words[clusterWaiters] === 0) {
        packetZone.free(m);
        return 0;
      }
      if ((flags & DECIDING) === 0) {
        mbufZone.free(m);
        return next;
      }
    }
    return freeSlow(m);
  }

  function freeSlow(m: Addr): Addr | 0 {
    if (m === (0 as Addr)) return 0;
    if (!chains.isMbuf(m)) throw freeError(m);
    requireFunction(m >> 2);
    const next = freeKnown(m);
    throwKept();
    return next;
  }

  function freeKnown(m: Addr): Addr | 0 {
    const at = m >> 2;
    const flags = words[at + FLAGS] as number;
    const next = words[at + NEXT] as Addr;
    const kind = kindIn(flags);
    // Whoever had it: from here on it is this thread's to take apart, or its reaper's.
    owners[m >>> 4] = slot;
    if (kind === PACKET) {
      if (freePacket(m)) return next;
      buffers.dropCluster(at);
    } else if (kind === EXTERNAL) {
      freeExternal(m);
      return next;
    } else if (zoneByKind[kind] !== null) {
      buffers.dropCluster(at);
    }
    mbufZone.free(m);
    return next;
  }

  /** True: it went back whole. False: it is no packet of the packet zone any more. */
  function freePacket(m: Addr): boolean {
    if (buffers.isExclusive(m >> 2) && !partsWanted()) {
      if (trash) trashFill(words, words[(m >> 2) + BUFFER] as number, CLUSTER_SIZE);
      words[(m >> 2) + FLAGS] = WHOLE_PACKET;
      words[(m >> 2) + NEXT] = 0;
      packetZone.free(m);
      return true;
    }
    const flags = words[(m >> 2) + FLAGS] as number;
    packetZone.forget(m, (m >> 2) + FLAGS, (flags & ~KIND_MASK) | (BufferKind.CLUSTER << KIND_SHIFT));
    return false;
  }

  /**
   * Its function is called when the mbuf is gone: it may do with mbufs what it likes. In between a hand has
   * what it
   * is called with. It is closed just before the call, which so is begun once, whoever dies.
   */
  function freeExternal(m: Addr): void {
    const at = m >> 2;
    if (((words[at + FLAGS] as number) & SHARED) !== 0 && !buffers.leave(at)) {
      mbufZone.free(m);
      return;
    }
    buffers.releaseCounter(at);
    const address = words[at + BUFFER] as number;
    const length = words[at + CAPACITY] as number;
    const number = words[at + FREE_FUNCTION] as number;
    const argument = words[at + FREE_ARGUMENT] as number;
    const hand = hands.open(HandKind.CALL, number, 0, 0, 0);
    intents.begin(0);
    intents.set(hand + Hand.HELD, address);
    intents.set(hand + Hand.SECOND, length);
    intents.set(hand + Hand.THIRD, argument);
    intents.set(at + FLAGS, (words[at + FLAGS] as number) & ~DECIDING);
    intents.commit();
    mbufZone.free(m);
    hands.closed(hand);
    // The last store before the call: who dies here or later has begun it.
    words[hand] = 0;
    callFreeFunction(number, address, length, argument);
  }

  function callFreeFunction(number: number, address: number, length: number, argument: number): void {
    try {
      functions.byNumber(number)?.(address, length, argument);
    } catch (error) {
      if (!hasKept) kept = error;
      hasKept = true;
    }
  }

  function throwKept(): void {
    if (!hasKept) return;
    const cause = kept;
    kept = undefined;
    hasKept = false;
    throw new MbumaError('HOOK_FAILED', 'the free function of an external buffer failed', { cause });
  }

  function requireFunction(at: number): void {
    if (kindIn(words[at + FLAGS] as number) !== EXTERNAL) return;
    const number = words[at + FREE_FUNCTION] as number;
    if (functions.byNumber(number) !== undefined) return;
    const address = at << 2;
    const name = functions.nameOf(number);
    throw new MbumaError(
      'HOOKS_MISSING',
      `free function ${name} of the external buffer of mbuf ${hex(address)} is not registered in this thread`,
      { address },
    );
  }

  function freeError(m: unknown): MbumaError {
    if (typeof m !== 'number' || !Number.isSafeInteger(m) || m < 0 || m >= words.length * 4) {
      return new MbumaError('BAD_ARGUMENT', `${describeValue(m)} is not an address of this memory`);
    }
    const place = { address: m, zone: mbufZone.name, owner: owners[m >>> 4] as number };
    const keg = pageKegs[m >>> 12];
    if (keg === 0) return new MbumaError('FREE_FOREIGN', `${hex(m)} lies in no slab`, place);
    if (keg !== mbufZone.keg) return new MbumaError('FREE_WRONG_ZONE', `${hex(m)} is not an mbuf`, place);
    if ((m & ADDRESS_MASK) !== m) {
      return new MbumaError('FREE_UNALIGNED', `${hex(m)} lies inside mbuf ${hex(m & ADDRESS_MASK)}`, place);
    }
    return new MbumaError('FREE_TWICE', `mbuf ${hex(m)} is free already`, place);
  }

  function freeDead(m: Addr): void {
    // Cleaning up may come in the middle of another free of this thread, whose error is told there.
    const another = hasKept;
    freeKnown(m);
    if (!another) throwKept();
  }

  return { free, freeKnown, freeDead, freeError, requireFunction, throwKept, partsWanted };
}
