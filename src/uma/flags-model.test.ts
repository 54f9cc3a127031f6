/**
 * Zones of all flags that go together, with hooks that fail and pages that are not to be had, against a plain
 * reference: random calls by two threads in turn. 100,000 calls; ten times as many with MBUMA_TEST_RUNS=10.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MbumaError } from '../check/index.js';
import type { Addr } from '../record/index.js';
import { CANFAIL, type FlagName, type Hook, NO_MEMORY, USE_RESERVE, ZERO, type Zone } from './index.js';
import { assertClean, joinParty, makeParty, type Party, property, runs } from './uma.test-kit.js';

const FLAGS: readonly FlagName[] = [
  'zeroFresh',
  'zero',
  'maxBucket',
  'frugal',
  'noBucket',
  'noFree',
  'noTrim',
  'unmanaged',
  'noTouch',
  'contiguous',
  'cacheSpread',
  'perThread',
  'referenceCounted',
  'redzone',
  'sites',
  'guard',
  'epoch',
];
const SIZES = [8, 100, 256, 1000, 2048, 4096, 9216] as const;
const HOOKS = ['ctor', 'dtor', 'init', 'fini'] as const;

/** One zone, as it is asked for. */
interface Plan {
  readonly flags: readonly FlagName[];
  readonly size: number;
  readonly hooks: readonly (typeof HOOKS)[number][];
  readonly isSecondary: boolean;
  readonly isBacked: boolean;
}

interface Step {
  readonly what: number;
  readonly zone: number;
  readonly who: number;
  readonly number: number;
}

/** What is told of a zone: items in use with the number in their first word. */
interface Known {
  readonly name: string;
  readonly plan: Plan;
  readonly live: Map<number, number>;
  /** Items between `init` and `fini`, and between `ctor` and `dtor`. */
  readonly inited: Set<number>;
  readonly constructed: Set<number>;
}

class HookError extends Error {}

class Scene {
  readonly parties: readonly Party[];
  readonly zones: Zone[][] = [[], []];
  readonly known: Known[] = [];
  readonly freePages: number;
  /** Calls of hooks; every so-manieth fails. */
  private calls = 0;
  private failEvery = 0;
  private cookies = 1;

  constructor(plans: readonly Plan[], checkLevel: 0 | 2) {
    const first = makeParty({ pageCount: 300, maxThreads: 2, checkLevel });
    this.parties = [first, joinParty(first.machine.handle)];
    this.freePages = first.pages.freePages();
    for (const plan of plans) this.open(plan);
  }

  private open(plan: Plan): void {
    const name = `zone ${this.known.length}`;
    const known: Known = { name, plan, live: new Map(), inited: new Set(), constructed: new Set() };
    const primaries = this.zones[0]?.filter((_, at) => this.mayBePrimary(at)) ?? [];
    const primary = plan.isSecondary ? primaries[plan.size % Math.max(1, primaries.length)] : undefined;
    // A flag of the keg is for the primary zone to say.
    const ofZone: readonly FlagName[] = ['zero', 'maxBucket', 'frugal', 'noBucket', 'noTrim', 'unmanaged'];
    const flags = plan.flags.filter((flag) => primary === undefined || ofZone.includes(flag));
    const hooks = Object.fromEntries(plan.hooks.map((kind) => [kind, this.hook(known, kind)]));
    try {
      for (const [who, { uma }] of this.parties.entries()) {
        const layout =
          primary === undefined
            ? { size: plan.size, ...(plan.isBacked && { backend: uma.backend({ name: 'shared', max: 40 }) }) }
            : { primary: uma.findZone(primary.name) as Zone };
        const options = { name, ...layout, ...hooks, finiIsSafe: true };
        this.zones[who]?.push(
          uma.zone({ ...options, ...Object.fromEntries(flags.map((flag) => [flag, true])) }),
        );
      }
      this.known.push(known);
    } catch (error) {
      // Only for what contradicts itself, or does not fit: then no thread has it.
      assert.ok(
        error instanceof MbumaError && /contradict|do not fit|bounds what/.test(error.message),
        String(error),
      );
      assert.equal(this.parties[0]?.uma.findZone(name), undefined);
    }
  }

  /** Not of a secondary zone, nor of one whose items wait for readers. */
  private mayBePrimary(at: number): boolean {
    const { flags, isSecondary } = (this.known[at] as Known).plan;
    return !isSecondary && !flags.includes('epoch');
  }

