import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LockRank } from '../check/index.js';
import {
  createIntents,
  createWaiting,
  type Machine,
  ThreadSlot,
  Waiter,
  type WaiterRef,
  WaiterState,
  WaitQueue,
} from './index.js';
import {
  bury,
  joinMortal,
  joinParty,
  type MortalParty,
  makeParty,
  type Party,
  Place,
} from './machine.test-kit.js';
import { Death } from './mortal.test-kit.js';

const { ZONE } = LockRank;
const PAIRS_MAX = 13;
const OLD = [1, 2, 3];
const NEW = [-11, 0, 2 ** 31 - 1];

interface Scene {
  readonly party: Party;
  readonly victim: MortalParty;
  readonly lock: number;
  readonly queue: number;
  /** First of the words that are changed. */
  readonly target: number;
  /** Byte address of the owner of a gift. */
  readonly ownerByte: number;
  /** The party's waiters in the line, which the first has asked for a gift. */
  readonly line: readonly WaiterRef[];
}

/** Whoever takes the lock over finishes what the dead have begun. */
function knowRepair({ locks, intents, threads, waiting }: Party, lock: number, queue: number): void {
  locks.onTakeOver(lock, lock + 1, ZONE, () => {
    for (let slot = 1; slot <= threads.maxThreads; slot++) {
      if (threads.isDead(slot)) intents.finish(slot, lock);
    }
    waiting.rebuildLine(queue);
  });
}

function setScene(waiters = 3): Scene {
  const party = makeParty({ maxThreads: 32 });
  const { words } = party.machine;
  const [lock, queue, target] = [party.at(Place.LOCK), party.at(Place.QUEUE), party.at(Place.COUNTER)];
  knowRepair(party, lock, queue);
  const victim = joinMortal(party.machine.handle);
  words.set(OLD, target);
  const line = Array.from({ length: waiters }, () => party.waiting.takeWaiter() as WaiterRef);
  for (const [index, waiter] of line.entries()) party.waiting.enqueue(queue, waiter, index);
  return { party, victim, lock, queue, target, ownerByte: party.at(Place.TURNS) * 4 + 1, line };
}

const valuesOf = ({ party, target }: Scene): number[] => [
  ...party.machine.words.subarray(target, target + OLD.length),
];

function intentOf({ party, victim }: Scene): number {
  return party.machine.words[party.threads.slotRef(victim.threads.slot) + ThreadSlot.intent] as number;
}

/** The line walked both ways, with its count. */
function lineOf({ party: { machine }, queue }: Scene): number[] {
  const { words } = machine;
  const found: number[] = [];
  for (let at = words[queue + WaitQueue.head] as number; at !== 0; at = words[at + Waiter.next] as number) {
    assert.equal(words[at + Waiter.previous], found[found.length - 1] ?? 0);
    assert.equal(words[at + Waiter.state], WaiterState.WAITING);
    found.push(at);
  }
  assert.equal(words[queue + WaitQueue.tail], found[found.length - 1] ?? 0);
  assert.equal(words[queue + WaitQueue.count], found.length);
  return found;
}

function writeDown({ victim, lock, target }: Scene): void {
  victim.intents.begin(lock);
  for (const [index, value] of NEW.entries()) victim.intents.set(target + index, value);
}

/** A change under the lock; `commit` ends it. */
function change(scene: Scene, commit: (scene: Scene) => void): void {
  scene.victim.locks.acquire(scene.lock, ZONE);
  writeDown(scene);
  commit(scene);
  scene.victim.waiting.unlock(scene.victim.locks, scene.lock);
}

const write = ({ victim }: Scene): void => victim.intents.commit();

/** A grant to the waiter at this place of the line. */
function grantTo(place: number): (scene: Scene) => void {
  return ({ victim, queue, line, ownerByte }) =>
    victim.intents.commitGrant(queue, line[place] as WaiterRef, 77, ownerByte);
}

/** Lets the victim die before each store in turn; visits each scene after it. Says how many. */
function atEachStore(commit: (scene: Scene) => void, visit: (scene: Scene, store: number) => void): number {
  for (let store = 1; ; store++) {
    const scene = setScene();
    scene.victim.mortal.dieAt(store);
    try {
      change(scene, commit);
      return store - 1;
    } catch (error) {
      assert.ok(error instanceof Death, String(error));
    }
    bury(scene.party.threads, scene.victim.threads);
    visit(scene, store);
  }
}

function takeOver({ party, lock }: Scene): void {
  party.locks.acquire(lock, ZONE);
  party.waiting.unlock(party.locks, lock);
}

