import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ASYNC_WAITERS } from '../machine/index.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import { assertClean, code, withThreads, withThreadsAsync } from './mutex.test-kit.js';

/** Every level must do all of this. */
for (const checkLevel of [0, 1] as const) {
  describe(`a mutex at level ${checkLevel}`, () => {
    it('has one owner, whoever asks', () => {
      withThreads(2, { checkLevel }, (one, other) => {
        const mutex = one.mutex('m');
        const same = other.mutex('m');
        assert.deepEqual([mutex.locked, mutex.owner, mutex.name], [false, 0, 'm']);
        const token = mutex.lock();
        assert.deepEqual([token.locked, token.ownerDied], [true, false]);
        assert.deepEqual([same.locked, same.owner], [true, one.thread]);
        assert.equal(same.tryLock(), null);
        assert.equal(token.unlock(), true);
        assert.equal(same.locked, false);
        const next = same.tryLock();
        assert.equal(next?.locked, true);
        assert.equal(mutex.owner, other.thread);
        next?.unlock();
      });
    });

    it('is unlocked once by a token, which then is empty', () => {
      withThreads(2, { checkLevel }, (one, other) => {
        const mutex = one.mutex('m');
        const token = mutex.lock();
        assert.equal(token.unlock(), true);
        const next = other.mutex('m').lock();
        assert.deepEqual([token.locked, token.unlock()], [false, false]);
        assert.equal(next.locked, true);
        next.unlock();
      });
    });

    it('is not unlocked by a token whose mutex is another thread’s', () => {
      withThreads(2, { checkLevel }, (one, other) => {
        const mutex = one.mutex('m');
        const token = mutex.lock();
        // As if the memory had been written to: no other way leads here.
        const word = one.words.indexOf((1 << 8) | one.thread, 4096);
        assert.ok(word > 0);
        one.words[word] = (1 << 8) | other.thread;
        assert.throws(
          () => token.unlock(),
          code('LOCK_ORDER', /mutex m is not this token's: thread 2 has it/),
        );
        assert.equal(token.locked, true);
        one.words[word] = (1 << 8) | one.thread;
        assert.equal(token.unlock(), true);
      });
    });

    it('is not recursive, and trying it twice is no error', () => {
      withThreads(1, { checkLevel }, (memory) => {
        const mutex = memory.mutex('m');
        const token = mutex.lock();
        assert.throws(() => mutex.lock(), code('LOCK_ORDER', /mutex m.* is this thread's already/));
        assert.throws(() => memory.mutex('m').lock(0), code('LOCK_ORDER'));
        assert.equal(mutex.tryLock(), null);
        token.unlock();
        mutex.lock().unlock();
      });
    });

    it('is unlocked at the end of a block by `using`', () => {
      withThreads(1, { checkLevel }, (memory) => {
        const mutex = memory.mutex('m');
        {
          using token = mutex.lock();
          assert.equal(token.locked, true);
          assert.equal(mutex.locked, true);
        }
        assert.equal(mutex.locked, false);
        {
          using token = mutex.lock();
          token.unlock();
        }
      });
    });

    it('gives up waiting when the time is up, and says who has it', () => {
      withThreads(2, { checkLevel }, (one, other) => {
        const token = one.mutex('m').lock();
        const began = performance.now();
        assert.throws(
          () => other.mutex('m').lock(30),
          code('TIMED_OUT', /mutex m could not be taken within 30 ms: thread 1 has it/),
        );
        assert.ok(performance.now() - began >= 29);
        assert.throws(() => other.mutex('m').lock(0), code('TIMED_OUT'));
        assert.equal(other.mutex('m').sleepers, 0);
        token.unlock();
        other.mutex('m').lock(0).unlock();
      });
    });

    it('is released when its owner detaches, and the next is told once', () => {
      withThreads(2, { checkLevel }, (one, other) => {
        const lost = other.mutex('m').lock();
        const mutex = other.mutex('m');
        other.detach();
        assert.deepEqual([lost.locked, lost.unlock()], [false, false]);
        assert.throws(() => mutex.lock(), code('DETACHED'));
        assert.throws(() => mutex.owner, code('DETACHED'));
        const token = one.mutex('m').lock();
        assert.equal(token.ownerDied, true);
        token.unlock();
        assert.equal(one.mutex('m').lock().ownerDied, false);
      });
    });

    it('goes to the next when its owner has died, and keeps the mark until somebody unlocks', () => {
      withThreads(3, { checkLevel }, (one, second, third) => {
        third.mutex('m').lock();
        one.declareDead(third.name);
        const token = second.mutex('m').lock();
        assert.equal(token.ownerDied, true);
        one.reap();
        one.declareDead(second.name);
        one.reap();
        const next = one.mutex('m').tryLock();
        assert.equal(next?.ownerDied, true);
        next?.unlock();
        assert.equal(one.mutex('m').lock().ownerDied, false);
        one.mutex('n').lock();
      });
    });
  });
}

describe('a thread that must not block', () => {
  it('takes a free mutex, and is told to wait asynchronously for another', async () => {
    const { memory, machine } = createMemoryOver({ bytes: 1 << 20, checkLevel: 1 });
    const window = joinMemory(machine, { ...machine, mayBlock: false });
    window.mutex('m').lock().unlock();
    const token = memory.mutex('m').lock();
    assert.throws(
      () => window.mutex('m').lock(),
      code('WOULD_BLOCK', /lock of mutex m .*use the async form/),
    );
    assert.throws(() => window.mutex('m').lock(0), code('TIMED_OUT'));
    assert.equal(memory.mutex('m').sleepers, 0);
    const waiting = window.mutex('m').lockAsync();
    token.unlock();
    (await waiting).unlock();
    assertClean(memory);
  });
});

describe('a thread that was given up by mistake', () => {
  it('unlocks nothing any more, and takes nothing', () => {
    withThreads(2, {}, (one, other) => {
      const lost = other.mutex('m').lock();
      const mutex = other.mutex('m');
      one.declareDead(other.name);
      const token = one.mutex('m').lock();
      assert.throws(() => lost.unlock(), code('GIVEN_UP'));
      assert.throws(() => mutex.tryLock(), code('GIVEN_UP'));
      assert.equal(one.mutex('m').owner, one.thread);
      assert.equal(token.unlock(), true);
    });
  });
});

describe('waiting asynchronously for a mutex', () => {
  it('is first come, first served, among tasks and threads', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const order: string[] = [];
      const first = one.mutex('m').lock();
      const take = async (memory: typeof one, name: string): Promise<void> => {
        using token = await memory.mutex('m').lockAsync();
        order.push(name);
        await pause(1);
        assert.equal(token.locked, true);
      };
      const all = [take(other, 'a'), take(one, 'b').catch(String), take(other, 'c')];
      assert.equal(one.mutex('m').sleepers, 2);
      first.unlock();
      assert.equal(one.mutex('m').tryLock(), null);
      const [, refused] = await Promise.all(all);
      // By `lock` the whole thread has it: a task of the thread that waits for it now is inside.
      assert.match(String(refused), /is this task's already/);
      assert.deepEqual(order, ['a', 'c']);
      await Promise.all([take(one, 'd'), take(one, 'e'), take(other, 'f')]);
      assert.deepEqual(order.slice(2), ['d', 'e', 'f']);
    });
  });

  it('refuses to block on what a task of the same thread has or waits for', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const mutex = one.mutex('m');
      const token = await mutex.lockAsync();
      assert.throws(() => mutex.lock(), code('LOCK_ORDER', /is this thread's already, taken at .*\.js/));
      token.unlock();
      const others = other.mutex('m').lock();
      const waiting = mutex.lockAsync();
      assert.throws(() => mutex.lock(), code('LOCK_ORDER', /is awaited by this thread/));
      others.unlock();
      (await waiting).unlock();
    });
  });

  it('ends with the reason of a signal; a grant that comes with it goes to the next, mark and all', async () => {
    await withThreadsAsync(3, {}, async (one, other, third) => {
      third.mutex('m').lock();
      const abort = new AbortController();
      await assert.rejects(
        one.mutex('m').lockAsync({ signal: AbortSignal.abort(new Error('before')) }),
        /before/,
      );
      const waiting = one.mutex('m').lockAsync({ signal: abort.signal });
      const next = other.mutex('m').lockAsync();
      assert.equal(other.mutex('m').sleepers, 2);
      // The grant first, and in the same turn the abort.
      one.declareDead(third.name);
      one.reap();
      assert.equal(other.mutex('m').owner, one.thread);
      abort.abort(new Error('enough'));
      await assert.rejects(waiting, /enough/);
      const token = await next;
      assert.equal(token.ownerDied, true);
      token.unlock();
      assert.equal(one.mutex('m').locked, false);
    });
  });

  it('leaves the line at once when it is aborted', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const token = one.mutex('m').lock();
      const abort = new AbortController();
      const waiting = other.mutex('m').lockAsync({ signal: abort.signal });
      const began = performance.now();
      abort.abort();
      await assert.rejects(waiting, { name: 'AbortError' });
      assert.ok(performance.now() - began < 90);
      assert.equal(one.mutex('m').sleepers, 0);
      token.unlock();
    });
  });

  it('goes on for more tasks than there are waiters, in their order', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const token = one.mutex('m').lock();
      const order: number[] = [];
      const abort = new AbortController();
      const tasks = Array.from({ length: ASYNC_WAITERS + 9 }, async (_, number) => {
        const { signal } = abort;
        const options = number === ASYNC_WAITERS + 4 ? { signal } : {};
        using mine = await other.mutex('m').lockAsync(options);
        assert.equal(mine.locked, true);
        order.push(number);
      });
      assert.equal(one.mutex('m').sleepers, ASYNC_WAITERS);
      abort.abort(new Error('enough'));
      await assert.rejects(tasks[ASYNC_WAITERS + 4] as Promise<void>, /enough/);
      token.unlock();
      await Promise.allSettled(tasks);
      const expected = Array.from({ length: ASYNC_WAITERS + 9 }, (_, number) => number);
      assert.deepEqual(
        order,
        expected.filter((number) => number !== ASYNC_WAITERS + 4),
      );
    });
  });

  it('does not let a newcomer overtake those who wait for a waiter', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const token = one.mutex('m').lock();
      const order: string[] = [];
      const take = async (name: string, signal?: AbortSignal): Promise<void> => {
        (await other.mutex('m').lockAsync({ signal })).unlock();
        order.push(name);
      };
      const abort = new AbortController();
      const first = Array.from({ length: ASYNC_WAITERS }, () => take('first', abort.signal));
      const late = take('late');
      abort.abort(new Error('enough'));
      await Promise.allSettled(first);
      // All waiters are free again, and the one who is late has not looked yet.
      const newcomer = take('newcomer');
      token.unlock();
      await Promise.all([late, newcomer]);
      assert.deepEqual(order, ['late', 'newcomer']);
    });
  });

  it('passes over who has died in line, and that is no death of an owner', async () => {
    await withThreadsAsync(3, {}, async (one, doomed, third) => {
      const token = one.mutex('m').lock();
      const lost = doomed.mutex('m').lockAsync().catch(String);
      const waiting = third.mutex('m').lockAsync();
      one.declareDead(doomed.name);
      token.unlock();
      const next = await waiting;
      assert.equal(next.ownerDied, false);
      next.unlock();
      assert.match(String(await lost), /was declared dead/);
    });
  });

  it('goes on without a waiter, when the failpoint says that there is none', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      other.failpoints.arm('mutex.waiter', { nth: 1 });
      const token = one.mutex('m').lock();
      const waiting = other.mutex('m').lockAsync();
      assert.equal(one.mutex('m').sleepers, 0);
      await pause(20);
      assert.equal(one.mutex('m').sleepers, 1);
      token.unlock();
      (await waiting).unlock();
    });
  });

  it('ends with DETACHED when the thread detaches, and nothing is kept', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const token = one.mutex('m').lock();
      const waiting = other.mutex('m').lockAsync();
      const granted = other.mutex('n');
      const inTheTurn = granted.lockAsync();
      other.detach();
      await assert.rejects(waiting, code('DETACHED'));
      const lost = await inTheTurn;
      assert.equal(lost.locked, false);
      assert.equal(one.mutex('m').sleepers, 0);
      token.unlock();
      assert.equal(one.mutex('n').lock().ownerDied, true);
    });
  });
});

