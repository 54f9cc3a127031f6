import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Death, type Mortal, makeMortal } from '../machine/mortal.test-kit.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import { assertClean } from './mutex.test-kit.js';

interface Scene {
  readonly one: Memory;
  readonly other: Memory;
  readonly victim: Memory;
  readonly mortal: Mortal;
}

function stage(): Scene {
  const { memory: one, machine } = createMemoryOver({ bytes: 1 << 20, maxThreads: 4, checkLevel: 1 });
  const mortal = makeMortal(machine);
  return {
    one,
    other: joinMemory(machine, machine),
    victim: joinMemory(machine, mortal.machine),
    mortal,
  };
}

/**
 * Lets the victim die before each store of `act` in turn, and looks what the others find. `prepare` answers
 * the act; `check` is told whether it came to its end.
 */
async function dieEverywhere(
  prepare: (scene: Scene) => () => unknown,
  check: (scene: Scene, ended: boolean) => void | Promise<void>,
): Promise<number> {
  for (let store = 1; ; store++) {
    for (const reaped of [true, false]) {
      const scene = stage();
      const act = prepare(scene);
      scene.mortal.dieAt(store);
      let ended = true;
      try {
        act();
      } catch (error) {
        assert.ok(error instanceof Death, String(error));
        ended = false;
      }
      scene.one.declareDead(scene.victim.name);
      if (reaped) scene.one.reap();
      await check(scene, ended);
      scene.one.reap();
      assertClean(scene.one);
      if (ended) return store;
    }
  }
}

/** The mutex can be had by both survivors; whether the first of them was told of a death. */
function haveBoth({ one, other }: Scene): boolean {
  const token = other.mutex('m').lock(1000);
  const told = token.ownerDied;
  assert.equal(token.unlock(), true);
  const next = one.mutex('m').lock(1000);
  assert.equal(next.ownerDied, false);
  next.unlock();
  return told;
}

describe('a death before any store', () => {
  it('of making a mutex leaves one or none', async () => {
    const stores = await dieEverywhere(
      ({ victim }) =>
        () =>
          victim.mutex('m', { class: 'c', rank: 5 }),
      ({ one, other }) => {
        one.mutex('n').lock().unlock();
        one.reap();
        assertClean(one);
        other.mutex('m', { class: 'c', rank: 5 }).lock().unlock();
      },
    );
    assert.ok(stores > 20);
  });

  it('of taking one leaves it free, or had by the dead: who comes next is told', async () => {
    let told = 0;
    const stores = await dieEverywhere(
      ({ victim }) => {
        const mutex = victim.mutex('m');
        return () => mutex.lock();
      },
      (scene, ended) => {
        const isTold = haveBoth(scene);
        told += Number(isTold);
        if (ended) assert.ok(isTold);
      },
    );
    assert.ok(stores > 5 && told > 2);
  });

  it('of learning an order leaves it known, or not', async () => {
    await dieEverywhere(
      ({ victim }) => {
        victim.mutex('a').lock();
        const inner = victim.mutex('b');
        return () => inner.lock();
      },
      ({ one }) => {
        const [a, b] = [one.mutex('a').lock(1000), one.mutex('b').lock(1000)];
        assert.ok(a.ownerDied);
        b.unlock();
        a.unlock();
      },
    );
  });

  it('of unlocking leaves it with the dead, or with nobody', async () => {
    const stores = await dieEverywhere(
      ({ victim }) => {
        const token = victim.mutex('m').lock();
        return () => token.unlock();
      },
      (scene, ended) => {
        const told = haveBoth(scene);
        if (ended) assert.equal(told, false);
      },
    );
    assert.ok(stores > 5);
  });

  it('of handing it over leaves it with the one who waits', async () => {
    const waits: Promise<unknown>[] = [];
    const stores = await dieEverywhere(
      ({ victim, other }) => {
        const token = victim.mutex('m').lock();
        waits[0] = other.mutex('m').lockAsync();
        assert.equal(victim.mutex('m').sleepers, 1);
        return () => token.unlock();
      },
      async ({ one, other }, ended) => {
        const token = (await waits[0]) as { ownerDied: boolean; unlock(): boolean };
        if (ended) assert.equal(token.ownerDied, false);
        assert.equal(other.mutex('m').owner, other.thread);
        assert.equal(one.mutex('m').tryLock(), null);
        assert.equal(token.unlock(), true);
        one.mutex('m').lock(1000).unlock();
      },
    );
    assert.ok(stores > 20);
  });

  it('of detaching with one releases it all the same', async () => {
    await dieEverywhere(
      ({ victim }) => {
        victim.mutex('m').lock();
        return () => victim.detach();
      },
      (scene) => {
        assert.ok(haveBoth(scene));
      },
    );
  });
});
