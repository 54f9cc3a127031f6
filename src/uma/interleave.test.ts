/** Every call in the middle of every other, at every step: nothing is lost, doubled or miscounted. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addr } from '../record/index.js';
import type { Zone } from './index.js';
import { atEachStep, interleave } from './interleave.test-kit.js';
import { assertClean, assertEmpty, joinParty, makeParty, type Party } from './uma.test-kit.js';

/** One thread and the items that it has in use. */
interface Actor {
  readonly party: Party;
  readonly zone: Zone;
  readonly items: Addr[];
}

type Act = (actor: Actor) => void;

function keep(actor: Actor, item: number): void {
  if (item === 0) return;
  assert.equal(actor.party.uma.owners[item >>> 4], actor.party.threads.slot);
  actor.items.push(item as Addr);
}

const acts: Record<string, Act> = {
  tryAlloc: (actor) => keep(actor, actor.zone.tryAlloc()),
  tryAllocMany: (actor) => {
    const out = new Int32Array(16);
    for (const item of out.subarray(0, actor.zone.tryAllocMany(out, 16))) keep(actor, item);
  },
  free: ({ zone, items }) => zone.free(items.pop() ?? (0 as Addr)),
  freeMany: ({ zone, items }) => {
    const given = Int32Array.from(items.splice(0));
    zone.freeMany(given, given.length);
  },
  lower: ({ zone }) => {
    zone.max = 3;
  },
  raise: ({ zone }) => {
    zone.max = 60;
  },
  lift: ({ zone }) => {
    zone.max = 0;
  },
  trim: ({ zone }) => void zone.trim(),
  drain: ({ zone }) => void zone.drain(),
  drainAll: ({ party }) => party.uma.reclaimer.reclaim('drain'),
  poll: ({ party }) => party.waiting.poll(),
  leave: ({ party }) => party.uma.reclaimer.leave(),
};

interface Start {
  readonly name: string;
  readonly max: number;
  readonly size: number;
  readonly secondary?: boolean;
  /** What both threads do first. */
  readonly first: readonly string[];
}

const starts: readonly Start[] = [
  { name: 'cold, no limit', max: 0, size: 300, first: [] },
  { name: 'warm, no limit', max: 0, size: 300, first: ['tryAllocMany', 'free', 'drainAll', 'tryAllocMany'] },
  { name: 'at the limit', max: 12, size: 300, first: ['tryAllocMany'] },
  { name: 'cached, under a limit', max: 50, size: 300, first: ['tryAllocMany', 'freeMany', 'tryAlloc'] },
  { name: 'a slab for each item', max: 0, size: 4096, first: ['tryAllocMany', 'freeMany', 'tryAlloc'] },
  { name: 'secondary', max: 50, size: 64, secondary: true, first: ['tryAllocMany', 'free', 'free'] },
];

function zoneOf({ uma, words }: Party, { size, max, secondary }: Start): Zone {
  if (secondary !== true) return uma.zone({ name: 'zone', size, max });
  return uma.zone({
    name: 'secondary',
    max,
    primary: uma.zone({ name: 'zone', size }),
    init: (item) => {
      words[item >>> 2] = 1;
    },
    fini: (item) => {
      assert.equal(words[item >>> 2], 1, 'fini without init');
      words[item >>> 2] = 0;
    },
  });
}

function play(start: Start, act: Act, other: Act, step: number): number {
  const one = makeParty({ pageCount: 64, maxThreads: 3, checkLevel: 2 });
  const free = one.pages.freePages();
  const parties = [one, joinParty(one.machine.handle), joinParty(one.machine.handle)];
  const actors: Actor[] = parties.map((party) => ({ party, zone: zoneOf(party, start), items: [] }));
  const [watcher, a, b] = actors as [Actor, Actor, Actor];
  for (const name of start.first) for (const each of [a, b]) acts[name]?.(each);
  const steps = interleave(
    b.party,
    step,
    () => act(b),
    () => other(a),
  );
  assertClean(one, 'after both');
  const items = [...a.items, ...b.items];
  assert.equal(new Set(items).size, items.length, 'an item twice');
  assert.equal(watcher.zone.stats().used, items.length, 'used');
  for (const item of items) watcher.zone.free(item);
  for (const { party } of actors) party.uma.reclaimer.reclaim('drain');
  assertEmpty(one, free);
  return steps;
}

describe('one call in the middle of another, at each step', () => {
  for (const start of starts) {
    for (const [name, act] of Object.entries(acts)) {
      it(`${start.name}: ${name}, and in it each of ${Object.keys(acts).length}`, () => {
        for (const other of Object.values(acts)) atEachStep((step) => play(start, act, other, step));
      });
    }
  }
});