describe('a change of several words', () => {
  it('is made, and leaves no intent; other words are not touched', () => {
    const scene = setScene();
    const before = scene.party.machine.words[scene.target + OLD.length];
    change(scene, write);
    assert.deepEqual(valuesOf(scene), NEW);
    assert.equal(scene.party.machine.words[scene.target + OLD.length], before);
    assert.equal(intentOf(scene), 0);
    change(scene, write);
    assert.deepEqual(valuesOf(scene), NEW);
  });

  it('is made whole or not at all, whichever store was the last one', () => {
    let outcomes = '';
    const stores = atEachStore(write, (scene, store) => {
      takeOver(scene);
      const done = valuesOf(scene)[0] === NEW[0];
      assert.deepEqual(valuesOf(scene), done ? NEW : OLD, `before store ${store}`);
      assert.equal(intentOf(scene), 0);
      outcomes += done ? 'd' : 'n';
    });
    assert.match(outcomes, /^n+d+$/);
    assert.ok(stores > 15);
  });

  it('has room for 13 words', () => {
    const scene = setScene();
    const { victim, party, lock, target } = scene;
    const hand = victim.hands.open(1, 2, 3, 4, 5);
    victim.locks.acquire(lock, ZONE);
    victim.intents.begin(lock);
    for (let index = 0; index < PAIRS_MAX; index++) victim.intents.set(target + index, 100 + index);
    victim.mortal.dieAt(2);
    assert.throws(() => victim.intents.commit(), Death);
    bury(party.threads, victim.threads);
    takeOver(scene);
    assert.deepEqual(
      [...party.machine.words.subarray(target, target + PAIRS_MAX)],
      Array.from({ length: PAIRS_MAX }, (_, index) => 100 + index),
    );
    assert.equal(party.hands.kindOf(hand), 1);
  });

  it('that is written down and not committed is none', () => {
    const scene = setScene();
    const { victim, party, lock } = scene;
    victim.locks.acquire(lock, ZONE);
    writeDown(scene);
    bury(party.threads, victim.threads);
    takeOver(scene);
    assert.deepEqual(valuesOf(scene), OLD);
  });

  it('is finished by who has taken over its own lock, not by another', () => {
    const scene = setScene();
    const { victim, party, lock } = scene;
    victim.locks.acquire(lock, ZONE);
    writeDown(scene);
    victim.mortal.dieAt(2);
    assert.throws(() => victim.intents.commit(), Death);
    bury(party.threads, victim.threads);
    party.intents.finish(victim.threads.slot, lock + 1);
    assert.deepEqual(valuesOf(scene), OLD);
    for (let time = 0; time < 2; time++) party.intents.finish(victim.threads.slot, lock);
    assert.deepEqual(valuesOf(scene), NEW);
    assert.equal(intentOf(scene), 0);
    // What comes later is not written over.
    party.machine.words.set(OLD, scene.target);
    party.intents.finish(victim.threads.slot, lock);
    assert.deepEqual(valuesOf(scene), OLD);
  });
});

describe('a grant with a change', () => {
  it('wakes the waiter once the lock is released, not before', () => {
    const scene = setScene();
    const { party, lock, line, queue } = scene;
    const log: unknown[] = [];
    const machine: Machine = {
      ...party.machine,
      atomics: {
        ...party.machine.atomics,
        notify(index, count) {
          log.push([index, count, party.machine.atomics.load(lock)]);
          return 0;
        },
      },
    };
    const waiting = createWaiting(machine, party.threads);
    const intents = createIntents(machine, party.threads, waiting);
    party.locks.acquire(lock, ZONE);
    for (const waiter of line) {
      intents.begin(lock);
      intents.commitGrant(queue, waiter, 1, 0);
    }
    assert.deepEqual(log, []);
    waiting.unlock(party.locks, lock);
    assert.deepEqual(
      log,
      line.map((waiter) => [waiter + Waiter.state, 1, 0]),
    );
    party.locks.acquire(lock, ZONE);
    waiting.unlock(party.locks, lock);
    assert.equal(log.length, line.length, 'once');
  });

  it('is made: words, owner, gift, and the waiter is out of the line', () => {
    for (const place of [0, 1, 2]) {
      const scene = setScene();
      const { party, line, ownerByte } = scene;
      change(scene, grantTo(place));
      const waiter = line[place] as WaiterRef;
      assert.deepEqual(valuesOf(scene), NEW);
      assert.equal(party.machine.bytes[ownerByte], party.threads.slot);
      assert.deepEqual(
        lineOf(scene),
        line.filter((each) => each !== waiter),
      );
      assert.equal(party.waiting.takeGrant(waiter), 77);
      assert.equal(intentOf(scene), 0);
    }
  });

  it('writes no owner when the gift has none', () => {
    const scene = setScene();
    const before = scene.party.machine.bytes.slice(0, 64);
    change(scene, ({ victim, queue, line }) => victim.intents.commitGrant(queue, line[0] as WaiterRef, 0, 0));
    assert.deepEqual(scene.party.machine.bytes.slice(0, 64), before);
    assert.equal(scene.party.waiting.takeGrant(scene.line[0] as WaiterRef), 0);
  });

  for (const place of [0, 1, 2]) {
    it(`to waiter ${place} of 3 is made whole or not at all, whichever store was the last one`, () => {
      let outcomes = '';
      const stores = atEachStore(grantTo(place), (scene, store) => {
        const { party, line, ownerByte } = scene;
        const waiter = line[place] as WaiterRef;
        takeOver(scene);
        const done = party.waiting.isGranted(waiter);
        assert.deepEqual(valuesOf(scene), done ? NEW : OLD, `before store ${store}`);
        assert.equal(party.machine.bytes[ownerByte], done ? party.threads.slot : 0);
        assert.deepEqual(
          lineOf(scene),
          line.filter((each) => each !== waiter || !done),
        );
        if (done) assert.equal(party.waiting.takeGrant(waiter), 77);
        assert.equal(intentOf(scene), 0);
        outcomes += done ? 'd' : 'n';
      });
      assert.match(outcomes, /^n+d+$/);
      assert.ok(stores > 25);
    });
  }

  it('may be finished by one who dies of it: the next one finishes', () => {
    let deaths = 0;
    atEachStore(grantTo(0), (scene, store) => {
      if (store % 3 !== 0) return;
      const { party, victim, lock, queue, line } = scene;
      for (let next = 1; next < 40; next += 2) {
        if (intentOf(scene) === 0) break;
        const heir = joinMortal(party.machine.handle);
        knowRepair(heir, lock, queue);
        heir.mortal.dieAt(next);
        try {
          heir.locks.takeOverAll(victim.threads.slot);
        } catch (error) {
          assert.ok(error instanceof Death, String(error));
          deaths++;
        }
        bury(party.threads, heir.threads);
      }
      takeOver(scene);
      const done = party.waiting.isGranted(line[0] as WaiterRef);
      assert.deepEqual(valuesOf(scene), done ? NEW : OLD);
      assert.deepEqual(lineOf(scene), done ? line.slice(1) : line);
    });
    assert.ok(deaths > 20);
  });
});

