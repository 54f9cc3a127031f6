import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LockRank } from '../check/index.js';
import { createLocks, HELD_LOCKS_MAX, lockOwner, ThreadSlot } from './index.js';
import {
  bury,
  joinMortal,
  joinParty,
  type MortalParty,
  makeParty,
  type Party,
  Place,
  until,
  withHands,
} from './machine.test-kit.js';
import { Death } from './mortal.test-kit.js';

const { RING, ZONE, KEG } = LockRank;

function pendingLock({ machine, threads }: Party, slot = threads.slot): number {
  return machine.words[threads.slotRef(slot) + ThreadSlot.pendingLock] as number;
}

/** All entries of a slot's held list that name a lock, beyond its count, too. */
function named({ machine, threads }: Party, slot = threads.slot): number[] {
  const first = threads.slotRef(slot) + ThreadSlot.held;
  return [...machine.words.subarray(first, first + HELD_LOCKS_MAX)].filter((lock) => lock !== 0);
}

const wordOf = ({ machine }: Party, lock: number): number => machine.atomics.load(lock);

/** What the lock guards: two words that are equal. */
function writeBoth({ machine, at }: Party, value: number): void {
  machine.words[at(Place.COUNTER)] = value;
  machine.words[at(Place.COUNTER) + 1] = value;
}

function both({ machine, at }: Party): number[] {
  return [...machine.words.subarray(at(Place.COUNTER), at(Place.COUNTER) + 2)];
}

function knowRepair(party: Party): { repairs: number } {
  const told = { repairs: 0 };
  const { words } = party.machine;
  const lock = party.at(Place.LOCK);
  party.locks.onTakeOver(lock, lock + 1, ZONE, (found) => {
    assert.equal(found, lock);
    told.repairs++;
    words[party.at(Place.COUNTER) + 1] = words[party.at(Place.COUNTER)] as number;
  });
  return told;
}

/** A party that knows how to repair, and another that dies in the middle of a change. */
function stage(): { party: Party; victim: Party; lock: number; told: { repairs: number } } {
  const party = makeParty();
  const told = knowRepair(party);
  const victim = joinParty(party.machine.handle);
  const lock = party.at(Place.LOCK);
  victim.locks.acquire(lock, ZONE);
  victim.machine.words[victim.at(Place.COUNTER)] = 7;
  return { party, victim, lock, told };
}

