/** Segments and views: the bytes, and that looking makes no objects. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { assertCode, bytesOf, type Kit, makeKit, must } from './mbuf.test.kit.js';

function makeChain({ mbufs }: Kit): Addr {
  const m = must(mbufs.tryGethdr());
  mbufs.append(
    m,
    Uint8Array.from({ length: 7000 }, (_, at) => at * 3),
  );
  return m;
}

describe('segments', () => {
  it('are the same objects each time', () => {
    const kit = makeKit();
    const m = makeChain(kit);
    const views: Uint8Array[] = [];
    let first: object | undefined;
    for (let round = 0; round < 3; round++) {
      let at = 0;
      for (const segment of kit.mbufs.segments(m)) {
        first ??= segment;
        assert.equal(segment, first);
        views[at] ??= segment.view;
        assert.equal(segment.view, views[at]);
        at++;
      }
      assert.equal(at, 3);
    }
    assert.equal(views[0]?.length, 168);
    assert.equal(views[1]?.length, 4096);
  });

  it('may be walked inside each other, and left', () => {
    const kit = makeKit();
    const m = makeChain(kit);
    const whole = bytesOf(kit, m);
    let outer = 0;
    for (const { view, start, end } of kit.mbufs.segments(m)) {
      const part = [...view.subarray(start, end)];
      let inner = 0;
      for (const segment of kit.mbufs.segments(m)) {
        inner += segment.end - segment.start;
        if (inner > 200) break;
      }
      assert.deepEqual(bytesOf(kit, m), whole);
      assert.deepEqual(part, whole.slice(outer, outer + part.length));
      outer += part.length;
    }
    assert.equal(outer, 7000);
  });

  it('pass over mbufs without bytes', () => {
    const kit = makeKit();
    const { mbufs } = kit;
    const m = must(mbufs.tryGethdr());
    const second = must(mbufs.tryGetcl());
    const third = must(mbufs.tryGet());
    mbufs.setNext(m, second);
    mbufs.setNext(second, third);
    assert.deepEqual(bytesOf(kit, m), []);
    mbufs.append(m, Uint8Array.of(9));
    assert.deepEqual(bytesOf(kit, m), [9]);
    assert.deepEqual([...mbufs.view(third)], [9]);
  });

  it('and views follow the data, and are kept while it stands', () => {
    const kit = makeKit();
    const { mbufs } = kit;
    const m = must(mbufs.tryGetcl());
    mbufs.append(m, Uint8Array.of(1, 2, 3, 4));
    const view = mbufs.view(m);
    assert.equal(mbufs.view(m), view);
    assert.deepEqual([...view], [1, 2, 3, 4]);
    mbufs.setRange(m, mbufs.dataOf(m) + 1, 2);
    assert.deepEqual([...mbufs.view(m)], [2, 3]);
    assert.equal(view.buffer, kit.bytes.buffer);
    mbufs.free(m);
    assertCode(() => mbufs.view(m), 'NOT_AN_MBUF');
  });

  it('keep a bounded number of views', () => {
    const kit = makeKit({ pageCount: 4096, max: 0, checkLevel: 0 });
    const { mbufs } = kit;
    const out = new Int32Array(40_000);
    const got = mbufs.tryGetMany(out, 40_000);
    assert.ok(got === 40_000, `${got}`);
    for (let at = 0; at < got; at++) {
      mbufs.setLength(out[at] as Addr, 8);
      assert.equal(mbufs.view(out[at] as Addr).length, 8);
    }
    mbufs.freeMany(out, got);
  });
});
