import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWitness, LockRank } from './index.js';

const { REGISTRY, RING, ZONE, KEG, KEG_INTERNAL, BACKEND, PAGES } = LockRank;

describe('lock ranks', () => {
  it('stand in the order of taking, each once', () => {
    const ranks = Object.values(LockRank);
    assert.deepEqual(
      ranks,
      [...new Set(ranks)].sort((a, b) => a - b),
    );
    assert.deepEqual([REGISTRY, RING, ZONE, KEG, KEG_INTERNAL, BACKEND, PAGES], ranks);
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
    for (const [lock, rank] of [
      [200, ZONE],
      [200, KEG],
      [100, KEG],
    ] as const) {
      assert.throws(() => witness.acquire(lock, rank), {
        code: 'LOCK_ORDER',
        message: `lock ${lock} of rank ${rank} taken while lock 100 of rank ${KEG} is held`,
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
      message: 'alloc may sleep, and lock 100 is held',
    });
    witness.release(100);
    witness.assertMaySleep('alloc');
  });

  it('knows one thread only', () => {
    const [one, two] = [createWitness(), createWitness()];
    one.acquire(100, PAGES);
    two.acquire(100, ZONE);
    assert.deepEqual([one.held(), two.held()], [1, 1]);
  });
});
