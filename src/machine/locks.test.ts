import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CheckLevel, LockRank } from '../check/index.js';
import { createLocks, HELD_LOCKS_MAX, lockOwner, ThreadSlot, ThreadState } from './index.js';
import { bury, joinParty, makeParty, type Party, Place, until, withHands } from './machine.test-kit.js';

const { RING, ZONE, KEG, PAGES } = LockRank;
const CONTENDED = 1;

function pendingLock({ machine, threads }: Party): number {
  return machine.words[threads.self + ThreadSlot.pendingLock] as number;
}

function heldLocks({ machine, threads }: Party): number[] {
  const count = machine.words[threads.self + ThreadSlot.heldCount] as number;
  const first = threads.self + ThreadSlot.held;
  return [...machine.words.subarray(first, first + count)];
}

function openGate(party: Party): void {
  const { store, notify } = party.machine.atomics;
  store(party.at(Place.GATE), 1);
  notify(party.at(Place.GATE), 100);
}

describe('a lock, one thread', () => {
  it('holds slot and generation of its owner, and is written down', () => {
    const party = makeParty();
    const { machine, threads, locks } = party;
    const lock = party.at(Place.LOCK);
    assert.equal(locks.holdsAny(), false);
    locks.acquire(lock, ZONE);
    const word = machine.atomics.load(lock);
    assert.equal(lockOwner(word), threads.slot);
    assert.equal(word >>> 9, threads.generation);
    assert.equal(word & CONTENDED, 0);
    assert.deepEqual(heldLocks(party), [lock]);
    assert.equal(pendingLock(party), 0);
    assert.equal(locks.holdsAny(), true);
    locks.release(lock);
    assert.equal(machine.atomics.load(lock), 0);
    assert.deepEqual(heldLocks(party), []);
    assert.equal(locks.holdsAny(), false);
  });

  it('works for the highest slot and the highest generation', () => {
    const party = makeParty({ maxThreads: 254, pageCount: 256 });
    const { machine } = party;
    for (let slot = 2; slot <= 254; slot++)
      machine.words[party.threads.slotRef(slot) + ThreadSlot.state] = ThreadState.LIVE;
    const generation = 2 ** 20 - 1;
    const threads = { ...party.threads, slot: 254, self: party.threads.slotRef(254), generation };
    machine.words[threads.self + ThreadSlot.state] = (generation << 11) | ThreadState.LIVE;
    const locks = createLocks(machine, threads);
    const lock = party.at(Place.LOCK);
    locks.acquire(lock, ZONE);
    const word = machine.atomics.load(lock);
    assert.ok(word > 0);
    assert.deepEqual([lockOwner(word), word >>> 9], [254, generation]);
    locks.release(lock);
  });

  it('several, released in every order', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const party = makeParty();
      const held = [party.at(Place.LOCK), party.at(Place.SECOND_LOCK), party.at(Place.COUNTER)];
      const ranks = [ZONE, KEG, PAGES] as const;
      for (const [index, lock] of held.entries()) party.locks.acquire(lock, ranks[index] as LockRank);
      const left = new Set(held);
      for (const index of order) {
        party.locks.release(held[index] as number);
        left.delete(held[index] as number);
        assert.deepEqual(new Set(heldLocks(party)), left);
      }
      assert.equal(party.machine.witness.held(), 0);
    }
  });

  it('refuses one lock more than there is room for, and does not take it', () => {
    const party = makeParty({ checkLevel: 0 });
    const area = party.at(0);
    for (let index = 0; index < HELD_LOCKS_MAX; index++) party.locks.acquire(area + index * 16, ZONE);
    const lock = area + HELD_LOCKS_MAX * 16;
    assert.throws(() => party.locks.acquire(lock, ZONE), { code: 'LOCK_ORDER' });
    assert.equal(party.machine.atomics.load(lock), 0);
    assert.equal(pendingLock(party), 0);
    for (let index = 0; index < HELD_LOCKS_MAX; index++) party.locks.release(area + index * 16);
    assert.deepEqual(heldLocks(party), []);
  });

  for (const checkLevel of [0, 1] as const satisfies readonly CheckLevel[]) {
    it(`taken twice by the same thread is an error, not a deadlock (check level ${checkLevel})`, () => {
      const party = makeParty({ checkLevel });
      const lock = party.at(Place.LOCK);
      party.locks.acquire(lock, ZONE);
      assert.throws(() => party.locks.acquire(lock, ZONE), { code: 'LOCK_ORDER' });
      assert.equal(pendingLock(party), 0);
      assert.deepEqual(heldLocks(party), [lock]);
      party.locks.release(lock);
      assert.equal(party.machine.atomics.load(lock), 0);
      assert.equal(party.machine.witness.held(), 0);
      party.locks.acquire(lock, ZONE);
      party.locks.release(lock);
    });
  }

  it('against its rank is refused at level 1, before the word is touched', () => {
    const party = makeParty({ checkLevel: 1 });
    party.locks.acquire(party.at(Place.LOCK), KEG);
    assert.throws(() => party.locks.acquire(party.at(Place.SECOND_LOCK), RING), { code: 'LOCK_ORDER' });
    assert.equal(party.machine.atomics.load(party.at(Place.SECOND_LOCK)), 0);
    assert.equal(pendingLock(party), 0);
    party.locks.release(party.at(Place.LOCK));
  });

  it('is pending while it is tried, and not held: what a death in between leaves', () => {
    const party = makeParty();
    const lock = party.at(Place.LOCK);
    let seen: unknown;
    const { compareExchange } = party.machine.atomics;
    const atomics = {
      ...party.machine.atomics,
      compareExchange(index: number, expected: number, replacement: number) {
        seen = { pending: pendingLock(party), held: heldLocks(party) };
        return compareExchange(index, expected, replacement);
      },
    };
    createLocks({ ...party.machine, atomics }, party.threads).acquire(lock, ZONE);
    assert.deepEqual(seen, { pending: lock, held: [] });
  });

  it('is never run over: who looked and saw it free may still come second', () => {
    // Another thread takes the lock after each of the first looks, and gives it back some looks later.
    for (let intrusions = 1; intrusions <= 80; intrusions += 13) {
      const party = makeParty();
      const { machine, threads } = party;
      const lock = party.at(Place.LOCK);
      const other = threads.slotRef(threads.slot + 1);
      const theirs = (5 << 9) | ((threads.slot + 1) << 1);
      machine.words[other + ThreadSlot.state] = (5 << 11) | ThreadState.LIVE;
      machine.words[other + ThreadSlot.pendingLock] = lock;
      machine.words[lock] = theirs;
      let looks = 0;
      let intruded = 0;
      const load = (index: number): number => {
        if (index !== lock || looks++ % 3 !== 0) return machine.atomics.load(index);
        if (intruded >= intrusions) {
          machine.words[lock] = 0;
          return 0;
        }
        intruded++;
        machine.words[lock] = theirs;
        return 0;
      };
      const locks = createLocks(
        { ...machine, mayBlock: false, atomics: { ...machine.atomics, load } },
        threads,
      );
      locks.acquire(lock, ZONE);
      assert.equal(intruded, intrusions, 'only taken once the other had given it back');
      assert.equal(lockOwner(machine.words[lock] as number), threads.slot);
      locks.release(lock);
    }
  });

  it('is still in the held list when its word is given up: it may name too much, never too little', () => {
    const party = makeParty();
    const lock = party.at(Place.LOCK);
    let seen: unknown;
    const { compareExchange } = party.machine.atomics;
    const atomics = {
      ...party.machine.atomics,
      compareExchange(index: number, expected: number, replacement: number) {
        const word = compareExchange(index, expected, replacement);
        seen = heldLocks(party);
        return word;
      },
    };
    const locks = createLocks({ ...party.machine, atomics }, party.threads);
    locks.acquire(lock, ZONE);
    locks.release(lock);
    assert.deepEqual(seen, [lock]);
  });
});

