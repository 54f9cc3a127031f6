import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exploreMemory, type MemoryScenario } from '../explore.js';
import type { Ring } from '../ring/index.js';
import type { Zone } from '../uma/index.js';
import { explore, exploreAsync, type ModelMemory, type Report, randomise, type Scenario } from './index.js';
import { StateSet, textOf } from './states.js';
import { Dice } from './strategy.js';
import * as toys from './toys.test-kit.js';

/** The ends that an exploration comes to: the memory, what was answered, and who died. */
function endsOf(scenario: Scenario, prune: boolean): { ends: Set<string>; report: Report } {
  const ends = new Set<string>();
  const report = explore({
    ...scenario,
    prune,
    detectRaces: false,
    maxSteps: 500,
    after({ words }, { results, killed }) {
      ends.add(JSON.stringify([[...words], results.map((each) => textOf(each) ?? String(each)), killed]));
    },
  });
  return { ends, report };
}

/** Says how many runs there were without pruning and with it. */
function assertSame(scenario: Scenario, about: string): [number, number] {
  const all = endsOf(scenario, false);
  const some = endsOf(scenario, true);
  assert.equal(some.report.failure?.kind, all.report.failure?.kind, about);
  assert.equal(some.report.exhausted, all.report.exhausted, about);
  if (all.report.failure === null) assert.deepEqual([...some.ends].sort(), [...all.ends].sort(), about);
  assert(some.report.schedules <= all.report.schedules, about);
  if (all.report.failure !== null) return [0, 0];
  return [all.report.schedules, some.report.schedules];
}

function totalOf(counts: readonly [number, number][]): [number, number] {
  return counts.reduce(([all, some], [more, fewer]) => [all + more, some + fewer], [0, 0]);
}

const right: readonly Scenario[] = [
  toys.counter(true),
  toys.stack(true),
  toys.lock(true),
  toys.unlockOrder(true),
  toys.wakeup('none'),
  toys.wakeup('none', 50),
  toys.lockOrder(true),
  toys.publish(true),
  toys.byteFlags(true),
  toys.seqlock(true),
  toys.mortalLock(true),
];

const wrong: readonly [Scenario, string][] = [
  [toys.counter(false), 'check'],
  [toys.stack(false), 'check'],
  [toys.unlockOrder(false), 'deadlock'],
  [toys.wakeup('no recheck', 100), 'lost wakeup'],
  [toys.wakeup('no notify', 100), 'lost wakeup'],
  [toys.wakeup('no notify'), 'deadlock'],
  [toys.wakeup('notify first'), 'deadlock'],
  [toys.lockOrder(false), 'deadlock'],
  [toys.seqlock(false), 'check'],
  [toys.mortalLock(false), 'deadlock'],
];