describe('taking over the lock of a dead thread', () => {
  it('repairs what it guards, once, and goes on as the owner', () => {
    const { party, victim, lock, told } = stage();
    bury(party.threads, victim.threads);
    party.locks.acquire(lock, ZONE);
    assert.equal(told.repairs, 1);
    assert.deepEqual(both(party), [7, 7]);
    assert.equal(lockOwner(wordOf(party, lock)), party.threads.slot);
    assert.deepEqual([named(party), pendingLock(party)], [[lock], 0]);
    assert.deepEqual(named(party, victim.threads.slot), [lock], 'that is for who cleans the slot up');
    assert.equal(party.machine.witness.held(), 1);
    party.locks.release(lock);
    assert.equal(wordOf(party, lock), 0);
    assert.deepEqual([party.locks.holdsAny(), party.machine.witness.held()], [false, 0]);
    party.locks.acquire(lock, ZONE);
    party.locks.release(lock);
    assert.equal(told.repairs, 1);
  });

  it('finds a former thread of the same slot, even of the own', () => {
    for (const own of [true, false]) {
      const { party, victim, lock } = stage();
      bury(party.threads, victim.threads);
      party.threads.finishReap(party.threads.claimDead());
      const next = joinParty(party.machine.handle);
      assert.equal(next.threads.slot, victim.threads.slot);
      const taker = own ? next : party;
      if (own) knowRepair(next);
      taker.locks.acquire(lock, ZONE);
      assert.deepEqual(both(party), [7, 7]);
      taker.locks.release(lock);
      assert.equal(wordOf(party, lock), 0);
    }
  });

  it('is no matter of the living: the lock of one that is slow is waited for', () => {
    const { party, victim, lock, told } = stage();
    let waits = 0;
    const wait = (): void => {
      if (++waits < 5) return;
      writeBoth(victim, 8);
      victim.locks.release(lock);
    };
    const locks = createLocks({ ...party.machine, mayBlock: true, wait }, party.threads);
    locks.onTakeOver(lock, lock + 1, ZONE, () => told.repairs++);
    locks.acquire(lock, ZONE);
    assert.deepEqual([waits, told.repairs], [5, 0]);
    assert.deepEqual(both(party), [8, 8]);
  });

  it('is done by one of two', () => {
    const { party, victim, lock, told } = stage();
    const rival = joinParty(party.machine.handle);
    const rivalTold = knowRepair(rival);
    bury(party.threads, victim.threads);
    const dead = wordOf(party, lock) | 1;
    let intruded = false;
    const { compareExchange } = party.machine.atomics;
    const atomics = {
      ...party.machine.atomics,
      compareExchange(index: number, expected: number, replacement: number) {
        if (index === lock && expected === dead && !intruded) {
          intruded = true;
          rival.locks.acquire(lock, ZONE);
          rival.locks.release(lock);
        }
        return compareExchange(index, expected, replacement);
      },
    };
    const locks = createLocks({ ...party.machine, atomics }, party.threads);
    locks.onTakeOver(lock, lock + 1, ZONE, () => told.repairs++);
    locks.acquire(lock, ZONE);
    assert.deepEqual([intruded, rivalTold.repairs, told.repairs], [true, 1, 0]);
    locks.release(lock);
    assert.deepEqual(named(party).length <= 1 && both(party), [7, 7]);
  });

  it('is named by the held list all the time, while the repair takes other locks', () => {
    const { party, victim, lock } = stage();
    const second = party.at(Place.SECOND_LOCK);
    victim.locks.acquire(second, KEG);
    bury(party.threads, victim.threads);
    const seen: unknown[] = [];
    const locks = createLocks(party.machine, party.threads);
    const look = (what: string): void => {
      seen.push([
        what,
        pendingLock(party) === lock || named(party).includes(lock),
        named(party).includes(second),
      ]);
    };
    locks.onTakeOver(second, second + 1, KEG, () => look('inner'));
    locks.onTakeOver(lock, lock + 1, ZONE, () => {
      look('before');
      locks.acquire(second, KEG);
      look('both');
      locks.release(second);
      look('after');
    });
    locks.acquire(lock, ZONE);
    assert.deepEqual(
      seen.map((each) => (each as [string, boolean])[1]),
      [true, true, true, true],
    );
    locks.release(lock);
    assert.deepEqual([wordOf(party, lock), wordOf(party, second)], [0, 0]);
    assert.equal(locks.holdsAny(), false);
  });

  it('when the repair fails, leaves the lock to the next one, who tries again', () => {
    const { party, victim, lock } = stage();
    bury(party.threads, victim.threads);
    const clumsy = joinParty(party.machine.handle);
    clumsy.locks.onTakeOver(lock, lock + 1, ZONE, () => {
      throw new RangeError('a bug');
    });
    for (let time = 0; time < 2; time++) {
      assert.throws(() => clumsy.locks.acquire(lock, ZONE), RangeError);
      assert.equal(lockOwner(wordOf(party, lock)), victim.threads.slot);
      assert.deepEqual([clumsy.locks.holdsAny(), pendingLock(clumsy)], [false, 0]);
      assert.equal(clumsy.machine.witness.held(), 0);
    }
    party.locks.acquire(lock, ZONE);
    assert.deepEqual(both(party), [7, 7]);
    party.locks.release(lock);
  });

  it('may be cut short at every store: the next one repeats it', () => {
    let deaths = 0;
    for (let died = true; died; ) {
      const { party, victim, lock, told } = stage();
      const heir = joinMortal(party.machine.handle);
      knowRepair(heir);
      bury(party.threads, victim.threads);
      heir.mortal.dieAt(deaths + 1);
      died = false;
      try {
        heir.locks.acquire(lock, ZONE);
        heir.locks.release(lock);
      } catch (error) {
        assert.ok(error instanceof Death, String(error));
        died = true;
        deaths++;
        bury(party.threads, heir.threads);
        if (lockOwner(wordOf(party, lock)) === heir.threads.slot) {
          const names = [pendingLock(party, heir.threads.slot), ...named(party, heir.threads.slot)];
          assert.ok(names.includes(lock), `store ${deaths}: nobody knows of the lock`);
        }
      }
      party.locks.acquire(lock, ZONE);
      assert.deepEqual(both(party), [7, 7]);
      assert.ok(told.repairs <= 1);
      party.locks.release(lock);
      assert.equal(wordOf(party, lock), 0);
    }
    assert.ok(deaths > 10);
  });

  it('wakes a worker that sleeps on it after a slice at most, and it goes on', async () => {
    const party = makeParty();
    const { handle, atomics, words } = party.machine;
    const lock = party.at(Place.LOCK);
    await withHands([{ task: 'hold', handle }], async ([holder]) => {
      const held = await holder?.says('held');
      await withHands([{ task: 'takeOver', handle }], async ([taker]) => {
        const taking = await taker?.says('taking');
        await until(() => (atomics.load(lock) & 1) !== 0, 'the taker is about to sleep');
        await holder?.end();
        assert.equal(lockOwner(atomics.load(lock)), held?.slot, 'a thread that only ended is not dead yet');
        const start = performance.now();
        bury(party.threads, { slot: held?.slot as number, generation: held?.generation as number });
        const taken = await taker?.says('taken');
        assert.equal(lockOwner(taken?.word as number), taking?.slot);
        assert.ok(performance.now() - start < 5000);
        assert.equal(words[party.at(Place.COUNTER)], 1);
        await until(() => atomics.load(lock) === 0, 'the taker has released it');
      });
    });
  });
});