  private hook(known: Known, kind: (typeof HOOKS)[number]): Hook {
    const { inited, constructed, plan } = known;
    const has = (other: (typeof HOOKS)[number]): boolean => plan.hooks.includes(other);
    return (item) => {
      // One without the other tells nothing.
      if (kind === 'dtor' && has('ctor')) assert.ok(constructed.delete(item), 'dtor without ctor');
      if (kind === 'fini' && has('init')) assert.ok(inited.delete(item), 'fini without init');
      const fails = this.failEvery !== 0 && ++this.calls % this.failEvery === 0;
      if (fails && (kind === 'dtor' || kind === 'fini')) throw new HookError(kind);
      if (fails && this.calls % 3 === 0) return NO_MEMORY;
      if (fails && this.calls % 3 === 1) return new HookError(kind);
      if (fails) throw new HookError(kind);
      if (kind === 'ctor' && has('dtor')) {
        assert.ok(!constructed.has(item), 'ctor twice');
        constructed.add(item);
      } else if (kind === 'init' && has('fini')) {
        assert.ok(!inited.has(item), 'init twice');
        inited.add(item);
      }
      return 0;
    };
  }

  /** Runs a call: a hook's error, and those that a lack of memory has, may come out; others not. */
  private attempt<Result>(call: () => Result): Result | null {
    try {
      return call();
    } catch (error) {
      const known = error instanceof MbumaError && ['OUT_OF_MEMORY', 'TIMED_OUT'].includes(error.code);
      assert.ok(known || error instanceof HookError, error instanceof Error ? error.stack : String(error));
      return null;
    }
  }

  private take(known: Known, who: number, item: number, zeroed: boolean): void {
    const { words, uma, threads } = this.parties[who] as Party;
    for (const other of this.known) assert.ok(!other.live.has(item), `${item} is in use already`);
    assert.equal(uma.owners[item >>> 4], threads.slot, 'owner');
    const { plan, constructed } = known;
    if (plan.hooks.includes('ctor') && plan.hooks.includes('dtor'))
      assert.ok(constructed.has(item), 'it is constructed');
    if (zeroed) assert.equal(words[item >>> 2], 0, 'it is zeroed');
    const cookie = this.cookies++;
    words[item >>> 2] = cookie;
    known.live.set(item, cookie);
  }

  private give(known: Known, who: number, item: number): void {
    const { words } = this.parties[who] as Party;
    assert.equal(words[item >>> 2], known.live.get(item), 'somebody has written to it');
    known.live.delete(item);
  }

  run({ what, zone: at, who: whose, number }: Step): void {
    if (this.known.length === 0) return;
    const who = whose % 2;
    const index = at % this.known.length;
    const known = this.known[index] as Known;
    const zone = this.zones[who]?.[index] as Zone;
    const party = this.parties[who] as Party;
    const isZero = known.plan.flags.includes('zero') && !known.plan.hooks.includes('ctor');
    const steps: (() => void)[] = [
      () => {
        const wantsZero = number % 4 === 0 && !zone.flags.includes('noTouch');
        const flags = (wantsZero ? ZERO : 0) | (number % 3 === 0 ? USE_RESERVE : 0);
        const item = this.attempt(() => zone.tryAlloc(flags));
        if (item) this.take(known, who, item, wantsZero || isZero);
      },
      () => {
        const item = this.attempt(() => zone.alloc(CANFAIL, 0));
        if (item) this.take(known, who, item, isZero);
      },
      () => {
        const item = [...known.live.keys()][number % Math.max(1, known.live.size)];
        if (item === undefined) return;
        this.give(known, who, item);
        this.attempt(() => zone.free(item as Addr));
      },
      () => {
        const out = new Int32Array(90);
        const got = this.attempt(() => zone.tryAllocMany(out, number % 90)) ?? 0;
        for (const item of out.subarray(0, got)) this.take(known, who, item, isZero);
        assert.ok(out.subarray(got).every((item) => item === 0));
      },
      () => {
        const items = [...known.live.keys()].slice(0, number % 90);
        for (const item of items) {
          this.give(known, who, item);
          this.attempt(() => zone.free(item as Addr));
        }
      },
      () => {
        // The limit, the reserve and the marks may be in each other's way: refused then, and nothing changed.
        const settings = ['max', 'maxCached', 'reserve', 'lowWater', 'highWater'] as const;
        const name = settings[number % 5] as (typeof settings)[number];
        const before = zone[name];
        try {
          zone[name] = number % 2 === 0 ? 0 : number % 60;
        } catch (error) {
          const refused = error instanceof MbumaError && error.code === 'BAD_ARGUMENT';
          assert.ok(refused || error instanceof HookError, String(error));
          if (refused) assert.equal(zone[name], before);
        }
      },
      () => void this.attempt(() => zone.preallocate(number % 40)),
      () => {
        const levels = ['trim', 'drain', 'threads'] as const;
        const ways = [
          () => zone.trim(),
          () => zone.drain(),
          () => party.uma.reclaimer.reclaim(levels[number % 3] as 'trim'),
          () => party.uma.reclaimer.tick(0),
          () => party.waiting.poll(),
        ];
        this.attempt(ways[number % ways.length] as () => void);
      },
      () => {
        this.failEvery = number % 2 === 0 ? 0 : 2 + (number % 30);
      },
      () => {
        const { failpoints } = party.machine;
        failpoints.disarm();
        if (number % 2 === 0) failpoints.arm(['uma.slab', 'uma.bucket'], { probability: 0.3, seed: number });
      },
      () => {
        party.uma.backend({ name: 'shared' }).max = number % 3 === 0 ? 0 : number % 60;
      },
    ];
    (steps[what % steps.length] as () => void)();
    const { used } = zone.stats();
    // What waits for readers without a bucket counts as in use.
    if (known.plan.flags.includes('epoch')) assert.ok(used >= known.live.size, `${used} in use`);
    else assert.equal(used, known.live.size, `${zone.name} in use`);
    if (number % 64 === 0) assertClean(party);
  }

