/** Zones that cache what they did not make: import, release, and what stands in a cell meanwhile. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Addr,
  attachMemory,
  CANFAIL,
  createMemory,
  How,
  type Zone,
  type ZoneOptions,
} from '../index.js';
import {
  assertClean,
  codeOf,
  errorOf,
  joinParty,
  makeParty,
  must,
  type Party,
  property,
  turn,
} from './uma.test-kit.js';

/** Things with numbers from 1; each is out once at most. */
class Source {
  readonly out = new Set<number>();
  readonly batches: number[] = [];
  made = 0;
  /** Most things that are out together. */
  most = Number.POSITIVE_INFINITY;
  fails: Error | null = null;

  readonly options = {
    import: (words: Int32Array, n: number, how: How): number => {
      assert.ok(how === How.NOWAIT || how === How.WAITOK);
      assert.ok(n >= 1 && n <= words.length);
      if (this.fails !== null) throw this.fails;
      const count = Math.min(n, this.most - this.out.size);
      for (let index = 0; index < count; index++) {
        this.made++;
        words[index] = this.made;
        this.out.add(this.made);
      }
      this.batches.push(count);
      return count;
    },
    release: (words: Int32Array, n: number): void => {
      for (const word of words.subarray(0, n)) assert.ok(this.out.delete(word), `${word} was released twice`);
    },
  };
}

function open(party: Party, source: Source, options: Partial<ZoneOptions> = {}): Zone {
  return party.uma.zone({ name: 'things', ...source.options, ...options });
}

const wordOf = (party: Party, item: number): number => party.words[item >>> 2] as number;