describe('real workers that are killed while they take and release a lock', () => {
  it('hold nobody up', async () => {
    let takenOver = 0;
    for (let round = 0; round < 6; round++) {
      const party = makeParty();
      const { handle, atomics } = party.machine;
      const [lock, gate] = [party.at(Place.LOCK), party.at(Place.GATE)];
      party.locks.onTakeOver(lock, lock + 1, ZONE, () => takenOver++);
      const orders = [1, 2, 3, 4].map(() => ({ task: 'countOn', handle, rounds: 20_000 }));
      await withHands(orders, async (hands) => {
        const names = [];
        for (const hand of hands) names.push(await hand.says('counting'));
        atomics.store(gate, 1);
        atomics.notify(gate, 100);
        for (const index of [0, 1]) {
          await new Promise((resolve) => setTimeout(resolve, 1 + round));
          await hands[index]?.end();
          const { slot, generation } = names[index] as { slot?: number; generation?: number };
          bury(party.threads, { slot: slot as number, generation: generation as number });
        }
        for (const hand of hands.slice(2)) await hand.says('done');
        for (let slot = party.threads.claimDead(); slot !== 0; slot = party.threads.claimDead()) {
          party.locks.takeOverAll(slot);
          party.threads.finishReap(slot);
        }
        assert.equal(wordOf(party, lock), 0);
        assert.equal(party.threads.attachedCount(), 3);
        assert.ok((party.machine.words[party.at(Place.COUNTER)] as number) >= 40_000);
        takenOver += party.machine.words[party.at(Place.TURNS)] as number;
      });
    }
    assert.ok(takenOver <= 12, 'a lock is taken over once for each death');
  });
});

describe('a thread that was given up', () => {
  for (const contended of [false, true]) {
    it(`does not release a lock that is another's by now, ${contended ? '' : 'not '}marked`, () => {
      const { party, victim, lock } = stage();
      bury(party.threads, victim.threads);
      party.locks.acquire(lock, ZONE);
      const { words } = party.machine;
      if (!contended) words[lock] = (words[lock] as number) & ~1;
      const before = words.slice();
      assert.throws(() => victim.locks.release(lock), { code: 'GIVEN_UP', owner: victim.threads.slot });
      assert.deepEqual(words, before);
      party.locks.release(lock);
      assert.equal(wordOf(party, lock), 0);
    });
  }

  it('hears of it while it waits for a lock, and leaves nothing of the attempt', () => {
    const { party, victim, lock } = stage();
    const slow = joinParty(party.machine.handle);
    const wait = (): void => bury(party.threads, slow.threads);
    const locks = createLocks({ ...slow.machine, mayBlock: true, wait }, slow.threads);
    assert.throws(() => locks.acquire(lock, ZONE), { code: 'GIVEN_UP', owner: slow.threads.slot });
    assert.equal(pendingLock(party, slow.threads.slot), 0);
    assert.equal(slow.machine.witness.held(), 0);
    assert.equal(lockOwner(wordOf(party, lock)), victim.threads.slot);
  });
});