  /** Nobody reads: what epoch zones hold back comes free after some ticks. */
  private awaitReaders(): void {
    const waits = (zone: Zone): boolean => {
      const { used, deferred } = zone.stats();
      return zone.flags.includes('epoch') && used + deferred > 0;
    };
    const isWaiting = (): boolean => this.parties.some(({ uma }) => uma.zones().some(waits));
    const deadline = performance.now() + 5000;
    for (let done = false; !done; ) {
      assert.ok(performance.now() < deadline, 'items wait for readers for good');
      done = !isWaiting();
      for (const { uma, waiting } of this.parties) {
        waiting.poll();
        for (const zone of uma.zones()) zone.drain();
        uma.reclaimer.reclaim('drain');
      }
    }
  }

  end(): void {
    this.failEvery = 0;
    const [first, second] = this.parties as [Party, Party];
    for (const { machine } of this.parties) machine.failpoints.disarm();
    assertClean(first, 'before the end');
    for (const [index, known] of this.known.entries()) {
      const zone = this.zones[0]?.[index] as Zone;
      for (const item of [...known.live.keys()]) {
        this.give(known, 0, item);
        zone.free(item as Addr);
      }
      zone.reserve = 0;
      zone.lowWater = 0;
    }
    // Twice: what leaves a secondary zone is cached by none, and unmanaged ones are drained by themselves.
    for (const party of [first, second, first, second]) {
      party.waiting.poll();
      for (const zone of party.uma.zones()) zone.drain();
      party.uma.reclaimer.reclaim('drain');
    }
    this.awaitReaders();
    for (const { name, constructed } of this.known)
      assert.equal(constructed.size, 0, `constructed in ${name}`);
    assertClean(first, 'at the end');
    const keeps = first.uma.zones().filter((zone) => zone.flags.includes('noFree'));
    if (keeps.length === 0) assert.equal(first.pages.freePages(), this.freePages, 'pages');
    for (const { name, inited } of this.known) {
      if (!keeps.some((zone) => zone.name === name)) assert.equal(inited.size, 0, `initialised in ${name}`);
    }
  }
}

const plan: fc.Arbitrary<Plan> = fc.record({
  flags: fc.subarray([...FLAGS], { maxLength: 4 }),
  size: fc.constantFrom(...SIZES),
  hooks: fc.subarray([...HOOKS]),
  isSecondary: fc.boolean(),
  isBacked: fc.boolean(),
});
const whole = fc.nat({ max: 0xffff });
const step: fc.Arbitrary<Step> = fc.record({ what: whole, zone: whole, who: whole, number: whole });

const RUNS = 120;
const STEPS = 350;

describe('zones of all flags against a reference', () => {
  for (const checkLevel of [0, 2] as const) {
    it(`check level ${checkLevel}`, () => {
      let calls = 0;
      fc.assert(
        fc.property(
          fc.array(plan, { minLength: 1, maxLength: 4 }),
          fc.array(step, { minLength: STEPS, maxLength: STEPS + 200, size: 'max' }),
          (plans, steps) => {
            // The first has a keg of its own: the others may stand on it.
            const [head, ...rest] = plans as [Plan, ...Plan[]];
            const scene = new Scene([{ ...head, isSecondary: false }, ...rest], checkLevel);
            for (const each of steps) scene.run(each);
            calls += steps.length;
            scene.end();
          },
        ),
        { ...property(RUNS), endOnFailure: true },
      );
      assert.ok(calls >= STEPS * runs(RUNS), `${calls} calls`);
    });
  }
});
