/**
 * Conversations in a Map, by the same rules as `../conversation/table.ts`.
 *
 * A key is the bytes of both addresses and both ports, as a string: nothing cheaper makes a string of them.
 * Each conversation is in its Map twice, once for each direction, so that a packet needs one key and no
 * comparison of its ends.
 */

import { formatEndpoint } from '../conversation/addresses.js';
import type { ConversationRow } from '../conversation/read.js';
import { CLASS_TCP } from '../packet/fields.js';
import type { Headers } from './decode.js';

const TCP_SYN = 2;
const TCP_ACK = 16;

/** One use of a pair of endpoints: what a user calls a conversation. */
class Conversation {
  packetsForward = 0;
  bytesForward = 0;
  packetsBackward = 0;
  bytesBackward = 0;
  /** First sequence number of either end, once it is known. TCP only. */
  forwardSequence: number | undefined = undefined;
  backwardSequence: number | undefined = undefined;

  /** @param startsBackward whether the first packet went backward */
  constructor(readonly startsBackward: boolean) {}

  forgetSequences(): void {
    this.forwardSequence = undefined;
    this.backwardSequence = undefined;
  }
}

/** All that two endpoints said to each other. Forward is the direction of the first packet of all. */
class Pair {
  readonly uses: Conversation[] = [];
  current = 0;

  constructor(
    readonly protocol: 'tcp' | 'udp',
    readonly source: string,
    readonly destination: string,
    public pass: number,
  ) {}
}

interface Direction {
  readonly pair: Pair;
  readonly isBackward: boolean;
}

export class Conversations {
  tcp = 0;
  udp = 0;
  private readonly tcpPairs = new Map<string, Direction>();
  private readonly udpPairs = new Map<string, Direction>();

  /** Counts a packet of class `kind` (TCP or UDP) and of `bytes` bytes on the wire. */
  count(
    buffer: Buffer,
    headers: Headers,
    kind: number,
    bytes: number,
    pass: number,
    isFragment = false,
  ): void {
    const isTcp = kind === CLASS_TCP;
    const pairs = isTcp ? this.tcpPairs : this.udpPairs;
    const key = keyOf(buffer, headers);
    const direction = pairs.get(key) ?? this.addPair(pairs, key, buffer, headers, isTcp, pass);
    const conversation = isTcp
      ? this.followTcp(direction, buffer, headers.transport, pass, isFragment)
      : (direction.pair.uses[0] as Conversation);
    if (direction.isBackward) {
      conversation.packetsBackward++;
      conversation.bytesBackward += bytes;
    } else {
      conversation.packetsForward++;
      conversation.bytesForward += bytes;
    }
  }

  /** The `count` conversations with most bytes. */
  top(count: number): ConversationRow[] {
    const rows: ConversationRow[] = [];
    for (const pairs of [this.tcpPairs, this.udpPairs]) {
      for (const { pair, isBackward } of pairs.values()) {
        if (!isBackward) rows.push(...pair.uses.map((conversation) => rowOf(pair, conversation)));
      }
    }
    return topRows(rows, count);
  }

  private addPair(
    pairs: Map<string, Direction>,
    key: string,
    buffer: Buffer,
    headers: Headers,
    isTcp: boolean,
    pass: number,
  ): Direction {
    const { addresses, addressBytes, transport } = headers;
    const source = endpoint(buffer, addresses, addressBytes, transport);
    const destination = endpoint(buffer, addresses + addressBytes, addressBytes, transport + 2);
    const pair = new Pair(isTcp ? 'tcp' : 'udp', source, destination, pass);
    this.addUse(pair, false);
    const forward = { pair, isBackward: false };
    // Who talks to himself has one direction: the second line wins.
    pairs.set(reverseKeyOf(buffer, headers), { pair, isBackward: true });
    pairs.set(key, forward);
    return forward;
  }

  private addUse(pair: Pair, startsBackward: boolean): Conversation {
    const conversation = new Conversation(startsBackward);
    pair.uses.push(conversation);
    if (pair.protocol === 'tcp') this.tcp++;
    else this.udp++;
    return conversation;
  }

