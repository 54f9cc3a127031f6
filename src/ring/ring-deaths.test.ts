import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bury, cleanUp, createRingMemory, type RingMemory } from './ring.test-support.js';
import { type Started, start } from './workers.test-support.js';

const NUMBER_MASK = 0xffffff;
const COUNT = 4000;
/** More than a putter can put before it is killed. */
const ENDLESS = 2 ** 23;

/** A lost wakeup or a lock of the dead shows as a test that does not end. */
const limits = { timeout: 60_000 };

async function kill(memory: RingMemory, { worker, name }: Started): Promise<void> {
  await worker.terminate();
  bury(memory, name);
}

/** Numbers of a putter's words, as they were taken. */
function numbersOf(words: readonly number[], producer: number): number[] {
  return words.filter((word) => word >>> 24 === producer).map((word) => word & NUMBER_MASK);
}

/** Cleans up after every dead thread, as a reaper does. */
function reapAll(memory: RingMemory): void {
  const { threads } = memory;
  for (let slot = threads.claimDead(); slot !== 0; slot = threads.claimDead()) {
    cleanUp(memory, { slot, generation: 0 });
    threads.finishReap(slot);
  }
}

for (const capacity of [1, 3, 100]) {
  for (const reaped of [true, false]) {
    const how = reaped ? 'reaped' : 'met by the others';
    test(
      `putters and takers of ${capacity} words are killed at work, and ${how}: the rest goes on`,
      limits,
      async () => {
        for (let round = 0; round < 4; round++) {
          const memory = createRingMemory();
          const ring = memory.rings.ring({ name: 'jobs', capacity });
          const common = { name: 'jobs', capacity, count: COUNT, style: 'mixed' } as const;
          const takers = await Promise.all(
            [1, 2].map((seed) =>
              start(memory, { ...common, role: 'take', producer: 0, seed: seed + 10 * round }),
            ),
          );
          const putters = await Promise.all(
            [1, 2].map((producer) =>
              start(memory, {
                ...common,
                role: 'put',
                count: producer === 1 ? COUNT : ENDLESS,
                producer,
                seed: producer + 7 * round,
              }),
            ),
          );
          const [putter, deadPutter] = putters as [Started, Started];
          const [taker, deadTaker] = takers as [Started, Started];
          const killsTaker = round % 2 === 1;
          await sleep(3 * round);
          await kill(memory, deadPutter);
          if (killsTaker) await kill(memory, deadTaker);
          if (reaped) reapAll(memory);

          assert.equal(await putter.result, COUNT);
          ring.close();
          const lists = [(await taker.result) as number[]];
          if (!killsTaker) lists.push((await deadTaker.result) as number[]);
          reapAll(memory);
          assert.deepEqual(memory.audit(), []);

          for (const words of lists) {
            for (const producer of [1, 2]) {
              const numbers = numbersOf(words, producer);
              assert.deepEqual(
                numbers,
                [...new Set(numbers)].sort((a, b) => a - b),
                'in order',
              );
            }
          }
          const [living, dead] = [1, 2].map((producer) =>
            lists.flatMap((words) => numbersOf(words, producer)).sort((a, b) => a - b),
          ) as [number[], number[]];
          assert.equal(new Set([...living]).size, living.length, 'no word came twice');
          assert.equal(new Set([...dead]).size, dead.length, 'no word came twice');
          if (killsTaker) continue;
          const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);
          assert.deepEqual(living, upTo(COUNT), 'nothing of the living is lost');
          assert.deepEqual(dead, upTo(dead.length), 'what the dead put came without a gap');
        }
      },
    );
  }
}
