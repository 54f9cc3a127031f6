/**
 * Adding bytes to a chain, all or none.
 *
 *   1 the space after the last mbuf's data, if the buffer is that mbuf's alone and writable
 *   2 for what is left, mbufs: with a page of cluster for more than 2048 bytes, with a cluster for more than
 *     an mbuf holds, else bare
 *
 * All mbufs are taken before the first byte is written.
 */

import { optionalInteger } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { type ByteCopies, requireBytes, requireOffset } from './bytes.js';
import type { Chains } from './chains.js';
import type { Fields } from './fields.js';
import type { FreeingMany } from './free-many.js';
import type { Getters } from './get.js';
import { BARE_FLAGS, BufferKind, CLUSTER_SIZE, MBUF_DATA_SIZE, Mbuf, MbufFlag } from './records.js';
import type { MbufContext } from './types.js';

export type Append = (m: Addr, source: Uint8Array, offset?: number, length?: number) => boolean;

export function createAppend(
  { machine }: MbufContext,
  chains: Chains,
  fields: Fields,
  getters: Getters,
  freeing: FreeingMany,
  copies: ByteCopies,
): Append {
  const { words } = machine;
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS } = Mbuf;
  const { capacity: CAPACITY, packetLength: PACKET_LENGTH } = Mbuf;
  const { PACKET_HEADER } = MbufFlag;
  const appendSite = machine.failpoints.site('mbuf.append', 'all of an append');

  /** An mbuf for up to `rest` bytes. A chain needs one packet header, and its first mbuf has it. */
  function tryGetFor(rest: number): Addr | 0 {
    if (appendSite.fails()) return 0;
    if (rest <= MBUF_DATA_SIZE) return getters.tryGet();
    const large = rest > CLUSTER_SIZE ? getters.tryGetKind(BufferKind.JUMBO_PAGE, BARE_FLAGS) : 0;
    if (large !== 0) return large;
    const packet = getters.tryGetcl();
    if (packet !== 0)
      words[(packet >> 2) + FLAGS] = (words[(packet >> 2) + FLAGS] as number) & ~PACKET_HEADER;
    return packet;
  }

  /** A chain of empty mbufs with room for `bytes`; 0 when there is no memory for all. */
  function tryGetChain(bytes: number): Addr | 0 {
    let first: Addr | 0 = 0;
    let last: Addr | 0 = 0;
    for (let rest = bytes; rest > 0; ) {
      const m = tryGetFor(rest);
      if (m === 0) {
        if (first !== 0) freeing.freeChain(first);
        return 0;
      }
      if (last === 0) first = m;
      else words[(last >> 2) + NEXT] = m;
      last = m;
      rest -= words[(m >> 2) + CAPACITY] as number;
    }
    return first;
  }

  return (m, sourceGiven, offsetGiven, lengthGiven) => {
    const last = chains.requireChain(m);
    const source = requireBytes(sourceGiven, 'source');
    let offset = requireOffset(offsetGiven, 'offset', source.length);
    const length = optionalInteger(lengthGiven, 'length', 0, source.length - offset, source.length - offset);
    const filled = Math.min(length, fields.trailingSpace(last));
    const added = filled === length ? 0 : tryGetChain(length - filled);
    if (added === 0 && filled < length) return false;

    const tail = last >> 2;
    const tailLength = words[tail + LENGTH] as number;
    copies.copyIn((words[tail + DATA] as number) + tailLength, source, offset, filled);
    words[tail + LENGTH] = tailLength + filled;
    offset += filled;
    let rest = length - filled;
    for (let each: number = added; each !== 0; each = words[(each >> 2) + NEXT] as number) {
      const at = each >> 2;
      const part = Math.min(rest, words[at + CAPACITY] as number);
      copies.copyIn(words[at + DATA] as number, source, offset, part);
      words[at + LENGTH] = part;
      offset += part;
      rest -= part;
    }
    words[tail + NEXT] = added;
    const head = m >> 2;
    if (((words[head + FLAGS] as number) & PACKET_HEADER) !== 0) {
      words[head + PACKET_LENGTH] = (words[head + PACKET_LENGTH] as number) + length;
    }
    return true;
  };
}
