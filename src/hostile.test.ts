/** Arguments that got through to code that was not made for them, each found by random calls. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachMemory, createMemory, type MemoryHandle, struct } from './index.js';

const refused = { name: 'MbumaError', code: 'BAD_ARGUMENT' };

describe('hostile arguments', () => {
  const memory = createMemory({ bytes: 1 << 20 });
  const zone = memory.zone({ name: 'points', size: 48, max: 1 });
  const ring = memory.ring({ name: 'work', capacity: 4 });
  /** Has the prototype of the array, and is none. */
  const noArray = Object.create(Int32Array.prototype) as Int32Array;
  const halfSignal = { throwIfAborted() {} } as AbortSignal;

  it('no array is taken for one by its prototype', () => {
    assert.throws(() => ring.tryPutMany(noArray, 0), refused);
    assert.throws(() => ring.tryTakeMany(new Proxy(new Int32Array(4), {}), 1), refused);
    assert.throws(() => zone.tryAllocMany(noArray, 0), refused);
  });

  it('no count of a bulk call is coerced', () => {
    const out = new Int32Array(4);
    zone.tryAllocMany(out, 0);
    zone.freeMany(out, 0);
    for (const n of [1n, Symbol('1'), Object.create(null), noArray] as unknown as number[]) {
      assert.throws(() => zone.tryAllocMany(out, n), refused);
      assert.throws(() => zone.freeMany(out, n), refused);
    }
  });

  it('no signal is taken for one that cannot be listened to', async () => {
    const item = zone.tryAlloc();
    await assert.rejects(zone.allocAsync(0, { signal: halfSignal }), refused);
    await assert.rejects(ring.takeAsync({ signal: halfSignal }), refused);
    await assert.rejects(memory.mbufs.getclAsync(0, { signal: 1 as unknown as AbortSignal }), refused);
    zone.free(item);
  });

  it('no callback is called that is none', () => {
    assert.throws(() => zone.eachCached(7 as never), refused);
    assert.throws(() => memory.mbufs.audit(Symbol('report') as never), refused);
  });

  it('no accessor of an object that is no handle is run', () => {
    assert.throws(() => attachMemory(noArray as unknown as MemoryHandle), { code: 'BAD_HANDLE' });
  });

  it('a record is declared by a name, fields and a size', () => {
    const declare = struct as unknown as (...args: unknown[]) => unknown;
    for (const args of [[Symbol('a')], ['a'], ['a', null], ['a', { b: undefined }], ['a', {}]])
      assert.throws(() => declare(...args), { name: 'Error', message: /record/ });
  });

  it('every failpoint says what fails there', () => {
    memory.mbufs.registerFree('nothing', () => {});
    for (const { name, description } of memory.failpoints.list())
      assert.ok(description.length > 5, `${name} has no description`);
  });

  it('nothing of it has left a trace', () => {
    assert.deepEqual(memory.audit(), { clean: true, violations: [] });
  });
});