describe('a lock whose owner is gone', () => {
  /** A lock that another attachment of this memory took, and what then became of its slot. */
  function orphan(fate: (owner: Party, party: Party) => void): { party: Party; lock: number; slot: number } {
    const party = makeParty();
    const owner = joinParty(party.machine.handle);
    const lock = party.at(Place.LOCK);
    owner.locks.acquire(lock, ZONE);
    fate(owner, party);
    return { party, lock, slot: owner.threads.slot };
  }

  const fates: Record<string, (owner: Party, party: Party) => void> = {
    'is DEAD': (owner, { threads }) => bury(threads, owner.threads),
    'is being cleaned up': (owner, { threads }) => {
      bury(threads, owner.threads);
      assert.equal(threads.claimDead(), owner.threads.slot);
    },
    'is FREE again': ({ threads }) => threads.release(),
    'has another thread now': ({ machine, threads }) => {
      threads.release();
      assert.equal(joinParty(machine.handle).threads.slot, threads.slot);
    },
  };

  for (const [what, fate] of Object.entries(fates)) {
    it(`that nobody can repair gives OWNER_DIED when the slot ${what}, and leaves nothing behind`, () => {
      const { party, lock, slot } = orphan(fate);
      for (let attempt = 0; attempt < 3; attempt++) {
        assert.throws(() => party.locks.acquire(lock, ZONE), {
          code: 'OWNER_DIED',
          owner: slot,
          message: `thread ${slot} ended while it held lock ${lock}`,
        });
        assert.equal(pendingLock(party), 0);
        assert.deepEqual(heldLocks(party), []);
        assert.equal(party.machine.witness.held(), 0);
        assert.equal(lockOwner(party.machine.atomics.load(lock)), slot);
      }
      // Locks of every rank can be taken still.
      party.locks.acquire(party.at(Place.SECOND_LOCK), RING);
      party.locks.release(party.at(Place.SECOND_LOCK));
    });
  }

  it('with another lock held, leaves that one held', () => {
    const { party, lock } = orphan(fates['is DEAD'] as (owner: Party, party: Party) => void);
    party.locks.acquire(party.at(Place.SECOND_LOCK), RING);
    assert.throws(() => party.locks.acquire(lock, ZONE), { code: 'OWNER_DIED' });
    assert.deepEqual(heldLocks(party), [party.at(Place.SECOND_LOCK)]);
    assert.equal(party.machine.witness.held(), 1);
    party.locks.release(party.at(Place.SECOND_LOCK));
  });
});

