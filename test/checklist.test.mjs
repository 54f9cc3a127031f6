// Every statement of the checklist names tests that are there. Whether a test fails without what it is named
// for is for its writer to see; that none of them goes unnoticed is for this file.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { checklist } from './checklist.mjs';
import { blank, isTestFile, repository } from './source.mjs';

const fields = ['group', 'source', 'statement', 'tests'];

/** Fewer characters than any title here: a part that is shorter could stand anywhere. */
const titleMin = 15;

const decisions = new Set(readdirSync(join(repository, 'docs/decisions')).map((name) => name.slice(0, 4)));
const texts = new Map();

/** The code of a test file, apart from comments; '' when there is none. */
function codeOf(path) {
  if (!texts.has(path)) {
    const file = join(repository, path);
    const text = isTestFile(path) && existsSync(file) ? readFileSync(file, 'utf8') : '';
    texts.set(path, blank(text, { strings: false }));
  }
  return texts.get(path);
}

/** What is wrong with the entries, a line each. */
function offences(entries) {
  const seen = new Set();
  const found = [];
  for (const { statement = '', tests = [], ...rest } of entries) {
    const tell = (what) => found.push(`${statement}: ${what}`);
    if (
      Object.keys({ statement, tests, ...rest })
        .sort()
        .join() !== fields.join()
    )
      tell('other fields');
    if (seen.has(statement)) tell('said twice');
    seen.add(statement);
    if (tests.length === 0) tell('no test');
    for (const [path, title] of tests) {
      if (codeOf(path) === '') tell(`no test file ${path}`);
      else if (title.length < titleMin || !codeOf(path).includes(title))
        tell(`no test "${title}" in ${path}`);
    }
    if (new Set(tests.map(String)).size !== tests.length) tell('a test twice');
    for (const [, number] of statement.matchAll(/ADR (\d+)/g))
      if (!decisions.has(number)) tell(`no decision ${number}`);
  }
  return found;
}

describe('the checklist', () => {
  test('names tests that are there', () => {
    assert.ok(checklist.length > 80, `${checklist.length} entries`);
    assert.deepEqual(offences(checklist), []);
  });

  const [sound] = checklist;
  const [[path, title]] = sound.tests;
  const planted = [
    [
      'no test "a title that nobody has given"',
      { ...sound, tests: [[path, 'a title that nobody has given']] },
    ],
    ['no test "it"', { ...sound, tests: [[path, 'it']] }],
    ['no test file src/uma/none.test.ts', { ...sound, tests: [['src/uma/none.test.ts', title]] }],
    ['no test file src/uma/zone.ts', { ...sound, tests: [['src/uma/zone.ts', 'export function']] }],
    ['no test', { ...sound, tests: [] }],
    ['a test twice', { ...sound, tests: [sound.tests[0], sound.tests[0]] }],
    ['other fields', { ...sound, note: '' }],
    ['no decision 9999', { ...sound, statement: 'As it is (ADR 9999).' }],
  ];
  for (const [expected, entry] of planted) {
    test(`found: ${expected}`, () => {
      const found = offences([entry]);
      assert.equal(found.length, 1, found.join('\n'));
      assert.ok(found[0].includes(expected), found[0]);
    });
  }

  test('found: said twice', () => {
    assert.deepEqual(offences([sound, sound]), [`${sound.statement}: said twice`]);
  });
});
