/**
 * A worker of the replay: takes packets from its ring, parses and counts them where they lie, and frees them.
 * At the end it says what it counted, and leaves the conversations to the main thread.
 */

import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory, type Memory } from '../../index.js';
import { type ConversationTable, conversationZone, createConversationTable } from '../conversation/table.js';
import { CLASS_FRAGMENT, CLASS_MASK, CLASS_TCP } from '../packet/fields.js';
import { watchGc } from './gc-watch.js';
import type { WorkerCounts, WorkerInput, WorkerMessage } from './messages.js';
import { createChainParser, LINK_AND_PASS, ORIGINAL_LENGTH, PASS_SHIFT } from './packets.js';

/** Packets taken from the ring at a time. */
const BULK = 512;
/** How long a worker waits for memory for a conversation before it gives up. */
const PATIENCE_MS = 500;

interface Counter {
  /** Counts `n` packets; how many of them, before there was no memory for a conversation. */
  count(batch: Int32Array, n: number): number;
  counts(): WorkerCounts;
}

function createCounter(memory: Memory, table: ConversationTable, seed: number): Counter {
  const { words } = memory;
  const parser = createChainParser(memory, seed);
  const ORIGINAL = ORIGINAL_LENGTH;
  const LINK = LINK_AND_PASS;
  const IS_TCP = CLASS_TCP;
  const FRAGMENT = CLASS_FRAGMENT;
  /** In an array: a variable of a closure that holds a large number costs an object at each change. */
  const sums = new Float64Array(CLASS_MASK + 3);
  const BYTES = CLASS_MASK + 1;
  const FRAGMENTS = CLASS_MASK + 2;

  function count(batch: Int32Array, n: number): number {
    for (let at = 0; at < n; at++) {
      const m = batch[at] as number;
      const word = m >> 2;
      const original = (words[word + ORIGINAL] as number) >>> 0;
      const found = parser.parse(m);
      const kind = found & CLASS_MASK;
      if (kind >= IS_TCP) {
        const pass = (words[word + LINK] as number) >>> PASS_SHIFT;
        if (!table.count(parser.fields, original, pass)) return at;
      }
      sums[kind] = (sums[kind] as number) + 1;
      sums[BYTES] = (sums[BYTES] as number) + original;
      if ((found & FRAGMENT) !== 0) sums[FRAGMENTS] = (sums[FRAGMENTS] as number) + 1;
    }
    return n;
  }

  function counts(): WorkerCounts {
    const [nonIp = 0, otherIp = 0, tcp = 0, udp = 0, bytes = 0, fragments = 0] = sums;
    return {
      packets: nonIp + otherIp + tcp + udp,
      bytes,
      nonIp,
      otherIp,
      tcp,
      udp,
      fragments,
      conversations: { tcp: table.tcp, udp: table.udp },
    };
  }

  return { count, counts };
}

/** Waits for memory for one more conversation. False when there is none to come. */
function waitForMemory(memory: Memory): boolean {
  const zone = conversationZone(memory);
  try {
    zone.free(zone.alloc(0, PATIENCE_MS));
    return true;
  } catch {
    return false;
  }
}

async function work(input: WorkerInput, post: (message: WorkerMessage) => void): Promise<void> {
  const memory = attachMemory(input.handle);
  const { mbufs } = memory;
  const ring = memory.ring({ name: input.ring, capacity: input.capacity });
  const table = createConversationTable(memory);
  const counter = createCounter(memory, table, input.seed);
  const batch = new Int32Array(BULK);
  const gcWatch = watchGc();
  post({ kind: 'ready' });
  const started = performance.now();

  let failed = false;
  for (;;) {
    const taken = ring.takeMany(batch, BULK);
    if (taken === 0) break;
    let left = taken;
    while (!failed) {
      const counted = counter.count(batch, left);
      if (counted === left) break;
      // What is counted goes back before this thread waits for memory.
      mbufs.freeMany(batch, counted);
      batch.copyWithin(0, counted, left);
      left -= counted;
      if (waitForMemory(memory)) continue;
      failed = true;
      post({ kind: 'failed', reason: 'no memory is left for the record of another conversation' });
    }
    mbufs.freeMany(batch, left);
  }

  const gc = await gcWatch.stop(started);
  table.close();
  memory.detach();
  post({ kind: 'done', counts: counter.counts(), first: table.first, gc });
}

const port = parentPort;
if (port !== null) await work(workerData as WorkerInput, (message) => port.postMessage(message));
