/** What the levels of checking find: lock order, sleeping with locks, writes to free items. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LockRank, MbumaError, TRASH_WORD } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { ZERO, type Zone } from './index.js';
import { assertClean, assertEmpty, codeOf, codeOfPromise, makeParty, type Party } from './uma.test-kit.js';

/** A lock of ours that has nothing to do with zones, with the rank of one that has. */
function holding(party: Party, rank: LockRank, call: () => void): void {
  const lock = party.machine.area('uma') + 8;
  party.locks.acquire(lock, rank);
  try {
    call();
  } finally {
    party.locks.release(lock);
  }
}

describe('check level 1: the witness', () => {
  it('a call that may sleep is refused while a lock is held, and nothing has changed', async () => {
    const party = makeParty({ checkLevel: 1 });
    const zone = party.uma.zone({ name: 'zone', size: 64, max: 1 });
    zone.free(zone.alloc());
    const before = zone.stats();
    holding(party, LockRank.RING, () => {
      assert.equal(
        codeOf(() => zone.alloc()),
        'SLEEP_WITH_LOCK',
      );
      assert.deepEqual(zone.stats(), before);
      // What never sleeps may be called: rings do.
      zone.free(zone.tryAlloc());
    });
    assert.equal(await codeOfPromise(() => zone.allocAsync()), 'nothing thrown');
    assertClean(party);
  });

  it('locks taken against their rank are refused, and nothing has changed', () => {
    const party = makeParty({ checkLevel: 1 });
    const zone = party.uma.zone({ name: 'zone', size: 64, max: 40 });
    const items = Array.from({ length: 20 }, () => zone.tryAlloc() as Addr);
    for (const rank of [LockRank.ZONE, LockRank.KEG, LockRank.KEG_INTERNAL, LockRank.PAGES] as const) {
      holding(party, rank, () => {
        const before = JSON.stringify([zone.stats(), party.pages.stats()]);
        assert.equal(
          codeOf(() => zone.drain()),
          'LOCK_ORDER',
        );
        assert.equal(
          codeOf(() => {
            zone.max = 5;
          }),
          'LOCK_ORDER',
        );
        assert.equal(
          codeOf(() => party.uma.zone({ name: 'other', size: 64 })),
          'LOCK_ORDER',
        );
        assert.equal(JSON.stringify([zone.stats(), party.pages.stats()]), before);
      });
      assertClean(party, `rank ${rank}`);
    }
    for (const item of items) zone.free(item);
    assert.equal(zone.stats().used, 0);
  });

  it('nothing here breaks the order of locks, or sleeps with one, in hooks of every kind', () => {
    const party = makeParty({ checkLevel: 1 });
    const { witness } = party.machine;
    const hook = (): void => witness.assertMaySleep('a hook');
    const hooks = { ctor: hook, dtor: hook, init: hook, fini: hook, onExhausted: () => witness.held() > 0 };
    const primary = party.uma.zone({ name: 'primary', size: 64, max: 50, ...hooks });
    const zone = party.uma.zone({ name: 'secondary', primary, max: 20, ...hooks });
    const items: Addr[] = [];
    for (let item = zone.tryAlloc(); item !== 0; item = zone.tryAlloc()) items.push(item);
    assert.equal(
      codeOf(() => zone.alloc(0, 1)),
      'TIMED_OUT',
    );
    for (const item of items) zone.free(item);
    party.uma.reclaimer.reclaim('drain');
    assertClean(party);
  });
});

