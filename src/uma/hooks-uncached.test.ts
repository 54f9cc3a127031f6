/** Hooks of zones that cache nothing: each item goes alone from its slab to the user and back. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import { type HookAnswer, NO_MEMORY, type Zone } from './index.js';
import {
  assertClean,
  assertEmpty,
  codeOf,
  codeOfPromise,
  makeParty,
  type Party,
  turn,
} from './uma.test-kit.js';

interface Scene {
  readonly party: Party;
  readonly zone: Zone;
  readonly free: number;
  readonly log: string[];
  /** What the next `init` and `ctor` answer. */
  readonly answers: { init: HookAnswer; ctor: HookAnswer };
}

/** A secondary zone without buckets: its `init` and `fini` run with each item. */
function makeScene(max = 2): Scene {
  const party = makeParty({ pageCount: 128 });
  const free = party.pages.freePages();
  const log: string[] = [];
  const answers: Scene['answers'] = { init: 0, ctor: 0 };
  const primary = party.uma.zone({ name: 'primary', size: 1000 });
  const zone = party.uma.zone({
    name: 'zone',
    primary,
    noBucket: true,
    max,
    init: () => {
      log.push('init');
      return answers.init;
    },
    ctor: () => {
      log.push('ctor');
      return answers.ctor;
    },
    dtor: () => void log.push('dtor'),
    fini: () => void log.push('fini'),
  });
  return { party, zone, free, log, answers };
}

const broken = new Error('broken');

describe('an item alone', () => {
  it('whose init fails has neither ctor nor dtor nor fini, and its unit is free again', async () => {
    const { party, zone, free, log, answers } = makeScene();
    const item = zone.tryAlloc() as Addr;
    log.length = 0;
    for (const answer of [broken, NO_MEMORY]) {
      answers.init = answer;
      if (answer === broken) {
        assert.throws(() => zone.tryAlloc(), broken);
        assert.throws(() => zone.alloc(0, 0), broken);
        await assert.rejects(zone.allocAsync(), broken);
      } else {
        assert.equal(zone.tryAlloc(), 0);
        assert.equal(
          codeOf(() => zone.alloc(0, 0)),
          'TIMED_OUT',
        );
      }
      assert.deepEqual([...new Set(log.splice(0))], ['init']);
      assert.equal(zone.stats().used, 1);
    }
    answers.init = 0;
    const other = zone.tryAlloc() as Addr;
    assert.notEqual(other, 0);
    assert.equal(zone.tryAlloc(), 0, 'the limit is exact');
    for (const each of [item, other]) zone.free(each);
    assertEmpty(party, free);
  });

  it('whose ctor fails has no dtor, but the fini of its init, once', async () => {
    const { party, zone, free, log, answers } = makeScene();
    answers.ctor = broken;
    assert.throws(() => zone.tryAlloc(), broken);
    assert.throws(() => zone.alloc(0, 0), broken);
    await assert.rejects(zone.allocAsync(), broken);
    answers.ctor = NO_MEMORY;
    assert.equal(zone.tryAlloc(), 0);
    assert.equal(
      codeOf(() => zone.alloc(0, 0)),
      'OUT_OF_MEMORY',
    );
    assert.equal(await codeOfPromise(() => zone.allocAsync()), 'OUT_OF_MEMORY');
    assert.deepEqual(log, Array.from({ length: 6 }, () => ['init', 'ctor', 'fini']).flat());
    assert.deepEqual([zone.stats().used, zone.stats().failures], [0, 6]);
    assertEmpty(party, free);
  });

  it('granted to a waiter, whose ctor fails, ends that wait and goes to the next', async () => {
    const { party, zone, free, log, answers } = makeScene(1);
    const item = zone.tryAlloc() as Addr;
    const waits = [zone.allocAsync(), zone.allocAsync()];
    await turn();
    answers.ctor = broken;
    zone.free(item);
    await assert.rejects(waits[0] as Promise<Addr>, broken);
    answers.ctor = 0;
    zone.free(await (waits[1] as Promise<Addr>));
    assert.equal(log.filter((each) => each === 'dtor').length, 2, 'one for each that was constructed');
    assert.equal(log.filter((each) => each === 'init').length, log.filter((each) => each === 'fini').length);
    assertClean(party);
    assertEmpty(party, free);
  });
});
