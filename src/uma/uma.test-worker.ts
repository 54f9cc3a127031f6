/** A worker of the stress tests: does its task, and says how it went. */

import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { attachMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import type { Zone } from './index.js';
import { openZones, SHARED } from './stress.test-kit.js';
import { consume, produce } from './traffic.test-kit.js';
import { randomFrom } from './uma.test-kit.js';
import { Board, MAILBOXES, type Orders } from './workers.test-kit.js';

const { task, handle, board, shadow, number, rounds, seed } = workerData as Orders;
const random = randomFrom(seed);
let memory: Memory = attachMemory(handle);
let zones: Zone[] = openZones(memory);

/** The word that stands at `index` of the item, whoever has it. */
function cookie(item: number, index: number): number {
  return Math.imul(item + index, 0x9e3779b1) | 1;
}

/** The first word belongs to `init` of the secondary zone. */
function fill(zone: Zone, item: number): void {
  for (let index = 1; index < zone.size >> 2; index++)
    memory.words[(item >>> 2) + index] = cookie(item, index);
}

function take(zone: Zone, item: number): void {
  assert.equal(Atomics.exchange(shadow, item >>> 4, 1), 0, `${zone.name}: item ${item} is in use already`);
  if (zone.name === 'secondary') assert.equal(memory.words[item >>> 2], 0x1417, 'initialised');
  fill(zone, item);
}

function check(zone: Zone, item: number): void {
  for (let index = 1; index < zone.size >> 2; index++) {
    assert.equal(
      memory.words[(item >>> 2) + index],
      cookie(item, index),
      `${zone.name}: word ${index} of ${item}`,
    );
  }
}

function give(zone: Zone, item: number): void {
  check(zone, item);
  assert.equal(Atomics.exchange(shadow, item >>> 4, 0), 1, `${zone.name}: item ${item} was free`);
  zone.free(item as Addr);
}

const held: number[][] = zones.map(() => []);

/** Puts an item where others find it, and takes what lies there. */
function exchange(at: number): void {
  const mine = held[at]?.pop() ?? 0;
  const slot = Board.MAILBOX + at * MAILBOXES + random(MAILBOXES);
  const theirs = Atomics.exchange(board, slot, mine);
  if (theirs === 0) return;
  check(zones[at] as Zone, theirs);
  if (random(2) === 0) give(zones[at] as Zone, theirs);
  else held[at]?.push(theirs);
}

function bulk(at: number): void {
  const zone = zones[at] as Zone;
  const items = held[at] as number[];
  const out = new Int32Array(40);
  if (items.length < 20) {
    for (const item of out.subarray(0, zone.tryAllocMany(out, 1 + random(40)))) {
      take(zone, item);
      items.push(item);
    }
    return;
  }
  const count = 1 + random(20);
  for (let index = 0; index < count; index++) {
    const item = items.pop() as number;
    check(zone, item);
    assert.equal(Atomics.exchange(shadow, item >>> 4, 0), 1);
    out[index] = item;
  }
  zone.freeMany(out, count);
}

function freeAll(): void {
  for (const [at, items] of held.entries()) for (const item of items.splice(0)) give(zones[at] as Zone, item);
}

/** Leaves, with items in hand or not, and comes back, on whatever slot is free. */
function reattach(): void {
  if (random(2) === 0) freeAll();
  memory.detach();
  memory = attachMemory(handle);
  zones = openZones(memory);
}

function step(): void {
  const at = random(zones.length);
  const zone = zones[at] as Zone;
  const items = held[at] as number[];
  const choice = random(100);
  if (choice < 35) {
    const item = items.length < 100 ? zone.tryAlloc() : 0;
    if (item !== 0) {
      take(zone, item);
      items.push(item);
    }
  } else if (choice < 65) {
    const item = items.splice(random(items.length + 1), 1)[0];
    if (item !== undefined) give(zone, item);
  } else if (choice < 80) exchange(at);
  else if (choice < 92) bulk(at);
  else if (choice < 95) memory.poll();
  else if (choice < 97) zone.trim();
  else if (choice < 98) zone.drain();
  else if (random(20) === 0) reattach();
}

function waitForGo(): void {
  while (Atomics.load(board, Board.GO) === 0) Atomics.wait(board, Board.GO, 0, 100);
}

const tasks: Record<string, () => unknown> = {
  /** Everything at random. */
  stress() {
    waitForGo();
    for (let round = 0; round < rounds; round++) step();
    freeAll();
    memory.drain();
  },
  /** Never more items in use than the limit; every call is served. */
  async bounded() {
    waitForGo();
    const zone = memory.zone({ name: 'bounded', size: 64 });
    for (let round = 0; round < rounds; round++) {
      const item = random(4) === 0 ? await zone.allocAsync() : zone.alloc();
      const inside = Atomics.add(board, Board.INSIDE, 1) + 1;
      assert.ok(inside <= Atomics.load(board, Board.LIMIT), `${inside} in use`);
      if (inside > Atomics.load(board, Board.MOST_INSIDE)) Atomics.store(board, Board.MOST_INSIDE, inside);
      memory.words[item >>> 2] = number;
      if (random(8) === 0) Atomics.wait(board, Board.DONE, 0, random(3));
      assert.equal(memory.words[item >>> 2], number);
      Atomics.sub(board, Board.INSIDE, 1);
      zone.free(item);
    }
    return zone.stats().sleeps;
  },
  /** Waits in line once, and says which ticket it drew when it was served. */
  inLine() {
    const zone = memory.zone({ name: 'bounded', size: 64 });
    const item = zone.alloc(0, 60_000);
    const ticket = Atomics.add(board, Board.TICKETS, 1);
    zone.free(item);
    return ticket;
  },
  /** Caches what there is, holds nothing, and polls until it is told to stop. */
  hoard() {
    const zone = memory.zone({ name: 'bounded', size: 64 });
    const out = new Int32Array(zone.max);
    const got = zone.tryAllocMany(out, zone.max);
    zone.freeMany(out, got);
    Atomics.store(board, Board.GO, zone.stats().cached);
    Atomics.notify(board, Board.GO);
    while (Atomics.load(board, Board.DONE) === 0) {
      Atomics.wait(board, Board.DONE, 0, 1);
      memory.poll();
    }
  },
  /** Holds and drops what others hold and drop too; mailboxes hand references over. */
  share() {
    waitForGo();
    const zone = memory.zone(SHARED);
    const mine: { item: Addr; cookie: number }[] = [];
    let serial = 0;
    let frees = 0;
    const cookieOf = (item: Addr): number => memory.words[item >>> 2] as number;
    const dropOne = (): void => {
      const [{ item, cookie }] = mine.splice(random(mine.length), 1) as [(typeof mine)[number]];
      assert.equal(cookieOf(item), cookie, `item ${item} was freed under who has a reference`);
      if (zone.drop((item + random(SHARED.size)) as Addr)) frees++;
    };
    for (let round = 0; round < rounds; round++) {
      const choice = random(10);
      if (choice < 2) {
        const item = zone.alloc();
        memory.words[item >>> 2] = number * 1_000_000 + ++serial;
        mine.push({ item, cookie: cookieOf(item) });
      } else if (choice < 4 && mine.length > 0) {
        const one = mine[random(mine.length)] as (typeof mine)[number];
        zone.hold(one.item);
        mine.push(one);
      } else if (choice < 7) {
        // One reference goes into the mailbox, and what is there is this thread's.
        const given = mine.pop()?.item ?? 0;
        const item = Atomics.exchange(board, Board.MAILBOX + random(MAILBOXES), given) as Addr;
        if (item !== 0) mine.push({ item, cookie: cookieOf(item) });
      } else if (mine.length > 0) dropOne();
      while (mine.length > 30) dropOne();
    }
    while (mine.length > 0) dropOne();
    return frees;
  },
  produce: () => produce({ memory, board, rounds, random }),
  consume: () => consume({ memory, board, rounds, random }, rounds),
  /** Allocates until there is no page left, and sleeps then; frees now and then. */
  starve() {
    waitForGo();
    const zone = memory.zone({ name: `of ${number % 2}`, size: number % 2 === 0 ? 5000 : 3000 });
    const items: Addr[] = [];
    for (let round = 0; round < rounds; round++) {
      // Who holds little waits; who holds much does not, or all might wait for each other.
      const item = items.length < 4 ? zone.alloc(0, 30_000) : zone.tryAlloc();
      if (item !== 0) items.push(item);
      if (item === 0 || items.length > 60 || random(3) === 0) {
        for (const each of items.splice(random(items.length))) zone.free(each);
      }
    }
    for (const each of items) zone.free(each);
  },
};

const answer = await (tasks[task] as () => unknown)();
memory.detach();
parentPort?.postMessage(answer ?? null);