describe('making a mutex', () => {
  it('gives each name one mutex, and each thread one handle of it', () => {
    withThreads(2, {}, (one, other) => {
      assert.equal(one.mutex('m'), one.mutex('m'));
      assert.notEqual(one.mutex('m'), one.mutex('n'));
      const token = one.mutex('m').lock();
      assert.equal(other.mutex('n').locked, false);
      assert.equal(other.mutex('m').locked, true);
      token.unlock();
    });
  });

  it('is refused with another class or rank', () => {
    withThreads(2, {}, (one, other) => {
      one.mutex('m', { class: 'c', rank: 3 });
      other.mutex('m', { class: 'c', rank: 3 });
      one.mutex('plain');
      const mismatch = (options: object, message: RegExp): void =>
        assert.throws(() => other.mutex('m', options), code('LAYOUT_MISMATCH', message));
      mismatch({ class: 'd', rank: 3 }, /mutex m is of class c, not of d/);
      mismatch({ class: 'c', rank: 4 }, /class c has rank 3, but rank 4 was given/);
      mismatch({ class: 'c' }, /class c has rank 3, but no rank was given/);
      assert.throws(() => other.mutex('m'), code('LAYOUT_MISMATCH', /class c, not of m/));
      assert.throws(() => other.mutex('x', { class: 'c' }), code('LAYOUT_MISMATCH'));
      assert.throws(() => other.mutex('x', { class: 'plain', rank: 1 }), code('LAYOUT_MISMATCH'));
    });
  });

  it('is refused when there are 64, or the failpoint says so; 8 in a small memory of a model', () => {
    withThreads(1, {}, (memory) => {
      for (let number = 0; number < 63; number++) memory.mutex(`m${number}`, { class: 'c' });
      memory.failpoints.arm('mutex.create', { nth: 1 });
      assert.throws(() => memory.mutex('last'), code('OUT_OF_MEMORY', /no more than 64 mutexes/));
      memory.mutex('last');
      assert.throws(() => memory.mutex('one more'), code('OUT_OF_MEMORY', /cannot make mutex one more/));
      memory.mutex('m7', { class: 'c' }).lock().unlock();
    });
  });

  it('checks its arguments, and coerces none', () => {
    withThreads(1, {}, (memory) => {
      const mutex = memory.mutex('m');
      const bad = code('BAD_ARGUMENT');
      for (const name of ['', 7, null, undefined, 'ü', ' x', 'x'.repeat(48), {}])
        assert.throws(() => memory.mutex(name as string), bad);
      for (const options of [
        null,
        7,
        { class: '' },
        { class: 7 },
        { rank: 0 },
        { rank: 2 ** 31 },
        { rank: '1' },
      ])
        assert.throws(() => memory.mutex('n', options as object), bad);
      for (const time of [-1, Number.NaN, '1', null]) assert.throws(() => mutex.lock(time as number), bad);
      assert.equal(mutex.locked, false);
    });
  });

  it('checks the arguments of asynchronous calls, too', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      const mutex = one.mutex('m');
      const used = one.mutex('n').lock();
      used.unlock();
      const foreign = other.mutex('n').lock();
      for (const options of [
        null,
        7,
        { signal: {} },
        { holding: 7 },
        { holding: [used] },
        { holding: foreign },
      ])
        await assert.rejects(mutex.lockAsync(options as object), code('BAD_ARGUMENT'));
      assert.equal(mutex.locked, false);
      foreign.unlock();
    });
  });

  it('lets `tryLock` fail where the failpoint says so', () => {
    withThreads(1, {}, (memory) => {
      memory.failpoints.arm('mutex.lock', { nth: 1 }, { zones: ['m'] });
      assert.notEqual(memory.mutex('n').tryLock(), null);
      assert.equal(memory.mutex('m').tryLock(), null);
      assert.equal(memory.mutex('m').tryLock()?.unlock(), true);
    });
  });
});

describe('a token where the platform lacks Symbol.dispose', () => {
  it('is disposable as soon as the program has brought it', () => {
    withThreads(1, {}, (memory) => {
      const brought = Symbol('dispose');
      const holder = { dispose: undefined as symbol | undefined };
      const real = globalThis.Symbol;
      globalThis.Symbol = new Proxy((() => {}) as unknown as SymbolConstructor, {
        get: (_, key) => (key === 'dispose' ? holder.dispose : Reflect.get(real, key)),
      });
      try {
        assert.equal(memory.mutex('m').lock().unlock(), true);
        holder.dispose = brought;
        const token = memory.mutex('m').lock() as unknown as Record<symbol, () => void>;
        token[brought]?.();
        assert.equal(memory.mutex('m').locked, false);
      } finally {
        globalThis.Symbol = real;
      }
    });
  });
});
