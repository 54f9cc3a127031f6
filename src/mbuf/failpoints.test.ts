/** Every function that takes several things, failing at each of them in turn. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import {
  assertClean,
  assertCode,
  assertNothingUsed,
  bytesOf,
  type Kit,
  makeKit,
  must,
} from './mbuf.test.kit.js';

/** Makes the nth pass of each site fail, for every n that is reached, and asks `attempt` what came of it. */
function sweep(prepare: (kit: Kit) => Addr, attempt: (kit: Kit, m: Addr) => boolean): number {
  const sites = makeKit()
    .machine.failpoints.list()
    .map((site) => site.name);
  let failures = 0;
  for (const name of sites) {
    for (let nth = 1; ; nth++) {
      const kit = makeKit({ pageCount: 256 });
      const m = prepare(kit);
      const before = bytesOf(kit, m);
      const usedBefore = kit.mbufs.stats().mbufs.current;
      kit.machine.failpoints.arm(name, { nth });
      const done = attempt(kit, m);
      const site = kit.machine.failpoints.site(name);
      const fired = site.failures > 0;
      kit.machine.failpoints.disarm();
      if (!done) {
        failures++;
        assert.ok(fired, `${name} ${nth}`);
        assert.deepEqual(bytesOf(kit, m), before);
        assert.equal(kit.mbufs.packetLength(m), before.length);
        assert.equal(kit.mbufs.stats().mbufs.current, usedBefore, `${name} ${nth} leaked`);
      }
      assertClean(kit);
      kit.mbufs.freeChain(m);
      assertNothingUsed(kit);
      if (!fired) break;
    }
  }
  return failures;
}

describe('failpoints', () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at);

  function prepareHeader({ mbufs }: Kit): Addr {
    const m = must(mbufs.tryGethdr());
    assert.equal(mbufs.append(m, bytes, 0, 100), true);
    return m;
  }

  it('leave a chain as it was when append cannot have all it needs', () => {
    const failures = sweep(prepareHeader, ({ mbufs }, m) => mbufs.append(m, bytes));
    assert.ok(failures >= 5, `${failures}`);
  });

  it('leave nothing behind when a packet or a jumbo cannot be had', () => {
    for (const size of [2048, 4096, 9216, 16384]) {
      const failures = sweep(prepareHeader, ({ mbufs }) => {
        const more = mbufs.tryGetjcl(size);
        if (more !== 0) mbufs.free(more);
        return more !== 0;
      });
      assert.ok(failures >= 2, `${size}: ${failures}`);
    }
  });

  it('leave the counter as it was when a reference cannot be had', () => {
    const failures = sweep(
      (kit) => {
        const m = must(kit.mbufs.tryGethdr());
        kit.mbufs.registerFree('nothing', () => {});
        kit.mbufs.attach(m, { address: kit.bytes.length - 64, length: 64 }, 'nothing');
        return m;
      },
      ({ mbufs }, m) => {
        const more = mbufs.reference(m);
        if (more === 0) return false;
        const many = new Int32Array(5);
        const got = mbufs.tryReferenceMany(more, many, 5);
        mbufs.freeMany(many, got);
        mbufs.free(more);
        return got === 5;
      },
    );
    assert.ok(failures >= 3, `${failures}`);
  });

  it('leave an mbuf without buffer when attach fails', () => {
    const kit = makeKit();
    const { mbufs } = kit;
    mbufs.registerFree('nothing', () => {});
    const m = must(mbufs.tryGet());
    kit.machine.failpoints.arm('mbuf.attach', { nth: 1 });
    const attach = (): void => mbufs.attach(m, { address: kit.bytes.length - 64, length: 64 }, 'nothing');
    assertCode(attach, 'OUT_OF_MEMORY');
    assert.equal(mbufs.capacityOf(m), 224);
    attach();
    assert.equal(mbufs.capacityOf(m), 64);
    mbufs.free(m);
    assertNothingUsed(kit);
  });

  it('end in a full memory without a loss', () => {
    for (const pageCount of [96, 128, 160]) {
      const kit = makeKit({ pageCount, max: 0 });
      const { mbufs } = kit;
      const m = must(mbufs.tryGethdr());
      let length = 0;
      while (mbufs.append(m, bytes, 0, 3000)) length += 3000;
      while (mbufs.append(m, bytes, 0, 100)) length += 100;
      assert.equal(mbufs.packetLength(m), length);
      assert.equal(mbufs.chainLength(m), length);
      assert.ok(length > 50_000);
      assertClean(kit);
      mbufs.freeChain(m);
      assertNothingUsed(kit);
    }
  });
});
