/** Zones against a plain reference: random calls, every word of every item a cookie, audits. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MbumaError } from '../check/index.js';
import { CANFAIL, ZERO, type Zone } from './index.js';
import { assertClean, joinParty, makeParty, type Party, property } from './uma.test-kit.js';

/** What is told of one zone: the items in use, with the number that their words are made of. */
interface ZoneModel {
  readonly name: string;
  readonly keg: string;
  readonly live: Map<number, number>;
  limit: number;
}

interface Model {
  readonly zones: readonly ZoneModel[];
  cookies: number;
}

/** The same zones as seen by each of the parties. */
interface Real {
  readonly parties: readonly Party[];
  readonly zones: readonly (readonly Zone[])[];
}

const words = (size: number): number => Math.floor(size / 4);

function fill(party: Party, zone: Zone, item: number, cookie: number): void {
  const first = item >>> 2;
  for (let index = 0; index < words(zone.size); index++) party.words[first + index] = cookie * 31 + index;
  if (zone.name === 'counted') party.words[party.uma.counterOf(item)] = cookie;
}

function check(party: Party, zone: Zone, item: number, cookie: number): void {
  const first = item >>> 2;
  for (let index = 0; index < words(zone.size); index++) {
    const found = party.words[first + index];
    if (found !== ((cookie * 31 + index) | 0)) assert.fail(`word ${index} of ${zone.name} is ${found}`);
  }
  if (zone.name === 'counted') assert.equal(party.words[party.uma.counterOf(item)], cookie, 'counter');
}

/** Takes the item over into the model: it must be nobody's, aligned, owned by the caller. */
function take(model: Model, real: Real, who: number, at: number, item: number): void {
  const party = real.parties[who] as Party;
  const zone = real.zones[who]?.[at] as Zone;
  const known = model.zones[at] as ZoneModel;
  for (const other of model.zones) {
    if (other.keg === known.keg) assert.ok(!other.live.has(item), `${item} is in use already`);
  }
  assert.equal(item % (zone.name === 'aligned' ? 256 : 16), 0);
  assert.equal(party.uma.owners[item >>> 4], party.threads.slot, 'owner');
  // What `init` wrote stands until the item leaves the secondary zone.
  if (zone.name === 'secondary') assert.equal(party.words[item >>> 2], 0x1417, 'initialised');
  const cookie = model.cookies++;
  fill(party, zone, item, cookie);
  known.live.set(item, cookie);
}

/** What must be so before an item goes back. */
function give(model: Model, real: Real, who: number, at: number, item: number): void {
  const party = real.parties[who] as Party;
  const known = model.zones[at] as ZoneModel;
  check(party, real.zones[who]?.[at] as Zone, item, known.live.get(item) as number);
  if (known.name === 'secondary') party.words[item >>> 2] = 0x1417;
  known.live.delete(item);
}

/** Nothing was got: the limit is reached, or there is no memory for one more slab. */
function assertLacking(model: Model, real: Real, who: number, at: number): void {
  const known = model.zones[at] as ZoneModel;
  if (known.limit !== 0 && known.live.size >= known.limit) return;
  // What the other threads have cached is out of reach until they poll.
  if (real.parties.length > 1) return;
  const { uma, pages } = real.parties[who] as Party;
  const zone = real.zones[who]?.[at] as Zone;
  const kegItems = uma
    .stats()
    .filter(({ name }) => model.zones.find((each) => each.name === name)?.keg === known.keg);
  assert.ok(
    kegItems.every(({ free }) => free === 0),
    `${zone.name} has free items`,
  );
  assert.ok(pages.stats().longestBlock * 4096 < zone.size + 4096 * 9, `there are pages for ${zone.name}`);
}

