/** Real Workers, as many as there may be, on real hardware. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { MemoryOptions } from '../memory-options.js';
import type { Addr } from '../record/index.js';
import type { Zone } from './index.js';
import { openZones, SHARED } from './stress.test-kit.js';
import { assertClean, runs, until } from './uma.test-kit.js';
import { Board, MAILBOXES, makeBoard, makeShadow, startHand, withHands } from './workers.test-kit.js';

function go(board: Int32Array): void {
  Atomics.store(board, Board.GO, 1);
  Atomics.notify(board, Board.GO);
}

/** All that was left in the mailboxes goes back; then nothing may be in use. */
function settle(memory: Memory, zones: readonly Zone[], board: Int32Array, freePages: number): void {
  for (const [at, zone] of zones.entries()) {
    for (let slot = 0; slot < MAILBOXES; slot++) {
      zone.free((board[Board.MAILBOX + at * MAILBOXES + slot] ?? 0) as Addr);
    }
  }
  memory.drain();
  assertClean(memory);
  for (const { name, used, pages } of memory.stats().zones) assert.deepEqual([used, pages], [0, 0], name);
  assert.equal(memory.stats().pages.free, freePages);
}

const crews: readonly (MemoryOptions & { hands: number; rounds: number })[] = [
  { hands: 2, rounds: 40_000, bytes: 4 << 20, wasm: true },
  { hands: 3, rounds: 20_000, bytes: 4 << 20, wasm: false, checkLevel: 2 },
  { hands: 4, rounds: 20_000, bytes: 2 << 20, wasm: true, checkLevel: 1 },
  { hands: 3, rounds: 4_000, bytes: 6 << 20, wasm: true, checkLevel: 3 },
  { hands: 8, rounds: 10_000, bytes: 3 << 20, wasm: true, maxThreads: 9 },
];

describe('workers at random', () => {
  for (const { hands: count, rounds, ...options } of crews) {
    const { bytes, wasm, checkLevel } = options;
    it(`${count} of them, ${bytes >> 20} MiB, ${wasm ? 'WebAssembly' : 'plain'}, check level ${checkLevel ?? 0}`, async () => {
      const memory = createMemory({ maxZones: 16, ...options });
      const freePages = memory.stats().pages.free;
      const zones = openZones(memory);
      const board = makeBoard();
      const orders = {
        task: 'stress',
        handle: memory.handle,
        board,
        shadow: makeShadow(memory),
        rounds: runs(rounds),
      };
      await withHands(count, orders, async (hands) => {
        go(board);
        await Promise.all(hands.map(({ done }) => done));
      });
      assertClean(memory);
      settle(memory, zones, board, freePages);
    });
  }
});

describe('workers that share items', () => {
  for (const wasm of [true, false]) {
    it(`4 of them, ${wasm ? 'WebAssembly' : 'plain'}: an item is there as long as anybody has a reference`, async () => {
      const memory = createMemory({ bytes: 4 << 20, maxThreads: 8, wasm });
      const zone = memory.zone(SHARED);
      const board = makeBoard();
      const orders = { task: 'share', handle: memory.handle, board, shadow: board, rounds: runs(60_000) };
      await withHands(4, orders, async (hands) => {
        go(board);
        const frees = (await Promise.all(hands.map(({ done }) => done))) as number[];
        assert.ok(Math.min(...frees) > 1000, `they freed ${frees}`);
      });
      assertClean(memory);
      for (let slot = 0; slot < MAILBOXES; slot++) {
        const item = (board[Board.MAILBOX + slot] ?? 0) as Addr;
        if (item !== 0) zone.drop(item);
      }
      memory.drain();
      assertClean(memory);
      const { used, pages } = zone.stats();
      assert.deepEqual([used, pages], [0, 0]);
    });
  }
});

