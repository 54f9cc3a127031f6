/**
 * A thread with blocks dies before each of its stores in turn: those of a type that follows a death are
 * freed, or stay, as it says; its figures are those of its blocks, and who waits under its limit is served.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFabric, type Machine } from '../machine/index.js';
import { type MortalThread, makeMortalFabric } from '../mbuf/death.test-kit.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import { assertClean } from '../uma/uma.test-kit.js';
import type { MallocType, MallocTypeOptions } from './types.js';

const BYTES = 2 << 20;
const KIB = 1024;

interface Scene {
  readonly living: Memory;
  readonly dying: MortalThread;
  readonly type: MallocType;
  readonly dyingType: MallocType;
}

function join(machine: Machine): Memory {
  return joinMemory(machine, createFabric(machine.words.buffer as SharedArrayBuffer, null, BYTES));
}

function makeScene(options: Partial<MallocTypeOptions>, checkLevel: 0 | 2 = 0, heirOpens = true): Scene {
  const made = createMemoryOver({ bytes: BYTES, maxThreads: 4, maxZones: 24, checkLevel, wasm: false });
  const all = { name: 't', zones: 'own', onOwnerDeath: 'free', ...options } as const;
  let living = made.memory;
  let type = living.mallocType(all);
  const { fabric, dieAt, isDead } = makeMortalFabric(made.machine);
  const memory = joinMemory(made.machine, fabric);
  const dyingType = memory.mallocType(all);
  if (!heirOpens) {
    living = join(made.machine);
    made.memory.detach();
    type = dyingType;
  }
  return { living, dying: { memory, dieAt, isDead }, type, dyingType };
}

/** Prepares, and gives what is to be done. `kept` are blocks of the living thread. */
type Act = (scene: Scene, kept: Addr[]) => () => unknown;

const acts: Record<string, Act> = {
  'takes a small block': ({ dyingType }) => {
    return () => dyingType.tryAlloc(100);
  },
  'frees a small block': ({ dyingType }) => {
    const block = dyingType.alloc(100);
    return () => dyingType.free(block);
  },
  'takes and frees, two in turn, small and large': ({ dyingType }) => {
    dyingType.free(dyingType.tryAlloc(100));
    return () => {
      const [one, other] = [dyingType.tryAlloc(100), dyingType.tryAlloc(70_000)];
      dyingType.free(one);
      dyingType.free(other);
    };
  },
  'takes a run': ({ dyingType }) => {
    return () => dyingType.tryAlloc(100_000);
  },
  'frees a run': ({ dyingType }) => {
    const run = dyingType.alloc(100_000);
    return () => dyingType.free(run);
  },
  'makes a block larger': ({ dyingType }) => {
    const block = dyingType.alloc(100);
    dyingType.free(dyingType.alloc(1000));
    return () => dyingType.tryRealloc(block, 1000);
  },
  'frees what is another thread’s': ({ type, dyingType }, kept) => {
    kept.push(type.alloc(100), type.alloc(70_000));
    return () => {
      for (const block of kept) dyingType.free(block);
    };
  },
};

function isInUse(type: MallocType, block: Addr): boolean {
  try {
    return type.usableSize(block) > 0;
  } catch {
    return false;
  }
}

