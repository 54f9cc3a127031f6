import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LockRank } from '../check/index.js';
import { lockOwner } from '../machine/index.js';
import { Death } from '../machine/mortal.test-kit.js';
import { PageState } from '../phys/index.js';
import { createCarrying } from './carrying.js';
import { createHandOver } from './hand-over.js';
import { type Ring, RingRecord } from './index.js';
import { createLine } from './line.js';
import { createRegistry } from './registry.js';
import {
  bury,
  cleanUp,
  createRingMemory,
  type MortalMemory,
  openMortalMemory,
  openRingMemory,
  type RingMemory,
  ringRefOf,
} from './ring.test-support.js';

const CAPACITY = 3;

interface Scene {
  readonly memory: RingMemory;
  readonly victim: MortalMemory;
  readonly ring: Ring;
  /** The same ring, for the one that dies. */
  readonly mortal: Ring;
  /** What the waiting calls gave: words taken, or the words that were put. */
  readonly takes: Promise<number>[];
  readonly puts: Promise<number>[];
}

interface Story {
  readonly name: string;
  /** Words in the ring at first: 1, 2, ... */
  readonly words: number;
  readonly takers: number;
  /** Putters wait with 101, 102, ... */
  readonly putters: number;
  /** What the victim does; it dies at every store of it in turn. */
  act(scene: Scene): void;
  /** Words that the victim puts. */
  readonly brings?: readonly number[];
}

function enterLine(scene: Scene, end: 'putEnd' | 'takeEnd', leaves: boolean): void {
  const handOver = createHandOver(scene.victim);
  const carrying = createCarrying(scene.victim, createRegistry(scene.victim), () => {});
  const line = createLine(scene.victim, handOver, carrying);
  const waiter = scene.victim.waiting.takeWaiter();
  assert.ok(waiter !== 0);
  const ring = ringRefOf(scene.memory, 'jobs');
  line.enter(handOver[end], ring, waiter, 301);
  if (leaves) line.leave(handOver[end], ring, waiter);
}

const stories: readonly Story[] = [
  {
    name: 'puts one',
    words: 1,
    takers: 0,
    putters: 0,
    brings: [201],
    act: ({ mortal }) => void mortal.tryPut(201),
  },
  { name: 'takes one', words: 2, takers: 0, putters: 0, act: ({ mortal }) => void mortal.tryTake() },
  {
    name: 'puts many for takers that wait',
    words: 0,
    takers: 2,
    putters: 0,
    brings: [201, 202, 203],
    act: ({ mortal }) => void mortal.tryPutMany(Int32Array.of(201, 202, 203), 3),
  },
  {
    name: 'puts one for the first of three takers',
    words: 0,
    takers: 3,
    putters: 0,
    brings: [201],
    act: ({ mortal }) => void mortal.tryPut(201),
  },
  {
    name: 'takes many while putters wait',
    words: 3,
    takers: 0,
    putters: 3,
    act: ({ mortal }) => void mortal.tryTakeMany(new Int32Array(2), 2),
  },
  { name: 'closes on takers', words: 0, takers: 3, putters: 0, act: ({ mortal }) => mortal.close() },
  { name: 'closes on putters', words: 3, takers: 0, putters: 3, act: ({ mortal }) => mortal.close() },
  {
    name: 'lines up to take',
    words: 0,
    takers: 2,
    putters: 0,
    act: (scene) => enterLine(scene, 'takeEnd', false),
  },
  {
    name: 'leaves the takers',
    words: 0,
    takers: 2,
    putters: 0,
    act: (scene) => enterLine(scene, 'takeEnd', true),
  },
  {
    name: 'lines up to put',
    words: 3,
    takers: 0,
    putters: 2,
    act: (scene) => enterLine(scene, 'putEnd', false),
  },
  {
    name: 'leaves the putters',
    words: 3,
    takers: 0,
    putters: 2,
    act: (scene) => enterLine(scene, 'putEnd', true),
  },
  {
    name: 'makes a ring',
    words: 0,
    takers: 0,
    putters: 0,
    act: ({ victim }) => void victim.rings.ring({ name: 'new', capacity: 2000 }),
  },
];

function setScene(story: Story): Scene {
  const memory = createRingMemory({ pageCount: 64 });
  const waiters = openRingMemory(memory.handle);
  const victim = openMortalMemory(memory.handle);
  const options = { name: 'jobs', capacity: CAPACITY };
  const ring = memory.rings.ring(options);
  const waiting = waiters.rings.ring(options);
  for (let word = 1; word <= story.words; word++) ring.put(word);
  const takes = Array.from({ length: story.takers }, () => waiting.takeAsync());
  const puts = Array.from({ length: story.putters }, async (_, index) => {
    const word = 101 + index;
    const closed = await waiting.putAsync(word).then(
      () => false,
      () => true,
    );
    return closed ? 0 : word;
  });
  return { memory, victim, ring, mortal: victim.rings.ring(options), takes, puts };
}

/** Words of the calls that the close did not end. */
async function goodEnds(calls: readonly Promise<number>[]): Promise<number[]> {
  return (await Promise.all(calls)).filter((word) => word !== 0);
}

