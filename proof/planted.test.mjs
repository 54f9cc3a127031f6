// Planted bugs: two are found; one whose place has gone is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bugs } from './planted/bugs.mjs';
import { misplaced, run } from './planted.mjs';

const named = (name) => {
  const bug = bugs.find((each) => each.name === name);
  assert.ok(bug, name);
  return bug;
};

test('planted bugs are found, and the same scenarios pass without them', async () => {
  const some = [
    named('a lock is taken by a load and a store'),
    named('what the dead have begun is not finished'),
  ];
  const row = await run({ bugs: some });
  assert.deepEqual(row.findings, []);
  assert.equal(row.ok, true);
  assert.equal(row.complete, true);
  assert.equal(row.figures.found, 2);
  assert.equal(row.controls, 2);
});

test('a bug whose place has gone, or that does nothing, is a finding', async () => {
  const bug = named('a lock is taken by a load and a store');
  const row = await run({
    bugs: [
      { ...bug, name: 'gone', find: 'no such text' },
      { ...bug, name: 'harmless', replace: bug.find },
    ],
  });
  assert.equal(row.ok, false);
  assert.equal(row.figures.found, 0);
  assert.match(row.findings[0], /^gone: the source has changed/);
  assert.match(row.findings[1], /^harmless: not found in \d+ schedules/);
});

test('a bug whose code cannot be run is a finding, and the next one is looked for', async () => {
  const bug = named('a lock is taken by a load and a store');
  const row = await run({ bugs: [{ ...bug, name: 'broken', replace: ')(' }, bug] });
  assert.equal(row.ok, false);
  assert.equal(row.figures.found, 1);
  assert.match(row.findings[0], /^broken: SyntaxError/);
});

test('a run that is broken off says so', async () => {
  const row = await run({ signal: AbortSignal.abort() });
  assert.equal(row.complete, false);
  assert.equal(row.ok, false);
  assert.equal(row.figures['scenarios without a bug'], 0);
});

test('every bug has its place in the code as it is', () => {
  const lost = bugs.map((bug) => [bug.name, misplaced(bug)]).filter(([, wrong]) => wrong !== null);
  assert.deepEqual(lost, []);
});

test('names are unique: a state that is taken up again goes by them', () => {
  assert.equal(new Set(bugs.map(({ name }) => name)).size, bugs.length);
  assert.ok(bugs.length >= 32);
});