/** Plays the act until the dying thread ends before its store `at`. False: it had fewer. */
function play(name: string, at: number, options: Partial<MallocTypeOptions>, checkLevel: 0 | 2 = 0): boolean {
  const scene = makeScene(options, checkLevel);
  const { living, dying, type } = scene;
  const what = `${name}, ${JSON.stringify(options)}, level ${checkLevel}, store ${at}`;
  const theirs: Addr[] = [];
  const call = (acts[name] as Act)(scene, theirs);
  dying.dieAt(at);
  try {
    call();
  } catch (error) {
    if (!dying.isDead()) throw error;
  }
  const died = dying.isDead();
  living.declareDead(dying.memory.name);
  const [reaped] = living.reap();
  assert.deepEqual(reaped?.errors, [], what);
  assertClean(living, what);
  const items = reaped?.items ?? [];
  for (const each of items) assert.equal(each.type, 't', what);
  const kept = items.reduce((sum, each) => sum + each.kept, 0);
  const named = items.flatMap((each) => each.items) as Addr[];
  // What it was about to free was its own by then: that is reported like the rest.
  for (const block of theirs) if (!named.includes(block) && isInUse(type, block)) type.free(block);
  if (options.onOwnerDeath === 'report') {
    assert.equal(named.length, kept, what);
    const bytes = named.reduce((sum, block) => sum + type.usableSize(block), 0);
    assert.equal(type.stats().bytes, bytes, what);
    for (const block of named) type.free(block);
  } else assert.equal(kept, 0, what);
  assert.equal(type.stats().bytes, 0, `${what}: bytes`);
  living.drain();
  assertClean(living, `${what}: drained`);
  // What is charged to nobody leaves the whole limit.
  if (options.max !== undefined) {
    const all = type.tryAlloc(options.max);
    assert.notEqual(all, 0, `${what}: the limit`);
    type.free(all);
  }
  return died;
}

describe('a thread that dies with blocks of a type that follows it', () => {
  for (const name of Object.keys(acts))
    it(`${name}: bytes, limit and blocks agree after each store`, { timeout: 120_000 }, () => {
      let at = 1;
      while (play(name, at, { max: 200 * KIB })) at++;
      assert.ok(at > 20, `${at} stores`);
      for (const [options, step, level] of [
        [{}, 3, 0],
        [{ onOwnerDeath: 'report' }, 2, 0],
        [{ onOwnerDeath: 'report', max: 200 * KIB }, 5, 2],
        [{ guard: true, max: 200 * KIB }, 5, 0],
      ] as const)
        for (let each = 1 + (at % step); play(name, each, options, level); ) each += step;
    });

  it('that nobody else has opened: who cleans up opens it', () => {
    const { living, dying, dyingType } = makeScene({}, 0, false);
    for (const size of [16, 100, 5000, 70_000]) dyingType.alloc(size);
    assert.ok(dyingType.stats().bytes > 70_000);
    living.declareDead(dying.memory.name);
    const [reaped] = living.reap();
    assert.deepEqual(
      reaped?.items.map(({ zone, type, freed, kept }) => [zone, type, freed, kept].join(' ')).sort(),
      ['malloc runs t 1 0', 'malloc-112#1 t 1 0', 'malloc-16#1 t 1 0', 'malloc-5120#1 t 1 0'],
    );
    assert.deepEqual(
      living.stats().malloc.map(({ used, bytes }) => [used, bytes]),
      [[0, 0]],
    );
    living.drain();
    assertClean(living);
  });

  it('serves who waits for what it had', { timeout: 20_000 }, async () => {
    for (const size of [16 * KIB, 80 * KIB]) {
      const { living, dying, type, dyingType } = makeScene({ max: 160 * KIB });
      while (dyingType.tryAlloc(size) !== 0);
      const waiting = Promise.all([type.allocAsync(size), type.allocAsync(size)]);
      living.declareDead(dying.memory.name);
      living.reap();
      for (const block of await waiting) type.free(block);
      assert.deepEqual([type.stats().used, type.stats().bytes], [0, 0]);
      assertClean(living);
    }
  });

  it('of other types stay, small and large, and are nobody’s', () => {
    for (const zones of ['own', 'shared'] as const) {
      const { living, dying, type, dyingType } = makeScene({ onOwnerDeath: 'keep', zones });
      const blocks = [100, 70_000].map((size) => dyingType.alloc(size));
      living.declareDead(dying.memory.name);
      const [reaped] = living.reap();
      assert.deepEqual(
        reaped?.items.map(({ zone, freed, kept }) => [zone.replace(/#.*/, ''), freed, kept].join(' ')).sort(),
        ['malloc runs 0 1', 'malloc-112 0 1'],
      );
      const leaks = living.leaks().filter(({ zone }) => zone !== 'malloc cells');
      assert.deepEqual(
        leaks.map(({ thread }) => thread),
        [0, 0],
      );
      assert.equal(type.stats().used, 2);
      for (const block of blocks) type.free(block);
      assert.equal(type.stats().bytes, 0);
      assertClean(living);
    }
  });
});
