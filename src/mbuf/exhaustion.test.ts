/** Clusters run out: who gets the next, and that packets do not hoard them. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { assertClean, assertCode, assertNothingUsed, attachKit, makeKit, must } from './mbuf.test.kit.js';

const MAX = 32;

function takeAll(tryGet: () => Addr | 0): Addr[] {
  const taken: Addr[] = [];
  for (let m = tryGet(); m !== 0; m = tryGet()) taken.push(m);
  return taken;
}

describe('clusters that run out', () => {
  it('are limited, and the limit can be moved', () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    assert.equal(mbufs.max, MAX);
    const packets = takeAll(mbufs.tryGetcl);
    assert.equal(packets.length, MAX);
    assertCode(() => mbufs.getcl(0, 20), 'TIMED_OUT');
    mbufs.max = MAX + 3;
    packets.push(...takeAll(mbufs.tryGetcl));
    assert.equal(packets.length, MAX + 3);
    mbufs.max = MAX - 10;
    assert.equal(mbufs.tryGetcl(), 0);
    for (const m of packets.splice(0, 13)) mbufs.free(m);
    // What is cached counts, and may be used again.
    mbufs.zones.packet.drain();
    mbufs.zones.cluster.drain();
    assert.equal(mbufs.tryGetcl(), 0);
    mbufs.free(packets.pop() as Addr);
    packets.push(must(mbufs.tryGetcl()));
    mbufs.max = 0;
    for (let count = 0; count < 2 * MAX; count++) packets.push(must(mbufs.tryGetcl()));
    assertClean(kit);
    for (const m of packets) mbufs.free(m);
    assertNothingUsed(kit);
  });

  it('have a limit from the size of the memory', () => {
    const kit = makeKit({ pageCount: 1024 });
    assert.equal(kit.mbufs.max, 1024);
    assert.equal(kit.mbufs.zones.jumboPage.max, 512);
    assert.equal(kit.mbufs.zones.jumbo9k.max, 170);
    assert.equal(kit.mbufs.zones.jumbo16k.max, 128);
    // Only the maker says it.
    kit.mbufs.max = 7;
    assert.equal(attachKit(kit).mbufs.max, 7);
  });

  it('are taken out of cached packets', () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    for (const m of takeAll(mbufs.tryGetcl)) mbufs.free(m);
    assert.ok(mbufs.stats().packets.cache > 0);
    // A cluster by itself: the packets must give theirs.
    const clusters = takeAll(() => mbufs.zones.cluster.tryAlloc());
    assert.equal(clusters.length, MAX);
    assert.equal(mbufs.stats().packets.cache, 0);
    for (const cluster of clusters) mbufs.zones.cluster.free(cluster);
    assertNothingUsed(kit);
  });

  it('are back in their pages after one drain, mbufs of cached packets too', () => {
    const kit = makeKit({ max: MAX });
    const { mbufs, context } = kit;
    mbufs.free(must(mbufs.tryGetcl()));
    context.uma.reclaimer.reclaim('drain');
    const free = context.pages.freePages();
    for (const m of takeAll(mbufs.tryGetcl)) mbufs.free(m);
    assert.ok(mbufs.stats().packets.cache > 0 && context.pages.freePages() < free);
    context.uma.reclaimer.reclaim('drain');
    assert.equal(context.pages.freePages(), free);
    const { packet, mbuf, cluster } = mbufs.zones;
    for (const zone of [packet, mbuf, cluster]) assert.equal(zone.stats().cached, 0, zone.name);
    assertNothingUsed(kit);
  });

  it('are mbufs for others, too, when the packet zone is drained', () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    const packets = takeAll(mbufs.tryGetcl);
    for (const m of packets) mbufs.free(m);
    mbufs.zones.packet.drainHere();
    // The packets were the keg's newest slabs: it has them for mbufs again.
    const { free, pages } = mbufs.zones.mbuf.stats();
    assert.ok(free >= mbufs.stats().packets.cache);
    const taken = Array.from({ length: free }, () => must(mbufs.tryGet()));
    assert.equal(mbufs.zones.mbuf.stats().pages, pages, 'no page was needed');
    for (const m of taken) mbufs.free(m);
    assertNothingUsed(kit);
  });

  it('come to who waits, from a packet that is freed', async () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    const other = attachKit(kit);
    const packets = takeAll(mbufs.tryGetcl);
    const waits = [0, 1, 2, 3].map((who) =>
      who % 2 === 0 ? other.mbufs.getclAsync() : mbufs.getjclAsync(2048),
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(mbufs.tryGetcl(), 0);
    for (const m of packets.splice(0, 4)) mbufs.free(m);
    const got = await Promise.all(waits);
    assert.deepEqual(got.map(mbufs.capacityOf), [2048, 2048, 2048, 2048]);
    assertClean(kit);
    for (const m of [...packets, ...got]) mbufs.free(m);
    assertNothingUsed(kit);
  });

  it("come to who waits, from another thread's cached packets when that polls", async () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    const other = attachKit(kit);
    const packets = takeAll(mbufs.tryGetcl);
    const kept = packets.splice(0, MAX - 4);
    for (const m of packets) mbufs.free(m);
    assert.ok(mbufs.stats().packets.cache > 0);
    const waits = [1, 2, 3, 4].map(() => other.mbufs.getclAsync());
    await new Promise((resolve) => setTimeout(resolve, 5));
    kit.context.waiting.poll();
    const got = await Promise.all(waits);
    assertClean(kit);
    for (const m of [...kept, ...got]) mbufs.free(m);
    assertNothingUsed(kit);
  });

  it('are not lost when the wait is given up', async () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    const packets = takeAll(mbufs.tryGetcl);
    const controller = new AbortController();
    const wait = mbufs.getclAsync(0, { signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new RangeError('given up'));
    await assert.rejects(wait, RangeError);
    for (const m of packets) mbufs.free(m);
    assertNothingUsed(kit);
  });

  it('come back when a shared packet goes, last reference first or last', () => {
    const kit = makeKit({ max: MAX });
    const { mbufs } = kit;
    const packets = takeAll(mbufs.tryGetcl);
    const references = packets.map((m) => must(mbufs.reference(m)));
    assert.equal(mbufs.stats().packets.current, MAX);
    for (const m of packets) mbufs.free(m);
    // Demoted: the clusters hang on the references only.
    assert.equal(mbufs.stats().packets.current, 0);
    assert.equal(mbufs.tryGetcl(), 0);
    assertClean(kit);
    for (const m of references) mbufs.free(m);
    assertNothingUsed(kit);
    const again = takeAll(mbufs.tryGetcl);
    assert.equal(again.length, MAX);
    for (const m of again) {
      mbufs.free(must(mbufs.reference(m)));
      mbufs.free(m);
    }
    // Not shared any more when freed: whole packets, back in the packet zone.
    assert.ok(mbufs.stats().packets.cache > 0);
    assertNothingUsed(kit);
  });
});
