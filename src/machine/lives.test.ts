import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LockRank } from '../check/index.js';
import { attachThread, SUPERBLOCK, Superblock, ThreadSlot, ThreadState, type Threads } from './index.js';
import { bury, joinMortal, joinParty, makeMachine, makeParty, Place } from './machine.test-kit.js';
import { Death, makeMortal } from './mortal.test-kit.js';

const { FREE, LIVE, DEAD, REAPING } = ThreadState;

function stateOf({ slotRef }: Threads, words: Int32Array, slot: number): [life: number, generation: number] {
  const state = words[slotRef(slot) + ThreadSlot.state] as number;
  return [state & 7, state >>> 11];
}

function crew(count: number, maxThreads = 8): { words: Int32Array; threads: Threads[] } {
  const machine = makeMachine({ maxThreads });
  return { words: machine.words, threads: Array.from({ length: count }, () => attachThread(machine)) };
}

describe('the life of a slot', () => {
  it('goes from FREE by LIVE, DEAD and REAPING to FREE, and the next thread has a new generation', () => {
    const machine = makeMachine({ maxThreads: 3 });
    const one = attachThread(machine);
    const two = attachThread(machine, 42);
    const { slot, generation } = two;
    const life = (): unknown => stateOf(one, machine.words, slot);
    assert.deepEqual(life(), [LIVE, generation]);
    assert.deepEqual([one.lives(slot, generation), one.isDead(slot)], [true, false]);
    assert.deepEqual(one.byAgent(42), [{ slot, generation }]);
    bury(one, two);
    assert.deepEqual(life(), [DEAD, generation]);
    assert.deepEqual([one.lives(slot, generation), one.isLive(slot), one.isDead(slot)], [false, false, true]);
    assert.equal(attachThread(machine).slot, 3, 'the dead slot is not given out');
    assert.equal(one.claimDead(), slot);
    assert.deepEqual(life(), [REAPING, generation]);
    assert.equal(one.isDead(slot), true);
    assert.throws(() => attachThread(machine), { code: 'TOO_MANY_THREADS' });
    one.finishReap(slot);
    assert.deepEqual(life(), [FREE, generation]);
    assert.deepEqual(one.byAgent(42), []);
    assert.equal(one.attachedCount(), 2);
    const next = attachThread(machine, 42);
    assert.deepEqual([next.slot, next.generation], [slot, generation + 1]);
    assert.deepEqual([one.lives(slot, generation), one.lives(slot, generation + 1)], [false, true]);
  });

  it('an agent has as many threads as attached with its number', () => {
    const machine = makeMachine();
    const threads = [7, 8, 7, -1].map((agent) => attachThread(machine, agent));
    const [one] = threads as [Threads];
    const slots = (agent: number): number[] => one.byAgent(agent).map(({ slot }) => slot);
    assert.deepEqual([slots(7), slots(8), slots(-1), slots(9)], [[1, 3], [2], [4], []]);
    threads[2]?.release();
    assert.deepEqual(slots(7), [1]);
  });

  it('a thread is declared dead once, and only the one that is meant', () => {
    const machine = makeMachine();
    const [one, two] = [attachThread(machine), attachThread(machine)];
    const { slot, generation } = two;
    assert.equal(one.deaths(), 0);
    for (const stale of [generation - 1, generation + 1, 0])
      assert.equal(one.declareDead(slot, stale), false);
    assert.equal(one.declareDead(slot + 1, 0), false, 'a slot that nobody ever had');
    two.assertHere();
    bury(one, two);
    assert.equal(one.declareDead(slot, generation), false);
    one.claimDead();
    assert.equal(one.declareDead(slot, generation), false);
    one.finishReap(slot);
    assert.equal(one.declareDead(slot, generation), false, 'cleaned up');
    const next = attachThread(machine);
    assert.equal(one.declareDead(slot, generation), false, 'the next thread is another');
    next.assertHere();
    next.release();
    assert.equal(one.declareDead(slot, next.generation), false, 'detached');
    assert.equal(one.deaths(), 1);
    assert.equal(machine.words[SUPERBLOCK + Superblock.deaths], 1);
  });

  it('a thread that is only slow is never reaped', () => {
    const { threads } = crew(4);
    const [one, , slow] = threads as [Threads, Threads, Threads];
    for (let round = 0; round < 100; round++) {
      one.beat();
      assert.equal(one.claimDead(), 0);
    }
    slow.assertHere();
    assert.equal(slow.isLive(slow.slot), true);
  });
});

