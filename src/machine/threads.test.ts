import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { layoutOf } from '../record/index.js';
import { ASYNC_WAITERS, Attention, askAllToDrain, attachThread, ThreadSlot, Waiter } from './index.js';
import { bury, makeMachine, makeParty, Place, withHands } from './machine.test-kit.js';

const SLOT_WORDS: number = layoutOf(ThreadSlot).words;

describe('thread slots', () => {
  it('are claimed from 1 on, counted, and given back', () => {
    const machine = makeMachine({ maxThreads: 3 });
    const [one, two, three] = [attachThread(machine), attachThread(machine), attachThread(machine)];
    assert.deepEqual([one.slot, two.slot, three.slot], [1, 2, 3]);
    assert.equal(one.attachedCount(), 3);
    assert.deepEqual([1, 2, 3].map(one.isLive), [true, true, true]);
    two.release();
    assert.equal(one.attachedCount(), 2);
    assert.equal(one.isLive(2), false);
    assert.equal(attachThread(machine).slot, 2);
    assert.equal(one.isLive(0), false, 'slot 0 is nobody');
  });

  it('that there are not are neither live nor dead: a damaged memory may name any', () => {
    const one = attachThread(makeMachine({ maxThreads: 2 }));
    for (const slot of [3, 255, 1 << 28, -1, -(1 << 31)])
      assert.deepEqual([one.isLive(slot), one.isDead(slot)], [false, false], String(slot));
  });

  it('refuse one thread too many, and take it when another has left', () => {
    const machine = makeMachine({ maxThreads: 2 });
    const one = attachThread(machine);
    attachThread(machine);
    assert.throws(() => attachThread(machine), { code: 'TOO_MANY_THREADS', message: /all 2 thread slots/ });
    assert.equal(one.attachedCount(), 2);
    one.release();
    assert.equal(attachThread(machine).slot, 1);
  });

  it('are not reused while they are dead', () => {
    const machine = makeMachine({ maxThreads: 2 });
    const one = attachThread(machine);
    bury(one, one);
    assert.equal(attachThread(machine).slot, 2);
    assert.throws(() => attachThread(machine), { code: 'TOO_MANY_THREADS' });
  });

  it('have a new generation with each attachment, never the same twice in a row', () => {
    const machine = makeMachine({ maxThreads: 2 });
    const generations: number[] = [];
    for (let round = 0; round < 5; round++) {
      const thread = attachThread(machine);
      assert.equal(thread.lives(thread.slot, thread.generation), true);
      generations.push(thread.generation);
      thread.release();
    }
    assert.equal(new Set(generations).size, 5);
    machine.words[attachThread(machine).slotRef(2) + ThreadSlot.state] = (2 ** 20 - 3) << 11;
    const highest = [1, 2, 3, 4].map(() => {
      const thread = attachThread(machine);
      assert.equal(thread.slot, 2);
      assert.equal(thread.lives(2, thread.generation), true);
      assert.ok((machine.words[thread.self + ThreadSlot.state] as number) > 0, 'a positive number');
      thread.assertHere();
      thread.release();
      return thread.generation;
    });
    assert.deepEqual(highest, [2 ** 20 - 2, 2 ** 20 - 1, 1, 2]);
  });

  it('start clean, whatever the last thread left', () => {
    const machine = makeMachine({ maxThreads: 1 });
    const first = attachThread(machine);
    const { self } = first;
    machine.words.fill(-1, self + ThreadSlot.attention, self + ThreadSlot.spare0);
    machine.words.fill(-1, self + ThreadSlot.heartbeat, self + SLOT_WORDS);
    for (let index = 0; index <= ASYNC_WAITERS; index++) {
      const waiter = first.waiterRef(1, index);
      machine.words.fill(-1, waiter, waiter + 8);
    }
    first.release();
    const second = attachThread(machine);
    assert.equal(second.self, self);
    assert.equal(second.takeAttention(), 0);
    assert.ok(
      machine.words.subarray(self + ThreadSlot.heartbeat, self + SLOT_WORDS).every((word) => word === 0),
    );
    for (let index = 0; index <= ASYNC_WAITERS; index++) {
      const waiter = second.waiterRef(1, index);
      const rest = [...machine.words.subarray(waiter, waiter + 8)];
      assert.equal(rest[Waiter.slot], 1);
      assert.equal(rest[Waiter.ticket], -1, 'tickets go on: an old grant is never taken for a new one');
      rest[Waiter.slot] = 0;
      rest[Waiter.ticket] = 0;
      assert.ok(rest.every((word) => word === 0));
    }
  });

  it('share no word: slots and waiters lie apart', () => {
    const machine = makeMachine({ maxThreads: 4 });
    const thread = attachThread(machine);
    const places: [number, number][] = [];
    for (let slot = 0; slot <= 4; slot++) {
      places.push([thread.slotRef(slot), SLOT_WORDS]);
      for (let index = 0; index <= ASYNC_WAITERS; index++) places.push([thread.waiterRef(slot, index), 8]);
    }
    places.push([machine.area('test'), 4096]);
    places.sort((a, b) => a[0] - b[0]);
    for (let index = 1; index < places.length; index++) {
      const [before, after] = [places[index - 1] as [number, number], places[index] as [number, number]];
      assert.ok(before[0] + before[1] <= after[0]);
    }
  });

  it('beat', () => {
    const { machine, threads } = makeParty();
    const read = (offset: number): number => machine.words[threads.self + offset] as number;
    threads.beat();
    threads.beat();
    assert.equal(read(ThreadSlot.heartbeat), 2);
  });
});

describe('attention', () => {
  it('is kept until it is taken, once; bits add up', () => {
    const machine = makeMachine();
    const [one, two] = [attachThread(machine), attachThread(machine)];
    one.ask(two.slot, 1);
    one.ask(two.slot, 2);
    one.ask(two.slot, 2);
    assert.equal(one.takeAttention(), 0);
    assert.equal(two.takeAttention(), 3);
    assert.equal(two.takeAttention(), 0);
  });

  it('goes to all other live threads when they are asked to drain', () => {
    const machine = makeMachine();
    const [one, two, three] = [attachThread(machine), attachThread(machine), attachThread(machine)];
    bury(one, three);
    askAllToDrain(one);
    assert.deepEqual(
      [one, two, three].map((each) => each.takeAttention()),
      [0, Attention.DRAIN, 0],
    );
  });

  it('wakes a thread that sleeps, in a worker', async () => {
    const party = makeParty();
    await withHands([{ task: 'attend', handle: party.machine.handle }], async ([hand]) => {
      assert.ok(hand);
      const { slot } = await hand.says('waiting');
      party.threads.ask(slot as number, 3);
      assert.equal((await hand.says('asked')).asked, 3);
    });
  });
});

describe('attaching from many workers at once', () => {
  it('never gives one slot to two threads', async () => {
    const party = makeParty({ maxThreads: 4 });
    const { machine } = party;
    const orders = [1, 2, 3].map(() => ({ task: 'comeAndGo', handle: machine.handle, rounds: 3000 }));
    await withHands(orders, async (hands) => {
      machine.atomics.store(party.at(Place.GATE), 1);
      machine.atomics.notify(party.at(Place.GATE), 100);
      for (const hand of hands) await hand.says('done');
      assert.equal(party.threads.attachedCount(), 1);
    });
  });
});
