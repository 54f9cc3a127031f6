/**
 * From parts of packets to mbufs, and from there to the workers.
 *
 *   parts of a cluster ─► references to the cluster (one call) ─► packets ─► by hash ─► ring of a worker
 *
 * Nothing here waits. A step that lacks memory or room says so, keeps what it has, and is called again.
 */

import { type Addr, Mbuf, type Memory, type Ring } from '../../index.js';
import { MbufFlag } from '../../mbuf/index.js';
import { PART_CONTINUED, PART_CONTINUES, PART_LINK_MASK, type Parts } from '../capture/parts.js';
import { CLASS_MASK, CLASS_TCP, FIELD_HASH } from '../packet/fields.js';
import { createChainParser, LINK_AND_PASS, ORIGINAL_LENGTH, PASS_MASK, PASS_SHIFT } from './packets.js';

/** References made with one call. */
const REFERENCES = 256;
/**
 * Packets that are put into a ring with one call, unless nothing more comes. A worker that has emptied its
 * ring sleeps, and to wake it costs as much as to make 50 packets: for that, more must have come together.
 */
const BULK = 256;
const WAKING_BULK = 1024;

export interface Dispatcher {
  /**
   * Makes packets of the parts from `parts.done` on, which lie in the cluster of `holder`. False: no mbuf was
   * free.
   */
  dispatch(parts: Parts, holder: Addr, pass: number): boolean;
  /** Hands waiting packets over. False while too many, or with `all` any, wait for room. */
  flush(all: boolean): boolean;
  /** A ring that has no room now, if packets wait for one. */
  readonly fullRing: Ring | undefined;
  /** Waits for room in it, `timeoutMs` at most. True when some packets went in. */
  waitForRoom(timeoutMs: number): boolean;
  readonly packets: number;
  /** Frees what was not handed over. */
  discard(): void;
}

/** @param capacity packets that one cluster may hold */
export function createDispatcher(
  memory: Memory,
  rings: readonly Ring[],
  seed: number,
  capacity: number,
): Dispatcher {
  const { words, mbufs } = memory;
  const { next: NEXT, data: DATA, length: LENGTH, flags: FLAGS, packetLength: PACKET_LENGTH } = Mbuf;
  const ORIGINAL = ORIGINAL_LENGTH;
  const LINK = LINK_AND_PASS;
  const CONTINUES = PART_CONTINUES;
  const CONTINUED = PART_CONTINUED;
  const LINK_BITS = PART_LINK_MASK;
  const NOT_HEADER = ~MbufFlag.PACKET_HEADER;
  const shards = rings.length;
  const parser = shards > 1 ? createChainParser(memory, seed) : undefined;
  const references = new Int32Array(REFERENCES);
  const queues = rings.map(() => new Int32Array(capacity + WAKING_BULK));
  const queued = new Int32Array(shards);
  let turn = 0;
  let packets = 0;
  /** The packet whose parts go on in the next cluster. */
  let head = 0;
  let tail = 0;

  /** Packets of one conversation go to one worker; the others take turns. */
  function shardOf(m: number): number {
    if (parser === undefined) return 0;
    const found = parser.parse(m);
    if ((found & CLASS_MASK) >= CLASS_TCP) {
      // The low bits of the hash find the place in the worker's index.
      return (((parser.fields[FIELD_HASH] as number) >>> 16) * shards) >>> 16;
    }
    turn = turn + 1 === shards ? 0 : turn + 1;
    return turn;
  }

  function enqueue(m: number): void {
    const shard = shardOf(m);
    const queue = queues[shard] as Int32Array;
    queue[queued[shard] as number] = m;
    queued[shard] = (queued[shard] as number) + 1;
    packets++;
  }

  /** A packet that lies in several clusters: a chain of mbufs. */
  function linkPart(m: number, mark: number): void {
    if ((mark & CONTINUES) === 0) {
      head = m;
    } else {
      words[(m >> 2) + FLAGS] = (words[(m >> 2) + FLAGS] as number) & NOT_HEADER;
      words[(tail >> 2) + NEXT] = m;
    }
    tail = m;
    if ((mark & CONTINUED) !== 0) return;
    const packet = head;
    head = 0;
    enqueue(packet);
  }

  function dispatch(parts: Parts, holder: Addr, pass: number): boolean {
    const { starts, lengths, totals, originals, marks, count } = parts;
    const passBits = (pass & PASS_MASK) << PASS_SHIFT;
    while (parts.done < count) {
      const first = parts.done;
      const got = mbufs.tryReferenceMany(holder, references, Math.min(REFERENCES, count - first));
      if (got === 0) return false;
      parts.done = first + got;
      for (let at = 0; at < got; at++) {
        const m = references[at] as number;
        const word = m >> 2;
        const part = first + at;
        const mark = marks[part] as number;
        words[word + DATA] = starts[part] as number;
        words[word + LENGTH] = lengths[part] as number;
        words[word + PACKET_LENGTH] = totals[part] as number;
        words[word + ORIGINAL] = originals[part] as number;
        words[word + LINK] = (mark & LINK_BITS) | passBits;
        if (mark <= LINK_BITS) enqueue(m);
        else linkPart(m, mark);
      }
    }
    return true;
  }

  function flushShard(shard: number, all: boolean): boolean {
    const waiting = queued[shard] as number;
    const ring = rings[shard] as Ring;
    if (!all && (waiting < BULK || (waiting < WAKING_BULK && ring.length === 0))) return true;
    if (waiting === 0) return true;
    const put = ring.tryPutMany(queues[shard] as Int32Array, waiting);
    dropFirst(shard, put);
    return waiting - put < (all ? 1 : WAKING_BULK);
  }

  function dropFirst(shard: number, count: number): void {
    const waiting = queued[shard] as number;
    if (count > 0 && count < waiting) (queues[shard] as Int32Array).copyWithin(0, count, waiting);
    queued[shard] = waiting - count;
  }

  function flush(all: boolean): boolean {
    let done = true;
    for (let shard = 0; shard < shards; shard++) done = flushShard(shard, all) && done;
    return done;
  }

  /** The shard with most packets waiting, or -1. */
  function longestQueue(): number {
    let longest = -1;
    for (let shard = 0; shard < shards; shard++) {
      const waiting = queued[shard] as number;
      if (waiting > 0 && (longest < 0 || waiting > (queued[longest] as number))) longest = shard;
    }
    return longest;
  }

  function discard(): void {
    if (head !== 0) mbufs.freeChain(head as Addr);
    head = 0;
    for (let shard = 0; shard < shards; shard++) {
      mbufs.freeMany(queues[shard] as Int32Array, queued[shard] as number);
      queued[shard] = 0;
    }
  }

  return {
    dispatch,
    flush,
    get fullRing() {
      return rings[longestQueue()];
    },
    waitForRoom(timeoutMs) {
      const shard = longestQueue();
      if (shard < 0) return true;
      const put = (rings[shard] as Ring).putMany(
        queues[shard] as Int32Array,
        queued[shard] as number,
        timeoutMs,
      );
      dropFirst(shard, put);
      return put > 0;
    },
    get packets() {
      return packets;
    },
    discard,
  };
}
