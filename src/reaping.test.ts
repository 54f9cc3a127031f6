/** Deaths that the killer has found, each made again on purpose. */

import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { attachThread } from './machine/index.js';
import { attachMemory, createMemory, createMemoryOver } from './memory.js';
import { assertClean } from './uma/uma.test-kit.js';

const options = { bytes: 1 << 20, maxThreads: 4, maxZones: 16 };

describe('cleaning up after a thread that died', () => {
  it('while it attached: it has a slot, and no caches yet', () => {
    const { memory, machine } = createMemoryOver(options);
    const zone = memory.zone({ name: 'items', size: 64, onOwnerDeath: 'free' });
    const superblock = machine.words.slice(0, 32);
    const { slot, generation } = attachThread(machine, 42);
    assert.equal(memory.declareDead({ slot, generation }), true);
    assert.equal(memory.reap().length, 1);
    // The deaths are counted there, and how often the threads were; nothing else has changed.
    assert.equal(machine.words.slice(0, 32).filter((word, at) => word !== superblock[at]).length, 2);
    assert.equal(zone.stats().cached, 0);
    assertClean(memory);
  });

  it('in a thread that has not opened the zone: what is freed is trashed all the same', () => {
    const { memory } = createMemoryOver({ ...options, checkLevel: 2 });
    const wanted = { name: 'items', size: 64, onOwnerDeath: 'free' } as const;
    const zone = memory.zone(wanted);
    const [mortal, reaper] = [attachMemory(memory.handle), attachMemory(memory.handle)];
    const its = mortal.zone(wanted);
    for (let n = 0; n < 20; n++) memory.words[its.alloc() >> 2] = 0x5a5a;
    memory.declareDead(mortal.name);
    const [reaped] = reaper.reap();
    assert.deepEqual(reaped?.items, [{ zone: 'items', freed: 20, kept: 0, items: [] }]);
    const items = Array.from({ length: 600 }, () => zone.alloc());
    for (const item of items) zone.free(item);
    assertClean(memory);
  });
});

test('a thread that has detached stays outside, whatever it arms or disarms', () => {
  const memory = createMemory({ bytes: 1 << 20, maxThreads: 3, maxZones: 16 });
  const gone = attachMemory(memory.handle);
  const zone = gone.zone({ name: 'z', size: 64 });
  gone.detach();
  const heir = attachMemory(memory.handle);
  assert.equal(heir.thread, gone.thread);
  const theirs = heir.zone({ name: 'z', size: 64 });
  theirs.free(theirs.alloc());
  gone.failpoints.arm('uma.alloc', { from: 1 });
  gone.failpoints.disarm();
  assert.throws(() => zone.tryAlloc(), { code: 'DETACHED' });
  assert.equal(memory.audit().clean, true);
});

test('declareDead wants a name', () => {
  const memory = createMemory({ bytes: 1 << 20, maxThreads: 2, maxZones: 16 });
  for (const name of [undefined, null, 7, {}, { slot: 1 }, { slot: 0, generation: 1 }])
    assert.throws(() => memory.declareDead(name as never), { code: 'BAD_ARGUMENT' }, JSON.stringify(name));
});
