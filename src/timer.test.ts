/** The periodic timer: what it does for an idle thread, that it can be off, and that it keeps nothing alive. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { attachMemory, createMemory } from './memory.js';
import { startTimer } from './timer.js';

const bytes = 1 << 20;

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`);
    await pause(2);
  }
}

describe('the timer', () => {
  it('answers for a thread that does nothing', async () => {
    const memory = createMemory({ bytes, timerMs: 5 });
    const idle = attachMemory(memory.handle);
    const zone = idle.zone({ name: 'zone', size: 64 });
    zone.free(zone.alloc());
    assert.ok(zone.stats().cached > 0);
    assert.equal(memory.reclaim('threads').asked.length, 1);
    await until(() => memory.overdue().length === 0, 'the other has answered');
    assert.equal(zone.stats().cached, 0);
    for (const each of [idle, memory]) each.detach();
  });

  it('is off with 0: then nobody answers for it', async () => {
    const memory = createMemory({ bytes, timerMs: 0 });
    const idle = attachMemory(memory.handle);
    memory.reclaim('threads');
    await pause(60);
    assert.equal(memory.overdue().length, 1);
    for (const each of [idle, memory]) each.detach();
  });

  it('tells what goes wrong, and goes on', async () => {
    const told: string[] = [];
    let beats = 0;
    const failing = {
      period: () => 2,
      beat() {
        beats++;
        throw new Error('no');
      },
      failed: (error: unknown) => void told.push((error as Error).message),
    };
    startTimer(failing);
    await until(() => beats >= 3, 'it has gone on');
    assert.deepEqual(told.slice(-2), ['no', 'no']);
    failing.period = () => 3_600_000;
  });

  it('refuses what is no time', () => {
    for (const timerMs of [-1, 1.5, 3_600_001, '20', Number.NaN])
      assert.throws(() => createMemory({ bytes, timerMs: timerMs as number }), { code: 'BAD_ARGUMENT' });
  });

  it('keeps neither the process nor the memory alive', () => {
    const program = `
      const { createMemory } = await import(${JSON.stringify(new URL('./memory.js', import.meta.url).href)});
      const gone = new WeakRef(createMemory({ bytes: ${bytes}, timerMs: 1 }));
      for (let round = 0; round < 200 && gone.deref() !== undefined; round++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        globalThis.gc();
      }
      console.log(gone.deref() === undefined ? 'collected' : 'kept');
      globalThis.kept = createMemory({ bytes: ${bytes}, timerMs: 1000 });
    `;
    const out = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], {
      timeout: 20_000,
      encoding: 'utf8',
    });
    assert.equal(out.trim(), 'collected');
  });
});