describe('a zone that imports', () => {
  it('hands out what import gave, each thing to one user, and keeps it from use to use', () => {
    const party = makeParty();
    const source = new Source();
    const zone = open(party, source);
    assert.equal(zone.size, 16);
    const items = Array.from({ length: 500 }, () => must(zone.tryAlloc()));
    const words = items.map((item) => wordOf(party, item));
    assert.equal(new Set(words).size, 500);
    for (const word of words) assert.ok(source.out.has(word));
    for (const item of items) zone.free(item);
    assertClean(party);
    const { made } = source;
    for (let round = 0; round < 1000; round++) zone.free(must(zone.tryAlloc()));
    assert.equal(source.made, made, 'nothing is imported for what is cached');
    assert.ok(Math.max(...source.batches) > 10, 'it is asked for bucketfuls');
  });

  it('releases everything when it is drained, and imports anew', () => {
    const party = makeParty();
    const source = new Source();
    const zone = open(party, source);
    const items = Array.from({ length: 300 }, () => must(zone.tryAlloc()));
    const kept = items.splice(0, 5);
    for (const item of items) zone.free(item);
    zone.drain();
    assert.deepEqual([...source.out].sort(), kept.map((item) => wordOf(party, item)).sort());
    for (const item of kept) zone.free(item);
    zone.destroy();
    assert.equal(source.out.size, 0);
    assertClean(party);
  });

  it('has no item when there is nothing to be imported, and goes on with what there is', () => {
    const party = makeParty();
    const source = new Source();
    source.most = 7;
    const zone = open(party, source);
    const items = Array.from({ length: 7 }, () => must(zone.tryAlloc()));
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(zone.stats().failures, 1);
    zone.free(items[0] as Addr);
    must(zone.tryAlloc());
    assertClean(party);
    source.most = 8;
    must(zone.tryAlloc());
    assert.equal(zone.tryAlloc(), 0);
    assertClean(party);
  });

  it('lets who may wait go on waiting while there is nothing, and ends the wait with what import throws', async () => {
    const party = makeParty();
    const source = new Source();
    source.most = 0;
    const zone = open(party, source, { noBucket: true });
    assert.equal(
      codeOf(() => zone.alloc(0, 0)),
      'TIMED_OUT',
    );
    assert.equal(
      codeOf(() => zone.alloc(CANFAIL)),
      'OUT_OF_MEMORY',
    );
    const first = zone.allocAsync();
    const second = zone.allocAsync();
    await turn();
    assert.equal(zone.sleepers, 2);
    source.most = 1;
    zone.free(await first);
    assert.notEqual(wordOf(party, await second), 0);
    source.fails = new RangeError('no things');
    assert.throws(() => zone.alloc(0, 0), source.fails);
    await assert.rejects(zone.allocAsync(), source.fails);
    assert.equal(zone.sleepers, 0);
    assert.equal(zone.stats().used, 1, 'no unit is lost');
    assertClean(party);
  });

  it('tells what import and release throw; nothing is lost', () => {
    const party = makeParty();
    const source = new Source();
    const zone = open(party, source, { noBucket: true });
    source.fails = new RangeError('no things');
    assert.throws(() => zone.tryAlloc(), source.fails);
    source.fails = null;
    zone.free(must(zone.tryAlloc()));
    assert.equal(source.out.size, 0, 'without buckets each goes back at once');
    assertClean(party);
    const angry = party.uma.zone({
      ...source.options,
      name: 'angry',
      release() {
        throw new RangeError('kept');
      },
    });
    angry.free(must(angry.tryAlloc()));
    assert.throws(() => angry.drain(), /kept/);
    assertClean(party);
  });

  it('refuses answers that cannot be', () => {
    const party = makeParty();
    const answers: ((words: Int32Array, n: number) => unknown)[] = [
      (_words, n) => n + 1,
      () => -1,
      () => 0.5,
      () => undefined,
      () => '3',
      () => 1,
    ];
    for (const [index, answer] of answers.entries()) {
      const zone = party.uma.zone({ name: `bad ${index}`, import: answer as never, release() {} });
      assert.equal(
        codeOf(() => zone.tryAlloc()),
        'HOOK_FAILED',
        String(answer),
      );
      assertClean(party);
    }
  });

  it('may allocate from itself in both hooks', () => {
    const party = makeParty();
    let depth = 0;
    let next = 0;
    const taken: number[] = [];
    const zone: Zone = party.uma.zone({
      name: 'nested',
      import(words, n) {
        depth++;
        if (depth < 3) {
          const item = zone.tryAlloc();
          if (item !== 0) taken.push(wordOf(party, item));
        }
        for (let index = 0; index < n; index++) words[index] = ++next;
        depth--;
        return n;
      },
      release() {},
    });
    const items = Array.from({ length: 600 }, () => must(zone.tryAlloc()));
    const words = [...items.map((item) => wordOf(party, item)), ...taken];
    assert.equal(new Set(words).size, words.length);
    assertClean(party);
  });

  it('bounds what is out of the source, and serves who waits', async () => {
    const party = makeParty();
    const source = new Source();
    const zone = open(party, source, { max: 3 });
    const items = Array.from({ length: 3 }, () => must(zone.tryAlloc()));
    assert.equal(zone.tryAlloc(), 0);
    const waiting = zone.allocAsync();
    zone.free(items[1] as Addr);
    assert.notEqual(wordOf(party, await waiting), 0);
    assert.ok(source.out.size <= 3);
    assertClean(party);
  });

  it('carries its hooks in each thread, and must be opened with them', () => {
    const one = makeParty();
    const other = joinParty(one.machine.handle);
    const source = new Source();
    open(one, source);
    for (const options of [{ size: 16 }, { size: 16, init() {}, fini() {} }])
      assert.equal(
        codeOf(() => other.uma.zone({ name: 'things', ...options })),
        'LAYOUT_MISMATCH',
      );
    const theirs = open(other, source);
    const item = must(theirs.tryAlloc());
    assert.ok(source.out.has(wordOf(other, item)));
    theirs.free(item);
    assertClean(other);
  });

  it('is refused with what contradicts it, all reasons at once', () => {
    const party = makeParty();
    const primary = party.uma.zone({ name: 'primary', size: 16 });
    const source = new Source();
    const bad: Partial<ZoneOptions>[] = [
      { init() {} },
      { fini() {} },
      { primary },
      { zero: true },
      { noTouch: true },
      { perThread: true },
      { guard: true },
      { epoch: true },
    ];
    for (const options of bad) {
      const error = errorOf(() => open(party, source, options));
      assert.match(error.message, new RegExp(`import and ${Object.keys(options)[0]} contradict`));
    }
    const { message, code } = errorOf(() => open(party, source, { init() {}, zero: true }));
    assert.equal(code, 'BAD_CONFIGURATION');
    assert.match(message, /init.*; .*zero/);
    assert.match(errorOf(() => party.uma.zone({ name: 'half', import: () => 0 })).message, /come together/);
    assert.equal(
      codeOf(() => party.uma.zone({ name: 'none', import: 7 as never, release() {} })),
      'BAD_ARGUMENT',
    );
  });

  for (const checkLevel of [0, 1, 2, 3] as const) {
    it(`keeps what cells hold at check level ${checkLevel}`, () => {
      const party = makeParty({ checkLevel });
      const source = new Source();
      const zone = open(party, source, { size: 40 });
      for (let round = 0; round < 5; round++) {
        const items = Array.from({ length: 100 }, () => must(zone.tryAlloc()));
        for (const item of items) assert.ok(source.out.has(wordOf(party, item)));
        for (const item of items) zone.free(item);
        if (round === 2) zone.drain();
      }
      zone.destroy();
      assert.equal(source.out.size, 0);
      assertClean(party);
    });
  }

  it('loses and doubles nothing, whatever is done in whatever order', () => {
    const step = fc.record({
      what: fc.constantFrom('alloc', 'free', 'bulk', 'drain', 'trim', 'short', 'fail'),
      n: fc.nat(200),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, noBucket) => {
        const party = makeParty();
        const source = new Source();
        const zone = open(party, source, { noBucket, max: 300 });
        const held: Addr[] = [];
        const out = new Int32Array(200);
        const attempt = (call: () => void): void => {
          try {
            call();
          } catch (error) {
            assert.equal(error, source.fails);
          }
        };
        for (const { what, n } of steps) {
          if (what === 'alloc') {
            attempt(() => {
              const item = zone.tryAlloc();
              if (item !== 0) held.push(item);
            });
          } else if (what === 'bulk') {
            attempt(() => {
              const count = zone.tryAllocMany(out, n);
              held.push(...(out.subarray(0, count) as unknown as Addr[]));
            });
          } else if (what === 'free') for (const item of held.splice(0, n)) zone.free(item);
          else if (what === 'drain') zone.drain();
          else if (what === 'trim') zone.trim();
          else if (what === 'short') source.most = source.out.size + (n % 3);
          else source.fails = source.fails === null ? new RangeError('fails') : null;
          const words = held.map((item) => wordOf(party, item));
          assert.equal(new Set(words).size, words.length);
          for (const word of words) assert.ok(source.out.has(word));
        }
        assertClean(party);
        for (const item of held) zone.free(item);
        zone.destroy();
        assert.equal(source.out.size, 0);
        assertClean(party);
      }),
      { ...property(150), endOnFailure: true },
    );
  });
});

it('what a dead thread had is used again, or released, by who has the hooks', () => {
  const memory = createMemory({ bytes: 1 << 20, maxThreads: 4 });
  const victim = attachMemory(memory.handle);
  const source = new Source();
  const options = { name: 'things', ...source.options, onOwnerDeath: 'free' } as const;
  const theirs = victim.zone(options);
  const items = Array.from({ length: 40 }, () => must(theirs.tryAlloc()));
  for (const item of items.splice(0, 10)) theirs.free(item);
  // Who cleans up has not opened the zone: nothing is released, and nothing is lost.
  memory.declareDead(victim.name);
  memory.reap();
  assert.ok(source.out.size >= 40);
  assert.deepEqual(memory.audit().violations, []);
  const zone = memory.zone(options);
  const again = Array.from({ length: 600 }, () => must(zone.tryAlloc()));
  assert.equal(new Set(again.map((item) => memory.words[item >>> 2])).size, 600);
  for (const item of again) zone.free(item);
  zone.destroy();
  assert.equal(source.out.size, 0);
  assert.deepEqual(memory.audit().violations, []);
});
