/** Copying bytes out of a chain. Nothing is copied when the chain is too short. */

import { hex, MbumaError, requireInteger } from '../check/index.js';
import { type ByteCopies, requireBytes, requireOffset } from './bytes.js';
import type { Chains } from './chains.js';
import { Mbuf } from './records.js';
import type { MbufContext, Mbufs } from './types.js';

export function createCopyOut(
  { machine }: MbufContext,
  chains: Chains,
  copies: ByteCopies,
): Mbufs['copyOut'] {
  const { words } = machine;
  const { next: NEXT, data: DATA, length: LENGTH } = Mbuf;

  return (m, offset, length, targetGiven, targetOffset) => {
    chains.requireChain(m);
    const target = requireBytes(targetGiven, 'target');
    const start = requireOffset(targetOffset, 'targetOffset', target.length);
    requireInteger(offset, 'offset', 0, 0x7fffffff);
    requireInteger(length, 'length', 0, target.length - start);
    const total = chains.countBytes(m);
    if (offset + length > total) {
      throw new MbumaError(
        'CHAIN_TOO_SHORT',
        `the chain of ${hex(m)} has ${total} bytes, ${offset} to ${offset + length} were wanted`,
        { address: m },
      );
    }
    let skip = offset;
    let done = 0;
    for (let each: number = m; done < length; each = words[(each >> 2) + NEXT] as number) {
      const at = each >> 2;
      const here = words[at + LENGTH] as number;
      if (skip >= here) {
        skip -= here;
        continue;
      }
      const part = Math.min(here - skip, length - done);
      copies.copyOut((words[at + DATA] as number) + skip, target, start + done, part);
      done += part;
      skip = 0;
    }
  };
}
