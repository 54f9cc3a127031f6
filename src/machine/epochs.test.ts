import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory, MbumaError, type Memory } from '../index.js';
import { attachmentOf } from '../memory.js';
import { createAttachment } from './attachment.js';
import { FIRST_SEQUENCE } from './epochs.js';
import type { Fabric } from './fabric.js';
import { openMachine } from './machine.js';
import { HASH, makeMachine, planners } from './machine.test-kit.js';
import { EpochState, ThreadSlot } from './records.js';

function makeMemory(options = {}): Memory {
  return createMemory({ bytes: 1 << 20, maxThreads: 6, maxZones: 16, ...options });
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof MbumaError, String(error));
    return error.code;
  }
  return 'nothing thrown';
}

/** Two threads of a machine whose clock the test moves. */
function makePair(delayMs: number) {
  const clock = { now: 0 };
  const machine = makeMachine({ maxThreads: 4 });
  const timed: Partial<Fabric> = { now: () => clock.now, delayMs };
  const attach = () => createAttachment({ ...openMachine(machine.handle, planners, HASH), ...timed });
  return { clock, machine, one: attach(), two: attach() };
}

describe('read sections', () => {
  it('do not nest, and end once', () => {
    const memory = makeMemory();
    assert.equal(
      codeOf(() => memory.leave()),
      'READ_SECTION',
    );
    memory.enter();
    assert.equal(
      codeOf(() => memory.enter()),
      'READ_SECTION',
    );
    memory.leave();
    assert.equal(
      codeOf(() => memory.leave()),
      'READ_SECTION',
    );
    assert.ok(memory.audit().clean);
  });

  it('end with a block', () => {
    const memory = makeMemory();
    const section = memory.reading();
    assert.equal(
      codeOf(() => memory.reading()),
      'READ_SECTION',
    );
    section[Symbol.dispose]();
    memory.enter();
    memory.leave();
  });

  it('end with the attachment, and are refused after it', () => {
    const memory = makeMemory();
    const other = attachMemory(memory.handle);
    other.enter();
    other.detach();
    assert.deepEqual(memory.stats().epochs.overdue, []);
    memory.synchronize(5000);
    assert.equal(
      codeOf(() => other.enter()),
      'DETACHED',
    );
    assert.equal(
      codeOf(() => other.leave()),
      'DETACHED',
    );
    // The next thread of the slot reads: what the last one calls must not end that.
    const next = attachMemory(memory.handle);
    assert.equal(next.thread, other.thread);
    next.enter();
    assert.equal(
      codeOf(() => other.leave()),
      'DETACHED',
    );
    assert.equal(
      codeOf(() => memory.synchronize(20)),
      'TIMED_OUT',
    );
    next.leave();
  });

  it('must not wait', async () => {
    const memory = makeMemory();
    const zone = memory.zone({ name: 'one', size: 64, max: 1 });
    const ring = memory.ring({ name: 'r', capacity: 4 });
    const item = zone.alloc();
    memory.enter();
    assert.equal(
      codeOf(() => zone.alloc(0, 10)),
      'READ_SECTION',
    );
    assert.equal(
      codeOf(() => memory.synchronize()),
      'READ_SECTION',
    );
    assert.equal(
      codeOf(() => ring.take(10)),
      'READ_SECTION',
    );
    await assert.rejects(zone.allocAsync(), { code: 'READ_SECTION' });
    await assert.rejects(memory.synchronizeAsync(), { code: 'READ_SECTION' });
    assert.equal(zone.sleepers, 0);
    memory.leave();
    zone.free(item);
    assert.ok(memory.audit().clean);
  });

  it('of a dead thread end when it is cleaned up after', () => {
    const memory = makeMemory();
    const other = attachMemory(memory.handle);
    other.enter();
    memory.declareDead(other.name);
    memory.reap();
    memory.synchronize(5000);
    assert.ok(memory.audit().clean);
  });

  it('of a dead thread are waited for no longer than until that is known', () => {
    const memory = makeMemory();
    const other = attachMemory(memory.handle);
    other.enter();
    // This thread is asked to clean up by the death itself, and does so while it waits.
    memory.declareDead(other.name);
    memory.synchronize(5000);
    assert.equal(memory.stats().threads, 1);
  });
});

