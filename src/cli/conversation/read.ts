/** Reads the records of conversations once their worker is done, and gives them back. */

import type { Addr, Memory } from '../../index.js';
import { FAMILY_IPV4, PROTOCOL_TCP } from '../packet/fields.js';
import { formatEndpoint } from './addresses.js';
import { Conversation, STATE_HIGH_FIRST } from './records.js';
import { conversationZone } from './table.js';

/** One conversation, for people. `a` sent the first packet. */
export interface ConversationRow {
  readonly protocol: 'tcp' | 'udp';
  readonly a: string;
  readonly b: string;
  readonly packets: number;
  readonly bytes: number;
  /** Packets and bytes from `a` to `b`; the rest went the other way. */
  readonly packetsAB: number;
  readonly bytesAB: number;
}

export interface ConversationReader {
  /** Calls `visit` with each record of the list that begins at `first`. */
  each(first: Addr | 0, visit: (item: Addr) => void): void;
  bytesOf(item: Addr): number;
  rowOf(item: Addr): ConversationRow;
  /** Frees all records of the list. */
  free(first: Addr | 0): void;
}

export function createConversationReader(memory: Memory): ConversationReader {
  const { words } = memory;
  const counts = new Float64Array(words.buffer, words.byteOffset, words.length >> 1);
  const zone = conversationZone(memory);

  function each(first: Addr | 0, visit: (item: Addr) => void): void {
    let item = first;
    while (item !== 0) {
      const next = words[(item >> 2) + Conversation.listed] as Addr | 0;
      visit(item);
      item = next;
    }
  }

  function countAt(item: Addr, field: number): number {
    return counts[((item >> 2) + field) >> 1] as number;
  }

  function endpoint(item: Addr, high: boolean): string {
    const word = item >> 2;
    const address = word + (high ? Conversation.high : Conversation.low);
    const ports = words[word + Conversation.ports] as number;
    const isIpv4 = (words[word + Conversation.kind] as number) >>> 8 === FAMILY_IPV4;
    return formatEndpoint(
      words.subarray(address, address + (isIpv4 ? 1 : 4)),
      high ? ports & 0xffff : ports >>> 16,
    );
  }

  function bytesOf(item: Addr): number {
    return countAt(item, Conversation.bytesUp) + countAt(item, Conversation.bytesDown);
  }

  function rowOf(item: Addr): ConversationRow {
    const word = item >> 2;
    const highFirst = ((words[word + Conversation.state] as number) & STATE_HIGH_FIRST) !== 0;
    const packetsUp = countAt(item, Conversation.packetsUp);
    const packetsDown = countAt(item, Conversation.packetsDown);
    const bytes = bytesOf(item);
    const bytesUp = countAt(item, Conversation.bytesUp);
    return {
      protocol: ((words[word + Conversation.kind] as number) & 0xff) === PROTOCOL_TCP ? 'tcp' : 'udp',
      a: endpoint(item, highFirst),
      b: endpoint(item, !highFirst),
      packets: packetsUp + packetsDown,
      bytes,
      packetsAB: highFirst ? packetsDown : packetsUp,
      bytesAB: highFirst ? bytes - bytesUp : bytesUp,
    };
  }

  return {
    each,
    bytesOf,
    rowOf,
    free: (first) => each(first, (item) => zone.free(item)),
  };
}

/** Most bytes first, then most packets, then by name, so that the order is always the same. */
export function compareRows(left: ConversationRow, right: ConversationRow): number {
  return (
    right.bytes - left.bytes ||
    right.packets - left.packets ||
    compareText(left.protocol, right.protocol) ||
    compareText(left.a, right.a) ||
    compareText(left.b, right.b)
  );
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The `count` conversations with most bytes of several lists. */
export function topRows(
  reader: ConversationReader,
  lists: readonly (Addr | 0)[],
  count: number,
): ConversationRow[] {
  const sizes: number[] = [];
  for (const first of lists) reader.each(first, (item) => sizes.push(reader.bytesOf(item)));
  sizes.sort((left, right) => right - left);
  // Only those that can be among the first become rows.
  const least = count === 0 ? Number.POSITIVE_INFINITY : (sizes[Math.min(count, sizes.length) - 1] ?? 0);
  const rows: ConversationRow[] = [];
  for (const first of lists) {
    reader.each(first, (item) => {
      if (reader.bytesOf(item) >= least) rows.push(reader.rowOf(item));
    });
  }
  return rows.sort(compareRows).slice(0, count);
}
