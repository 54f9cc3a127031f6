/** Is it an mbuf, and is it a chain? What every public function asks first. */

import { CheckLevel, describeValue, hex, MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { MBUF_SIZE, Mbuf } from './records.js';
import type { MbufContext, MbufZones } from './types.js';

/** Bits that the address of an mbuf may have: whole multiples of 256, below 2^31. */
export const ADDRESS_MASK = 0x7fffff00;

export interface Chains {
  /** Whether `m` is the address of an mbuf in use. Never throws, never coerces an object. */
  isMbuf(m: unknown): m is Addr;
  /** The word index of an mbuf in use; NOT_AN_MBUF otherwise. */
  requireMbuf(m: unknown): number;
  /** Looks at every mbuf of a chain; the last one. NOT_AN_MBUF, CHAIN_CYCLE. */
  requireChain(m: unknown): Addr;
  /** Makes the mbufs of a chain this thread's. */
  claim(m: Addr): void;
  /** Bytes of a chain that has been looked at. */
  countBytes(m: Addr): number;
}

export function createChains({ machine, threads, uma }: MbufContext, zones: MbufZones): Chains {
  const { words } = machine;
  const { owners, pageKegs } = uma;
  const { next: NEXT, length: LENGTH } = Mbuf;
  const keg = zones.mbuf.keg;
  const MASK = ADDRESS_MASK;
  const { slot } = threads;
  const { compareExchangeByte } = machine.atomics;
  const ownersAddress = machine.area('owners') << 2;

  function isMbuf(m: unknown): m is Addr {
    return (
      typeof m === 'number' &&
      (m & MASK) === m &&
      pageKegs[m >>> 12] === keg &&
      (owners[m >>> 4] as number) > 0
    );
  }

  function notAnMbuf(m: unknown, where = ''): MbumaError {
    const shown = typeof m === 'number' && Number.isSafeInteger(m) ? hex(m) : describeValue(m);
    const address = typeof m === 'number' ? m : undefined;
    return new MbumaError('NOT_AN_MBUF', `${shown}${where} is not an mbuf that is in use`, { address });
  }

  function requireMbuf(m: unknown): number {
    if (!isMbuf(m)) throw notAnMbuf(m);
    return m >> 2;
  }

  /** At check level 2 all of it must lie in one item, and that must be in use. */
  function requireWhole(m: unknown): number {
    const at = requireMbuf(m);
    uma.access.check(at << 2, MBUF_SIZE);
    return at;
  }

  /** Only who holds an mbuf may claim it, but a reaper may free it meanwhile: its 0 must stand. */
  function claimOne(m: Addr): void {
    for (;;) {
      const owner = owners[m >>> 4] as number;
      if (owner === slot) return;
      if (owner === 0) throw notAnMbuf(m);
      if (compareExchangeByte(ownersAddress + (m >>> 4), owner, slot) === owner) return;
    }
  }

  function requireChain(first: unknown): Addr {
    if (!isMbuf(first)) throw notAnMbuf(first);
    // Brent: the mark jumps to where the walk is after 1, 2, 4, ... steps; a circle comes back to it.
    let at: Addr = first;
    let mark = at;
    let steps = 0;
    let leap = 1;
    for (;;) {
      const next = words[(at >> 2) + NEXT] as number;
      if (next === 0) return at;
      if (!isMbuf(next)) throw notAnMbuf(next, `, next of ${hex(at)},`);
      if (next === mark) {
        throw new MbumaError('CHAIN_CYCLE', `the chain of ${hex(first)} comes back to ${hex(mark)}`, {
          address: first,
        });
      }
      at = next;
      if (++steps === leap) {
        mark = at;
        leap *= 2;
        steps = 0;
      }
    }
  }

  return {
    isMbuf,
    requireMbuf: machine.checkLevel >= CheckLevel.TRASH ? requireWhole : requireMbuf,
    requireChain,
    claim(first) {
      threads.assertHere();
      requireChain(first);
      for (let m: Addr | 0 = first; m !== 0; m = words[(m >> 2) + NEXT] as Addr | 0) claimOne(m);
    },
    countBytes(first) {
      let bytes = 0;
      for (let m: number = first; m !== 0; m = words[(m >> 2) + NEXT] as number) {
        bytes += words[(m >> 2) + LENGTH] as number;
      }
      return bytes;
    },
  };
}
