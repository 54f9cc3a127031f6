import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LockRank } from '../check/index.js';
import { CANFAIL, How } from '../index.js';
import { attachmentOf } from '../memory.js';
import { RingRecord } from '../ring/index.js';
import { code, setSetting, withThreads, withThreadsAsync } from './mutex.test-kit.js';

const here = /mutex m, taken at .*sleeping\.test\.js:\d+:\d+, is held/;

describe('sleeping with a mutex, at level 1', () => {
  it('is refused, with the place where the mutex was taken; what is cached or not', () => {
    withThreads(1, {}, (memory) => {
      const zone = memory.zone({ name: 'z', size: 64, max: 1 });
      const ring = memory.ring({ name: 'r', capacity: 1 });
      const token = memory.mutex('m').lock();
      assert.throws(() => zone.alloc(), code('SLEEP_WITH_LOCK', here));
      const item = zone.tryAlloc();
      assert.notEqual(item, 0);
      assert.throws(() => zone.alloc(0, 5), code('SLEEP_WITH_LOCK', /alloc of zone z may sleep/));
      const { mbufs } = memory;
      const words = Int32Array.of(1);
      for (const call of [
        () => mbufs.get(),
        () => mbufs.getcl(),
        () => mbufs.getjcl(4096),
        () => ring.put(2),
        () => ring.putMany(words, 1),
      ])
        assert.throws(call, code('SLEEP_WITH_LOCK', here));
      assert.ok(ring.tryPut(1));
      for (const call of [() => ring.take(5), () => ring.takeMany(words, 1)])
        assert.throws(call, code('SLEEP_WITH_LOCK', here));
      assert.equal(ring.tryTake(), 1);
      token.unlock();
      zone.free(item);
      zone.free(zone.alloc());
      assert.equal(memory.stats().sleepsRefused, 0);
    });
  });

  it('names every mutex that is held', () => {
    withThreads(1, {}, (memory) => {
      const zone = memory.zone({ name: 'z', size: 64 });
      const tokens = [memory.mutex('a').lock(), memory.mutex('b').lock()];
      assert.throws(() => zone.alloc(), code('SLEEP_WITH_LOCK', /mutex a, .* and mutex b, .* is held/));
      tokens[0]?.unlock();
      assert.throws(() => zone.alloc(), code('SLEEP_WITH_LOCK', /and mutex b, taken/));
      tokens[1]?.unlock();
      zone.free(zone.alloc());
    });
  });

  it('is refused to a call that awaits, if the mutex was taken by `lock`', async () => {
    await withThreadsAsync(1, {}, async (memory) => {
      const zone = memory.zone({ name: 'z', size: 64 });
      const ring = memory.ring({ name: 'r', capacity: 1 });
      const token = memory.mutex('m').lock();
      await assert.rejects(zone.allocAsync(), code('SLEEP_WITH_LOCK', here));
      await assert.rejects(memory.mbufs.gethdrAsync(), code('SLEEP_WITH_LOCK', here));
      await assert.rejects(memory.mbufs.getclAsync(), code('SLEEP_WITH_LOCK', here));
      await assert.rejects(ring.takeAsync(), code('SLEEP_WITH_LOCK', /^take from ring r may sleep/));
      token.unlock();
      // One of `lockAsync` is a task's, and another task may well sleep. A call that blocks stops them all.
      const byTask = await memory.mutex('m').lockAsync();
      zone.free(await zone.allocAsync());
      assert.throws(() => zone.alloc(), code('SLEEP_WITH_LOCK', here));
      byTask.unlock();
    });
  });

  it('does not keep anybody from waiting for another mutex', () => {
    withThreads(2, {}, (one, other) => {
      const token = other.mutex('n').lock();
      const outer = one.mutex('m').lock();
      assert.throws(() => one.mutex('n').lock(5), code('TIMED_OUT', /n could .* thread 2 has it, taken at/));
      token.unlock();
      one.mutex('n').lock().unlock();
      outer.unlock();
    });
  });
});