describe('a waiter that was granted something, and has gone on', () => {
  /** Deaths after the waiter was granted, and before the intent was disarmed. */
  function afterGrant(visit: (scene: Scene, waiter: WaiterRef) => void): void {
    let visits = 0;
    atEachStore(grantTo(0), (scene) => {
      const waiter = scene.line[0] as WaiterRef;
      if (!scene.party.waiting.isGranted(waiter) || intentOf(scene) === 0) return;
      visits++;
      assert.equal(scene.party.waiting.takeGrant(waiter), 77);
      visit(scene, waiter);
      assert.deepEqual(lineOf(scene), scene.line.slice(1));
    });
    assert.ok(visits > 0);
  }

  it('is not granted it again while it is idle, nor is the change made again', () => {
    afterGrant((scene, waiter) => {
      scene.party.machine.words[scene.target] = 5;
      scene.party.machine.bytes[scene.ownerByte] = 0;
      takeOver(scene);
      assert.equal(scene.party.waiting.isGranted(waiter), false);
      assert.equal(scene.party.machine.words[scene.target], 5);
      assert.equal(scene.party.machine.bytes[scene.ownerByte], 0);
    });
  });

  it('is not granted it again when it waits for something else', () => {
    afterGrant((scene, waiter) => {
      const { party } = scene;
      const other = party.at(Place.GATE);
      party.waiting.enqueue(other, waiter, 9);
      takeOver(scene);
      assert.equal(party.waiting.isGranted(waiter), false);
      assert.equal(party.waiting.isInLine(waiter), true);
      assert.equal(party.waiting.first(other), waiter);
      party.waiting.remove(other, waiter);
    });
  });

  it('nor when the next thread in its slot waits with the same waiter', () => {
    let visits = 0;
    atEachStore(
      (scene) => {
        const guest = joinParty(scene.party.machine.handle);
        guest.waiting.enqueue(scene.queue, guest.waiting.blockingWaiter, 0);
        scene.victim.intents.commitGrant(scene.queue, guest.waiting.blockingWaiter, 5, 0);
      },
      (scene) => {
        const guestSlot = scene.victim.threads.slot + 1;
        const waiter = scene.party.threads.waiterRef(guestSlot, 0);
        if (!scene.party.waiting.isGranted(waiter) || intentOf(scene) === 0) return;
        visits++;
        const [name] = scene.party.threads.byAgent(1).filter(({ slot }) => slot === guestSlot);
        assert.ok(name !== undefined);
        bury(scene.party.threads, name);
        while (scene.party.threads.claimDead() !== guestSlot);
        scene.party.threads.finishReap(guestSlot);
        const next = joinParty(scene.party.machine.handle);
        assert.equal(next.threads.slot, guestSlot);
        next.waiting.enqueue(scene.party.at(Place.GATE), next.waiting.blockingWaiter, 0);
        takeOver(scene);
        assert.equal(next.waiting.isInLine(waiter), true);
      },
    );
    assert.ok(visits > 0);
  });
});
