/** The audit of foreign kegs: every run has one header, once in the list, once in the tree, its items counted. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ForeignKeg } from './foreign-keg.js';
import { FOREIGN_RUN_WORDS, ForeignKegRecord, ForeignRun } from './foreign-records.js';
import { TREE_NODE_WORDS } from './header-tree.js';
import { assertClean, brokenRules, makeParty, type Party } from './uma.test-kit.js';

const RUN = 4096;
const ITEMS = Math.floor(RUN / 1024);

interface Scene {
  readonly party: Party;
  readonly keg: ForeignKeg;
  readonly words: Int32Array;
  readonly record: number;
  /** Headers, the newest first: the first run has an item free, one all, the others none. */
  readonly runs: readonly number[];
}

function makeScene(): Scene {
  const party = makeParty();
  let next = 0;
  const given = new Set<number>();
  const keg = party.uma.foreignKeg({
    name: 'foreign',
    size: 1024,
    runBytes: RUN,
    allocRun: () => {
      // In order: seven of them make a tree without a gap.
      const base = ++next * 2 * RUN;
      given.add(base);
      return base;
    },
    freeRun: (base) => void given.delete(base),
  });
  const out = new Int32Array(7 * ITEMS);
  assert.equal(keg.tryTake(out, 7 * ITEMS), 7 * ITEMS);
  const { words, machine } = party;
  const record = machine.area('foreign kegs');
  const runs: number[] = [];
  for (let run = words[record + ForeignKegRecord.runs] as number; run !== 0; ) {
    runs.push(run);
    run = words[run + ForeignRun.next] as number;
  }
  assert.deepEqual(
    new Set(runs.map((run) => words[run + ForeignRun.base])),
    given,
    'a header for each run that was given',
  );
  const itemsOf = (run: number): Int32Array =>
    out.filter(
      (item) =>
        item - (words[run + ForeignRun.base] as number) < RUN &&
        item >= (words[run + ForeignRun.base] as number),
    );
  keg.give(itemsOf(runs[0] as number), 1);
  keg.give(itemsOf(runs[1] as number), ITEMS);
  assertClean(party);
  return { party, keg, words, record, runs };
}

type Plant = (scene: Scene) => void;

function put(words: Int32Array, at: number, value: number): void {
  words[at] = value;
}

function bump(words: Int32Array, at: number): void {
  words[at] = (words[at] as number) + 1;
}

/** The word that names a header: of another, or the root. */
function linkTo({ words, record, runs }: Scene, header: number): number {
  const places = [record + ForeignKegRecord.root];
  for (const run of runs) places.push(run + ForeignRun.left, run + ForeignRun.right);
  const found = places.filter((at) => words[at] === header);
  assert.equal(found.length, 1, 'each stands in the tree once');
  return found[0] as number;
}

/** A run with none below it in the tree, and one beside it: without it the heights are still right. */
function leafOf({ words, runs }: Scene): number {
  const parent = runs.find(
    (run) =>
      words[run + ForeignRun.height] === 2 &&
      words[run + ForeignRun.left] !== 0 &&
      words[run + ForeignRun.right] !== 0,
  ) as number;
  return words[parent + ForeignRun.left] as number;
}

const plants: readonly (readonly [rule: string, what: string, plant: Plant])[] = [
  ['U22', 'a run that is missing in the tree', (scene) => put(scene.words, linkTo(scene, leafOf(scene)), 0)],
  [
    'U22',
    'a run that stands in the tree twice',
    (scene) => {
      const { words, runs } = scene;
      const leaf = leafOf(scene);
      const other = runs.find((run) => run !== leaf && words[run + ForeignRun.height] === 1) as number;
      put(words, linkTo(scene, other), leaf);
    },
  ],
  [
    'U22',
    'a tree that is in no order',
    ({ words, record }) =>
      put(words, (words[record + ForeignKegRecord.root] as number) + ForeignRun.base, 1 << 30),
  ],
  [
    'U22',
    'a list that runs in a circle',
    ({ words, runs }) => put(words, (runs[6] as number) + ForeignRun.next, runs[0] as number),
  ],
  [
    'U22',
    'a run that is missing in the list',
    ({ words, runs }) => put(words, (runs[5] as number) + ForeignRun.next, 0),
  ],
  [
    'U22',
    'runs with room that are not listed',
    ({ words, record }) => put(words, record + ForeignKegRecord.partial, 0),
  ],
  ['U21', 'a wrong count of runs', ({ words, record }) => bump(words, record + ForeignKegRecord.runCount)],
  [
    'U21',
    'a wrong count of free items',
    ({ words, record }) => bump(words, record + ForeignKegRecord.freeItems),
  ],
  [
    'U21',
    'a run that counts wrongly',
    ({ words, runs }) => bump(words, (runs[3] as number) + ForeignRun.freeCount),
  ],
  [
    'U21',
    'an item that is free, and not counted',
    ({ words, runs }) => bump(words, (runs[4] as number) + FOREIGN_RUN_WORDS),
  ],
];

describe('the audit of foreign kegs finds', () => {
  for (const [rule, what, plant] of plants) {
    it(`${rule}: ${what}`, () => {
      const scene = makeScene();
      plant(scene);
      assert.ok(brokenRules(scene.party).includes(rule), brokenRules(scene.party).join());
    });
  }

  it('nothing where runs come and go: each stands in list and tree once', () => {
    const scene = makeScene();
    assert.equal(ForeignRun.length, TREE_NODE_WORDS - 1, 'a header begins as a node');
    for (const run of scene.runs) linkTo(scene, run);
    assert.equal(scene.keg.drain(), RUN, 'the one that is empty goes');
    assertClean(scene.party);
    assert.equal(scene.keg.stats().runs, scene.runs.length - 1);
  });
});
