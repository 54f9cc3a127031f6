/** What the Workers of threads.test.ts do. */

import { parentPort, workerData } from 'node:worker_threads';
import type { MemoryHandle } from '../machine/index.js';
import type { Addr } from '../record/index.js';
import { Mbuf } from './index.js';
import { openMailbox } from './mailbox.test.kit.js';
import { detachKit, type Kit, openKit } from './mbuf.test.kit.js';

/** What a Worker is told. */
export interface Task {
  readonly handle: MemoryHandle;
  readonly job: 'mix' | 'consume';
  readonly mailbox: Int32Array;
  readonly rounds: number;
  readonly seed: number;
}

/** Ends a consumer. Not the address of an mbuf. */
export const END = -1;

function requireCookie({ words, bytes }: Kit, m: Addr): void {
  const at = m >> 2;
  const data = words[at + Mbuf.data] as number;
  const cookie = words[at + Mbuf.user0] as number;
  for (let byte = 0; byte < 16; byte++) {
    if (bytes[data + byte] !== ((cookie + byte) & 255))
      throw new Error(`mbuf ${m} of cookie ${cookie} is damaged`);
  }
}

/** Takes a packet, looks at it, puts none, one or two references back, frees what it holds. */
function mix(kit: Kit, { mailbox, rounds, seed }: Task): number {
  const { mbufs, words } = kit;
  const box = openMailbox(mailbox);
  const many = new Int32Array(4);
  let random = seed;
  let done = 0;
  for (; done < rounds; done++) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    const m = box.take(200) as Addr;
    if (m === (0 as Addr)) break;
    requireCookie(kit, m);
    const choice = (random >> 8) % 4;
    if (choice === 0) {
      const copy = mbufs.reference(m);
      if (copy !== 0) {
        box.put(copy);
      }
      mbufs.free(m);
    } else if (choice === 1) {
      const got = mbufs.tryReferenceMany(m, many, 4);
      for (let at = 0; at < got; at++) {
        words[((many[at] as number) >> 2) + Mbuf.user0] = words[(m >> 2) + Mbuf.user0] as number;
        mbufs.setRange(many[at] as Addr, mbufs.dataOf(m), mbufs.lengthOf(m));
        requireCookie(kit, many[at] as Addr);
      }
      box.put(m);
      mbufs.freeMany(many, got);
    } else if (choice === 2) {
      box.put(m);
    } else {
      const copy = mbufs.reference(m);
      box.put(m);
      if (copy !== 0) {
        requireCookie(kit, copy);
        mbufs.freeChain(copy);
      }
    }
  }
  return done;
}

/** Frees what comes, until told to end. */
function consume(kit: Kit, { mailbox }: Task): number {
  const box = openMailbox(mailbox);
  for (let done = 0; ; done++) {
    const m = box.take();
    if (m === END) return done;
    requireCookie(kit, m as Addr);
    kit.mbufs.free(m as Addr);
  }
}

if (parentPort !== null) {
  const task = workerData as Task;
  const kit = openKit(task.handle);
  kit.mbufs.registerFree('note', (address) => {
    // Each external buffer has a word for the times that it was freed.
    Atomics.add(kit.words, (address >> 2) + 8, 1);
  });
  const done = task.job === 'mix' ? mix(kit, task) : consume(kit, task);
  detachKit(kit);
  parentPort.postMessage(done);
}