describe('taking over all locks of a dead thread', () => {
  /** Three locks, all with the same repair, which counts; and one that nobody can repair. */
  function know(party: Party): { locks: [number, number, number]; orphan: number; repaired: number[] } {
    const locks: [number, number, number] = [party.at(0), party.at(16), party.at(48)];
    const repaired: number[] = [];
    const repair = (lock: number): void => void repaired.push(lock);
    party.locks.onTakeOver(locks[0], locks[0] + 1, RING, repair);
    party.locks.onTakeOver(locks[1], locks[1] + 16, ZONE, repair);
    party.locks.onTakeOver(locks[2], locks[2] + 1, KEG, repair);
    return { locks, orphan: party.at(64), repaired };
  }

  it('repairs and releases each, whatever their ranks; twice is as good as once', () => {
    const party = makeParty();
    const { locks, orphan, repaired } = know(party);
    const victim = joinParty(party.machine.handle);
    const ranks = [RING, ZONE, KEG] as const;
    for (const [index, lock] of locks.entries()) victim.locks.acquire(lock, ranks[index] as LockRank);
    victim.locks.acquire(orphan, LockRank.PAGES);
    bury(party.threads, victim.threads);
    for (let time = 0; time < 2; time++) {
      party.locks.takeOverAll(victim.threads.slot);
      assert.deepEqual([...repaired].sort(), [...locks].sort());
      assert.deepEqual(
        locks.map((lock) => wordOf(party, lock)),
        [0, 0, 0],
      );
      assert.equal(party.locks.holdsAny(), false);
      assert.equal(party.machine.witness.held(), 0);
    }
    assert.throws(() => party.locks.acquire(orphan, LockRank.PAGES), { code: 'OWNER_DIED' });
    party.threads.finishReap(party.threads.claimDead());
    assert.deepEqual([named(party, victim.threads.slot), pendingLock(party, victim.threads.slot)], [[], 0]);
  });

  it('leaves the names of a slot alone that is another thread’s by then', () => {
    const party = makeParty();
    const victim = joinParty(party.machine.handle);
    const [first, second] = [party.at(0), party.at(16)];
    let next: Party | null = null;
    // While the first lock is repaired, somebody else has cleaned the slot up, and it is taken again.
    party.locks.onTakeOver(first, first + 1, RING, () => {
      party.threads.finishReap(party.threads.claimDead());
      next = joinParty(party.machine.handle);
      next.locks.acquire(second, ZONE);
    });
    victim.locks.acquire(first, RING);
    victim.locks.acquire(second, ZONE);
    party.machine.atomics.store(second, 0);
    bury(party.threads, victim.threads);
    party.locks.takeOverAll(victim.threads.slot);
    const newcomer = next as Party | null;
    assert.ok(newcomer !== null && newcomer.threads.slot === victim.threads.slot);
    assert.deepEqual(named(party, newcomer.threads.slot), [second]);
    newcomer.locks.release(second);
  });

  it('is told where a range of locks ends', () => {
    const party = makeParty();
    const { locks, repaired } = know(party);
    const victim = joinParty(party.machine.handle);
    victim.locks.acquire(locks[1] + 15, ZONE);
    victim.locks.acquire(locks[1] + 16, KEG);
    bury(party.threads, victim.threads);
    party.locks.takeOverAll(victim.threads.slot);
    assert.deepEqual(repaired, [locks[1] + 15]);
    assert.throws(() => party.locks.acquire(locks[1] + 16, KEG), { code: 'OWNER_DIED' });
  });

  it('leaves a lock alone that the dead thread only wanted, once it is free', () => {
    const party = makeParty();
    const { locks, repaired } = know(party);
    const victim = joinParty(party.machine.handle);
    party.machine.words[victim.threads.self + ThreadSlot.pendingLock] = locks[0];
    bury(party.threads, victim.threads);
    party.locks.takeOverAll(victim.threads.slot);
    assert.deepEqual(repaired, []);
    assert.equal(wordOf(party, locks[0]), 0);
  });

  it('finds every lock, whichever store of taking and releasing is the last one', () => {
    const orders: ((victim: MortalParty, first: number, second: number) => void)[] = [
      ({ locks }, first, second) => {
        locks.acquire(first, RING);
        locks.acquire(second, ZONE);
        locks.release(first);
        locks.release(second);
      },
      ({ locks }, first, second) => {
        locks.acquire(first, RING);
        locks.acquire(second, ZONE);
        locks.release(second);
        locks.release(first);
      },
    ];
    for (const act of orders) {
      let repairs = 0;
      for (let store = 1, died = true; died; store++) {
        const party = makeParty();
        const { locks, repaired } = know(party);
        const victim = joinMortal(party.machine.handle);
        victim.mortal.dieAt(store);
        died = false;
        try {
          act(victim, locks[0], locks[1]);
        } catch (error) {
          assert.ok(error instanceof Death, String(error));
          died = true;
        }
        const owned = locks.filter((lock) => wordOf(party, lock) !== 0);
        bury(party.threads, victim.threads);
        party.locks.takeOverAll(victim.threads.slot);
        assert.deepEqual([...repaired].sort(), owned.sort(), `store ${store}`);
        assert.deepEqual(
          locks.map((lock) => wordOf(party, lock)),
          [0, 0, 0],
        );
        repairs += repaired.length;
      }
      assert.ok(repairs > 8);
    }
  });
});