describe('the sequence', () => {
  it('takes one step a tick of the clock of who calls, and not one by another clock', () => {
    const { clock, one, two } = makePair(1);
    const { epochs } = one;
    epochs.advance();
    assert.equal(epochs.sequence(), FIRST_SEQUENCE, 'it is not known how long it has stood');
    clock.now = 0.9;
    epochs.advance();
    assert.equal(epochs.sequence(), FIRST_SEQUENCE);
    clock.now = 1;
    epochs.advance();
    assert.equal(epochs.sequence(), FIRST_SEQUENCE + 2);
    two.epochs.advance();
    clock.now = 1.9;
    two.epochs.advance();
    epochs.advance();
    assert.equal(epochs.sequence(), FIRST_SEQUENCE + 2, 'neither has seen it stand for a tick');
    clock.now = 2;
    two.epochs.advance();
    epochs.advance();
    assert.equal(epochs.sequence(), FIRST_SEQUENCE + 4);
  });

  it('waits for who reads with an older one, and not for who has just begun', () => {
    const { one, two } = makePair(0);
    two.epochs.enter();
    one.epochs.advance();
    assert.equal(one.epochs.sequence(), FIRST_SEQUENCE + 2, 'the reader has the newest');
    assert.deepEqual(one.epochs.overdue(), [{ slot: 2, generation: 1 }]);
    one.epochs.advance();
    assert.equal(one.epochs.sequence(), FIRST_SEQUENCE + 2);
    two.epochs.leave();
    two.epochs.enter();
    assert.deepEqual(one.epochs.overdue(), []);
    one.epochs.advance();
    assert.equal(one.epochs.sequence(), FIRST_SEQUENCE + 4);
  });

  it('makes two steps for a tag where all is in order, and two more where accesses may be late', () => {
    for (const [delayMs, steps] of [
      [0, 2],
      [1, 4],
    ] as const) {
      const { clock, one } = makePair(delayMs);
      const tag = one.epochs.tag();
      let taken = 0;
      while (!one.epochs.hasPassed(tag)) {
        clock.now++;
        const before = one.epochs.sequence();
        one.epochs.advance();
        if (one.epochs.sequence() !== before) taken++;
      }
      assert.equal(taken, steps);
    }
  });

  it('wraps, and is never 0', () => {
    const { machine, one, two } = makePair(0);
    const at = machine.area('epochs') + EpochState.sequence;
    const { words } = machine;
    for (const start of [0x7fffffff, -1]) {
      words[at] = start;
      const tag = one.epochs.tag();
      two.epochs.enter();
      one.epochs.advance();
      assert.notEqual(one.epochs.sequence(), 0);
      one.epochs.advance();
      assert.equal(one.epochs.hasPassed(tag), false);
      two.epochs.leave();
      one.epochs.advance();
      assert.ok(one.epochs.hasPassed(tag));
      assert.equal((words[at] as number) & 1, 1);
    }
  });
});

describe('synchronize', () => {
  it('waits for who reads, and not for who comes later', async () => {
    const memory = makeMemory();
    const other = attachMemory(memory.handle);
    other.enter();
    assert.equal(
      codeOf(() => memory.synchronize(30)),
      'TIMED_OUT',
    );
    const { overdue } = memory.stats().epochs;
    assert.deepEqual(overdue, [other.name]);
    const over = memory.synchronizeAsync();
    other.leave();
    other.enter();
    // It has begun anew: one more turn of it, and it is over.
    setTimeout(() => {
      other.leave();
      other.enter();
    }, 5);
    const again = setInterval(() => {
      other.leave();
      other.enter();
    }, 1);
    await over;
    clearInterval(again);
    other.leave();
  });

  it('ends when it is told to', async () => {
    const memory = makeMemory();
    const other = attachMemory(memory.handle);
    other.enter();
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 10);
    await assert.rejects(memory.synchronizeAsync({ signal: controller.signal }), /enough/);
    other.leave();
  });

  it('refuses what is no time, and no signal', async () => {
    const memory = makeMemory();
    assert.equal(
      codeOf(() => memory.synchronize(-1)),
      'BAD_ARGUMENT',
    );
    assert.equal(
      codeOf(() => memory.synchronize('1' as never)),
      'BAD_ARGUMENT',
    );
    await assert.rejects(memory.synchronizeAsync({ signal: 1 as never }), { code: 'BAD_ARGUMENT' });
    await assert.rejects(memory.synchronizeAsync(1 as never), { code: 'BAD_ARGUMENT' });
  });
});

describe('the audit finds', () => {
  const damage = (change: (memory: Memory) => void): string[] => {
    const memory = makeMemory();
    change(memory);
    return memory.audit().violations.map(({ rule, message }) => `${rule} ${message}`);
  };

  it('an even sequence, and words that nothing uses', () => {
    const at = (memory: Memory): number => attachmentOf(memory).machine.area('epochs');
    assert.match(
      damage((memory) => {
        memory.words[at(memory)] = 4;
      }).join(),
      /A1 the sequence of epochs is even/,
    );
    assert.match(
      damage((memory) => {
        memory.words[at(memory) + 5] = 1;
      }).join(),
      /A1 spare of the epochs is unsound/,
    );
  });

  it('a section that is open, of a thread or of none', () => {
    assert.match(damage((memory) => memory.enter()).join(), /A2 slot 1 is in a read section/);
    assert.match(
      damage((memory) => {
        const other = attachMemory(memory.handle);
        other.detach();
        memory.words[attachmentOf(other).threads.self + ThreadSlot.section] = 1;
      }).join(),
      /A2 slot 2 is in a read section/,
    );
  });
});
