/**
 * Counts packets into conversations.
 *
 *   1 find the record of the 5-tuple, or make one
 *   2 TCP: a SYN whose number is not that of the conversation begins the next use of the same ports, with a
 *     record of its own (so does tshark)
 *   3 one packet more, in its direction
 *
 * A replay of several passes counts each pass into the same records: a new pass begins again with the first
 * use of the ports.
 */

import type { Addr, Memory, Zone } from '../../index.js';
import {
  FIELD_ACKNOWLEDGEMENT,
  FIELD_BACKWARD,
  FIELD_HASH,
  FIELD_HIGH,
  FIELD_KIND,
  FIELD_LOW,
  FIELD_PORTS,
  FIELD_SEQUENCE,
  FIELD_TCP_FLAGS,
  PROTOCOL_TCP,
  TCP_FRAGMENT,
} from '../packet/fields.js';
import { createConversationIndex } from './index-pages.js';
import {
  CONVERSATION_BYTES,
  Conversation,
  STATE_HIGH_FIRST,
  STATE_HIGH_SEQUENCE,
  STATE_LOW_SEQUENCE,
} from './records.js';

export interface ConversationTable {
  /**
   * Counts the packet in `fields`, of `bytes` bytes on the wire. False: there is no memory for its record.
   */
  count(fields: Int32Array, bytes: number, pass: number): boolean;
  /** First of the list of all conversations; 0 when there are none. */
  readonly first: Addr | 0;
  /** How many there are. */
  readonly tcp: number;
  readonly udp: number;
  /** Gives the index back. The records stay, for whoever reads the list. */
  close(): void;
}

/** The zone of the records, the same in every thread. */
export function conversationZone(memory: Memory): Zone {
  return memory.zone({ name: 'conversation', size: CONVERSATION_BYTES, align: 16 });
}

