/** A reader or a writer of lists that change under the readers. */

import { parentPort, workerData } from 'node:worker_threads';
import { type Addr, attachMemory } from '../index.js';
import { Board, type Orders, openLists, serialOf } from './epoch-stress.test-kit.js';

const { handle, role, number, epoch, board, root, lists, length } = workerData as Orders;
const memory = attachMemory(handle);
const zone = openLists(memory, epoch);
const { words } = memory;

/** Node: link, serial, and the two mixed. A serial is never given twice. */
let serial = number << 22;

function build(next: number): Addr {
  const item = zone.alloc();
  const at = item >>> 2;
  words[at + 1] = ++serial;
  words[at + 2] = serialOf(item, serial);
  words[at] = next;
  return item;
}

/** Replaces a node of one of its lists by a new one; whoever reads may still be at the old one. */
function replace(round: number): void {
  const list = root + ((round * 2 + number) % lists);
  let link = list;
  for (let steps = round % length; steps > 0; steps--) link = (words[link] as number) >>> 2;
  const old = words[link] as Addr;
  Atomics.store(words, link, build(words[old >>> 2] as number));
  zone.free(old);
}

const LOOKS = 50;
const seen = new Int32Array(length * 2);

/** How many nodes were another's before the section ended. */
function read(round: number): number {
  let count = 0;
  let wrong = 0;
  memory.enter();
  for (let node = Atomics.load(words, root + (round % lists)); node !== 0 && count < length; count++) {
    const at = node >>> 2;
    seen[count * 2] = node;
    seen[count * 2 + 1] = words[at + 1] as number;
    node = words[at] as number;
  }
  // Some microseconds, so that much happens meanwhile.
  for (let index = 0; index < count * LOOKS; index++) {
    const at = (index % count) * 2;
    const node = seen[at] as number;
    const now = words[(node >>> 2) + 1] as number;
    if (now !== seen[at + 1] || words[(node >>> 2) + 2] !== serialOf(node, now)) wrong++;
  }
  memory.leave();
  return wrong;
}

let rounds = 0;
let wrong = 0;
while (Atomics.load(board, Board.END) === 0) {
  for (let batch = 0; batch < 200; batch++, rounds++) {
    if (role === 'reader') wrong += read(rounds);
    else replace(rounds);
  }
  if (role === 'reader') {
    Atomics.add(board, Board.READS, 200);
    Atomics.store(board, Board.WRONG, Math.max(wrong, Atomics.load(board, Board.WRONG)));
  }
  memory.poll();
}
memory.detach();
parentPort?.postMessage({ role, rounds, wrong });