describe('sleeping with a lock inside mbuma, at level 1', () => {
  it('names the zone, ring or mutex that the lock is of', () => {
    withThreads(1, {}, (memory) => {
      const { locks, machine } = attachmentOf(memory);
      const zone = memory.zone({ name: 'z', size: 64 });
      memory.ring({ name: 'r', capacity: 1 });
      memory.mutex('m');
      const cases: [number, LockRank, RegExp][] = [
        [
          machine.area('zones') + 64 * zone.index,
          LockRank.ZONE,
          /and lock of zone z \(word \d+, rank 20\) is/,
        ],
        [machine.area('rings') + 16 + RingRecord.takeLock, LockRank.RING, /and lock of ring r \(word/],
        [machine.area('mutexes'), LockRank.MUTEX, /and inner lock of mutex m \(word/],
        [machine.area('sites'), LockRank.SITES, /and sites lock \(word/],
      ];
      for (const [lock, rank, message] of cases) {
        locks.acquire(lock, rank);
        assert.throws(() => zone.alloc(), code('SLEEP_WITH_LOCK', message));
        locks.release(lock);
      }
      zone.free(zone.alloc());
    });
  });
});

/** The setting works wherever it is known that a mutex is held: at every level. */
for (const checkLevel of [0, 1] as const) {
  describe(`the setting noSleepWithLocks at level ${checkLevel}`, () => {
    it('makes an allocation that would sleep fail, and counts it; what is there is given', () => {
      withThreads(2, { checkLevel }, (one, other) => {
        setSetting(other, 'noSleepWithLocks', 1);
        const zone = one.zone({ name: 'z', size: 64, max: 1 });
        const token = one.mutex('m').lock();
        const item = zone.alloc();
        assert.throws(
          () => zone.alloc(),
          code(
            'OUT_OF_MEMORY',
            /^alloc of zone z would sleep, and does not while mutex m.* debug.nosleepwithlocks$/,
          ),
        );
        assert.throws(() => zone.alloc(CANFAIL), code('OUT_OF_MEMORY'));
        assert.equal(zone.sleepers, 0);
        assert.equal(other.stats().sleepsRefused, 2);
        token.unlock();
        assert.throws(() => zone.alloc(0, 5), code('TIMED_OUT'));
        zone.free(item);
        assert.equal(one.stats().sleepsRefused, 2);
      });
    });

    it('tells hooks that they must not sleep', () => {
      withThreads(1, { checkLevel }, (memory) => {
        setSetting(memory, 'noSleepWithLocks', 1);
        const told: How[] = [];
        const ctor = (_item: number, how: How): number => {
          told.push(how);
          return 0;
        };
        const zone = memory.zone({ name: 'z', size: 64, ctor });
        zone.free(zone.alloc());
        const token = memory.mutex('m').lock();
        zone.free(zone.alloc());
        token.unlock();
        zone.free(zone.alloc());
        assert.deepEqual(told, [How.WAITOK, How.NOWAIT, How.WAITOK]);
      });
    });

    it('makes an asynchronous allocation fail as well', async () => {
      await withThreadsAsync(1, { checkLevel }, async (memory) => {
        setSetting(memory, 'noSleepWithLocks', 1);
        const zone = memory.zone({ name: 'z', size: 64, max: 1 });
        const token = memory.mutex('m').lock();
        const item = await zone.allocAsync();
        await assert.rejects(zone.allocAsync(), code('OUT_OF_MEMORY', /mutex m/));
        token.unlock();
        const waiting = zone.allocAsync();
        zone.free(item);
        zone.free(await waiting);
        assert.equal(memory.stats().sleepsRefused, 1);
      });
    });

    it('makes mbufs and rings fail that would sleep; what need not sleep goes on', async () => {
      await withThreadsAsync(1, { checkLevel, mbufs: { max: 1 } }, async (memory) => {
        setSetting(memory, 'noSleepWithLocks', 1);
        const ring = memory.ring({ name: 'r', capacity: 2 });
        const token = memory.mutex('m').lock();
        const packet = memory.mbufs.getcl();
        assert.throws(() => memory.mbufs.getcl(), code('OUT_OF_MEMORY', /mutex m/));
        memory.mbufs.free(packet);
        assert.throws(() => ring.take(), code('WOULD_BLOCK', /take from ring r would sleep, .* mutex m/));
        assert.equal(ring.putMany(Int32Array.of(1, 2, 3), 3), 2);
        assert.throws(() => ring.put(3), code('WOULD_BLOCK'));
        await assert.rejects(ring.putAsync(3), code('WOULD_BLOCK'));
        assert.equal(ring.take(), 1);
        assert.equal(memory.stats().sleepsRefused, 5);
        token.unlock();
      });
    });
  });
}

describe('without the setting, at level 0', () => {
  it('a call with a mutex sleeps, as the program wants it', () => {
    withThreads(1, { checkLevel: 0 }, (memory) => {
      const zone = memory.zone({ name: 'z', size: 64, max: 1 });
      const token = memory.mutex('m').lock();
      const item = zone.alloc();
      assert.throws(() => zone.alloc(0, 20), code('TIMED_OUT'));
      zone.free(item);
      token.unlock();
    });
  });
});