export function createConversationTable(memory: Memory): ConversationTable {
  const { words } = memory;
  const counts = new Float64Array(words.buffer, words.byteOffset, words.length >> 1);
  const zone = conversationZone(memory);
  const index = createConversationIndex(memory);
  const { next: NEXT, hash: HASH, kind: KIND, ports: PORTS, low: LOW, high: HIGH } = Conversation;
  const { pass: PASS, current: CURRENT, nextUse: NEXT_USE, state: STATE, listed: LISTED } = Conversation;
  const { packetsUp: PACKETS_UP, bytesUp: BYTES_UP } = Conversation;
  const { packetsDown: PACKETS_DOWN, bytesDown: BYTES_DOWN } = Conversation;
  const { lowSequence: LOW_SEQUENCE, highSequence: HIGH_SEQUENCE } = Conversation;
  const LOW_KNOWN = STATE_LOW_SEQUENCE;
  const HIGH_KNOWN = STATE_HIGH_SEQUENCE;
  const HIGH_FIRST = STATE_HIGH_FIRST;
  const F_HASH = FIELD_HASH;
  const F_KIND = FIELD_KIND;
  const F_PORTS = FIELD_PORTS;
  const F_LOW = FIELD_LOW;
  const F_HIGH = FIELD_HIGH;
  const F_BACKWARD = FIELD_BACKWARD;
  const F_TCP_FLAGS = FIELD_TCP_FLAGS;
  const F_SEQUENCE = FIELD_SEQUENCE;
  const F_ACKNOWLEDGEMENT = FIELD_ACKNOWLEDGEMENT;
  const TCP = PROTOCOL_TCP;
  const IPV4 = 4 << 8;
  const SYN = 2;
  const ACK = 16;
  const FRAGMENT = TCP_FRAGMENT;
  const PROTOCOL_MASK = 0xff;

  let first: Addr | 0 = 0;
  let tcp = 0;
  let udp = 0;

  function sameIpv6(word: number, fields: Int32Array): boolean {
    for (let at = 0; at < 4; at++) {
      if (words[word + LOW + at] !== fields[F_LOW + at] || words[word + HIGH + at] !== fields[F_HIGH + at]) {
        return false;
      }
    }
    return true;
  }

  /** Record of the 5-tuple in `fields`, as a word; 0 when there is none. */
  function find(fields: Int32Array, place: number): number {
    const hash = fields[F_HASH];
    const kind = fields[F_KIND] as number;
    const ports = fields[F_PORTS];
    let each = words[place] as number;
    while (each !== 0) {
      const word = each >> 2;
      if (
        words[word + HASH] === hash &&
        words[word + PORTS] === ports &&
        words[word + KIND] === kind &&
        words[word + LOW] === fields[F_LOW] &&
        words[word + HIGH] === fields[F_HIGH] &&
        ((kind & ~PROTOCOL_MASK) === IPV4 || sameIpv6(word, fields))
      ) {
        return word;
      }
      each = words[word + NEXT] as number;
    }
    return 0;
  }

  /** A new record with the key of `fields`, as a word; 0 without memory. */
  function make(fields: Int32Array): number {
    const item = zone.tryAlloc();
    if (item === 0) return 0;
    const word = item >> 2;
    words[word + NEXT] = 0;
    words[word + HASH] = fields[F_HASH] as number;
    words[word + KIND] = fields[F_KIND] as number;
    words[word + PORTS] = fields[F_PORTS] as number;
    for (let at = 0; at < 4; at++) {
      words[word + LOW + at] = fields[F_LOW + at] as number;
      words[word + HIGH + at] = fields[F_HIGH + at] as number;
    }
    words[word + PASS] = 0;
    words[word + CURRENT] = item;
    words[word + NEXT_USE] = 0;
    words[word + STATE] = fields[F_BACKWARD] === 1 ? HIGH_FIRST : 0;
    counts[(word + PACKETS_UP) >> 1] = 0;
    counts[(word + BYTES_UP) >> 1] = 0;
    counts[(word + PACKETS_DOWN) >> 1] = 0;
    counts[(word + BYTES_DOWN) >> 1] = 0;
    words[word + LISTED] = first;
    first = item;
    if (((fields[F_KIND] as number) & PROTOCOL_MASK) === TCP) tcp++;
    else udp++;
    return word;
  }

  function makeFirst(fields: Int32Array, place: number, pass: number): number {
    const word = make(fields);
    if (word === 0) return 0;
    words[word + PASS] = pass;
    words[word + NEXT] = words[place] as number;
    words[place] = word << 2;
    index.grow();
    return word;
  }

  /** Forgets the sequence numbers: in this pass, nothing was seen of this use of the ports yet. */
  function begin(word: number): number {
    words[word + STATE] = (words[word + STATE] as number) & HIGH_FIRST;
    return word;
  }

  /**
   * The record of the next use of the ports whose first record is `root` and whose present one is `word`; 0
   * without memory.
   */
  function nextUse(root: number, word: number, fields: Int32Array): number {
    let next = (words[word + NEXT_USE] as number) >> 2;
    if (next === 0) {
      next = make(fields);
      if (next === 0) return 0;
      words[word + NEXT_USE] = next << 2;
    }
    words[root + CURRENT] = next << 2;
    return begin(next);
  }

  /**
   * The record that a TCP packet belongs to, having learnt from it where the two ends' numbers begin; 0
   * without memory.
   */
  function follow(root: number, present: number, fields: Int32Array): number {
    const flags = fields[F_TCP_FLAGS] as number;
    const backward = fields[F_BACKWARD] === 1;
    const sequence = fields[F_SEQUENCE] as number;
    const mineKnown = backward ? HIGH_KNOWN : LOW_KNOWN;
    const mine = backward ? HIGH_SEQUENCE : LOW_SEQUENCE;
    let word = present;
    let state = words[word + STATE] as number;
    if ((flags & (SYN | ACK)) === SYN && (state & mineKnown) !== 0 && words[word + mine] !== sequence) {
      word = nextUse(root, word, fields);
      if (word === 0) return 0;
      state = words[word + STATE] as number;
    }
    // Of a fragment tshark does not know where it ends, and learns nothing.
    if ((flags & FRAGMENT) !== 0) return word;
    if ((state & mineKnown) === 0 || (flags & (SYN | ACK)) === (SYN | ACK)) {
      // A SYN takes the number itself; anything else comes at least one after it. An answer to a SYN tells
      // better than what was seen before it.
      words[word + mine] = (flags & SYN) !== 0 ? sequence : (sequence - 1) | 0;
      state |= mineKnown;
    }
    const otherKnown = backward ? LOW_KNOWN : HIGH_KNOWN;
    if ((flags & ACK) !== 0 && (state & otherKnown) === 0) {
      words[word + (backward ? LOW_SEQUENCE : HIGH_SEQUENCE)] =
        ((fields[F_ACKNOWLEDGEMENT] as number) - 1) | 0;
      state |= otherKnown;
    }
    words[word + STATE] = state;
    return word;
  }

  function count(fields: Int32Array, bytes: number, pass: number): boolean {
    const place = index.placeOf(fields[F_HASH] as number);
    let word = find(fields, place);
    if (word === 0) {
      word = makeFirst(fields, place, pass);
      if (word === 0) return false;
    }
    if (((fields[F_KIND] as number) & PROTOCOL_MASK) === TCP) {
      const root = word;
      if (words[root + PASS] === pass) {
        word = (words[root + CURRENT] as number) >> 2;
      } else {
        words[root + PASS] = pass;
        words[root + CURRENT] = root << 2;
        begin(root);
      }
      const LEARNING = SYN;
      if (
        ((fields[F_TCP_FLAGS] as number) & LEARNING) !== 0 ||
        ((words[word + STATE] as number) & (LOW_KNOWN | HIGH_KNOWN)) !== (LOW_KNOWN | HIGH_KNOWN)
      ) {
        word = follow(root, word, fields);
        if (word === 0) return false;
      }
    }
    if (fields[F_BACKWARD] === 0) {
      counts[(word + PACKETS_UP) >> 1] = (counts[(word + PACKETS_UP) >> 1] as number) + 1;
      counts[(word + BYTES_UP) >> 1] = (counts[(word + BYTES_UP) >> 1] as number) + bytes;
    } else {
      counts[(word + PACKETS_DOWN) >> 1] = (counts[(word + PACKETS_DOWN) >> 1] as number) + 1;
      counts[(word + BYTES_DOWN) >> 1] = (counts[(word + BYTES_DOWN) >> 1] as number) + bytes;
    }
    return true;
  }

  return {
    count,
    get first() {
      return first;
    },
    get tcp() {
      return tcp;
    },
    get udp() {
      return udp;
    },
    close: index.free,
  };
}
