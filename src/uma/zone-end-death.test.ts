/**
 * A thread dies before each of its stores in turn, while it closes a zone or destroys it: the zone is there
 * as before, or it is gone, and nothing is lost.
 */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createFabric } from '../machine/index.js';
import { makeMortalFabric } from '../mbuf/death.test-kit.js';
import { createMemoryOver, joinMemory } from '../memory.js';
import type { Memory } from '../memory-api.js';
import type { Zone, ZoneOptions } from './index.js';

const BYTES = 1 << 20;

type Act = (zone: Zone) => void;

function assertClean(memory: Memory, what: string): void {
  assert.deepEqual(
    memory.audit().violations.map(({ rule, message }) => `${rule} ${message}`),
    [],
    what,
  );
}

/** Plays the act until its thread ends before its store `at`. False: it had fewer. */
function play(act: Act, at: number, options: ZoneOptions): boolean {
  const what = `store ${at}`;
  const { memory: first, machine } = createMemoryOver({
    bytes: BYTES,
    maxThreads: 4,
    maxZones: 16,
    checkLevel: 2,
    wasm: false,
  });
  const living = joinMemory(machine, createFabric(machine.words.buffer as SharedArrayBuffer, null, BYTES));
  first.detach();
  const pages = living.stats().pages.free;
  // A hole below, so that numbers are not in the order of making.
  const hole = living.zone({ name: 'hole', size: 48 });
  living.zone({ name: 'above', size: 80 });
  const { fabric, dieAt, isDead } = makeMortalFabric(machine);
  const dying = joinMemory(machine, fabric);
  const zone = dying.zone(options);
  hole.destroy();
  const items = Array.from({ length: 20 }, () => zone.tryAlloc());
  for (const item of items) zone.free(item);
  dieAt(at);
  try {
    act(zone);
  } catch (error) {
    if (!isDead()) throw error;
  }
  const died = isDead();
  living.declareDead(dying.name);
  for (const { errors } of living.reap()) assert.deepEqual(errors, [], what);
  assertClean(living, what);
  // Whether it is there or not: it can be had, used, and destroyed, and its pages come back.
  const again = living.zone(options);
  for (const item of Array.from({ length: 20 }, () => again.tryAlloc())) again.free(item);
  assertClean(living, what);
  again.destroy();
  living.drain();
  assertClean(living, what);
  assert.equal(living.stats().pages.free, pages, what);
  return died;
}

const shapes: Record<string, ZoneOptions> = {
  'with slabs in line': { name: 'z', size: 200, onOwnerDeath: 'free' },
  'with slabs off the page': { name: 'z', size: 3000, onOwnerDeath: 'free' },
};
const acts: Record<string, Act> = {
  'closes a zone': (zone) => zone.close(),
  'destroys one': (zone) => zone.destroy(),
};

for (const [shape, options] of Object.entries(shapes)) {
  for (const [name, act] of Object.entries(acts)) {
    it(`${name} ${shape}`, () => {
      let at = 0;
      while (play(act, at, options)) at++;
      assert.ok(at > 20, `${at} stores`);
    });
  }
}
