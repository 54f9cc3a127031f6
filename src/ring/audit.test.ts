import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadSlot, ThreadState, Waiter, WaitQueue } from '../machine/index.js';
import { RingRecord, RingRegistry } from './index.js';
import type { RingRef } from './records.js';
import { createRingMemory, openRingMemory, type RingMemory, ringRefOf } from './ring.test-support.js';

interface Scene {
  readonly memory: RingMemory;
  readonly words: Int32Array;
  /** Capacity 5, with words 1, 2, 3. */
  readonly some: RingRef;
  /** Capacity 1, full, with two putters waiting. */
  readonly full: RingRef;
  /** Capacity 1, empty, with two takers waiting. */
  readonly empty: RingRef;
  /** Closed, with one word. */
  readonly closed: RingRef;
  /** Slot of the thread that waits. */
  readonly waiterSlot: number;
  readonly end: () => Promise<void>;
}

async function setScene(): Promise<Scene> {
  const memory = createRingMemory();
  const other = openRingMemory(memory.handle);
  const some = memory.rings.ring({ name: 'some', capacity: 5 });
  some.putMany(Int32Array.of(1, 2, 3), 3);
  const closed = memory.rings.ring({ name: 'closed', capacity: 5 });
  closed.put(1);
  closed.close();
  const full = other.rings.ring({ name: 'full', capacity: 1 });
  full.put(1);
  const empty = other.rings.ring({ name: 'empty', capacity: 1 });
  const waits = [full.putAsync(2), full.putAsync(3), empty.takeAsync(), empty.takeAsync()];
  const ended = Promise.allSettled(waits);
  assert.deepEqual(memory.audit(), []);
  return {
    memory,
    words: memory.machine.words,
    some: ringRefOf(memory, 'some'),
    full: ringRefOf(memory, 'full'),
    empty: ringRefOf(memory, 'empty'),
    closed: ringRefOf(memory, 'closed'),
    waiterSlot: other.threads.slot,
    async end() {
      other.rings.detach();
      await ended;
    },
  };
}

type Plant = (scene: Scene) => [at: number, value: number];

const first = (scene: Scene, queue: number): number => scene.words[queue + WaitQueue.head] as number;

/** A word and a wrong value for it, for each way in which each rule can be broken. */
const plants: readonly [rule: string, what: string, plant: Plant][] = [
  ['R1', 'more words than fit', ({ some }) => [some + RingRecord.tail, 6]],
  ['R1', 'the head before the tail', ({ some }) => [some + RingRecord.head, 4]],
  ['R2', 'a 0 among the words', ({ some, words }) => [(words[some + RingRecord.slots] as number) + 1, 0]],
  ['R3', 'a wrong count', ({ full }) => [full + RingRecord.putters + WaitQueue.count, 1]],
  ['R3', 'a count too high', ({ empty }) => [empty + RingRecord.takers + WaitQueue.count, 3]],
  ['R3', 'a wrong last waiter', (scene) => [scene.full + RingRecord.putters + WaitQueue.tail, 0]],
  ['R3', 'no first waiter', ({ empty }) => [empty + RingRecord.takers + WaitQueue.head, 0]],
  ['R3', 'a waiter that is none', ({ empty }) => [empty + RingRecord.takers + WaitQueue.head, 2 ** 30]],
  [
    'R3',
    'a circle',
    (scene) => {
      const waiter = first(scene, scene.empty + RingRecord.takers);
      return [waiter + Waiter.next, waiter];
    },
  ],
  [
    'R3',
    'a wrong link back',
    (scene) => [
      (scene.words[scene.full + RingRecord.putters + WaitQueue.tail] as number) + Waiter.previous,
      0,
    ],
  ],
  [
    'R3',
    'a waiter of another line',
    (scene) => [first(scene, scene.empty + RingRecord.takers) + Waiter.queue, 0],
  ],
  ['R3', 'an idle waiter', (scene) => [first(scene, scene.full + RingRecord.putters) + Waiter.state, 0]],
  [
    'R3',
    'a waiter of a dead thread',
    ({ memory, waiterSlot }) => [memory.threads.slotRef(waiterSlot) + ThreadSlot.state, ThreadState.DEAD],
  ],
  ['R4', 'takers unknown to the putters', ({ empty }) => [empty + RingRecord.takersWaiting, 0]],
  ['R4', 'putters unknown to the takers', ({ full }) => [full + RingRecord.puttersWaiting, 3]],
  ['R5', 'a state that is none', ({ some }) => [some + RingRecord.state, 7]],
  ['R5', 'no capacity', ({ some }) => [some + RingRecord.capacity, 0]],
  ['R5', 'too few slots', ({ some }) => [some + RingRecord.capacity, 1025]],
  ['R5', 'slots of no power of two', ({ some }) => [some + RingRecord.mask, 1000]],
  ['R5', 'slots in the boot areas', ({ some }) => [some + RingRecord.slots, 1024]],
  ['R5', 'slots behind the memory', ({ some, words }) => [some + RingRecord.slots, words.length]],
  [
    'R5',
    'slots of another ring',
    ({ some, full, words }) => [some + RingRecord.slots, words[full + RingRecord.slots] as number],
  ],
  ['R6', 'takers that wait for what is there', ({ empty }) => [empty + RingRecord.tail, 1]],
  ['R6', 'putters that wait though there is room', ({ full }) => [full + RingRecord.head, 1]],
  ['R6', 'takers that wait on a closed ring', ({ empty }) => [empty + RingRecord.closed, 1]],
  ['R6', 'putters that wait on a closed ring', ({ full }) => [full + RingRecord.closed, 1]],
  ['R7', 'half closed', ({ some }) => [some + RingRecord.closed, 2]],
  ['R7', 'closed, and open to putters', ({ closed }) => [closed + RingRecord.putLimit, 3]],
  ['R8', 'takers that count on too much', ({ some }) => [some + RingRecord.takeLimit, 4]],
  ['R8', 'takers that count on words that are gone', ({ some }) => [some + RingRecord.takeLimit, -1]],
  ['R8', 'putters that count on too much', ({ some }) => [some + RingRecord.putLimit, 6]],
  ['R8', 'putters that count on slots that are full', ({ some }) => [some + RingRecord.putLimit, 2]],
  ['R9', 'too many rings', ({ memory }) => [memory.machine.area('rings') + RingRegistry.count, 65]],
  [
    'R9',
    'a ring that was never made',
    ({ memory }) => [memory.machine.area('rings') + RingRegistry.count, 5],
  ],
  [
    'R9',
    'a name twice',
    ({ some, full, words }) => [full + RingRecord.name, words[some + RingRecord.name] as number],
  ],
  ['R10', 'a lock of a dead thread', ({ some }) => [some + RingRecord.takeLock, 9 << 1]],
  ['R10', 'a lock of nobody', ({ some }) => [some + RingRecord.putLock, 1]],
];

for (const [rule, what, plant] of plants) {
  test(`the audit finds ${rule}: ${what}`, async () => {
    const scene = await setScene();
    const [at, value] = plant(scene);
    const right = scene.words[at] as number;
    scene.words[at] = value;
    const findings = scene.memory.audit();
    scene.words[at] = right;
    assert.ok(
      findings.some((finding) => finding.startsWith(`${rule}: `)),
      `found only: ${findings.join('; ')}`,
    );
    assert.deepEqual(scene.memory.audit(), []);
    await scene.end();
    assert.deepEqual(scene.memory.audit(), []);
  });
}