describe('with pruning', () => {
  test('the planted faults are found', () => {
    for (const [scenario, kind] of wrong) {
      const report = explore({ ...scenario, prune: true });
      assert.equal(report.failure?.kind, kind, scenario.name);
    }
    for (const scenario of [toys.lock(false), toys.publish(false), toys.byteFlags(false)]) {
      const report = explore({ ...scenario, prune: true, detectRaces: true });
      assert.equal(report.failure?.kind, 'race', scenario.name);
    }
  });

  test('the toys come to the same ends', () => {
    const counts: [number, number][] = [];
    for (const scenario of right) {
      for (const preemptions of [0, 2]) {
        for (const kill of [false, true, { most: 2 }, { deaths: 'late' as const }]) {
          const about = `${scenario.name}, ${preemptions} preemptions, kill ${JSON.stringify(kill)}`;
          counts.push(assertSame({ ...scenario, preemptions, kill }, about));
        }
      }
      counts.push(assertSame({ ...scenario, preemptions: 2, switchAtEveryAccess: true }, 'everywhere'));
      counts.push(assertSame({ ...scenario, preemptions: 1, spuriousWakes: true }, 'spurious wakes'));
    }
    const [all, some] = totalOf(counts);
    assert(some * 2 < all, `${all} runs became ${some}`);
  });

  test('threads that do anything come to the same ends', () => {
    const counts: [number, number][] = [];
    for (let seed = 1; seed <= 150; seed++) {
      const scenario = programs(seed);
      counts.push(assertSame(scenario, `seed ${seed}`));
      counts.push(assertSame({ ...scenario, kill: true, preemptions: 1 }, `seed ${seed}, killed`));
      if (seed % 5 === 0)
        counts.push(assertSame({ ...scenario, kill: { most: 2 }, preemptions: 1 }, `seed ${seed}, twice`));
    }
    const [all, some] = totalOf(counts);
    assert(some * 2 < all, `${all} runs became ${some}`);
  });

  test('a history is a part of the state', () => {
    const scenario: Scenario = {
      words: 2,
      threads: [0, 1].map(() => ({ atomics, operation }: ModelMemory) => {
        operation('read', [], () => atomics.load(0));
        operation('add', [], () => void atomics.add(0, 1));
      }),
    };
    const histories = [false, true].map((prune) => {
      const seen = new Set<string>();
      const { failure } = explore({
        ...scenario,
        prune,
        after: (_, { history }) => void seen.add(JSON.stringify(history)),
      });
      assert.equal(failure, null);
      return [...seen].sort();
    });
    assert.deepEqual(histories[0], histories[1]);
  });

  test('a set that is full forgets, and nothing is left out', () => {
    const scenario = { ...toys.stack(true), preemptions: 4 };
    const { ends } = endsOf(scenario, true);
    const few = new Set<string>();
    const report = explore({
      ...scenario,
      prune: { states: 10 },
      after({ words }, { results }) {
        few.add(JSON.stringify([[...words], results]));
      },
    });
    assert.equal(report.states, 10);
    assert(report.exhausted);
    assert.equal(few.size, ends.size);
  });

  test('thread 0 may be asynchronous', async () => {
    const ends = await Promise.all(
      [false, true].map(async (prune) => {
        const seen = new Set<string>();
        const report = await exploreAsync({
          words: 4,
          preemptions: 3,
          kill: { threads: [1] },
          prune,
          detectRaces: false,
          slicesMayHelp: true,
          threads: [
            async ({ atomics, waitAsync }) => {
              for (let turn = 0; turn < 2; turn++) {
                if (atomics.load(0) === 0) await waitAsync(0, 0, 50);
                atomics.add(1, 1);
              }
              return atomics.load(1);
            },
            ({ atomics }) => {
              atomics.add(1, 2);
              atomics.store(0, 1);
              atomics.notify(0, 1);
              return atomics.add(1, 4);
            },
          ],
          after: ({ words }, { results, killed }) =>
            void seen.add(`${[...words]} ${JSON.stringify(results)} ${killed}`),
        });
        assert.equal(report.failure, null, report.failure?.message);
        return { ends: [...seen].sort(), report };
      }),
    );
    assert.deepEqual(ends[1]?.ends, ends[0]?.ends);
    assert(Number(ends[1]?.report.schedules) < Number(ends[0]?.report.schedules));
  });

  test('chance goes the same ways as without', () => {
    const runs = [false, true].map((prune) => randomise({ ...toys.stack(true), prune }, { schedules: 500 }));
    assert.equal(runs[0]?.steps, runs[1]?.steps);
    assert(Number(runs[1]?.checks) < 500);
  });
});

/** Two or three threads of some random operations each, whose course depends on what they read. */
function programs(seed: number): Scenario {
  const dice = new Dice(seed);
  const threads = Array.from({ length: 2 + dice.below(2) }, (_, id) => {
    const length = id === 2 ? 2 : 2 + dice.below(3);
    return Array.from({ length }, () => [dice.below(12), dice.below(3), 1 + dice.below(2)]);
  });
  return {
    words: 12,
    preemptions: threads.length === 3 ? 1 : 3,
    slicesMayHelp: true,
    died: (thread, { atomics }) => void atomics.add(thread & 1, 4),
    threads: threads.map((steps) => (memory: ModelMemory) => {
      const { words, atomics, thread } = memory;
      const mine = 4 + thread * 2;
      let last = 0;
      const act = ([what, word, value]: readonly number[]): void => {
        const [at, by] = [word as number, value as number];
        if (what === 0) atomics.store(at, by);
        else if (what === 1) last = atomics.add(at, by);
        else if (what === 2) last = atomics.exchange(at, last);
        else if (what === 3) last = atomics.compareExchange(at, 0, by);
        else if (what === 4) words[mine] = last;
        else if (what === 5) words.fill(by, mine, mine + 2);
        else if (what === 6) last = words[mine] as number;
        else if (what === 7) memory.wait(at, 0, 10 * by);
        else if (what === 8) atomics.notify(at, by);
        else if (what === 9) last = memory.now() & 1;
        else if (what === 10) for (let turn = 0; turn < 6 && atomics.load(at) === 0; turn++);
        else last = atomics.load(at);
      };
      for (const step of steps) {
        act(step);
        if (last === 2) act([1, 2, 1]);
      }
      return (seed & 1) === 0 ? last : undefined;
    }),
  };
}

