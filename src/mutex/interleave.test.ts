import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exploreMemoryAsync, type MemoryScenario } from '../explore.js';
import type { Memory } from '../index.js';

/** Small: an audit follows every schedule. */
const memory = { bytes: 4 << 16, maxZones: 16 };

const GUARDED = { name: 'guarded', size: 64 };

/** Word index of what the mutex guards: each thread finds the one item that there is. */
function guarded(shared: unknown): number {
  return shared as number;
}

function countWith({ words }: Memory, word: number, ownerDied: boolean): void {
  assert.ok(words[word + 1] === 0 || ownerDied, 'it is half-done, and nobody was told');
  words[word + 1] = 1;
  words[word] = (words[word] as number) + 1;
  words[word + 1] = 0;
}

/** Thread 0 awaits, thread 1 blocks; both count. */
const scenario: MemoryScenario<unknown> = {
  memory,
  preemptions: 1,
  attachInThreads: true,
  attach: 1,
  setup([first]) {
    const item = (first as Memory).zone(GUARDED).tryAlloc() >> 2;
    (first as Memory).words.fill(0, item, item + 2);
    (first as Memory).mutex('m');
    return item;
  },
  threads: [
    async (own, shared) => {
      const token = await own.mutex('m').lockAsync();
      countWith(own, guarded(shared), token.ownerDied);
      token.unlock();
    },
    (own, shared) => {
      const token = own.mutex('m').lock();
      countWith(own, guarded(shared), token.ownerDied);
      token.unlock();
    },
  ],
  after(_memories, shared, { observer, killed }) {
    const token = observer.mutex('m').tryLock();
    assert.ok(token, `thread ${observer.mutex('m').owner} has it still`);
    assert.ok(killed.length > 0 || !token.ownerDied);
    token.unlock();
    if (killed.length === 0) assert.equal(observer.words[guarded(shared)], 2);
  },
};

describe('one who awaits a mutex and one who blocks for it, in every order', () => {
  it('both get it', async () => {
    const { failure, exhausted, schedules } = await exploreMemoryAsync(scenario);
    assert.equal(failure, null, failure?.message);
    assert.ok(exhausted && schedules > 20, String(schedules));
  });

  it('who is left gets it when the other is killed', async () => {
    const kill = { threads: [1], everyStoreOfFills: false };
    const report = await exploreMemoryAsync({ ...scenario, kill, prune: true, preemptions: 0 });
    assert.equal(report.failure, null, report.failure?.message);
    assert.ok(report.exhausted && report.kills > 20);
  });

  it('an abort leaves nothing behind, whatever it meets', async () => {
    const aborting: MemoryScenario<unknown> = {
      ...scenario,
      threads: [
        async (own) => {
          const abort = new AbortController();
          const waiting = own.mutex('m').lockAsync({ signal: abort.signal });
          abort.abort(new Error('enough'));
          await waiting.then(
            (token) => token.unlock(),
            (error) => assert.equal(error.message, 'enough'),
          );
        },
        ...scenario.threads.slice(1),
      ],
      after(_memories, shared, { observer }) {
        assert.equal(observer.mutex('m').locked, false);
        assert.equal(observer.words[guarded(shared)], 1);
      },
    };
    const { failure, exhausted, schedules } = await exploreMemoryAsync(aborting);
    assert.equal(failure, null, failure?.message);
    assert.ok(exhausted && schedules > 20, String(schedules));
  });
});