describe('a lock, real workers', () => {
  for (const [workers, wasm] of [
    [2, true],
    [3, false],
    [4, true],
  ] as const) {
    it(`lets one of ${workers} in at a time ${wasm ? 'with' : 'without'} WebAssembly`, async () => {
      const party = makeParty({ wasm });
      const rounds = 4000;
      const orders = Array.from({ length: workers }, () => ({
        task: 'count',
        handle: party.machine.handle,
        rounds,
      }));
      await withHands(orders, async (hands) => {
        await until(() => party.threads.attachedCount() === workers + 1, 'all have attached');
        openGate(party);
        for (const hand of hands) await hand.says('done');
        assert.equal(party.machine.words[party.at(Place.COUNTER)], workers * rounds);
        assert.equal(party.machine.atomics.load(party.at(Place.LOCK)), 0);
        for (let slot = 1; slot <= workers + 1; slot++) {
          const at = party.threads.slotRef(slot);
          assert.equal(party.machine.words[at + ThreadSlot.heldCount], 0);
          assert.equal(party.machine.words[at + ThreadSlot.pendingLock], 0);
        }
      });
    });
  }

  it('a taker sleeps, is woken by the release, and takes the lock marked for the next one', async () => {
    const party = makeParty();
    const { handle, atomics, words } = party.machine;
    const lock = party.at(Place.LOCK);
    await withHands([{ task: 'hold', handle }], async ([holder]) => {
      assert.ok(holder);
      const { slot: holderSlot } = await holder.says('held');
      const takers = [1, 2].map(() => ({ task: 'take', handle }));
      await withHands(takers, async (hands) => {
        const slots: number[] = [];
        for (const hand of hands) slots.push((await hand.says('taking')).slot as number);
        await until(() => (atomics.load(lock) & CONTENDED) !== 0, 'a taker is about to sleep');
        await until(
          () => slots.every((slot) => words[party.threads.slotRef(slot) + ThreadSlot.pendingLock] === lock),
          'both have it pending',
        );
        assert.equal(lockOwner(atomics.load(lock)), holderSlot);
        openGate(party);
        await holder.says('released');
        const takenWords: number[] = [];
        for (const [index, hand] of hands.entries()) {
          const { word } = await hand.says('taken');
          takenWords.push(word as number);
          assert.equal(lockOwner(word as number), slots[index]);
        }
        assert.ok(takenWords.some((word) => (word & CONTENDED) !== 0));
        await until(() => atomics.load(lock) === 0, 'the last has released it');
      });
    });
  });

  it('a sleeping taker is told when the owner is declared dead', async () => {
    const party = makeParty();
    const { handle, atomics } = party.machine;
    const lock = party.at(Place.LOCK);
    let holderSlot = 0;
    await withHands([{ task: 'hold', handle }], async ([holder]) => {
      const held = await holder?.says('held');
      holderSlot = held?.slot as number;
      const generation = held?.generation as number;
      await withHands([{ task: 'take', handle }], async ([taker]) => {
        assert.ok(taker);
        await taker.says('taking');
        await until(() => (atomics.load(lock) & CONTENDED) !== 0, 'the taker is about to sleep');
        await holder?.end();
        bury(party.threads, { slot: holderSlot, generation });
        const { code, owner } = await taker.says('refused');
        assert.deepEqual([code, owner], ['OWNER_DIED', holderSlot]);
      });
      assert.throws(() => party.locks.acquire(lock, ZONE), { code: 'OWNER_DIED', owner: holderSlot });
    });
  });

  it('a sleeping taker that is killed costs the others at most a slice', async () => {
    const party = makeParty();
    const { handle, atomics } = party.machine;
    const lock = party.at(Place.LOCK);
    await withHands([{ task: 'hold', handle }], async ([holder]) => {
      await holder?.says('held');
      await withHands(
        [1, 2].map(() => ({ task: 'take', handle })),
        async ([victim, heir]) => {
          await victim?.says('taking');
          await heir?.says('taking');
          await until(() => (atomics.load(lock) & CONTENDED) !== 0, 'a taker is about to sleep');
          await victim?.end();
          openGate(party);
          await holder?.says('released');
          await heir?.says('taken');
          await until(() => atomics.load(lock) === 0, 'the heir has released it');
        },
      );
    });
  });
});
