/** One putter or taker of the stress tests, in a Worker of its own. */

import { parentPort, workerData } from 'node:worker_threads';
import { MbumaError } from '../check/index.js';
import type { MemoryHandle } from '../machine/index.js';
import type { Ring } from './index.js';
import { openRingMemory } from './ring.test-support.js';

/** How it calls. `mixed` changes after every call. */
export type Style = 'one' | 'many' | 'try' | 'impatient' | 'async' | 'asyncMany' | 'abortive' | 'mixed';

export interface Task {
  readonly handle: MemoryHandle;
  readonly name: string;
  readonly capacity: number;
  readonly role: 'put' | 'take' | 'takeOnce';
  readonly style: Style;
  /** 1 to 127: the upper byte of every word it puts. */
  readonly producer: number;
  /** Words to put. */
  readonly count: number;
  readonly seed: number;
}

const STYLES: readonly Style[] = ['one', 'many', 'try', 'impatient', 'async', 'asyncMany', 'abortive'];

function createRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Aborts after a moment; null when it was aborted, else what the call gave. */
async function abortSoon<Type>(
  ms: number,
  call: (signal: AbortSignal) => Promise<Type>,
): Promise<Type | null> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await call(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && error === controller.signal.reason) return null;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Puts words numbered from 0; says how many were accepted before the end, or the close. */
async function putAll(ring: Ring, task: Task): Promise<number> {
  const random = createRandom(task.seed);
  const word = (number: number): number => (task.producer << 24) | number;
  const items = new Int32Array(40);
  let sent = 0;
  try {
    while (sent < task.count) {
      const style = task.style === 'mixed' ? (STYLES[random(STYLES.length)] as Style) : task.style;
      const many = Math.min(1 + random(40), task.count - sent);
      for (let index = 0; index < many; index++) items[index] = word(sent + index);
      if (style === 'one') {
        ring.put(word(sent));
        sent++;
      } else if (style === 'many') sent += ring.putMany(items, many);
      else if (style === 'try')
        sent += random(2) === 0 ? ring.tryPutMany(items, many) : Number(ring.tryPut(word(sent)));
      else if (style === 'impatient') sent += ring.putMany(items, many, random(3) / 2);
      else if (style === 'async') {
        await ring.putAsync(word(sent));
        sent++;
      } else if (style === 'asyncMany') sent += await ring.putManyAsync(items, many);
      else sent += (await abortSoon(random(3), (signal) => ring.putManyAsync(items, many, { signal }))) ?? 0;
    }
  } catch (error) {
    if (!(error instanceof MbumaError) || error.code !== 'RING_CLOSED') throw error;
  }
  return sent;
}

/** Takes until the ring is closed and empty; gives all that it got, in order. */
async function takeAll(ring: Ring, task: Task): Promise<number[]> {
  const random = createRandom(task.seed);
  const out = new Int32Array(40);
  const got: number[] = [];
  for (;;) {
    const style = task.style === 'mixed' ? (STYLES[random(STYLES.length)] as Style) : task.style;
    const many = 1 + random(40);
    const closed = ring.closed;
    // Nothing is put after the close: what a call then does not find will not come.
    let count = 0;
    let word = 0;
    let patient = true;
    if (style === 'one') word = ring.take();
    else if (style === 'many') count = ring.takeMany(out, many);
    else if (style === 'async') word = await ring.takeAsync();
    else if (style === 'asyncMany') count = await ring.takeManyAsync(out, many);
    else {
      patient = false;
      if (style === 'try') count = ring.tryTakeMany(out, many);
      else if (style === 'impatient') word = ring.take(random(3) / 2);
      else count = (await abortSoon(random(3), (signal) => ring.takeManyAsync(out, many, { signal }))) ?? 0;
    }
    if (word !== 0) got.push(word);
    for (let index = 0; index < count; index++) got.push(out[index] as number);
    if (word === 0 && count === 0 && (patient || closed)) return got;
  }
}

const task = workerData as Task;
const memory = openRingMemory(task.handle);
const ring = memory.rings.ring({ name: task.name, capacity: task.capacity });
const { slot, generation } = memory.threads;
parentPort?.postMessage({ slot, generation });
if (task.role === 'put') parentPort?.postMessage(await putAll(ring, task));
else if (task.role === 'take') parentPort?.postMessage(await takeAll(ring, task));
else parentPort?.postMessage(ring.take());
memory.rings.detach();
memory.threads.release();
