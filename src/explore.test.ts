import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  exploreMemory,
  exploreMemoryAsync,
  type MemoryScenario,
  type Report,
  randomiseMemory,
  replayMemory,
} from './explore.js';
import type { Memory } from './memory-api.js';
import type { Ring } from './ring/index.js';
import type { Zone } from './uma/index.js';

const small = { bytes: 1 << 20, maxZones: 16 };

function assertProved(report: Report): void {
  assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
  assert(report.exhausted);
}

const openZones = (memories: readonly Memory[]): Zone[] =>
  memories.map((memory) => memory.zone({ name: 'items', size: 64 }));

function takeAndGive(zone: Zone): void {
  const item = zone.tryAlloc();
  if (item === 0) throw new Error('there is memory enough');
  zone.free(item);
}

/** Two threads that take an item and give it back, each from an empty cache. */
const allocFree: MemoryScenario<Zone[]> = {
  memory: small,
  preemptions: 1,
  setup: openZones,
  threads: [0, 1].map((id) => (_, zones) => takeAndGive(zones[id] as Zone)),
};

/** A ring of one word between two threads: whoever is too early sleeps. */
const ring: MemoryScenario<Ring[]> = {
  memory: small,
  preemptions: 2,
  setup: (memories) => memories.map((memory) => memory.ring({ name: 'words', capacity: 1 })),
  threads: [
    (_, rings) => {
      for (const word of [5, 6]) rings[0]?.put(word);
    },
    (_, rings) => [rings[1]?.take(), rings[1]?.take()],
  ],
  after: (_memories, _rings, { results }) => assert.deepEqual(results[1], [5, 6]),
};

test('two threads of a memory take and give back an item', () => {
  assertProved(exploreMemory(allocFree));
});

test('two threads of a memory hand words over through a ring', () => {
  assertProved(exploreMemory(ring));
  assert.equal(randomiseMemory(ring, { schedules: 300 }).failure, null);
});

test('threads attach, open zones and detach under the scheduler', () => {
  const scenario: MemoryScenario<unknown> = {
    memory: small,
    preemptions: 1,
    attachInThreads: true,
    threads: [0, 1].map(() => (memory: Memory) => {
      memory.zone({ name: 'fresh', size: 64 });
      memory.detach();
    }),
    after: (_memories, _shared, { observer }) => assert.equal(observer.stats().zones.length, 1),
  };
  assertProved(exploreMemory(scenario));
});

test('what is wrong after a schedule is told with the names of the words, and undone', () => {
  let runs = 0;
  const scenario: MemoryScenario<Zone[]> = {
    ...allocFree,
    after(_memories, zones, { observer }) {
      runs++;
      assert.equal(observer.audit().clean, true);
      // Written past the scheduler: the next schedule must not see it.
      observer.words.fill(7, observer.words.length - 4096);
      if (runs === 5) takeAndGive(zones[0] as Zone);
      assert(runs < 9, 'the ninth');
    },
    audit: false,
  };
  const { failure, schedules } = exploreMemory(scenario);
  assert.equal(failure?.kind, 'check');
  assert(schedules <= 9);
  const where = (failure?.trace ?? []).map((step) => step.where);
  for (const name of ['zone[1].lock', 'thread[2].heldCount', 'keg[1].partial', 'phys[0].freePages'])
    assert(where.includes(name), name);
});

test('a thread is killed at each of its steps, and its slot is declared dead', () => {
  const scenario: MemoryScenario<Zone[]> = {
    ...allocFree,
    preemptions: 0,
    audit: false,
    kill: { threads: [0], deaths: 'at once', everyStoreOfFills: false },
    threads: [(_, zones) => takeAndGive(zones[0] as Zone), () => {}],
    after: (_memories, _zones, { observer, killed }) =>
      // The observer, who tells of deaths, and who lives.
      assert.equal(observer.stats().threads, 4 - killed.length, `killed: ${killed}`),
  };
  const report = exploreMemory(scenario);
  assertProved(report);
  assert(report.kills > 300);
});

test('a race in a memory is found by its name, unless it is allowed', () => {
  const heartbeats = (memory: Memory, word: number): void => {
    memory.words[word] = (memory.words[word] as number) + 1;
  };
  const scenario: MemoryScenario<number> = {
    memory: small,
    audit: false,
    // The superblock's last reserved word stands for anything shared.
    setup: () => 31,
    threads: [heartbeats, heartbeats],
  };
  const { failure } = exploreMemory(scenario);
  assert.match(failure?.message ?? '', /superblock\.reserved\[1\] is not ordered/);
  assert.match(replayMemory(scenario, failure?.schedule ?? '').failure?.message ?? '', /not ordered/);
  const allowedRaces = [{ where: 'superblock.reserved', reason: 'a test' }];
  assertProved(exploreMemory({ ...scenario, allowedRaces }));
});

test('an asynchronous call waits in line with a blocking one', async () => {
  const scenario: MemoryScenario<unknown> = {
    memory: small,
    preemptions: 1,
    attachInThreads: true,
    attach: 1,
    setup: ([memory]) => memory?.ring({ name: 'words', capacity: 1 }),
    threads: [
      async (memory) => {
        const ring = memory.ring({ name: 'words', capacity: 1 });
        return [await ring.takeAsync(), await ring.takeAsync()];
      },
      (memory) => {
        const ring = memory.ring({ name: 'words', capacity: 1 });
        ring.put(5);
        ring.put(6);
      },
    ],
    after: (_memories, _shared, { results }) => assert.deepEqual(results[0], [5, 6]),
  };
  assertProved(await exploreMemoryAsync(scenario));
});
