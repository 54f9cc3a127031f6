/** External buffers and their free functions. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import {
  assertClean,
  assertCode,
  assertNothingUsed,
  attachKit,
  bytesOf,
  makeKit,
  must,
} from './mbuf.test.kit.js';

type Call = [address: number, length: number, argument: number];

describe('external buffers', () => {
  for (const checkLevel of [0, 1, 2, 3] as const) {
    it(`are given to their free function by the last reference (check level ${checkLevel})`, () => {
      const kit = makeKit({ checkLevel });
      const { mbufs, context } = kit;
      const zone = context.uma.zone({ name: 'buffers', size: 1000 });
      const calls: Call[] = [];
      const freeBuffer = (address: number, length: number, argument: number): void => {
        calls.push([address, length, argument]);
        zone.free(address as Addr);
      };
      mbufs.registerFree('buffer', freeBuffer);
      mbufs.registerFree('buffer', freeBuffer);
      const address = must(zone.tryAlloc());
      const m = must(mbufs.tryGethdr());
      mbufs.attach(m, kit.bytes.subarray(address, address + 1000), 'buffer', -7);
      assert.equal(mbufs.capacityOf(m), 1000);
      assert.equal(mbufs.dataOf(m), address);
      assert.equal(mbufs.append(m, Uint8Array.of(5, 6)), true);
      assert.deepEqual([...kit.bytes.subarray(address, address + 2)], [5, 6]);
      assertClean(kit);
      const second = must(mbufs.reference(m));
      const more = new Int32Array(3);
      assert.equal(mbufs.tryReferenceMany(second, more, 3), 3);
      assertClean(kit);
      assert.equal(mbufs.stats().zones.externalCounter.used, 1);
      mbufs.free(m);
      mbufs.freeMany(more, 3);
      assertClean(kit);
      assert.deepEqual(bytesOf(kit, second), [5, 6]);
      assert.equal(mbufs.isWritable(second), true);
      // Shared once more after it was this mbuf's alone: the same counter.
      const third = must(mbufs.reference(second));
      assertClean(kit);
      mbufs.free(second);
      assert.deepEqual(calls, []);
      mbufs.free(third);
      assert.deepEqual(calls, [[address, 1000, -7]]);
      assertNothingUsed(kit);
    });
  }

  it('take a function or its name, and {address, length}', () => {
    const kit = makeKit();
    const { mbufs } = kit;
    const calls: Call[] = [];
    const note = (...call: Call): void => {
      calls.push(call);
    };
    mbufs.registerFree('note', note);
    const address = kit.bytes.length - 4096;
    for (const way of ['note', note]) {
      const m = must(mbufs.tryGet());
      mbufs.attach(m, { address, length: 64 }, way, 3_000_000_000);
      mbufs.free(m);
    }
    // The argument is a word.
    assert.deepEqual(calls, [
      [address, 64, 3_000_000_000 | 0],
      [address, 64, 3_000_000_000 | 0],
    ]);
    assertNothingUsed(kit);
  });

  it('cannot be freed by a thread without their function, and nothing has changed then', () => {
    const kit = makeKit();
    const { mbufs } = kit;
    let freed = 0;
    mbufs.registerFree('unused', () => {});
    mbufs.registerFree('count', () => {
      freed++;
    });
    const other = attachKit(kit);
    other.mbufs.registerFree('its own', () => {});
    const first = must(mbufs.tryGetcl());
    const m = must(mbufs.tryGethdr());
    mbufs.attach(m, { address: kit.bytes.length - 64, length: 64 }, 'count');
    mbufs.setNext(first, m);
    assertCode(() => other.mbufs.free(m), 'HOOKS_MISSING');
    assertCode(() => other.mbufs.freeChain(first), 'HOOKS_MISSING');
    assertCode(() => other.mbufs.freeMany(Int32Array.of(first), 1), 'HOOKS_MISSING');
    assertCode(
      () => other.mbufs.attach(must(mbufs.tryGet()), { address: 1 << 20, length: 1 }, 'count'),
      'HOOKS_MISSING',
    );
    assertClean(kit);
    assert.equal(mbufs.chainLength(first), 0);
    let freedThere = 0;
    other.mbufs.registerFree('count', () => {
      freedThere++;
    });
    other.mbufs.freeChain(first);
    assert.deepEqual([freed, freedThere], [0, 1]);
    assertClean(kit);
  });

  it('may work with mbufs in their free function, and fail there', () => {
    const kit = makeKit();
    const { mbufs } = kit;
    const packets = new Int32Array(10);
    mbufs.registerFree('frees more', (_address, _length, argument) => {
      const more = must(mbufs.tryGetcl());
      mbufs.freeMany(packets, 10);
      mbufs.freeChain(more);
      mbufs.free(argument as Addr);
      throw new RangeError('on purpose');
    });
    const chain = must(mbufs.tryGetcl());
    const m = must(mbufs.tryGethdr());
    const last = must(mbufs.tryGetjcl(4096));
    const argument = must(mbufs.tryGet());
    mbufs.attach(m, { address: kit.bytes.length - 64, length: 64 }, 'frees more', argument);
    mbufs.setNext(chain, m);
    mbufs.setNext(m, last);
    const whole = must(mbufs.tryGetjcl(16384));
    assert.equal(mbufs.tryReferenceMany(whole, packets, 10), 10);
    assert.throws(
      () => mbufs.freeMany(Int32Array.of(whole, chain), 2),
      (error) =>
        error instanceof MbumaError && error.code === 'HOOK_FAILED' && error.cause instanceof RangeError,
    );
    assertNothingUsed(kit);
  });

  it('have room for 64 names', () => {
    const kit = makeKit();
    for (let at = 1; at <= 64; at++) kit.mbufs.registerFree(`name ${at}`, () => {});
    assertCode(() => kit.mbufs.registerFree('one more', () => {}), 'OUT_OF_MEMORY');
    const other = attachKit(kit);
    other.mbufs.registerFree('name 64', () => {});
    assertClean(kit);
  });
});
