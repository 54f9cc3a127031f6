import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadSlot, ThreadState } from '../machine/index.js';
import { createHandOver } from './hand-over.js';
import type { Ring } from './index.js';
import { createLine } from './line.js';
import {
  createRingMemory,
  Death,
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
  const line = createLine(scene.victim, handOver);
  const waiter = scene.victim.waiting.takeWaiter();
  assert.ok(waiter !== 0);
  const ring = ringRefOf(scene.memory, 'jobs');
  line.enter(handOver[end], ring, waiter, 301);
  if (leaves) line.leave(handOver[end], ring, waiter);
}

const stories: readonly Story[] = [
  { name: 'puts one', words: 1, takers: 0, putters: 0, brings: [201], act: ({ mortal }) => void mortal.tryPut(201) },
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
  { name: 'lines up to take', words: 0, takers: 2, putters: 0, act: (scene) => enterLine(scene, 'takeEnd', false) },
  { name: 'leaves the takers', words: 0, takers: 2, putters: 0, act: (scene) => enterLine(scene, 'takeEnd', true) },
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
    await waiting.putAsync(word);
    return word;
  });
  return { memory, victim, ring, mortal: victim.rings.ring(options), takes, puts };
}

/** Words of the calls that came to a good end. */
async function goodEnds(calls: readonly Promise<number>[]): Promise<number[]> {
  const results = await Promise.allSettled(calls);
  return results.flatMap((result) => (result.status === 'fulfilled' && result.value !== 0 ? [result.value] : []));
}

/** Lets the victim die before store number `store` of its act; false when the act has fewer stores. */
async function playAndRepair(story: Story, store: number): Promise<boolean> {
  const scene = setScene(story);
  const { memory, victim, ring } = scene;
  let died = false;
  victim.dieAt(store);
  try {
    story.act(scene);
  } catch (error) {
    if (!(error instanceof Death)) throw error;
    died = true;
  }
  memory.machine.atomics.store(victim.threads.self + ThreadSlot.state, ThreadState.DEAD);
  memory.rings.repair(victim.threads.slot);
  memory.rings.repair(victim.threads.slot);
  assert.deepEqual(memory.audit(), []);

  // Whatever the dead thread got to, the others go on: words come once each, and in their order.
  const got: number[] = [];
  for (let word = ring.tryTake(); word !== 0; word = ring.tryTake()) got.push(word);
  if (!ring.closed) assert.equal(ring.tryPut(999), true);
  ring.close();
  for (let word = ring.tryTake(); word !== 0; word = ring.tryTake()) if (word !== 999) got.push(word);
  const handed = (await goodEnds(scene.takes)).filter((word) => word !== 999);
  const accepted = await goodEnds(scene.puts);
  const all = [...handed, ...got];
  assert.deepEqual(all, [...all].sort((a, b) => Math.floor(a / 100) - Math.floor(b / 100) || a - b), 'in order');
  assert.equal(new Set(all).size, all.length, 'no word came twice');
  const put = [...Array.from({ length: story.words }, (_, index) => index + 1), ...accepted];
  // The victim's own words went in, or not; what it took is gone with it: the oldest, without a gap.
  for (const word of all) assert.ok(put.includes(word) || story.brings?.includes(word), `${word} was never put`);
  const lost = put.filter((word) => !all.includes(word));
  assert.ok(lost.length <= 2 && lost.every((word) => word <= story.words), `lost ${lost}`);
  assert.deepEqual(memory.audit(), []);
  assert.equal(memory.rings.ring({ name: 'new', capacity: 2000 }).length, 0);
  return died;
}

for (const story of stories) {
  test(`a thread ${story.name} and dies at any of its stores`, async () => {
    let store = 1;
    while (await playAndRepair(story, store)) store++;
    assert.ok(store > 5, 'the act has stores');
  });
}
