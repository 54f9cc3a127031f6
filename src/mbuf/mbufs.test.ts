import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { ZERO } from '../uma/index.js';
import { assertClean, assertCode, assertNothingUsed, bytesOf, makeKit, must } from './mbuf.test.kit.js';

for (const checkLevel of [0, 1, 2, 3] as const) {
  describe(`mbufs at check level ${checkLevel}`, () => {
    it('come bare, with packet header, with cluster and with jumbo cluster', () => {
      const kit = makeKit({ checkLevel });
      const { mbufs } = kit;
      const bare = must(mbufs.tryGet());
      const header = must(mbufs.tryGethdr());
      const packet = must(mbufs.tryGetcl());
      assert.deepEqual([bare, header, packet].map(mbufs.capacityOf), [224, 168, 2048]);
      assert.equal(mbufs.dataOf(bare), bare + 32);
      assert.equal(mbufs.dataOf(header), header + 88);
      const jumbos = [2048, 4096, 9216, 16384].map((size) => must(mbufs.tryGetjcl(size)));
      assert.deepEqual(jumbos.map(mbufs.capacityOf), [2048, 4096, 9216, 16384]);
      const all = [bare, header, packet, ...jumbos];
      for (const m of all) {
        assert.equal(m % 256, 0);
        assert.equal(mbufs.lengthOf(m), 0);
        assert.equal(mbufs.nextOf(m), 0);
        assert.equal(mbufs.trailingSpace(m), mbufs.capacityOf(m));
        assert.equal(mbufs.leadingSpace(m), 0);
        if (m !== bare) assert.equal(mbufs.packetLength(m), 0);
      }
      assertCode(() => mbufs.packetLength(bare), 'BAD_ARGUMENT');
      assertClean(kit);
      for (const m of all) assert.equal(mbufs.free(m), 0);
      assertNothingUsed(kit);
    });

    it('come in bulk', () => {
      const kit = makeKit({ checkLevel });
      const { mbufs } = kit;
      for (const take of [mbufs.tryGetMany, mbufs.tryGethdrMany, mbufs.tryGetclMany]) {
        const out = new Int32Array(200);
        assert.equal(take(out, 200), 200);
        assert.equal(new Set(out).size, 200);
        assertClean(kit);
        mbufs.freeMany(out, 200);
        assertNothingUsed(kit);
      }
    });

    it('form chains that are filled, read and freed', () => {
      const kit = makeKit({ checkLevel });
      const { mbufs } = kit;
      const m = must(mbufs.tryGethdr());
      const source = Uint8Array.from({ length: 10_000 }, (_, index) => index * 7);
      assert.equal(mbufs.append(m, source, 0, 100), true);
      assert.equal(mbufs.append(m, source, 100), true);
      assert.equal(mbufs.packetLength(m), 10_000);
      assert.equal(mbufs.chainLength(m), 10_000);
      assert.deepEqual(bytesOf(kit, m), [...source]);
      const target = new Uint8Array(300);
      mbufs.copyOut(m, 150, 200, target, 50);
      assert.deepEqual([...target.subarray(50, 250)], [...source.subarray(150, 350)]);
      assert.deepEqual([...target.subarray(0, 50)], new Array(50).fill(0));
      assertCode(() => mbufs.copyOut(m, 9_900, 101, target), 'CHAIN_TOO_SHORT');
      assertClean(kit);
      mbufs.freeChain(m);
      assertNothingUsed(kit);
    });

    it('share a cluster until the last reference goes, in any order', () => {
      for (const order of [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ]) {
        for (const size of [2048, 4096, 9216, 16384]) {
          const kit = makeKit({ checkLevel });
          const { mbufs } = kit;
          const first = must(mbufs.tryGetjcl(size));
          mbufs.append(first, Uint8Array.of(1, 2, 3));
          const second = must(mbufs.reference(first));
          const third = must(mbufs.reference(second));
          assert.equal(mbufs.dataOf(third), mbufs.dataOf(first));
          assert.equal(mbufs.packetLength(third), 3);
          const all = [first, second, third];
          assert.deepEqual(all.map(mbufs.isWritable), [false, false, false]);
          assert.deepEqual(all.map(mbufs.trailingSpace), [0, 0, 0]);
          assertClean(kit);
          mbufs.free(all[order[0] as number] as Addr);
          assertClean(kit);
          mbufs.free(all[order[1] as number] as Addr);
          assertClean(kit);
          const last = all[order[2] as number] as Addr;
          assert.equal(mbufs.isWritable(last), true);
          assert.deepEqual(bytesOf(kit, last), [1, 2, 3]);
          assertClean(kit);
          mbufs.free(last);
          assertNothingUsed(kit);
        }
      }
    });

    it('come by the waiting forms too, zeroed when asked', async () => {
      const kit = makeKit({ checkLevel });
      const { mbufs } = kit;
      const forms = [
        () => [
          mbufs.get(ZERO),
          mbufs.gethdr(ZERO),
          mbufs.getcl(ZERO),
          mbufs.getjcl(2048, ZERO),
          mbufs.getjcl(9216, ZERO),
        ],
        () =>
          Promise.all([
            mbufs.getAsync(ZERO),
            mbufs.gethdrAsync(ZERO),
            mbufs.getclAsync(ZERO),
            mbufs.getjclAsync(2048, ZERO),
            mbufs.getjclAsync(9216, ZERO),
          ]),
      ];
      for (const take of forms) {
        const dirty = await take();
        for (const m of dirty) mbufs.append(m, new Uint8Array(mbufs.capacityOf(m)).fill(255));
        for (const m of dirty) mbufs.freeChain(m);
        const clean = await take();
        for (const m of clean) {
          assert.equal(mbufs.lengthOf(m), 0);
          mbufs.setLength(m, mbufs.capacityOf(m));
          assert.equal(Math.max(...mbufs.view(m)), 0);
          mbufs.setLength(m, 0);
        }
        assert.deepEqual(clean.map(mbufs.capacityOf), [224, 168, 2048, 2048, 9216]);
        assertClean(kit);
        for (const m of clean) mbufs.free(m);
        assertNothingUsed(kit);
      }
    });

    it('go back where they belong: packets whole, with their cluster, bare ones bare', () => {
      const kit = makeKit({ checkLevel });
      const { mbufs } = kit;
      const { packet, cluster, mbuf } = mbufs.zones;
      const m = must(mbufs.tryGetcl());
      const data = mbufs.dataOf(m);
      const clusters = cluster.stats().used;
      mbufs.append(m, Uint8Array.of(1, 2, 3));
      mbufs.free(m);
      assert.deepEqual([packet.stats().used, cluster.stats().used], [0, clusters], 'it keeps its cluster');
      assertClean(kit);
      assert.deepEqual([must(mbufs.tryGetcl()), mbufs.dataOf(m), mbufs.lengthOf(m)], [m, data, 0]);
      const bare = must(mbufs.tryGet());
      const { cached } = mbuf.stats();
      mbufs.free(bare);
      assert.equal(mbuf.stats().cached, cached + 1);
      assert.equal(packet.stats().used, 1, 'no packet has come of it');
      mbufs.free(m);
      assert.ok(cluster.stats().used > 0);
      packet.drain();
      assert.equal(cluster.stats().used, 0, 'leaving the cache it gives the cluster back');
      assertNothingUsed(kit);
    });

    it('are told by the formulas of netstat -m', () => {
      const kit = makeKit({ checkLevel, max: 500 });
      const { mbufs } = kit;
      const packets = new Int32Array(40);
      mbufs.tryGetclMany(packets, 40);
      mbufs.freeMany(packets, 30);
      const rest = packets.subarray(30);
      const bare = must(mbufs.tryGet());
      const jumbo = must(mbufs.tryGetjcl(4096));
      const told = mbufs.stats();
      assert.deepEqual(told.mbufs.current, 12);
      assert.deepEqual(told.packets.current, 10);
      assert.deepEqual(told.clusters.current, 10);
      assert.equal(told.clusters.max, 500);
      assert.equal(told.zones.cluster.used, 10 + told.packets.cache);
      assert.equal(told.bytes.current, 12 * 256 + 10 * 2048 + 4096);
      assert.equal(told.bytes.total, told.bytes.current + told.bytes.cache);
      mbufs.freeMany(rest, 10);
      mbufs.free(bare);
      mbufs.free(jumbo);
      assertNothingUsed(kit);
    });

    it('share a cluster in bulk', () => {
      const kit = makeKit({ checkLevel });
      const { mbufs } = kit;
      const whole = must(mbufs.tryGetjcl(16384));
      const data = mbufs.dataOf(whole);
      const parts = new Int32Array(120);
      assert.equal(mbufs.tryReferenceMany(whole, parts, 120), 120);
      for (let at = 0; at < 120; at++) {
        const part = parts[at] as Addr;
        mbufs.setRange(part, data + at * 100, 100);
        mbufs.setPacketLength(part, 100);
      }
      assertClean(kit);
      mbufs.free(whole);
      assertClean(kit);
      mbufs.freeMany(parts, 60);
      assertClean(kit);
      mbufs.freeMany(parts.subarray(60), 60);
      assertNothingUsed(kit);
    });
  });
}

describe('mbufs at check level 2', () => {
  it('find what was written into the cluster of a free packet', () => {
    const kit = makeKit({ checkLevel: 2 });
    const { mbufs, bytes } = kit;
    const m = must(mbufs.tryGetcl());
    const data = mbufs.dataOf(m);
    mbufs.free(m);
    bytes[data + 1000] = 1;
    assertCode(() => mbufs.tryGetcl(), 'MODIFIED_AFTER_FREE');
    bytes[data + 1000] = 1;
    assertCode(() => mbufs.tryGetclMany(new Int32Array(5), 5), 'MODIFIED_AFTER_FREE');
    assertNothingUsed(kit);
    mbufs.free(must(mbufs.tryGetcl()));
    assertNothingUsed(kit);
  });

  it('find what was written into a free mbuf', () => {
    const kit = makeKit({ checkLevel: 2 });
    const { mbufs, words } = kit;
    const m = must(mbufs.tryGet());
    mbufs.free(m);
    words[(m >> 2) + 20] = 1;
    assertCode(() => mbufs.tryGet(), 'MODIFIED_AFTER_FREE');
    assertNothingUsed(kit);
  });
});