function countStores(story: Story): number {
  const scene = setScene(story);
  const before = scene.victim.stores();
  story.act(scene);
  const count = scene.victim.stores() - before;
  scene.ring.close();
  return count;
}

type Survive = (scene: Scene) => void;

/** A reaper cleans up before the others go on; twice is as good as once. */
const reaped: Survive = ({ memory, victim }) => {
  for (let time = 0; time < 2; time++) cleanUp(memory, victim.threads);
  assert.deepEqual(memory.audit(), []);
};

/** The others go on at once, and repair what they meet. */
/** Survivors go on; one of them wants a page as well, and one looks for a ring. */
const met: Survive = ({ memory: { pages, rings } }) => {
  rings.ring({ name: 'jobs', capacity: CAPACITY });
  const page = pages.tryAllocRun(1, PageState.RUN);
  pages.freeRun(page, 1);
};

/** Lets the victim die before store number `store` of its act, and looks what the others have of it. */
async function playAndRepair(story: Story, store: number, survive: Survive): Promise<void> {
  const scene = setScene(story);
  const { memory, victim, ring } = scene;
  victim.dieAt(store);
  assert.throws(() => story.act(scene), Death);
  bury(memory, victim.threads);
  survive(scene);

  // Whatever the dead thread got to, the others go on: words come once each, and in their order.
  const got: number[] = [];
  for (let word = ring.tryTake(); word !== 0; word = ring.tryTake()) got.push(word);
  if (!ring.closed) assert.equal(ring.tryPut(999), true);
  ring.close();
  for (let word = ring.tryTake(); word !== 0; word = ring.tryTake()) if (word !== 999) got.push(word);
  const handed = (await goodEnds(scene.takes)).filter((word) => word !== 999);
  const accepted = await goodEnds(scene.puts);
  const all = [...handed, ...got];
  assert.deepEqual(
    all,
    [...all].sort((a, b) => Math.floor(a / 100) - Math.floor(b / 100) || a - b),
    'in order',
  );
  assert.equal(new Set(all).size, all.length, 'no word came twice');
  const put = [...Array.from({ length: story.words }, (_, index) => index + 1), ...accepted];
  // The victim's own words went in, or not; what it took is gone with it: the oldest, without a gap.
  for (const word of all)
    assert.ok(put.includes(word) || story.brings?.includes(word), `${word} was never put`);
  const lost = put.filter((word) => !all.includes(word));
  assert.ok(lost.length <= 2 && lost.every((word) => word <= story.words), `lost ${lost}`);
  assert.deepEqual(memory.audit(), []);
  assert.equal(memory.rings.ring({ name: 'new', capacity: 2000 }).length, 0);
}

/** After its death in `act`, for each of its stores in turn. */
async function playAll(story: Story, survive: Survive): Promise<void> {
  const stores = countStores(story);
  assert.ok(stores > 5);
  await Promise.all(Array.from({ length: stores }, (_, index) => playAndRepair(story, index + 1, survive)));
}

for (const story of stories) {
  test(`a thread ${story.name} and dies at any of its stores: reaped`, () => playAll(story, reaped));
  test(`a thread ${story.name} and dies at any of its stores: met`, () => playAll(story, met));
}

test('a lock of the dead at one end is no matter at the other, and is taken over by who needs it', () => {
  const memory = createRingMemory();
  const victim = openRingMemory(memory.handle);
  const ring = memory.rings.ring({ name: 'jobs', capacity: CAPACITY });
  const ref = ringRefOf(memory, 'jobs');
  victim.locks.acquire(ref + RingRecord.takeLock, LockRank.RING);
  bury(memory, victim.threads);
  assert.equal(ring.tryPut(1), true);
  assert.equal(ring.putMany(Int32Array.of(2, 3, 4), 3, 0), 2);
  assert.equal(lockOwner(memory.machine.words[ref + RingRecord.takeLock] as number), victim.threads.slot);
  assert.deepEqual([ring.take(), ring.take(), ring.take(), ring.tryTake()], [1, 2, 3, 0]);
  assert.deepEqual(memory.audit(), []);
});

test('who repairs may die of it at any of its stores: the next one finishes', async () => {
  const story = stories.find(({ name }) => name === 'puts many for takers that wait') as Story;
  const stores = countStores(story);
  let repairs = 0;
  for (let store = 1; store <= stores; store += 3) {
    for (let next = 1; next < 400; next += 17) {
      let finished = false;
      await playAndRepair(story, store, ({ memory, victim }) => {
        const heir = openMortalMemory(memory.handle);
        heir.dieAt(next);
        try {
          cleanUp(heir, victim.threads);
          finished = true;
        } catch (error) {
          assert.ok(error instanceof Death, String(error));
          bury(memory, heir.threads);
          cleanUp(memory, heir.threads);
          repairs++;
        }
        cleanUp(memory, victim.threads);
        assert.deepEqual(memory.audit(), []);
      });
      if (finished) break;
    }
  }
  assert.ok(repairs > stores);
});