abstract class Step implements fc.Command<Model, Real> {
  constructor(
    readonly at: number,
    readonly who: number,
    readonly number: number,
  ) {}

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const who = this.who % real.parties.length;
    const at = this.at % model.zones.length;
    const zone = real.zones[who]?.[at] as Zone;
    this.act(model, real, who, at, zone, model.zones[at] as ZoneModel);
    const { limit, live } = model.zones[at] as ZoneModel;
    const { used, limit: told } = zone.stats();
    assert.deepEqual([told, used], [limit, live.size], 'figures of the zone');
    if (this.number % 16 === 0) assertClean(real.parties[who] as Party);
  }

  abstract act(model: Model, real: Real, who: number, at: number, zone: Zone, known: ZoneModel): void;

  toString(): string {
    return `${this.constructor.name}(${this.at}, ${this.who}, ${this.number})`;
  }
}

class TryAlloc extends Step {
  act(model: Model, real: Real, who: number, at: number, zone: Zone, known: ZoneModel): void {
    const flags = this.number % 4 === 0 && known.name !== 'secondary' ? ZERO : 0;
    const item = zone.tryAlloc(flags);
    if (item === 0) {
      assertLacking(model, real, who, at);
      return;
    }
    if (real.parties.length === 1) assert.ok(known.limit === 0 || known.live.size < known.limit, 'limit');
    const first = item >>> 2;
    if (flags === ZERO)
      assert.ok(
        real.parties[who]?.words.subarray(first, first + words(zone.size)).every((word) => word === 0),
      );
    take(model, real, who, at, item);
  }
}

class Alloc extends Step {
  act(model: Model, real: Real, who: number, at: number, zone: Zone): void {
    let item = 0;
    try {
      item = zone.alloc(CANFAIL, 0);
    } catch (error) {
      assert.ok(
        error instanceof MbumaError && ['TIMED_OUT', 'OUT_OF_MEMORY'].includes(error.code),
        String(error),
      );
      assertLacking(model, real, who, at);
      return;
    }
    take(model, real, who, at, item);
  }
}

class Free extends Step {
  act(model: Model, real: Real, who: number, at: number, zone: Zone, known: ZoneModel): void {
    const items = [...known.live.keys()];
    if (items.length === 0) return;
    const item = items[this.number % items.length] as number;
    give(model, real, who, at, item);
    zone.free(item as never);
  }
}

/** A place for a bulk call: in the memory itself, or in an array outside. */
function place(real: Real, inside: boolean, length: number): { array: Int32Array; end: () => void } {
  const { pages, words: shared } = real.parties[0] as Party;
  const page = inside ? pages.tryAllocRun(1, 3) : 0;
  if (page === 0) return { array: new Int32Array(length), end: () => undefined };
  return {
    array: new Int32Array(shared.buffer, page << 12, length),
    end: () => pages.freeRun(page, 1),
  };
}

class AllocMany extends Step {
  act(model: Model, real: Real, who: number, at: number, zone: Zone, known: ZoneModel): void {
    const want = this.number % 700;
    const { array: out, end } = place(real, this.number % 3 === 0, 700);
    out.fill(0);
    const got = zone.tryAllocMany(out, want);
    assert.ok(got >= 0 && got <= want);
    assert.ok(
      out.subarray(got).every((word) => word === 0),
      'behind what was got',
    );
    for (const item of out.subarray(0, got)) take(model, real, who, at, item);
    end();
    if (real.parties.length === 1)
      assert.ok(known.limit === 0 || got === 0 || known.live.size <= known.limit);
    if (got < want) assertLacking(model, real, who, at);
  }
}

class FreeMany extends Step {
  act(model: Model, real: Real, who: number, at: number, zone: Zone, known: ZoneModel): void {
    const count = Math.min(known.live.size, this.number % 700);
    const items = [...known.live.keys()].slice(known.live.size - count);
    const { array, end } = place(real, this.number % 3 === 0, 700);
    array.set(items);
    for (const item of items) give(model, real, who, at, item);
    zone.freeMany(array, count);
    end();
  }
}

class SetMax extends Step {
  act(_model: Model, real: Real, _who: number, _at: number, zone: Zone, known: ZoneModel): void {
    known.limit = this.number % 3 === 0 ? 0 : this.number % 200;
    zone.max = known.limit;
    assert.equal(zone.max, known.limit);
    if (real.parties.length > 1) return;
    // Lowered: what is not in use is given up at once.
    const { used, cached } = zone.stats();
    assert.ok(known.limit === 0 || used + cached <= Math.max(known.limit, used), `${used} + ${cached}`);
  }
}

