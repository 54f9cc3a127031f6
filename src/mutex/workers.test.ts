import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createMemory, type Memory } from '../index.js';
import { nativeThreads } from '../platform.js';
import { assertClean } from './mutex.test-kit.js';
import type { Answer, Task } from './mutex.test-worker.js';

/** A lost wakeup shows as a test that does not end. */
const limits = { timeout: 60_000 };

interface Started {
  readonly worker: Worker;
  readonly answer: Promise<Answer>;
  readonly exit: Promise<unknown>;
  /** Resolves once this thread has cleaned up after it. */
  readonly ended: Promise<unknown>;
}

function start(memory: Memory, task: Pick<Task, 'role' | 'word'> & Partial<Task>): Started {
  const workerData: Task = { handle: memory.handle, rounds: 0, names: ['m'], ...task };
  const worker = new Worker(new URL('./mutex.test-worker.js', import.meta.url), { workerData });
  const { ended } = memory.adopt(worker);
  const exit = once(worker, 'exit');
  const answer = once(worker, 'message').then(([said]) => said as Answer);
  exit.catch(() => {});
  return { worker, answer, exit, ended };
}

/** A memory, and two words that a mutex is to guard. */
function stage(): { memory: Memory; word: number } {
  const memory = createMemory({ bytes: 1 << 21, checkLevel: 1 });
  const item = memory.zone({ name: 'guarded', size: 64 }).tryAlloc();
  memory.words[item >> 2] = 0;
  memory.words[(item >> 2) + 1] = 0;
  return { memory, word: item >> 2 };
}

describe('a mutex between real threads', () => {
  it('lets one in at a time: four threads, blocking, asynchronous, trying', limits, async () => {
    const { memory, word } = stage();
    const all = [1, 2, 3, 4].map(() => start(memory, { role: 'count', rounds: 1500, word }));
    const answers = await Promise.all(all.map(({ answer }) => answer));
    await Promise.all(all.map(({ exit }) => exit));
    assert.deepEqual(
      answers.map(({ failures, died }) => failures + died),
      [0, 0, 0, 0],
    );
    assert.ok(answers.every(({ counted }) => counted >= 1500));
    assert.equal(
      memory.words[word],
      answers.reduce((sum, { counted }) => sum + counted, 0),
    );
    assertClean(memory);
  });

  it(
    'goes to the next when the owner is killed, who is told; a killed waiter is passed over',
    limits,
    async () => {
      const { memory, word } = stage();
      for (let round = 0; round < 5; round++) {
        const holder = start(memory, { role: 'hold', word });
        assert.equal((await holder.answer).died, 0);
        const doomed = start(memory, { role: 'take', word });
        while (memory.mutex('m').sleepers === 0) await pause(1);
        const taker = start(memory, { role: 'take', word });
        while (memory.mutex('m').sleepers < 2) await pause(1);
        const mine = memory.mutex('m').lockAsync();
        assert.equal(memory.mutex('m').sleepers, 3);
        await doomed.worker.terminate();
        await holder.worker.terminate();
        assert.equal((await taker.answer).died, 1);
        const token = await mine;
        assert.equal(token.ownerDied, false);
        token.unlock();
        await Promise.all([holder, doomed, taker].map(({ ended }) => ended));
        assertClean(memory);
      }
    },
  );

  it('is got by one who blocks the very thread that would be told of the death', limits, async (test) => {
    if (nativeThreads() === null) return test.diagnostic('this platform cannot be asked for its threads');
    const { memory, word } = stage();
    const holder = start(memory, { role: 'exit with', word });
    await holder.answer;
    // From here on no event arrives.
    const token = memory.mutex('m').lock(20_000);
    assert.equal(token.ownerDied, true);
    token.unlock();
    await holder.ended;
    assertClean(memory);
  });

  it('stays sound while threads that use it are killed at work', limits, async () => {
    const { memory, word } = stage();
    for (let round = 0; round < 6; round++) {
      const all = [1, 2, 3].map(() => start(memory, { role: 'count', rounds: 400, word }));
      await pause(60 + 7 * round);
      await all[0]?.worker.terminate();
      const answers = await Promise.all(all.slice(1).map(({ answer }) => answer));
      assert.deepEqual(
        answers.map(({ failures }) => failures),
        [0, 0],
      );
      await Promise.all(all.map(({ ended }) => ended));
      const token = memory.mutex('m').lock(1000);
      assert.ok(memory.words[word + 1] === 0 || token.ownerDied);
      memory.words[word + 1] = 0;
      token.unlock();
      assertClean(memory);
    }
  });

  it('is never waited for in a circle: who comes against the order is refused', limits, async () => {
    const { memory, word } = stage();
    const orders = [
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'a', 'b'],
    ];
    const all = orders.map((names) => start(memory, { role: 'nest', rounds: 300, word, names }));
    const answers = await Promise.all(all.map(({ answer }) => answer));
    const refused = answers.filter(({ error }) => error !== '');
    for (const { error } of refused)
      assert.match(
        error,
        /^LOCK_ORDER mutex \w taken at .* other way round elsewhere: thread \d took \w at /,
      );
    assert.ok(refused.length >= 1 && refused.length <= 2, JSON.stringify(answers));
    await Promise.all(all.map(({ ended }) => ended));
    assertClean(memory);
  });
});