describe('check level 2: trash', () => {
  function makeTrashed(size = 64): { party: Party; zone: Zone } {
    const party = makeParty({ checkLevel: 2 });
    return { party, zone: party.uma.zone({ name: 'zone', size }) };
  }

  it('a free item is trash, when fresh and when used before', () => {
    const { party, zone } = makeTrashed(100);
    const item = zone.tryAlloc() as Addr;
    const own = party.words.subarray(item >>> 2, (item >>> 2) + 28);
    assert.ok(
      own.every((word) => word === TRASH_WORD),
      'fresh',
    );
    own.fill(7);
    zone.free(item);
    assert.ok(
      own.every((word) => word === TRASH_WORD),
      'freed',
    );
  });

  for (const wordIndex of [0, 7, 15]) {
    for (const bit of [0, 31]) {
      it(`a write to a free item, word ${wordIndex}, bit ${bit}, is found in FreeBSD's words`, () => {
        const { party, zone } = makeTrashed();
        const item = zone.tryAlloc() as Addr;
        zone.free(item);
        const word = (item >>> 2) + wordIndex;
        party.words[word] = (party.words[word] as number) ^ (1 << bit);
        const value = ((party.words[word] as number) >>> 0).toString(16);
        assert.throws(
          () => zone.tryAlloc(),
          (error) => {
            assert.ok(error instanceof MbumaError && error.code === 'MODIFIED_AFTER_FREE');
            const start = `0x${item.toString(16)}`;
            const place = `0x${(word << 2).toString(16)}`;
            assert.ok(
              error.message.startsWith(`Memory modified after free ${start}(64) val=0x${value} @ ${place}`),
              error.message,
            );
            assert.deepEqual([error.address, error.zone], [word << 2, 'zone']);
            return true;
          },
        );
        // Told once: the item is trash again, and free.
        assert.equal(zone.stats().used, 0);
        assert.equal(zone.tryAlloc(), item);
        assertClean(party);
      });
    }
  }

  it('is found by every way to allocate, and in items that have been in their slab', async () => {
    const ways: ((zone: Zone) => unknown)[] = [
      (zone) => zone.tryAlloc(),
      (zone) => zone.tryAlloc(ZERO),
      (zone) => zone.alloc(),
      (zone) => zone.allocAsync(),
      (zone) => zone.tryAllocMany(new Int32Array(1), 1),
    ];
    for (const way of ways) {
      for (const drained of [false, true]) {
        const { party, zone } = makeTrashed();
        const held = zone.tryAlloc();
        const items = Array.from({ length: 300 }, () => zone.tryAlloc() as Addr);
        for (const item of items) zone.free(item);
        if (drained) zone.drain();
        for (const [page, keg] of party.uma.pageKegs.entries()) {
          if (keg !== zone.keg) continue;
          for (let item = page << 12; item < (page + 1) << 12; item += 64) {
            if (item !== held) party.words[item >>> 2] = 5;
          }
        }
        // Of what has been drained, the first items come from new slabs.
        let code = 'nothing thrown';
        for (let index = 0; index < 300 && code === 'nothing thrown'; index++) {
          code = await codeOfPromise(async () => way(zone));
        }
        assert.equal(code, 'MODIFIED_AFTER_FREE');
        zone.free(held);
        assertClean(party);
      }
    }
  });

  it('stays inside its item, at every size and alignment', () => {
    for (const align of [16, 32, 256, 1024]) {
      for (const size of [1, 16, 17, 100, 520, 1000, 4096]) {
        const party = makeParty({ checkLevel: 2 });
        const free = party.pages.freePages();
        const zone = party.uma.zone({ name: 'zone', size, align });
        const items: Addr[] = [];
        for (let index = 0; index < 600; index++) {
          const item = zone.tryAlloc(ZERO);
          if (item !== 0) items.push(item);
        }
        assertClean(party, `${size}, align ${align}`);
        for (const item of items) zone.free(item);
        assertEmpty(party, free);
      }
    }
  });

  it('is not expected where init has written, nor in items that come from there', () => {
    const party = makeParty({ checkLevel: 2 });
    const free = party.pages.freePages();
    const { uma, words } = party;
    const write = (item: Addr): void => {
      words.fill(9, item >>> 2, (item >>> 2) + 16);
    };
    const own = uma.zone({ name: 'own', size: 64, init: write });
    own.free(own.tryAlloc());
    assert.equal(words[(own.tryAlloc() as number) >>> 2], 9, 'what init wrote stays');
    // A secondary zone gives items back to a keg whose primary expects trash.
    const primary = uma.zone({ name: 'primary', size: 64 });
    const secondary = uma.zone({ name: 'secondary', primary, init: write });
    // One item keeps its slab: what is drained goes back into that one, and is looked at again.
    const kept = primary.tryAlloc();
    for (const max of [0, 1]) {
      primary.drain();
      secondary.max = max;
      const item = secondary.tryAlloc() as Addr;
      secondary.free(item);
      secondary.drain();
      const items = Array.from({ length: 300 }, () => primary.tryAlloc() as Addr);
      assert.ok(items.every((each) => each !== 0));
      for (const each of items) primary.free(each);
    }
    let failing = true;
    const picky = uma.zone({
      name: 'picky',
      primary,
      init: (item) => {
        write(item);
        return failing ? new Error('broken') : 0;
      },
    });
    for (const max of [0, 1]) {
      primary.drain();
      picky.max = max;
      assert.throws(() => picky.tryAlloc(), /broken/);
      const items = Array.from({ length: 300 }, () => primary.tryAlloc() as Addr);
      for (const each of items) primary.free(each);
    }
    failing = false;
    const forgotten = picky.tryAlloc() as Addr;
    picky.forget(forgotten);
    primary.free(forgotten);
    primary.free(kept);
    uma.reclaimer.reclaim('drain');
    assertClean(party);
    assert.ok(party.pages.freePages() >= free - 2, 'but for the item that `own` has');
  });
});