describe('cleaning up', () => {
  it('is done by exactly one of several', () => {
    const { threads } = crew(6);
    const [dead, ...living] = threads as [Threads, ...Threads[]];
    bury(living[0] as Threads, dead);
    assert.deepEqual(
      living.map((each) => each.claimDead()),
      [dead.slot, 0, 0, 0, 0],
    );
    living[1]?.finishReap(dead.slot);
    assert.equal(living[0]?.isDead(dead.slot), true, 'only who has claimed it can finish');
    living[0]?.finishReap(dead.slot);
    assert.equal(living[0]?.isDead(dead.slot), false);
  });

  it('goes to one even when two look at the same time', () => {
    const machine = makeMachine();
    const [dead, fast] = [attachThread(machine), attachThread(machine)];
    let raced = 0;
    const { compareExchange } = machine.atomics;
    const atomics = {
      ...machine.atomics,
      compareExchange(index: number, expected: number, replacement: number) {
        // After it has claimed its slot, and counted itself.
        if (raced++ === 2) assert.equal(fast.claimDead(), dead.slot);
        return compareExchange(index, expected, replacement);
      },
    };
    const late = attachThread({ ...machine, atomics });
    bury(fast, dead);
    assert.equal(late.claimDead(), 0);
    assert.ok(raced > 2);
  });

  it('is taken over from a thread that dies of it, when that thread itself has been cleaned up', () => {
    const machine = makeMachine();
    // The reaper has a lower slot than the dead, and then a higher one.
    for (const order of [
      [1, 2],
      [2, 1],
    ]) {
      const threads = [attachThread(machine), attachThread(machine), attachThread(machine)];
      const [dead, reaper] = order.map((at) => threads[at]) as [Threads, Threads];
      const heir = threads[0] as Threads;
      bury(heir, dead);
      assert.equal(reaper.claimDead(), dead.slot);
      assert.equal(heir.claimDead(), 0, 'the reaper lives');
      bury(heir, reaper);
      assert.equal(heir.claimDead(), reaper.slot);
      assert.equal(heir.claimDead(), 0, 'the reaper comes first');
      heir.finishReap(reaper.slot);
      assert.equal(heir.claimDead(), dead.slot);
      assert.equal(heir.claimDead(), 0, 'its own are not taken over from itself');
      heir.finishReap(dead.slot);
      heir.release();
    }
  });

  it('leaves nothing behind when the reaper dies while another looks', () => {
    // The heir passes the slot while its reaper lives; then the reaper dies, and is the next that it finds.
    const machine = makeMachine();
    const [dead, reaper, witness] = [attachThread(machine), attachThread(machine), attachThread(machine)];
    let armed = false;
    const load = (index: number): number => {
      if (armed && index === reaper.self + ThreadSlot.state) {
        const state = machine.atomics.load(index);
        armed = false;
        bury(witness, reaper);
        return state;
      }
      return machine.atomics.load(index);
    };
    const heir = attachThread({ ...machine, atomics: { ...machine.atomics, load } });
    bury(witness, dead);
    assert.equal(reaper.claimDead(), dead.slot);
    armed = true;
    const first = heir.claimDead() || heir.claimDead();
    heir.finishReap(first);
    assert.deepEqual([first, heir.claimDead()], [reaper.slot, dead.slot]);
  });

  it('every store of attach and release may be the last one: the agent says that it was there', () => {
    const lives = (machine: ReturnType<typeof makeMachine>): void => attachThread(machine, 42).release();
    const rehearsal = makeMortal(makeMachine({ maxThreads: 2 }));
    attachThread(rehearsal.machine).release();
    const whole = rehearsal.stores();
    for (let store = 1; store <= whole; store++) {
      const machine = makeMachine({ maxThreads: 2 });
      const mortal = makeMortal(machine);
      mortal.dieAt(store);
      assert.throws(() => lives(mortal.machine), Death);
      const one = attachThread(machine);
      const found = one.byAgent(42);
      assert.equal(found.length, store === 1 ? 0 : 1, `before store ${store}`);
      for (const name of found) {
        bury(one, name);
        assert.equal(one.declareDead(name.slot, name.generation), false);
        assert.equal(one.claimDead(), name.slot);
        one.finishReap(name.slot);
      }
      assert.deepEqual(one.byAgent(42), []);
      assert.equal(one.claimDead(), 0);
      const two = attachThread(machine);
      assert.equal(one.attachedCount(), 2);
      two.assertHere();
    }
  });

  it('every store of it may be the last one, too', () => {
    const stage = (): { machine: ReturnType<typeof makeMachine>; one: Threads; dead: Threads } => {
      const machine = makeMachine({ maxThreads: 3 });
      return { machine, one: attachThread(machine), dead: attachThread(machine, 42) };
    };
    let died = true;
    for (let store = 1; died; store++) {
      const { machine, one, dead } = stage();
      const mortal = makeMortal(machine);
      const reaper = attachThread(mortal.machine, 43);
      bury(one, dead);
      mortal.dieAt(store);
      died = false;
      try {
        reaper.finishReap(reaper.claimDead());
      } catch (error) {
        assert.ok(error instanceof Death, String(error));
        died = true;
        bury(one, reaper);
      }
      for (let slot = one.claimDead(); slot !== 0; slot = one.claimDead()) one.finishReap(slot);
      // Only the agent's word may be left: who declares the agent's threads dead once more has the slot back.
      for (const name of one.byAgent(42)) {
        bury(one, name);
        one.finishReap(one.claimDead());
      }
      const free = died ? 2 : 1;
      for (let count = 0; count < free; count++) attachThread(machine);
      assert.equal(one.attachedCount(), 3);
    }
  });
});