describe('in a memory, pruning comes to the same ends:', () => {
  function assertSameInMemory<Shared>(scenario: Omit<MemoryScenario<Shared>, 'memory'>): void {
    const [all, some] = [false, true].map((prune) => {
      const ends = new Set<string>();
      const report = exploreMemory({
        ...scenario,
        memory: { bytes: 6 << 16, maxZones: 16 },
        prune,
        detectRaces: false,
        audit: false,
        after: (_memories, _shared, { observer, results, killed }) => {
          ends.add(`${hashOf(observer.words)} ${JSON.stringify(results)} ${killed}`);
        },
      });
      assert.equal(report.failure, null, `${report.failure?.message} ${report.failure?.schedule}`);
      return { ends, report };
    });
    assert.deepEqual([...(some?.ends ?? [])].sort(), [...(all?.ends ?? [])].sort());
    assert(Number(some?.report.schedules) < Number(all?.report.schedules));
    assert(Number(some?.report.checks) * 3 < Number(all?.report.checks));
  }

  const ring = { name: 'r', capacity: 2 };

  test('a ring', () => {
    assertSameInMemory<Ring[]>({
      preemptions: 1,
      kill: true,
      setup: (memories) => memories.map((memory) => memory.ring(ring)),
      threads: [
        (_memory, rings) => [rings[0]?.tryPut(1), rings[0]?.tryPut(2)],
        (_memory, rings) => [rings[1]?.tryTake(), rings[1]?.tryPut(3)],
      ],
    });
  });

  test('a zone', () => {
    assertSameInMemory<Zone[]>({
      preemptions: 1,
      kill: { everyStoreOfFills: false },
      setup: (memories, observer) => {
        const options = { name: 'z', size: 512, max: 64, onOwnerDeath: 'free' } as const;
        observer.zone(options);
        const zones = memories.map((memory) => memory.zone(options));
        for (const zone of zones) zone.free(zone.tryAlloc());
        return zones;
      },
      threads: [0, 1].map((id) => (_memory, zones) => {
        const item = zones[id]?.tryAlloc() ?? 0;
        if (item !== 0) zones[id]?.free(item);
        if (id === 0) zones[id]?.drain();
      }),
    });
  });
});

function hashOf(words: Int32Array): number {
  let hash = 0;
  for (let at = 0; at < words.length; at++)
    hash = Math.imul(hash ^ (words[at] as number), 0x01000193) ^ (hash >>> 15);
  return hash;
}

describe('a set of states', () => {
  test('knows what was put in, and the fewest preemptions', () => {
    const states = new StateSet(1 << 20);
    for (let state = 0; state < 50_000; state++)
      assert.equal(states.covers(Math.imul(state, 0x9e3779b1), state & 7, 3), false);
    for (let state = 0; state < 50_000; state++) {
      assert(states.covers(Math.imul(state, 0x9e3779b1), state & 7, 3 + (state & 1)));
      assert(!states.covers(Math.imul(state, 0x9e3779b1), state & 7, 2));
      assert(states.covers(Math.imul(state, 0x9e3779b1), state & 7, 2));
      assert(!states.has(Math.imul(state, 0x9e3779b1), 8));
    }
    assert.equal(states.size, 50_000);
  });

  test('tells results apart by all that they hold, or not at all', () => {
    const texts = [undefined, null, 0, -0, 1, '1', true, 'true', [1, [2]], [[1], 2], [undefined]].map(textOf);
    assert.equal(new Set(texts).size, texts.length);
    for (const opaque of [{}, new Error('no'), new Int32Array(2), () => {}, [{}], 1n])
      assert.equal(textOf(opaque), null);
  });
});
