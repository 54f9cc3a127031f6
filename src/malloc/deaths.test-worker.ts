/** What the Workers of deaths-workers.test.ts do until they are ended: allocate, free, make larger. */

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
  readonly seed: number;
}

/** The types that the Workers use: the last one keeps what a dead thread had. */
export function typesOf(memory: Memory): MallocType[] {
  return [
    memory.mallocType({ name: 'bounded', zones: 'own', onOwnerDeath: 'free', max: 400_000 }),
    memory.mallocType({ name: 'loose', zones: 'own', onOwnerDeath: 'free' }),
    memory.mallocType({ name: 'guarded', guard: true, onOwnerDeath: 'free' }),
    memory.mallocType({ name: 'named', zones: 'own', onOwnerDeath: 'report' }),
  ];
}

function work({ handle, seed }: Task): never {
  const memory = attachMemory(handle);
  const types = typesOf(memory);
  const random = randomFrom(seed);
  const held: { type: MallocType; block: Addr }[] = [];
  const sizeOf = (): number => (random(10) === 0 ? 66_000 + random(60_000) : 1 + random(3000));
  parentPort?.postMessage('working');
  for (;;) {
    const type = types[random(types.length)] as MallocType;
    const block = held.length < 30 ? type.tryAlloc(sizeOf()) : 0;
    if (block !== 0) held.push({ type, block });
    const at = random(held.length + 1);
    const chosen = held[at];
    if (chosen === undefined) continue;
    if (random(3) === 0) {
      const moved = chosen.type.tryRealloc(chosen.block, sizeOf());
      if (moved !== 0) chosen.block = moved;
    } else {
      held.splice(at, 1);
      chosen.type.free(chosen.block);
    }
  }
}

if (workerData !== null) work(workerData as Task);
