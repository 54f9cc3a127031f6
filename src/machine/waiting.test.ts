import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { LockRank } from '../check/index.js';
import {
  ASYNC_WAITERS,
  Attention,
  createWaiting,
  SLICE_MS,
  ThreadSlot,
  Waiter,
  type WaiterRef,
  WaiterState,
  WaitQueue,
} from './index.js';
import {
  makeParty,
  type Orders,
  type Party,
  Place,
  type Report,
  until,
  withHands,
} from './machine.test-kit.js';

const { ZONE } = LockRank;

function locked<Type>(party: Party, body: () => Type): Type {
  party.locks.acquire(party.at(Place.LOCK), ZONE);
  try {
    return body();
  } finally {
    party.waiting.unlock(party.locks, party.at(Place.LOCK));
  }
}

function openGate(party: Party): void {
  const { store, notify } = party.machine.atomics;
  store(party.at(Place.GATE), 1);
  notify(party.at(Place.GATE), 100);
}

/** The queue, walked both ways. */
function lineOf({ machine: { words }, at }: Party): number[] {
  const queue = at(Place.QUEUE);
  const line: number[] = [];
  for (
    let waiter = words[queue + WaitQueue.head] as number;
    waiter !== 0;
    waiter = words[waiter + Waiter.next] as number
  ) {
    assert.ok(line.length < 1000);
    assert.equal(words[waiter + Waiter.previous], line[line.length - 1] ?? 0);
    assert.equal(words[waiter + Waiter.queue], queue);
    assert.equal(words[waiter + Waiter.state], WaiterState.WAITING);
    line.push(waiter);
  }
  assert.equal(words[queue + WaitQueue.tail], line[line.length - 1] ?? 0);
  assert.equal(words[queue + WaitQueue.count], line.length);
  return line;
}

