/**
 * A thread with guarded items dies before each of its stores in turn: no page, record or unit is lost,
 * nothing is freed twice, and what it owned becomes what its zone says.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFabric, type Machine } from '../machine/index.js';
import { type MortalThread, makeMortalFabric } from '../mbuf/death.test-kit.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Addr } from '../record/index.js';
import type { Zone, ZoneOptions } from './index.js';

const BYTES = 1 << 20;

interface Scene {
  readonly living: Memory;
  readonly dying: MortalThread;
  readonly zone: Zone;
  readonly dyingZone: Zone;
}

function join(machine: Machine): Memory {
  return joinMemory(machine, createFabric(machine.words.buffer as SharedArrayBuffer, null, BYTES));
}

function makeScene(options: Partial<ZoneOptions>, heirOpens: boolean): Scene {
  const made = createMemoryOver({ bytes: BYTES, maxThreads: 4, maxZones: 16, checkLevel: 2, wasm: false });
  const { machine } = made;
  const all = { name: 'z', size: 200, guard: true, max: 30, onOwnerDeath: 'free', ...options } as const;
  const zone = made.memory.zone(all);
  // Who cleans up may not know the zone: one that knows it not takes the place of one that does.
  let living = made.memory;
  if (!heirOpens) {
    living = join(machine);
    made.memory.detach();
  }
  const { fabric, dieAt, isDead } = makeMortalFabric(machine);
  const memory = joinMemory(machine, fabric);
  return { living, dying: { memory, dieAt, isDead }, zone, dyingZone: memory.zone(all) };
}

/** Prepares, and gives what is to be done; `kept` are items of the living thread that it may free. */
type Act = (scene: Scene, kept: Addr[]) => () => void;

const take = (zone: Zone): Addr => {
  const item = zone.tryAlloc();
  assert.notEqual(item, 0);
  return item as Addr;
};

const acts: Record<string, Act> = {
  'takes one': ({ dyingZone }) => {
    return () => void dyingZone.tryAlloc();
  },
  'frees one': ({ dyingZone }) => {
    const item = take(dyingZone);
    return () => dyingZone.free(item);
  },
  'frees one of another thread': ({ zone, dyingZone }, kept) => {
    const item = take(zone);
    kept.push(item);
    return () => dyingZone.free(item);
  },
  'frees one and the oldest leaves': ({ dyingZone, dying }) => {
    const items = Array.from({ length: 12 }, () => take(dyingZone));
    for (const item of items) dyingZone.free(item);
    // As many as the share of the quarantine: the next makes one leave.
    while (dying.memory.stats().guard.quarantinedPages < 18) dyingZone.free(take(dyingZone));
    const item = take(dyingZone);
    return () => dyingZone.free(item);
  },
  drains: ({ dyingZone, dying }) => {
    const items = Array.from({ length: 3 }, () => take(dyingZone));
    for (const item of items) dyingZone.free(item);
    return () => dying.memory.drain();
  },
  'takes and frees, two in turn': ({ dyingZone }) => {
    return () => {
      const [one, other] = [dyingZone.tryAlloc(), dyingZone.tryAlloc()];
      dyingZone.free(one);
      dyingZone.free(other);
    };
  },
};

function assertClean(memory: Memory, what: string): void {
  assert.deepEqual(memory.audit().violations, [], what);
}

function isInUse(memory: Memory, item: Addr): boolean {
  try {
    memory.check(item, 1);
    return true;
  } catch {
    return false;
  }
}

/** Plays the act until the dying thread ends before its store `at`. False: it had fewer. */
function play(
  act: Act,
  at: number,
  options: Partial<ZoneOptions>,
  heirOpens: boolean,
  name: string,
): boolean {
  const scene = makeScene(options, heirOpens);
  const { living, dying } = scene;
  const what = `${name}, store ${at}`;
  const theirs: Addr[] = [];
  const call = act(scene, theirs);
  dying.dieAt(at);
  try {
    call();
  } catch (error) {
    if (!dying.isDead()) throw error;
  }
  const died = dying.isDead();
  living.declareDead(dying.memory.name);
  const reaped = living.reap();
  assert.equal(reaped.length, 1, what);
  for (const { errors } of reaped) assert.deepEqual(errors, [], what);
  assertClean(living, what);
  for (const item of theirs) if (isInUse(living, item)) scene.zone.free(item);
  const [stats] = living.stats().zones;
  const kept = reaped.flatMap(({ items }) => items).reduce((sum, each) => sum + each.kept, 0);
  assert.equal(stats?.used, kept, `${what}: used`);
  living.drain();
  assertClean(living, `${what}: drained`);
  assert.equal(living.stats().guard.quarantined, 0, what);
  if (kept === 0) {
    const fresh = makeScene(options, heirOpens);
    fresh.dying.memory.detach();
    fresh.living.drain();
    assert.equal(living.stats().pages.free, fresh.living.stats().pages.free, `${what}: pages`);
  }
  return died;
}

describe('a thread that dies with guarded items', () => {
  for (const [name, act] of Object.entries(acts)) {
    it(`${name}: all it had is free, or in use, whole`, () => {
      let at = 1;
      while (play(act, at, {}, true, name)) at++;
      assert.ok(at > 20, `${at} stores`);
    });
  }

  it('cleaned up by one that does not know the zone', () => {
    for (const name of ['takes one', 'frees one', 'drains']) {
      let at = 1;
      while (play(acts[name] as Act, at, {}, false, name)) at += 3;
    }
  });

  it('in a zone with init and fini, keeping or reporting', () => {
    for (const onOwnerDeath of ['keep', 'report', 'free'] as const) {
      for (const name of ['takes one', 'frees one']) {
        let at = 1;
        while (play(acts[name] as Act, at, { onOwnerDeath, init: () => 0, fini: () => 0 }, true, name))
          at += 2;
      }
    }
  });

  it('in its destructor: the item is in use, and is freed by who cleans up', () => {
    let dying: MortalThread | undefined;
    const die = (): void => {
      if (dying === undefined) return;
      dying.dieAt(1);
      dying.memory.words[0] = 0;
    };
    const scene = makeScene({ dtor: die }, true);
    const item = take(scene.dyingZone);
    dying = scene.dying;
    assert.throws(() => scene.dyingZone.free(item), /dead/);
    dying = undefined;
    const { living } = scene;
    living.declareDead(scene.dying.memory.name);
    const [reaped] = living.reap();
    assert.deepEqual(reaped?.items, [{ zone: 'z', freed: 1, kept: 0, items: [] }]);
    assertClean(living, 'reaped');
    assert.equal(living.stats().guard.quarantined, 1);
  });
});