  /**
   * The use of the ports that a TCP packet belongs to. A SYN with a number of its own begins the next one.
   */
  private followTcp(
    direction: Direction,
    buffer: Buffer,
    at: number,
    pass: number,
    isFragment: boolean,
  ): Conversation {
    const { pair, isBackward } = direction;
    if (pair.pass !== pass) {
      pair.pass = pass;
      pair.current = 0;
      pair.uses[0]?.forgetSequences();
    }
    const current = pair.uses[pair.current] as Conversation;
    const flags = buffer.readUInt8(at + 13);
    const isSettled = current.forwardSequence !== undefined && current.backwardSequence !== undefined;
    if (isSettled && (flags & TCP_SYN) === 0) return current;

    const sequence = buffer.readUInt32BE(at + 4);
    const known = isBackward ? current.backwardSequence : current.forwardSequence;
    const isFirstSyn = (flags & (TCP_SYN | TCP_ACK)) === TCP_SYN;
    const isNext = isFirstSyn && known !== undefined && known !== sequence;
    const conversation = isNext ? this.nextUse(pair, isBackward) : current;
    // Of a fragment nobody knows where it ends: it teaches no numbers.
    if (isFragment) return conversation;
    // An answer to a SYN tells better than what was seen before it.
    if ((flags & (TCP_SYN | TCP_ACK)) === (TCP_SYN | TCP_ACK)) {
      if (isBackward) conversation.backwardSequence = sequence;
      else conversation.forwardSequence = sequence;
    }
    // A SYN takes the first number itself; anything else comes at least one after it.
    const mine = (flags & TCP_SYN) !== 0 ? sequence : (sequence - 1) >>> 0;
    const theirs = (flags & TCP_ACK) !== 0 ? (buffer.readUInt32BE(at + 8) - 1) >>> 0 : undefined;
    if (isBackward) {
      conversation.backwardSequence ??= mine;
      conversation.forwardSequence ??= theirs;
    } else {
      conversation.forwardSequence ??= mine;
      conversation.backwardSequence ??= theirs;
    }
    return conversation;
  }

  private nextUse(pair: Pair, isBackward: boolean): Conversation {
    pair.current++;
    const seen = pair.uses[pair.current];
    if (seen === undefined) return this.addUse(pair, isBackward);
    seen.forgetSequences();
    return seen;
  }
}

function keyOf(buffer: Buffer, { addresses, addressBytes, transport }: Headers): string {
  const end = addresses + 2 * addressBytes;
  // Nearly always the ports follow the addresses.
  if (transport === end) return buffer.toString('latin1', addresses, end + 4);
  return buffer.toString('latin1', addresses, end) + buffer.toString('latin1', transport, transport + 4);
}

function reverseKeyOf(buffer: Buffer, { addresses, addressBytes, transport }: Headers): string {
  const destination = addresses + addressBytes;
  return (
    buffer.toString('latin1', destination, destination + addressBytes) +
    buffer.toString('latin1', addresses, destination) +
    buffer.toString('latin1', transport + 2, transport + 4) +
    buffer.toString('latin1', transport, transport + 2)
  );
}

function endpoint(buffer: Buffer, address: number, addressBytes: number, port: number): string {
  const words = Int32Array.from({ length: addressBytes / 4 }, (_, at) =>
    buffer.readInt32BE(address + at * 4),
  );
  return formatEndpoint(words, buffer.readUInt16BE(port));
}

function rowOf({ protocol, source, destination }: Pair, conversation: Conversation): ConversationRow {
  const { packetsForward, packetsBackward, bytesForward, bytesBackward, startsBackward } = conversation;
  return {
    protocol,
    a: startsBackward ? destination : source,
    b: startsBackward ? source : destination,
    packets: packetsForward + packetsBackward,
    bytes: bytesForward + bytesBackward,
    packetsAB: startsBackward ? packetsBackward : packetsForward,
    bytesAB: startsBackward ? bytesBackward : bytesForward,
  };
}

/** Most bytes first, then most packets, then by name. */
export function topRows(rows: readonly ConversationRow[], count: number): ConversationRow[] {
  return [...rows]
    .sort(
      (left, right) =>
        right.bytes - left.bytes ||
        right.packets - left.packets ||
        compareText(left.protocol, right.protocol) ||
        compareText(left.a, right.a) ||
        compareText(left.b, right.b),
    )
    .slice(0, count);
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
