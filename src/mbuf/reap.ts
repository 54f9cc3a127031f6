/**
 * After a death: frees the mbufs that the dead thread owned, each by what its flags say. `next` is not
 * followed: the others of a chain may be somebody else's.
 */

import { hex, MbumaError } from '../check/index.js';
import { Hand, HandKind, PAGE_SHIFT } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { OWNER_MEMORY } from '../uma/index.js';
import type { Buffers } from './buffers.js';
import type { Freeing } from './free.js';
import type { FreeFunctionTable } from './free-functions.js';
import { BARE_FLAGS, BufferKind, kindOf, Mbuf, MbufFlag } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

export function registerMbufReaper(
  { machine, threads, hands, uma }: MbufContext,
  zones: MbufZones,
  buffers: Buffers,
  functions: FreeFunctionTable,
  freeing: Freeing,
): void {
  const { words } = machine;
  const { owners, pageKegs, reaper } = uma;
  const { flags: FLAGS, buffer: BUFFER, next: NEXT } = Mbuf;

  /**
   * Whether the buffer is there. A free item that its thread had just taken may hold trash (check level 2).
   */
  function hasBuffer(at: number, flags: number): boolean {
    const kind = kindOf(flags);
    if (kind === BufferKind.EXTERNAL) return true;
    const zone = buffers.zoneByKind[kind] ?? null;
    const buffer = words[at + BUFFER] as number;
    if (zone === null || buffer <= 0 || pageKegs[buffer >>> PAGE_SHIFT] !== zone.keg) return false;
    // It may be the dead thread's own still, or again: the mbuf's flags count.
    const owner = owners[buffer >>> 4] as number;
    return owner === OWNER_MEMORY || threads.isDead(owner);
  }

  function freeOwned(item: number): void {
    const m = item as Addr;
    const at = item >> 2;
    const flags = words[at + FLAGS] as number;
    words[at + FLAGS] = hasBuffer(at, flags) ? flags & ~MbufFlag.VISITED : BARE_FLAGS;
    try {
      freeing.requireFunction(at);
    } catch (error) {
      // Nobody can tell what to do with the buffer: it stays, and whoever has the function may free the mbuf.
      owners[item >>> 4] = OWNER_MEMORY;
      throw error;
    }
    freeing.freeDead(m);
  }

  const nextOf = (item: number): number => words[(item >> 2) + NEXT] as number;
  reaper.onOwned(zones.mbuf.keg, { zone: zones.mbuf.name, free: freeOwned, next: nextOf });

  /** The mbuf of an external buffer is gone, its function has not been called. */
  reaper.onHand(HandKind.CALL, (hand, _slot, errors) => {
    const address = words[hand + Hand.HELD] as number;
    const length = words[hand + Hand.SECOND] as number;
    const argument = words[hand + Hand.THIRD] as number;
    const number = hands.numberOf(hand);
    words[hand] = 0;
    if (address === 0) return;
    errors.attempt(() => {
      const freeFunction = functions.byNumber(number);
      if (freeFunction === undefined) {
        const name = functions.nameOf(number);
        const message = `free function ${name} of the external buffer ${hex(address)} is not registered in this thread`;
        throw new MbumaError('HOOKS_MISSING', message, { address });
      }
      freeFunction(address, length, argument);
    });
  });
}
