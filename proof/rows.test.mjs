// Each row, a little of it: the planted faults are found, and nothing else is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as flips from './flips.mjs';
import * as hostile from './hostile.mjs';
import { hostileValues } from './hostile-values.mjs';
import { rows } from './rows.mjs';
import { makeScene } from './scene.mjs';
import { metadataOf, UNCHECKABLE } from './scene-metadata.mjs';
import * as taint from './taint.mjs';
import { emptyState, runWatched } from './watched.mjs';

function assertPassed(row, controls) {
  assert.deepEqual(row.findings, []);
  assert.equal(row.controls, controls);
  assert.equal(row.complete, true);
  assert.equal(row.ok, true);
}

test('flips', async () => {
  const row = await flips.run({ seed: 5, steps: 100 });
  assertPassed(row, 3);
  assert.equal(row.figures.flips, 100);
});

test('hostile calls', async () => {
  const row = await hostile.run({ seed: 5, calls: 3000 });
  assertPassed(row, 3);
  assert.ok(hostileValues.length >= 40);
});

test('taint', async () => {
  const row = await taint.run({ seed: 5, operations: 30_000 });
  assertPassed(row, 2);
  assert.ok(row.figures.zeroed > 1000);
});

test('a run that is broken off goes on from its state', async () => {
  const module = new URL('./taint-session.mjs', import.meta.url);
  const ending = new AbortController();
  const state = emptyState();
  const progress = () => ending.abort();
  await runWatched(module, { seed: 1 }, { steps: 100_000, state, progress, signal: ending.signal });
  const { next } = state;
  assert.ok(next > 0 && next < 100_000);
  const copy = JSON.parse(JSON.stringify(state));
  await runWatched(module, { seed: 1 }, { steps: next + 5, state: copy });
  assert.deepEqual([copy.next, copy.findings], [next + 5, []]);
  assert.equal(copy.counts.operations, (next + 5) * 1000);
});

test('a step that hangs is skipped, told, and counted nowhere else', async () => {
  const module = new URL('./flips-session.mjs', import.meta.url);
  const state = await runWatched(module, { seed: 1, plant: 'hang', hangMs: 500 }, { steps: 8 });
  assert.deepEqual([state.next, state.hangs, state.findingCount], [8, [3], 1]);
  assert.match(state.findings[0].text, /step 3 did not end within 500 ms/);
});

test('the same seed gives the same run', async () => {
  const module = new URL('./flips-session.mjs', import.meta.url);
  const countsOf = async () => (await runWatched(module, { seed: 9 }, { steps: 30 })).counts;
  const [first, second] = await Promise.all([countsOf(), countsOf()]);
  assert.deepEqual(first, second);
});

test('every row has a module that runs', async () => {
  for (const { name, module, what } of rows) {
    const { run } = await import(module);
    assert.equal(typeof run, 'function', name);
    assert.ok(what.length > 10);
  }
});

test('the metadata are all of it, each word once but for headers inside of others', () => {
  const scene = makeScene();
  const pieces = metadataOf(scene);
  const boot = scene.machine.layout.firstPage * 1024;
  const words = new Set(Object.values(pieces).flat());
  let missing = 0;
  for (const [name, start] of scene.machine.layout.areas) {
    // Scratch words of those who clean up: what they hold is never read again.
    if (name !== 'reaper batches' && !words.has(start) && start < boot) missing++;
  }
  assert.equal(missing, 0);
  const sum = Object.values(pieces).reduce((total, each) => total + each.length, 0);
  assert.equal(sum, words.size);
  assert.ok(pieces[UNCHECKABLE].length < sum / 20, `${pieces[UNCHECKABLE].length} of ${sum}`);
});