describe('workers at a limit', () => {
  it('4 of them, limit 3: never more in use, and every call is served', async () => {
    const memory = createMemory({ bytes: 2 << 20, maxThreads: 8 });
    const zone = memory.zone({ name: 'bounded', size: 64, max: 3 });
    const board = makeBoard();
    board[Board.LIMIT] = 3;
    const orders = { task: 'bounded', handle: memory.handle, board, shadow: board, rounds: runs(2500) };
    await withHands(4, orders, async (hands) => {
      go(board);
      const sleeps = await Promise.all(hands.map(({ done }) => done));
      assert.ok(Math.max(...(sleeps as number[])) > 100, `they slept ${sleeps}`);
    });
    assert.equal(board[Board.MOST_INSIDE], 3, 'the limit was used to the full');
    const { used, requests, failures } = zone.stats();
    assert.deepEqual([used, requests, failures, zone.sleepers], [0, runs(2500) * 4, failures, 0]);
    memory.drain();
    assertClean(memory);
  });

  it('6 of them, limit 60, with caches: every call is served while the others poll or sleep', async () => {
    const memory = createMemory({ bytes: 2 << 20, maxThreads: 8 });
    const zone = memory.zone({ name: 'bounded', size: 64, max: 60 });
    const board = makeBoard();
    board[Board.LIMIT] = 60;
    const orders = { task: 'bounded', handle: memory.handle, board, shadow: board, rounds: runs(3000) };
    await withHands(6, orders, async (hands) => {
      go(board);
      // The limit goes up and down under them.
      const changing = setInterval(() => {
        zone.max = zone.max === 60 ? 5 : 60;
      }, 3);
      try {
        await Promise.all(hands.map(({ done }) => done));
      } finally {
        clearInterval(changing);
      }
    });
    assert.deepEqual([zone.stats().used, zone.sleepers], [0, 0]);
    memory.drain();
    assertClean(memory);
  });

  it('are served in the order of their arrival, blocking and asynchronous alike', async () => {
    const memory = createMemory({ bytes: 2 << 20, maxThreads: 8 });
    const zone = memory.zone({ name: 'bounded', size: 64, max: 1 });
    const item = zone.alloc();
    const board = makeBoard();
    const orders = { task: 'inLine', handle: memory.handle, board, shadow: board, rounds: 1 };
    const served: Promise<unknown>[] = [];
    const hands = [];
    for (let number = 1; number <= 8; number++) {
      if (number % 2 === 0) {
        served.push(
          zone.allocAsync().then((each) => {
            const ticket = Atomics.add(board, Board.TICKETS, 1);
            zone.free(each);
            return ticket;
          }),
        );
      } else {
        const hand = startHand({ ...orders, number });
        hands.push(hand);
        served.push(hand.done);
      }
      await until(() => zone.sleepers === number, `${number} stand in line`);
    }
    zone.free(item);
    assert.deepEqual(await Promise.all(served), [0, 1, 2, 3, 4, 5, 6, 7]);
    await Promise.all(hands.map((hand) => hand.end()));
    memory.drain();
    assertClean(memory);
  });

  it('one that caches all it may gives it to who waits, when it polls', async () => {
    const memory = createMemory({ bytes: 2 << 20, maxThreads: 2 });
    const zone = memory.zone({ name: 'bounded', size: 64, max: 40 });
    const board = makeBoard();
    const orders = { task: 'hoard', handle: memory.handle, board, shadow: board, rounds: 1 };
    await withHands(1, orders, async ([hand]) => {
      await until(() => Atomics.load(board, Board.GO) > 0, 'it has cached');
      const items: Addr[] = [];
      while (items.length < 40) items.push(zone.alloc(0, 10_000));
      Atomics.store(board, Board.DONE, 1);
      Atomics.notify(board, Board.DONE);
      await hand?.done;
      for (const item of items) zone.free(item);
    });
    memory.drain();
    assertClean(memory);
  });
});

describe('workers without pages', () => {
  it('sleep until others free, and all end', async () => {
    const memory = createMemory({ bytes: 1 << 20, maxThreads: 6, maxZones: 16 });
    const freePages = memory.stats().pages.free;
    for (const [index, size] of [5000, 3000].entries()) memory.zone({ name: `of ${index}`, size });
    const board = makeBoard();
    const orders = { task: 'starve', handle: memory.handle, board, shadow: board, rounds: runs(400) };
    await withHands(5, orders, async (hands) => {
      go(board);
      await Promise.all(hands.map(({ done }) => done));
    });
    memory.drain();
    assertClean(memory);
    assert.equal(memory.stats().pages.free, freePages);
  });
});

describe('two memories in one process', () => {
  it('know nothing of each other', () => {
    const one = createMemory({ bytes: 1 << 20, maxThreads: 2, maxZones: 16 });
    const two = createMemory({ bytes: 2 << 20, maxThreads: 2, maxZones: 16, wasm: false });
    const three = attachMemory(one.handle);
    const zones = [one, two, three].map((memory) => memory.zone({ name: 'zone', size: 512, max: 50 }));
    const [a, b, c] = zones as [Zone, Zone, Zone];
    const fromTwo = b.tryAlloc();
    assert.equal(a.stats().used, 0);
    const fromOne = a.tryAlloc();
    c.free(fromOne);
    b.free(fromTwo);
    assert.throws(() => a.free(fromTwo), { name: 'MbumaError' });
    for (const memory of [one, two, three]) memory.drain();
    for (const memory of [one, two]) assertClean(memory);
  });
});