describe('the line', () => {
  it('is first come, first served; who gives up leaves it anywhere', () => {
    const step = fc.oneof(
      fc.record({ enter: fc.nat() }),
      fc.record({ enterBefore: fc.nat() }),
      fc.record({ leave: fc.nat() }),
      fc.constant({ grant: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const party = makeParty({ maxThreads: 2, wasm: false });
        const { waiting, machine } = party;
        const queue = party.at(Place.QUEUE);
        const idle: WaiterRef[] = [waiting.blockingWaiter];
        for (let waiter = waiting.takeWaiter(); waiter !== 0; waiter = waiting.takeWaiter())
          idle.push(waiter);
        assert.equal(idle.length, 1 + ASYNC_WAITERS);
        const line: WaiterRef[] = [];
        let sleeps = 0;
        let gift = 100;
        for (const each of steps) {
          if ('enter' in each && idle.length > 0) {
            const [waiter] = idle.splice(each.enter % idle.length, 1) as [WaiterRef];
            waiting.enqueue(queue, waiter, each.enter | 0);
            assert.equal(waiting.requestOf(waiter), each.enter | 0);
            assert.equal(waiting.slotOf(waiter), party.threads.slot);
            line.push(waiter);
            sleeps++;
          } else if ('enterBefore' in each && idle.length > 0) {
            const waiter = idle.pop() as WaiterRef;
            const at = each.enterBefore % (line.length + 1);
            waiting.enqueueBefore(queue, waiter, at, line[at] ?? 0);
            line.splice(at, 0, waiter);
            sleeps++;
          } else if ('leave' in each && line.length > 0) {
            const [waiter] = line.splice(each.leave % line.length, 1) as [WaiterRef];
            waiting.remove(queue, waiter);
            assert.equal(waiting.isGranted(waiter), false);
            assert.equal(machine.words[waiter + Waiter.state], WaiterState.IDLE);
            idle.push(waiter);
          } else if ('grant' in each && line.length > 0) {
            const waiter = waiting.first(queue) as WaiterRef;
            assert.equal(waiter, line.shift());
            waiting.grant(queue, waiter, ++gift);
            assert.equal(waiting.isGranted(waiter), true);
            assert.equal(waiting.takeGrant(waiter), gift);
            assert.equal(waiting.isGranted(waiter), false);
            idle.push(waiter);
          }
          assert.deepEqual(lineOf(party), line);
          assert.equal(waiting.count(queue), line.length);
          assert.equal(waiting.first(queue), line[0] ?? 0);
        }
        assert.equal(machine.words[queue + WaitQueue.sleeps], sleeps);
      }),
      { numRuns: 60 },
    );
  });

  it('has a waiter for blocking and 31 others, which come back', () => {
    const { waiting } = makeParty();
    const taken = new Set<number>([waiting.blockingWaiter]);
    for (let index = 0; index < ASYNC_WAITERS; index++) taken.add(waiting.takeWaiter());
    assert.equal(taken.size, 1 + ASYNC_WAITERS);
    assert.ok(!taken.has(0));
    assert.equal(waiting.takeWaiter(), 0);
    const one = [...taken][5] as WaiterRef;
    waiting.returnWaiter(one);
    assert.equal(waiting.takeWaiter(), one);
  });

  it('is made anew from the chain of next, as a repair needs it', () => {
    const party = makeParty();
    const { waiting, machine } = party;
    const queue = party.at(Place.QUEUE);
    const waiters = Array.from({ length: 4 }, () => waiting.takeWaiter() as WaiterRef);
    for (const length of [0, 1, 4]) {
      for (const waiter of waiters.slice(0, length)) waiting.enqueue(queue, waiter, 0);
      for (const waiter of waiters) machine.words[waiter + Waiter.previous] = 99;
      machine.words[queue + WaitQueue.tail] = 99;
      machine.words[queue + WaitQueue.count] = 99;
      waiting.rebuildLine(queue);
      assert.deepEqual(lineOf(party), waiters.slice(0, length));
      for (const waiter of waiters.slice(0, length)) waiting.remove(queue, waiter);
    }
  });

  it('refuses to make a line whole that runs in a circle', () => {
    const party = makeParty();
    const { waiting, machine } = party;
    const queue = party.at(Place.QUEUE);
    const waiters = [waiting.takeWaiter(), waiting.takeWaiter()] as WaiterRef[];
    for (const waiter of waiters) waiting.enqueue(queue, waiter, 0);
    machine.words[(waiters[1] as number) + Waiter.next] = waiters[0] as number;
    assert.throws(() => waiting.rebuildLine(queue), { code: 'MEMORY_DAMAGED' });
  });

  it('gives every stand in it a ticket of its own, and the queue to who has a gift to take', () => {
    const party = makeParty();
    const { waiting, machine } = party;
    const queue = party.at(Place.QUEUE);
    const { blockingWaiter: waiter } = waiting;
    const tickets = new Set<number>();
    for (let time = 0; time < 5; time++) {
      waiting.enqueue(queue, waiter, 0);
      tickets.add(machine.words[waiter + Waiter.ticket] as number);
      waiting.grant(queue, waiter, 1);
      assert.equal(machine.words[waiter + Waiter.queue], queue);
      waiting.takeGrant(waiter);
      assert.equal(machine.words[waiter + Waiter.queue], 0);
    }
    assert.equal(tickets.size, 5);
  });

  it('hands any 32-bit word over', () => {
    const party = makeParty();
    for (const gift of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      party.waiting.enqueue(party.at(Place.QUEUE), party.waiting.blockingWaiter, gift);
      assert.equal(party.waiting.requestOf(party.waiting.blockingWaiter), gift);
      party.waiting.grant(party.at(Place.QUEUE), party.waiting.blockingWaiter, gift);
      assert.equal(party.waiting.takeGrant(party.waiting.blockingWaiter), gift);
    }
  });
});

