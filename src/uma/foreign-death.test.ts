/** A thread dies before each of its stores in turn while it uses a foreign keg: the keg is whole afterwards. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ForeignKeg } from '../index.js';
import { makeMortalFabric } from '../mbuf/death.test-kit.js';
import { createMemoryOver, joinMemory } from '../memory.js';

type Act = (keg: ForeignKeg, held: Int32Array) => void;

/** Plays the act until its thread ends before its store `at`. False: it had fewer. */
function play(act: Act, at: number): boolean {
  const what = `store ${at}`;
  const { memory, machine } = createMemoryOver({ bytes: 1 << 20, maxThreads: 4, checkLevel: 2, wasm: false });
  const runs = new Set<number>();
  let next = 0;
  const options = {
    name: 'heap',
    size: 100,
    runBytes: 1024,
    allocRun: () => {
      next++;
      const base = ((next * 7919) % 1000) << 12;
      runs.add(base);
      return base;
    },
    freeRun: (base: number) => void runs.delete(base),
  };
  memory.foreignKeg(options);
  const { fabric, dieAt, isDead } = makeMortalFabric(machine);
  const dying = joinMemory(machine, fabric);
  const theirs = dying.foreignKeg(options);
  const held = new Int32Array(25);
  assert.equal(theirs.tryTake(held, 25), 25);
  dieAt(at);
  try {
    act(theirs, held);
  } catch (error) {
    if (!isDead()) throw error;
  }
  const died = isDead();
  memory.declareDead(dying.name);
  for (const { errors } of memory.reap()) assert.deepEqual(errors, [], what);
  // Whoever comes next to the lock repairs what it guards; or the keg is gone, and is made anew.
  const again = memory.foreignKeg(options);
  const out = new Int32Array(30);
  assert.equal(again.tryTake(out, 30), 30);
  assert.deepEqual(memory.audit().violations, [], what);
  again.give(out, 30);
  again.drain();
  assert.deepEqual(memory.audit().violations, [], what);
  const { runs: left } = again.stats();
  assert.ok(left <= runs.size, `${what}: the keg has no run that the other memory has not given`);
  return died;
}

const acts: Record<string, Act> = {
  'takes items of runs there are, and of a new one': (keg) => keg.tryTake(new Int32Array(20), 20),
  'gives items back': (keg, held) => keg.give(held, 25),
  'gives all back, and the runs too': (keg, held) => {
    keg.give(held, 25);
    keg.drain();
  },
  'destroys the keg': (keg, held) => {
    keg.give(held, 25);
    keg.destroy();
  },
};

for (const [name, act] of Object.entries(acts)) {
  it(`a thread that ${name}`, () => {
    let at = 0;
    while (play(act, at)) at++;
    assert.ok(at > 20, `${at} stores`);
  });
}