class GiveBack extends Step {
  act(_model: Model, real: Real, who: number, _at: number, zone: Zone): void {
    const { uma, waiting } = real.parties[who] as Party;
    const ways = [
      () => zone.trim(),
      () => zone.drain(),
      () => uma.reclaimer.reclaim('drain'),
      () => waiting.poll(),
    ];
    ways[this.number % ways.length]?.();
  }
}

function makeZones({ uma, words: shared }: Party): Zone[] {
  const small = uma.zone({ name: 'small', size: 100 });
  return [
    small,
    uma.zone({ name: 'tiny', size: 1 }),
    uma.zone({ name: 'aligned', size: 200, align: 256 }),
    uma.zone({ name: 'counted', size: 2048, referenceCounted: 'layer' }),
    uma.zone({ name: 'shared', size: 700, referenceCounted: true }),
    uma.zone({ name: 'jumbo', size: 9216 }),
    uma.zone({ name: 'huge', size: 100_000 }),
    uma.zone({ name: 'fenced', size: 77, redzone: true, sites: true }),
    uma.zone({ name: 'guarded', size: 60, guard: true, referenceCounted: 'layer' }),
    uma.zone({
      name: 'secondary',
      primary: small,
      init: (item) => {
        shared[item >>> 2] = 0x1417;
      },
      fini: (item) => {
        assert.equal(shared[item >>> 2], 0x1417, 'fini without init');
        shared[item >>> 2] = 0;
      },
    }),
  ];
}

const number = fc.nat({ max: 0x7fff_ffff });
const step = (type: new (at: number, who: number, number: number) => Step): fc.Arbitrary<Step> =>
  fc.tuple(number, number, number).map(([at, who, value]) => new type(at, who, value));
const steps = [TryAlloc, TryAlloc, Alloc, Free, Free, AllocMany, FreeMany, SetMax, GiveBack].map(step);

function replay(parties: readonly Party[], commands: Iterable<fc.Command<Model, Real>>): void {
  const free = (parties[0] as Party).pages.freePages();
  const zones = parties.map(makeZones);
  const model: Model = {
    cookies: 1,
    zones: (zones[0] as Zone[]).map(({ name }) => ({
      name,
      keg: name === 'secondary' ? 'small' : name,
      live: new Map(),
      limit: 0,
    })),
  };
  const real: Real = { parties, zones };
  fc.modelRun(() => ({ model, real }), commands);
  assertClean(parties[0] as Party, 'before the end');
  for (const [at, known] of model.zones.entries()) {
    for (const item of [...known.live.keys()]) {
      give(model, real, 0, at, item);
      zones[0]?.[at]?.free(item as never);
    }
  }
  for (const party of [...parties, ...parties]) party.uma.reclaimer.reclaim('drain');
  assertClean(parties[0] as Party, 'at the end');
  assert.equal((parties[0] as Party).pages.freePages(), free, 'pages');
  for (const each of (parties[0] as Party).uma.stats()) {
    assert.deepEqual([each.used, each.free, each.pages], [0, 0, 0], each.name);
  }
}

describe('zones against a reference', () => {
  for (const checkLevel of [0, 1, 2, 3] as const) {
    for (const wasm of [false, true]) {
      const where = `check level ${checkLevel}, ${wasm ? 'WebAssembly' : 'plain'}`;
      it(`one thread, ${where}`, () => {
        fc.assert(
          fc.property(fc.commands(steps, { maxCommands: 120, size: 'max' }), (commands) =>
            replay([makeParty({ checkLevel, wasm, pageCount: 512, maxThreads: 2 })], commands),
          ),
          property(30),
        );
      });

      it(`three threads in turn, ${where}`, () => {
        fc.assert(
          fc.property(fc.commands(steps, { maxCommands: 120, size: 'max' }), (commands) => {
            const first = makeParty({ checkLevel, wasm, pageCount: 512, maxThreads: 3 });
            const others = [joinParty(first.machine.handle), joinParty(first.machine.handle)];
            replay([first, ...others], commands);
          }),
          property(30),
        );
      });
    }
  }
});