describe('a blocking sleep', () => {
  it('does not sleep when the grant is there already', () => {
    const party = makeParty();
    const { waiting } = party;
    waiting.enqueue(party.at(Place.QUEUE), waiting.blockingWaiter, 0);
    waiting.grant(party.at(Place.QUEUE), waiting.blockingWaiter, 5);
    assert.equal(waiting.sleepSlice(waiting.blockingWaiter, 10_000), true);
  });

  it('lasts a slice at most, and no longer than the caller says; polls, and is counted', () => {
    const party = makeParty();
    const { waiting, machine, threads } = party;
    let polls = 0;
    waiting.onPoll(() => {
      polls++;
      assert.equal(machine.words[threads.self + ThreadSlot.sleepingOn], threads.self + ThreadSlot.attention);
    });
    waiting.enqueue(party.at(Place.QUEUE), waiting.blockingWaiter, 0);
    const sleepMs = (timeoutMs: number): number => {
      const start = performance.now();
      assert.equal(waiting.sleepSlice(waiting.blockingWaiter, timeoutMs), false);
      return performance.now() - start;
    };
    // The machine may be busy: the best of several shows what was asked for.
    const short = Math.min(...[5, 5, 5, 5].map(sleepMs));
    assert.ok(short >= 4 && short < SLICE_MS, `${short} ms`);
    assert.ok(Math.min(...[0, 0].map(sleepMs)) < 5);
    const long = sleepMs(Number.POSITIVE_INFINITY);
    assert.ok(long >= SLICE_MS - 2, `${long} ms`);
    assert.equal(polls, 7);
    assert.equal(machine.words[threads.self + ThreadSlot.sleepingOn], 0);
    assert.equal(machine.words[threads.self + ThreadSlot.heartbeat], 7);
    assert.equal(machine.floats[(threads.self + ThreadSlot.sleeps) / 2], 7);
    locked(party, () => waiting.remove(party.at(Place.QUEUE), waiting.blockingWaiter));
  });

  it('does not begin when something is asked after its poll', () => {
    const { waiting, threads, at } = makeParty();
    waiting.onPoll(() => {
      threads.takeAttention();
      threads.ask(threads.slot, Attention.DRAIN);
    });
    waiting.enqueue(at(Place.QUEUE), waiting.blockingWaiter, 0);
    const sleepsMs = [1, 2, 3].map(() => {
      const start = performance.now();
      waiting.sleepSlice(waiting.blockingWaiter, Number.POSITIVE_INFINITY);
      return performance.now() - start;
    });
    assert.ok(Math.min(...sleepsMs) < SLICE_MS / 2, `${sleepsMs} ms`);
  });

  it('is told of a ring by its own thread as it is of those by others', () => {
    const party = makeParty();
    const { waiting } = party;
    const waiter = waiting.blockingWaiter;
    waiting.ringAll();
    assert.equal(waiting.rings(), 0, 'it waits for nothing');
    waiting.enqueue(party.at(Place.QUEUE), waiter, 0);
    waiting.ringAll();
    assert.equal(waiting.rings(), 1);
  });

  it('is refused where blocking is not allowed, and with a lock held', () => {
    const party = makeParty({ checkLevel: 1 });
    party.waiting.assertMayBlock('alloc');
    const forbidden = createWaiting({ ...party.machine, mayBlock: false }, party.threads);
    assert.throws(() => forbidden.assertMayBlock('alloc of zone z'), {
      code: 'WOULD_BLOCK',
      message: /alloc of zone z/,
    });
    party.locks.acquire(party.at(Place.LOCK), ZONE);
    assert.throws(() => party.waiting.assertMayBlock('alloc'), { code: 'SLEEP_WITH_LOCK' });
    party.locks.release(party.at(Place.LOCK));
    party.waiting.assertMayBlock('alloc');
  });
});

