/** Producers and consumers with limits, sleepers, drains and timers all at once; after each phase all adds up. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import { LIMIT, openRoads, Traffic } from './traffic.test-kit.js';
import { assertClean, randomFrom, runs, seed, until } from './uma.test-kit.js';
import { type Hand, makeBoard, startHand } from './workers.test-kit.js';

const PRODUCERS = 3;
const CONSUMERS = 2;
const PHASES = 4;
const ROUNDS = 1500;

/** Every item is somewhere, and once: nobody holds one now, and so many were made as the zones say. */
function assertConserved(memory: Memory, board: Int32Array): void {
  assertClean(memory);
  const { zones, rings } = openRoads(memory);
  for (const [at, zone] of zones.entries()) {
    const { used, requests } = zone.stats();
    assert.deepEqual([used, requests], [0, board[Traffic.MADE + at]], zone.name);
    assert.deepEqual([zone.sleepers, rings[at]?.length], [0, 0], zone.name);
  }
}

/** While they work: limits go up and down, everybody is asked to drain, and figures are read. */
async function interfere(memory: Memory, random: (bound: number) => number): Promise<void> {
  const { zones } = openRoads(memory);
  for (const zone of zones) if (random(4) === 0) zone.max = 1 + random(2 * LIMIT);
  if (random(10) === 0) memory.reclaim('threads');
  memory.stats();
  await pause(1 + random(4));
}

function startAll(memory: Memory, board: Int32Array): Hand[] {
  const orders = { handle: memory.handle, board, shadow: board };
  return Array.from({ length: PRODUCERS + CONSUMERS }, (_, index) =>
    index < PRODUCERS
      ? startHand({ ...orders, task: 'produce', number: index + 1, rounds: runs(ROUNDS) })
      : startHand({ ...orders, task: 'consume', number: index + 1, rounds: PRODUCERS }),
  );
}

describe('producers and consumers', () => {
  for (const wasm of [true, false]) {
    it(`at limits, with drains and timers, ${wasm ? 'WebAssembly' : 'plain'}`, async () => {
      const memory = createMemory({ bytes: 2 << 20, maxThreads: 8, maxZones: 24, wasm, timerMs: 2 });
      const { zones } = openRoads(memory);
      const freePages = memory.stats().pages.free;
      const board = makeBoard();
      const random = randomFrom(seed);
      const hands = startAll(memory, board);
      const failed = Promise.race(hands.map(({ done }) => done));
      const allStand = (): boolean => Atomics.load(board, Traffic.STANDING) === hands.length;
      try {
        await until(allStand, 'all are there');
        for (let phase = 1; phase <= PHASES; phase++) {
          Atomics.store(board, Traffic.PRODUCED, 0);
          Atomics.store(board, Traffic.STANDING, 0);
          Atomics.store(board, Traffic.PHASE, phase);
          Atomics.notify(board, Traffic.PHASE);
          while (!allStand()) await Promise.race([interfere(memory, random), failed]);
          assertConserved(memory, board);
        }
        for (const zone of zones) zone.max = LIMIT;
        Atomics.store(board, Traffic.PHASE, -1);
        Atomics.notify(board, Traffic.PHASE);
        const sleeps = (await Promise.all(hands.map(({ done }) => done))) as number[];
        assert.ok(Math.max(...sleeps) > 100, `they slept ${sleeps}`);
      } finally {
        await Promise.all(hands.map((hand) => hand.end()));
      }
      memory.reclaim('drain');
      memory.synchronize(5000);
      memory.reclaim('drain');
      assertConserved(memory, board);
      assert.equal(memory.stats().pages.free, freePages);
    });
  }
});