describe('a thread that is attached no more', () => {
  it('is refused with DETACHED after its own release, whoever has the slot now', () => {
    const party = makeParty();
    const other = joinParty(party.machine.handle);
    other.threads.release();
    const refused = { code: 'DETACHED', message: 'this thread has detached from the memory' };
    assert.throws(() => other.threads.assertHere(), refused);
    assert.throws(() => other.locks.acquire(other.at(Place.LOCK), LockRank.ZONE), refused);
    assert.equal(joinParty(party.machine.handle).threads.slot, other.threads.slot);
    assert.throws(() => other.threads.assertHere(), refused);
    assert.throws(() => other.threads.release(), refused);
    assert.equal(party.threads.attachedCount(), 2);
  });

  const fates: Record<string, (one: Threads) => void> = {
    dead: () => {},
    'being cleaned up': (one) => void one.claimDead(),
    'free again': (one) => one.finishReap(one.claimDead()),
  };
  for (const [what, fate] of Object.entries(fates)) {
    it(`is refused with GIVEN_UP when its slot is ${what}, at its next lock, and changes nothing`, () => {
      const party = makeParty();
      const back = joinParty(party.machine.handle);
      bury(party.threads, back.threads);
      fate(party.threads);
      const before = party.machine.words.slice();
      const refused = { code: 'GIVEN_UP', owner: back.threads.slot };
      assert.throws(() => back.threads.assertHere(), refused);
      assert.throws(() => back.locks.acquire(back.at(Place.LOCK), LockRank.ZONE), refused);
      assert.throws(() => back.threads.release(), refused);
      back.threads.finishReap(party.threads.slot);
      assert.deepEqual(party.machine.words, before);
      assert.equal(back.machine.witness.held(), 0);
    });
  }

  it('does not free the slot of the thread that has it now', () => {
    const party = makeParty();
    const back = joinParty(party.machine.handle);
    bury(party.threads, back.threads);
    party.threads.finishReap(party.threads.claimDead());
    const next = joinParty(party.machine.handle);
    assert.equal(next.threads.slot, back.threads.slot);
    assert.throws(() => back.threads.release(), { code: 'GIVEN_UP' });
    next.threads.assertHere();
  });

  it('a mortal party of the kit dies, and says so', () => {
    const party = makeParty();
    const victim = joinMortal(party.machine.handle);
    victim.mortal.dieAt(1);
    assert.throws(() => victim.locks.acquire(victim.at(Place.LOCK), LockRank.ZONE), Death);
  });
});

describe('a death', () => {
  it('is told to every live thread, when it next looks, and is no attention of its own', () => {
    const { threads } = crew(3);
    const [one, two, dead] = threads as [Threads, Threads, Threads];
    const told: string[] = [];
    one.onDeath(() => told.push('one'));
    two.onDeath(() => told.push('two'));
    dead.onDeath(() => told.push('dead'));
    bury(one, dead);
    assert.deepEqual(told, []);
    one.ask(two.slot, 1);
    assert.deepEqual([one.takeAttention(), two.takeAttention(), dead.takeAttention()], [0, 1, 0]);
    assert.deepEqual(told, ['one', 'two']);
    assert.deepEqual([one.takeAttention(), two.takeAttention()], [0, 0]);
    assert.deepEqual(told, ['one', 'two']);
  });
});