for (const platform of ['with', 'without'] as const) {
  describe(`an asynchronous sleep ${platform} Atomics.waitAsync`, () => {
    /** A party on a platform that lacks `Atomics.waitAsync`, where that is wanted. */
    function makeAsyncParty(): Party {
      const party = makeParty();
      if (platform === 'with') return party;
      const found = Object.getOwnPropertyDescriptor(Atomics, 'waitAsync') as PropertyDescriptor;
      Object.defineProperty(Atomics, 'waitAsync', { ...found, value: undefined });
      try {
        return { ...party, waiting: createWaiting(party.machine, party.threads) };
      } finally {
        Object.defineProperty(Atomics, 'waitAsync', found);
      }
    }

    it('does not block, and ends with the grant', async () => {
      const party = makeAsyncParty();
      const { waiting } = party;
      const waiter = waiting.takeWaiter() as WaiterRef;
      waiting.enqueue(party.at(Place.QUEUE), waiter, 0);
      let granted = false;
      setTimeout(() => {
        granted = true;
        locked(party, () => waiting.grant(party.at(Place.QUEUE), waiter, 9));
      }, 10);
      const start = performance.now();
      while (!(await waiting.sleepSliceAsync(waiter, 10_000))) assert.equal(granted, false);
      assert.equal(granted, true);
      assert.ok(performance.now() - start < 5000);
      assert.equal(waiting.takeGrant(waiter), 9);
    });

    it('ends at once when the grant is there already', async () => {
      const party = makeAsyncParty();
      const waiter = party.waiting.takeWaiter() as WaiterRef;
      party.waiting.enqueue(party.at(Place.QUEUE), waiter, 0);
      party.waiting.grant(party.at(Place.QUEUE), waiter, 9);
      assert.equal(await party.waiting.sleepSliceAsync(waiter, 10_000), true);
    });

    it('ends without a grant when the time is up, and polls', async () => {
      const party = makeAsyncParty();
      const waiter = party.waiting.takeWaiter() as WaiterRef;
      let polls = 0;
      party.waiting.onPoll(() => polls++);
      party.waiting.enqueue(party.at(Place.QUEUE), waiter, 0);
      assert.equal(await party.waiting.sleepSliceAsync(waiter, 5), false);
      assert.equal(await party.waiting.sleepSliceAsync(waiter, 0), false);
      assert.equal(polls, 2);
      party.waiting.remove(party.at(Place.QUEUE), waiter);
    });

    it('many at a time are served in the order of arrival, mixed with blocking ones', async () => {
      const party = makeAsyncParty();
      const { waiting } = party;
      const served: number[] = [];
      const sleeps = Array.from({ length: ASYNC_WAITERS }, async (_, index) => {
        const waiter = waiting.takeWaiter() as WaiterRef;
        locked(party, () => waiting.enqueue(party.at(Place.QUEUE), waiter, index));
        while (!(await waiting.sleepSliceAsync(waiter, 10_000)));
        served.push(waiting.takeGrant(waiter));
        waiting.returnWaiter(waiter);
      });
      let gift = 0;
      while (gift < ASYNC_WAITERS) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        locked(party, () => {
          const first = waiting.first(party.at(Place.QUEUE)) as WaiterRef;
          assert.equal(waiting.requestOf(first), gift);
          waiting.grant(party.at(Place.QUEUE), first, gift++);
        });
      }
      await Promise.all(sleeps);
      assert.deepEqual(
        served.sort((a, b) => a - b),
        Array.from({ length: ASYNC_WAITERS }, (_, index) => index),
      );
    });
  });
}

