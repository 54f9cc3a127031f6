/** Kegs by themselves: items by the batch, for who brings his own cache. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Addr, attachMemory, createMemory, type Keg, type Memory } from '../index.js';
import { codeOf, errorOf, must } from './uma.test-kit.js';

function assertSound(memory: Memory): void {
  assert.deepEqual(memory.audit().violations, []);
}

/** A cache of somebody's own, as small as can be: a stack in front of a keg. */
class Stack {
  private readonly items = new Int32Array(64);
  private count = 0;

  constructor(private readonly keg: Keg) {}

  take(): Addr | 0 {
    if (this.count === 0) this.count = this.keg.tryTake(this.items, 32);
    return this.count === 0 ? 0 : (this.items[--this.count] as Addr);
  }

  give(item: Addr): void {
    if (this.count === this.items.length) {
      this.count -= 32;
      this.keg.give(this.items.subarray(this.count), 32);
    }
    this.items[this.count++] = item;
  }

  flush(): void {
    this.keg.give(this.items, this.count);
    this.count = 0;
  }
}

describe('a keg', () => {
  for (const checkLevel of [0, 1, 2, 3] as const) {
    it(`gives items by the batch and takes them back, at check level ${checkLevel}`, () => {
      const memory = createMemory({ bytes: 2 << 20, checkLevel });
      const keg = memory.keg({ name: 'blocks', size: 200 });
      const pages = memory.stats().pages.free;
      const out = new Int32Array(1500);
      for (const count of [1, 3, 4, 255, 256, 1500]) {
        assert.equal(keg.tryTake(out, count), count);
        assert.equal(new Set(out.subarray(0, count)).size, count);
        assert.equal(keg.stats().used, count);
        assertSound(memory);
        keg.give(out, count);
        assert.equal(keg.stats().used, 0);
        assert.equal(keg.stats().cached, 0, 'nothing is cached');
        assertSound(memory);
      }
      memory.drain();
      assert.equal(memory.stats().pages.free, pages);
    });
  }

  it('serves a cache of the caller, in two threads that hand items over', () => {
    const memory = createMemory({ bytes: 1 << 20, maxThreads: 4 });
    const other = attachMemory(memory.handle);
    const options = { name: 'own', size: 64 } as const;
    const one = new Stack(memory.keg(options));
    const two = new Stack(other.keg(options));
    for (let round = 0; round < 2000; round++) two.give(must(one.take()));
    two.flush();
    one.flush();
    assert.equal(memory.keg(options).stats().used, 0);
    assertSound(memory);
  });

  it('ends at its limit and at the end of memory, and serves who waits first', async () => {
    const memory = createMemory({ bytes: 1 << 20 });
    const keg = memory.keg({ name: 'few', size: 64, max: 100 });
    const out = new Int32Array(200);
    assert.equal(keg.tryTake(out, 200), 100);
    const waiting = keg.zone.allocAsync();
    keg.give(out, 100);
    const item = await waiting;
    assert.equal(keg.stats().used, 1);
    keg.zone.free(item);
    assertSound(memory);
    const large = memory.keg({ name: 'large', size: 4096 });
    const all = new Int32Array(1000);
    const got = large.tryTake(all, 1000);
    assert.ok(got > 100 && got < 1000);
    large.give(all, got);
    large.destroy();
    assertSound(memory);
  });

  it('tells a bad item of a batch, and has taken those before it', () => {
    const memory = createMemory({ bytes: 1 << 20 });
    const keg = memory.keg({ name: 'batch', size: 64 });
    const out = new Int32Array(20);
    keg.tryTake(out, 20);
    out[10] = out[3] as number;
    assert.equal(
      codeOf(() => keg.give(out, 20)),
      'FREE_TWICE',
    );
    assert.equal(keg.stats().used, 10);
    out[10] = 8;
    assert.equal(
      codeOf(() => keg.give(out.subarray(10), 10)),
      'FREE_FOREIGN',
    );
    assertSound(memory);
  });

  it('is what zones are stacked on, with hooks of their own', () => {
    const memory = createMemory({ bytes: 1 << 20 });
    let slabInits = 0;
    let zoneInits = 0;
    const keg = memory.keg({ name: 'base', size: 64, init: () => void slabInits++ });
    const zone = memory.zone({ name: 'front', primary: keg.zone, init: () => void zoneInits++ });
    zone.free(must(zone.tryAlloc()));
    assert.ok(slabInits > 0 && zoneInits > 0);
    assert.equal(
      codeOf(() => keg.destroy()),
      'ZONE_BUSY',
    );
    zone.destroy();
    keg.destroy();
    assertSound(memory);
  });

  it('refuses what is for a zone to say', () => {
    const memory = createMemory({ bytes: 1 << 20 });
    const error = errorOf(() => memory.keg({ name: 'k', size: 64, ctor() {}, maxCached: 4 } as never));
    assert.equal(error.code, 'BAD_CONFIGURATION');
    assert.match(error.message, /ctor, maxCached/);
    assert.equal(
      codeOf(() => memory.keg(null as never)),
      'BAD_ARGUMENT',
    );
  });

  it('loses nothing with a thread that dies between two batches', () => {
    const memory = createMemory({ bytes: 1 << 20, maxThreads: 4 });
    const victim = attachMemory(memory.handle);
    const options = { name: 'left', size: 64, onOwnerDeath: 'free' } as const;
    const keg = memory.keg(options);
    const out = new Int32Array(300);
    assert.equal(victim.keg(options).tryTake(out, 300), 300);
    memory.declareDead(victim.name);
    assert.equal(memory.reap()[0]?.items[0]?.freed, 300);
    assert.equal(keg.stats().used, 0);
    assertSound(memory);
  });
});
