import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { createMemory, MbumaError } from '../dist/index.js';
import { judge, listMisuses, runMisuse, withMovedAddresses } from './misuse.mjs';
import { repository } from './source.mjs';

/** Codes that need no wrong program, or none that a test can wait for. */
const withoutMisuse = {
  TIMED_OUT: 'the caller has said how long it would wait',
  ALLOC_TWICE: 'two threads free one item at the same moment',
  OWNER_DIED: 'a thread has died with a lock',
  TOO_MANY_REFERENCES: '2^28 references take four seconds to make',
};

/** Programs that have no memory, for it is refused. */
const withoutMemory = [
  'memory-options-wrong.mjs',
  'memory-thresholds-out-of-order.mjs',
  'memory-too-small.mjs',
];

const ran = [];
for (const path of listMisuses()) ran.push(await runMisuse(path));

describe('mbuma answers as the program says:', () => {
  for (const misuse of ran) test(basename(misuse.path, '.mjs'), () => assert.deepEqual(judge(misuse), []));
});

test('every code of docs/errors.md that a wrong program can cause has one', () => {
  const page = readFileSync(join(repository, 'docs/errors.md'), 'utf8');
  const codes = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  assert(codes.length > 35, 'the codes of the page were found');
  for (const code of Object.keys(withoutMisuse)) assert(codes.includes(code), code);
  const caused = new Set(ran.map(({ program }) => program.refusal.code));
  const expected = codes.filter((code) => !(code in withoutMisuse));
  assert.deepEqual([...caused].sort(), expected.sort());
});

test('only programs whose memory is refused have none', () => {
  const none = ran.filter(({ program }) => program.memory === null).map(({ path }) => basename(path));
  assert.deepEqual(none, withoutMemory);
});

describe('a program that says something else than what happens is found:', () => {
  const path = join(repository, 'test/misuse/example.mjs');
  const text = '// A point is lost.\n\n';
  const refusal = { code: 'FREE_TWICE', message: 'lost at {site}', zone: 'points', details: ['by {site}'] };
  const details = `address 0x10\nby ${path}:9:12`;
  const error = new MbumaError('FREE_TWICE', `lost at ${path}:12:5`, { zone: 'points', details });

  /** A program that is right, but for what is given. */
  function example(change = {}) {
    const memory = createMemory({ bytes: 1 << 20 });
    const { text: itsText = text, error: itsError = error, ...exported } = change;
    return { path, text: itsText, program: { memory, refusal, ...exported }, error: itsError };
  }

  function ruined() {
    const memory = createMemory({ bytes: 1 << 20 });
    memory.words[17] = -1; // in the superblock
    return memory;
  }

  test('not this one, which is right', () => assert.deepEqual(judge(example()), []));

  const planted = [
    ['that is not refused', { error: null }, 'nothing is refused'],
    ['another error', { error: new TypeError('no') }, 'no MbumaError: TypeError: no'],
    ['another code', { refusal: { ...refusal, code: 'FREE_FOREIGN' } }, 'code is "FREE_TWICE"'],
    ['another message', { refusal: { ...refusal, message: 'lost' } }, 'message is "lost at {site}"'],
    ['another zone', { refusal: { ...refusal, zone: 'lines' } }, 'zone is "points", not "lines"'],
    ['a zone that it does not tell', { refusal: { ...refusal, zone: undefined } }, 'zone is "points"'],
    [
      'an address that is not there',
      { refusal: { ...refusal, address: 16 } },
      'address is undefined, not 0x10',
    ],
    ['a line of details that is not there', { refusal: { ...refusal, details: ['x'] } }, 'details lack "x"'],
    ['no sentence before it', { text: "import 'x';\n" }, 'the first line is not one sentence'],
    ['two sentences before it', { text: '// A. B.\n\n' }, 'the first line is not one sentence'],
    ['no memory', { memory: undefined }, 'there is no memory to be looked at'],
    ['damage that it does not tell', { memory: ruined() }, 'the audit finds [A1], not []'],
    ['damage that is not there', { damage: ['U5'] }, 'the audit finds [], not [U5]'],
  ];
  for (const [what, change, expected] of planted) {
    test(what, () => {
      const found = judge(example(change));
      assert.equal(found.length, 1, found.join('\n'));
      assert(found[0].startsWith(expected), found[0]);
    });
  }

  test('a site in another file', () => {
    const elsewhere = new MbumaError('FREE_TWICE', `lost at ${repository}/test/other.mjs:12:5`, error);
    assert.match(judge(example({ error: elsewhere }))[0], /test\/other\.mjs:12:5", not "lost at \{site\}"$/);
  });
});

describe('when all addresses have moved', () => {
  const path = join(repository, 'test/misuse/example.mjs');
  const refusal = { code: 'ITEM_FREE', message: 'item 0x10 in slab 0x20', address: 0x10 };
  const text = "message: 'item 0x10 in slab 0x20', address: 0x10, other: 0x30";
  const moved = (message) =>
    withMovedAddresses({
      path,
      text,
      program: { refusal },
      error: new MbumaError('ITEM_FREE', message, { address: 0x20 }),
    });

  test('the new ones are written, each in the place of its own', () =>
    assert.equal(
      moved('item 0x20 in slab 0x10'),
      "message: 'item 0x20 in slab 0x10', address: 0x20, other: 0x30",
    ));
  test('and nothing where a word differs', () => assert.equal(moved('item 0x20 on slab 0x10'), null));
});