describe('waiting in real workers', () => {
  it('is first come, first served over threads, blocking and asynchronous in one line', async () => {
    const party = makeParty();
    const { waiting } = party;
    const { handle } = party.machine;
    const queue = party.at(Place.QUEUE);
    const reports: Report[] = [];
    await withHands([{ task: 'wait', handle }], async ([first]) => {
      const slots = [(await first?.says('waiting'))?.slot];
      await withHands([{ task: 'waitInLoop', handle }], async ([second]) => {
        slots.push((await second?.says('waiting'))?.slot);
        await withHands([{ task: 'wait', handle }], async ([third]) => {
          slots.push((await third?.says('waiting'))?.slot);
          for (const [index, hand] of [first, second, third].entries()) {
            const slot = locked(party, () => {
              const waiter = waiting.first(queue) as WaiterRef;
              const found = waiting.slotOf(waiter);
              waiting.grant(queue, waiter, 1000 + index);
              return found;
            });
            assert.equal(slot, slots[index]);
            assert.ok(hand);
            reports.push(await hand.says('granted'));
          }
        });
      });
    });
    assert.deepEqual(
      reports.map((each) => each.gift),
      [1000, 1001, 1002],
    );
    assert.equal(waiting.count(queue), 0);
  });

  it('outlasts many slices', async () => {
    const party = makeParty();
    const orders: Orders[] = ['wait', 'waitInLoop'].map((task) => ({ task, handle: party.machine.handle }));
    await withHands(orders, async (hands) => {
      for (const hand of hands) await hand.says('waiting');
      await new Promise((resolve) => setTimeout(resolve, 3.5 * SLICE_MS));
      for (let gift = 1; gift <= 2; gift++) {
        locked(party, () =>
          party.waiting.grant(
            party.at(Place.QUEUE),
            party.waiting.first(party.at(Place.QUEUE)) as WaiterRef,
            gift,
          ),
        );
      }
      for (const hand of hands) assert.ok(((await hand.says('granted')).slices as number) >= 2);
    });
  });

  it('wakes for each of a thousand grants', async () => {
    const party = makeParty();
    const rounds = 500;
    const { waiting } = party;
    const queue = party.at(Place.QUEUE);
    const orders: Orders[] = [1, 2].map(() => ({ task: 'wait', handle: party.machine.handle, rounds }));
    await withHands(orders, async (hands) => {
      const gifts = new Set<number>();
      let gift = 0;
      const listening = hands.map(async (hand) => {
        for (let round = 0; round < rounds; round++) {
          await hand.says('waiting');
          gifts.add((await hand.says('granted')).gift as number);
        }
      });
      let finished = false;
      const all = Promise.all(listening).finally(() => {
        finished = true;
      });
      while (gift < 2 * rounds && !finished) {
        const served = locked(party, () => {
          const waiter = waiting.first(queue);
          if (waiter === 0) return false;
          waiting.grant(queue, waiter, ++gift);
          return true;
        });
        if (!served) await new Promise((resolve) => setImmediate(resolve));
      }
      await all;
      assert.equal(gifts.size, 2 * rounds);
    });
  });

  it('a waiter that gives up while it is granted loses nothing, and nothing is granted twice', async () => {
    const party = makeParty();
    const { handle, words } = party.machine;
    const rounds = 3000;
    const waiters = 2;
    const orders: Orders[] = [
      ...Array.from({ length: waiters }, () => ({ task: 'giveUp', handle, rounds })),
      { task: 'grant', handle, rounds: waiters },
    ];
    await withHands(orders, async (hands) => {
      await until(() => party.threads.attachedCount() === hands.length + 1, 'all have attached');
      openGate(party);
      const [granter] = hands.slice(-1);
      let [sum, gifts, gaveUp] = [0, 0, 0];
      for (const hand of hands.slice(0, -1)) {
        const report = await hand.says('done');
        sum += report.sum as number;
        gifts += report.gifts as number;
        gaveUp += report.gaveUp as number;
      }
      const granted = await granter?.says('done');
      assert.deepEqual([gifts, sum], [granted?.gifts, granted?.sum]);
      assert.equal(gifts + gaveUp, waiters * rounds);
      assert.ok(gifts > 0);
      assert.deepEqual(lineOf(party), []);
      for (let slot = 1; slot <= hands.length + 1; slot++) {
        assert.equal(words[party.threads.waiterRef(slot, 0) + Waiter.state], WaiterState.IDLE);
      }
    });
  });

  it('a worker may be ended while it waits', async () => {
    const party = makeParty();
    const orders: Orders[] = ['wait', 'waitInLoop'].map((task) => ({ task, handle: party.machine.handle }));
    await withHands(orders, async (hands) => {
      for (const hand of hands) await hand.says('waiting');
      for (const hand of hands) await hand.end();
    });
    assert.equal(lineOf(party).length, 2, 'its waiters stay in line: whoever serves it passes the dead over');
  });
});

describe('an asynchronous sleep keeps the process alive', () => {
  for (const broken of [false, true]) {
    it(`until it is over, ${broken ? 'without' : 'with'} Atomics.waitAsync`, async () => {
      const kit = new URL('./machine.test-kit.js', import.meta.url).href;
      const code = `
        ${broken ? "Object.defineProperty(Atomics, 'waitAsync', { value: undefined });" : ''}
        const { makeParty, Place } = await import(${JSON.stringify(kit)});
        const { at, waiting } = makeParty();
        const waiter = waiting.takeWaiter();
        waiting.enqueue(at(Place.QUEUE), waiter, 0);
        for (let slice = 0; slice < 3; slice++) await waiting.sleepSliceAsync(waiter, 50);
        console.log('over');
      `;
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
      assert.equal(stdout, 'over\n');
    });
  }
});
