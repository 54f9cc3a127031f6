/** What the Workers of workers.test.ts do: allocate, hand over, check each word, make larger, free. */

import { parentPort, workerData } from 'node:worker_threads';
import type { MemoryHandle } from '../machine/index.js';
import { attachMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { randomFrom } from '../uma/uma.test-kit.js';
import type { MallocType } from './types.js';

/** What a Worker is told. */
export interface Task {
  readonly handle: MemoryHandle;
  readonly rounds: number;
  readonly seed: number;
}

/** Every word of a block says where it lies; the first one how many there are. */
export function mark({ words }: Memory, block: Addr, bytes: number): void {
  const first = block >> 2;
  words[first] = bytes;
  for (let at = 1; at < bytes >> 2; at++) words[first + at] = block ^ (at * 0x9e3779b1);
}

export function requireMark({ words }: Memory, block: Addr): void {
  const first = block >> 2;
  const bytes = words[first] as number;
  for (let at = 1; at < bytes >> 2; at++)
    if (words[first + at] !== ((block ^ (at * 0x9e3779b1)) | 0))
      throw new Error(`block ${block}: word ${at} of ${bytes} bytes is damaged`);
}

/** The name of the type that a block belongs to stands in the ring with it: the lowest bit. */
export function typesOf(memory: Memory): [MallocType, MallocType] {
  return [memory.mallocType({ name: 'first' }), memory.mallocType({ name: 'second', max: 400_000 })];
}

function sizeOf(random: (bound: number) => number): number {
  const kind = random(20);
  if (kind === 0) return 4 + random(200_000);
  return kind < 5 ? 4 + random(9000) : 4 + random(600);
}

function work({ handle, rounds, seed }: Task): number {
  const memory = attachMemory(handle);
  const types = typesOf(memory);
  const ring = memory.ring({ name: 'blocks', capacity: 512 });
  const random = randomFrom(seed);
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    const number = random(2);
    const size = sizeOf(random);
    const block = (types[number] as MallocType).tryAlloc(size);
    if (block !== 0) {
      mark(memory, block, size);
      if (!ring.tryPut(block | number)) (types[number] as MallocType).free(block);
    }
    const word = random(3) === 0 ? 0 : ring.tryTake();
    if (word === 0) continue;
    const taken = (word & -16) as Addr;
    const type = types[word & 1] as MallocType;
    requireMark(memory, taken);
    done++;
    if (random(4) !== 0) {
      type.free(taken);
      continue;
    }
    const other = type.tryRealloc(taken, sizeOf(random));
    type.free(other === 0 ? taken : other);
  }
  memory.detach();
  return done;
}

parentPort?.postMessage(work(workerData as Task));
