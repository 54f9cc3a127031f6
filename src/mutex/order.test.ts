import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MbumaError, type Memory, type UnlockToken } from '../index.js';
import { attachmentOf } from '../memory.js';
import { code, withThreads, withThreadsAsync } from './mutex.test-kit.js';

/** Takes them one in the other, and gives all back. */
function nest(memory: Memory, ...names: string[]): void {
  const tokens: UnlockToken[] = [];
  try {
    for (const name of names) tokens.push(memory.mutex(name).lock());
  } finally {
    for (const token of tokens) token.unlock();
  }
}

const refused = (message?: RegExp): ((error: unknown) => boolean) => code('LOCK_ORDER', message);

describe('the order of mutexes', () => {
  it('is learned, and the reverse is told with both places before anything is taken', () => {
    withThreads(2, {}, (one, other) => {
      const outer = one.mutex('a').lock();
      const inner = one.mutex('b').lock();
      inner.unlock();
      outer.unlock();
      const held = other.mutex('b').lock();
      let message = '';
      try {
        other.mutex('a').lock();
      } catch (error) {
        assert.ok(error instanceof MbumaError);
        assert.equal(error.code, 'LOCK_ORDER');
        message = error.message;
      }
      const at = String.raw`\S*order\.test\.js:\d+:\d+`;
      const said = new RegExp(
        `^mutex a taken at (${at}) while mutex b, taken at (${at}), is held: it is the other way round elsewhere: ` +
          `thread 1 took b at (${at}) while it had a, taken at (${at})$`,
      ).exec(message);
      assert.ok(said, message);
      assert.equal(new Set(said.slice(1)).size, 4);
      assert.equal(one.mutex('a').locked, false);
      held.unlock();
    });
  });

  it('is told through a chain of any length, with every step', () => {
    withThreads(3, {}, (one, second, third) => {
      nest(one, 'a', 'b');
      nest(second, 'b', 'c');
      nest(third, 'c', 'd');
      assert.throws(
        () => nest(one, 'd', 'a'),
        refused(/thread 1 took b .*had a.*; thread 2 took c .*had b.*; thread 3 took d .*had c/),
      );
      nest(one, 'a', 'd');
      nest(one, 'a', 'c');
    });
  });

  it('is not established by what was refused, and stays when its thread has gone', () => {
    withThreads(2, {}, (one, other) => {
      nest(other, 'a', 'b');
      other.detach();
      assert.throws(() => nest(one, 'b', 'a'), refused(/thread 2 took b/));
      assert.throws(() => nest(one, 'b', 'a'), refused());
      nest(one, 'a', 'b');
    });
  });

  it('judges every lock that is held, not only the last', () => {
    withThreads(1, {}, (memory) => {
      nest(memory, 'a', 'b');
      assert.throws(() => nest(memory, 'b', 'x', 'a'), refused(/while mutex b/));
      assert.throws(() => nest(memory, 'y', 'b', 'a'), refused(/while mutex b/));
      nest(memory, 'w', 'a', 'b');
    });
  });

  it('follows ranks where both classes have one, and is told the ranks', () => {
    withThreads(1, {}, (memory) => {
      memory.mutex('low', { rank: 1 });
      memory.mutex('high', { rank: 2 });
      memory.mutex('high too', { rank: 2 });
      const take = (...given: [string, number?][]): void => {
        const tokens: UnlockToken[] = [];
        try {
          for (const [name, rank] of given)
            tokens.push(memory.mutex(name, rank === undefined ? {} : { rank }).lock());
        } finally {
          for (const token of tokens) token.unlock();
        }
      };
      take(['low', 1], ['high', 2]);
      assert.throws(() => take(['high', 2], ['low', 1]), refused(/low has rank 1, high has rank 2/));
      // Of one rank: learned. And what is learned goes together with what the ranks say.
      take(['high', 2], ['high too', 2]);
      assert.throws(() => take(['high too', 2], ['high', 2]), refused());
      take(['high', 2], ['x']);
      assert.throws(
        () => take(['x'], ['low', 1]),
        refused(/low has rank 1, high has rank 2; thread 1 took x .* while it had high/),
      );
    });
  });

  it('is that of classes: two mutexes of one class share it, and are not held together', () => {
    withThreads(1, {}, (memory) => {
      const [one, two] = ['one', 'two'].map((name) => memory.mutex(name, { class: 'account' }));
      assert.ok(one && two);
      const outer = one.lock();
      assert.throws(() => two.lock(), refused(/both are of class account, which has no order of its own/));
      memory.mutex('log').lock().unlock();
      outer.unlock();
      const log = memory.mutex('log').lock();
      assert.throws(() => two.lock(), refused(/account/));
      log.unlock();
    });
  });

  it('does not matter to `tryLock`, which cannot wait; what it took counts for others', () => {
    withThreads(1, {}, (memory) => {
      nest(memory, 'a', 'b');
      const b = memory.mutex('b').lock();
      const a = memory.mutex('a').tryLock();
      assert.equal(a?.locked, true);
      a?.unlock();
      b.unlock();
      const first = memory.mutex('b').tryLock();
      assert.throws(() => memory.mutex('a').lock(), refused());
      first?.unlock();
    });
  });

  it('does not matter at level 0', () => {
    withThreads(1, { checkLevel: 0 }, (memory) => {
      nest(memory, 'a', 'b');
      nest(memory, 'b', 'a');
    });
  });

  it('is learned and told when all call sites have been used up, too', () => {
    withThreads(1, {}, (memory) => {
      const { sites } = attachmentOf(memory);
      for (let number = 0; sites.intern(`file.js:${number}`) !== 0; number++);
      nest(memory, 'a', 'b');
      assert.throws(() => nest(memory, 'b', 'a'), refused(/took b at a place that is not known/));
    });
  });
});

describe('the order of asynchronous calls', () => {
  it('knows what was taken by `lock`, and what `holding` names', async () => {
    await withThreadsAsync(1, {}, async (memory) => {
      const [a, b] = [memory.mutex('a'), memory.mutex('b')];
      const first = await a.lockAsync();
      (await b.lockAsync({ holding: first })).unlock();
      first.unlock();
      const held = await b.lockAsync();
      // Without being told the witness does not know that it is the same task.
      (await a.lockAsync()).unlock();
      await assert.rejects(a.lockAsync({ holding: [held] }), refused(/thread 1 took b .* while it had a/));
      await assert.rejects(b.lockAsync({ holding: held }), refused(/mutex b, .* is this task's already/));
      held.unlock();
      const blocking = b.lock();
      await assert.rejects(a.lockAsync(), refused());
      blocking.unlock();
    });
  });

  it('counts what a thread awaits when it blocks: it may get that meanwhile', async () => {
    await withThreadsAsync(2, {}, async (one, other) => {
      nest(other, 'b', 'a');
      const token = other.mutex('a').lock();
      const waiting = one.mutex('a').lockAsync();
      assert.throws(() => one.mutex('b').lock(), refused());
      token.unlock();
      (await waiting).unlock();
      one.mutex('b').lock().unlock();
    });
  });
});
