import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWitness, LockRank } from './index.js';

const { REGISTRY, MUTEX, RING, TYPE, ZONE, KEG, KEG_INTERNAL, BACKEND, GUARD, PAGES, SITES } = LockRank;

describe('lock ranks', () => {
  it('stand in the order of taking, each once', () => {
    const ranks = Object.values(LockRank);
    assert.deepEqual(
      ranks,
      [...new Set(ranks)].sort((a, b) => a - b),
    );
    assert.deepEqual(
      [REGISTRY, MUTEX, RING, TYPE, ZONE, KEG, KEG_INTERNAL, BACKEND, GUARD, PAGES, SITES],
      ranks,
    );
  });
});

describe('the witness', () => {
  it('lets locks be taken outside in, and released in any order', () => {
    const witness = createWitness();
    witness.acquire(100, ZONE);
    witness.acquire(200, KEG);
    witness.acquire(300, PAGES);
    assert.equal(witness.held(), 3);
    witness.release(200);
    witness.release(300);
    witness.release(100);
    assert.equal(witness.held(), 0);
    witness.acquire(100, REGISTRY);
    witness.release(100);
  });

  it('refuses a lock of a lower rank, of the same rank, and the same lock; and forgets the attempt', () => {
    const witness = createWitness();
    witness.acquire(100, KEG);
    for (const [lock, rank, name] of [
      [200, ZONE, 'zone'],
      [200, KEG, 'keg'],
      [100, KEG, 'keg'],
    ] as const) {
      assert.throws(() => witness.acquire(lock, rank), {
        code: 'LOCK_ORDER',
        message: `${name} lock (word ${lock}, rank ${rank}) taken while keg lock (word 100, rank 30) is held`,
      });
    }
    assert.equal(witness.held(), 1);
    witness.release(100);
    witness.acquire(200, ZONE);
    assert.equal(witness.held(), 1);
  });

  it('compares with the innermost lock that is left', () => {
    const witness = createWitness();
    witness.acquire(100, ZONE);
    witness.acquire(200, KEG);
    witness.release(100);
    assert.throws(() => witness.acquire(300, ZONE), { code: 'LOCK_ORDER' });
    witness.release(200);
    witness.acquire(300, ZONE);
  });

  it('refuses to release what is not held', () => {
    const witness = createWitness();
    assert.throws(() => witness.release(100), { code: 'LOCK_ORDER' });
    witness.acquire(100, ZONE);
    assert.throws(() => witness.release(101), { code: 'LOCK_ORDER' });
    witness.release(100);
    assert.throws(() => witness.release(100), { code: 'LOCK_ORDER' });
  });

  it('refuses to sleep with a lock, and names the call and the lock', () => {
    const witness = createWitness();
    witness.assertMaySleep('alloc');
    witness.acquire(100, ZONE);
    assert.throws(() => witness.assertMaySleep('alloc'), {
      code: 'SLEEP_WITH_LOCK',
      message: 'alloc may sleep, and zone lock (word 100, rank 20) is held',
    });
    witness.release(100);
    witness.assertMaySleep('alloc');
  });

  it('names a lock as it is told to', () => {
    const witness = createWitness();
    witness.describe(ZONE, (lock) => `zone number ${lock}`);
    witness.acquire(7, ZONE);
    assert.equal(witness.describeHeld(false), 'zone number 7 (word 7, rank 20)');
    witness.acquire(9, KEG_INTERNAL);
    assert.match(witness.describeHeld(false), /^zone number 7 .* and keg internal lock \(word 9, rank 35\)$/);
  });

  it('counts all locks for a call that blocks, and for one that awaits only those of blocking calls', () => {
    const witness = createWitness();
    const byTask = { name: 'a', site: 'a.js:1:1', isAsync: true };
    const byThread = { name: 'b', site: '', isAsync: false };
    witness.hold(byTask);
    assert.deepEqual([witness.isHeld(false), witness.isHeld(true)], [true, false]);
    witness.assertMaySleep('alloc', true);
    assert.throws(() => witness.assertMaySleep('alloc'), {
      code: 'SLEEP_WITH_LOCK',
      message: 'alloc may sleep, and mutex a, taken at a.js:1:1, is held',
    });
    witness.hold(byThread);
    assert.throws(() => witness.assertMaySleep('alloc', true), {
      message: 'alloc may sleep, and mutex b is held',
    });
    witness.drop(byTask);
    witness.drop(byThread);
    witness.drop(byThread);
    assert.deepEqual([witness.isHeld(false), witness.isHeld(true)], [false, false]);
    witness.hold(byThread);
    witness.reset();
    assert.equal(witness.isHeld(false), false);
  });

  it('knows one thread only', () => {
    const [one, two] = [createWitness(), createWitness()];
    one.acquire(100, PAGES);
    two.acquire(100, ZONE);
    assert.deepEqual([one.held(), two.held()], [1, 1]);
  });
});
