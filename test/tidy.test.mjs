import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readSources, repository } from './source.mjs';
import * as tidy from './tidy.mjs';

const code = readSources(['.ts', '.mjs', '.cjs']);
const pages = [...readSources(['.md']), ...pagesAtTheTop()];
const everything = [
  ...readSources(['.ts', '.mjs', '.cjs', '.c', '.h', '.wat', '.sh', '.json', 'run']),
  ...pages,
];

function pagesAtTheTop() {
  return readdirSync(repository)
    .filter((name) => name.endsWith('.md'))
    .map((path) => ({ path, text: readFileSync(join(repository, path), 'utf8') }));
}

/**
 * The tree keeps the rule, and the rule finds what is planted: `text` at `path`, told in words with
 * `expected` in them.
 */
function rule(name, judge, planted, innocent = []) {
  describe(name, () => {
    test('in this tree', () => {
      const found = judge();
      if (found.length > 0) assert.fail(`${found.length} offences\n${found.join('\n')}`);
    });
    for (const [path, text, expected] of planted) {
      test(`found: ${expected}`, () => {
        const found = judge([{ path, text }]);
        assert.equal(found.length, 1, found.join('\n'));
        assert(found[0].includes(expected), found[0]);
      });
    }
    for (const [path, text] of innocent) {
      test(`not called an offence: ${path} ${text.slice(0, 40).trim()}`, () => {
        assert.deepEqual(judge([{ path, text }]), []);
      });
    }
  });
}

rule(
  'no file is too long',
  (files = code) => tidy.tooLong(files),
  [
    ['src/a.ts', '\n'.repeat(401), '401 lines, at most 400'],
    ['src/a.test.ts', '\n'.repeat(501), '501 lines, at most 500'],
  ],
  [
    ['src/a.ts', '\n'.repeat(400)],
    ['src/a.test.ts', '\n'.repeat(500)],
  ],
);

rule(
  'no line is too wide',
  (files = [...code, ...readSources(['.wat'])]) => tidy.tooWide(files),
  [['src/a.ts', `\n// ${'x'.repeat(108)}\n`, 'src/a.ts:2: 111 columns']],
  [['src/a.ts', `// ${'x'.repeat(107)}`]],
);

rule(
  'every folder of src has a README.md',
  (files = readSources(['.ts', '.md'], ['src'])) => tidy.foldersWithoutReadme(files),
  [['src/news/a.ts', '', 'src/news: no README.md']],
  [['src/news/testing/a.test-kit.ts', '']],
);

rule(
  'no test is switched off',
  (files = code) => tidy.testsSwitchedOff(files),
  [
    ['src/a.test.ts', "test.skip('x', () => {});", 'test.skip'],
    ['src/a.test.ts', "describe.only('x', () => {});", 'describe.only'],
    ['src/a.test.ts', "test('x', { todo: true }, () => {});", 'todo: true'],
    ['test/a.test.mjs', 'it.todo(name);', 'it.todo'],
  ],
  [['src/a.test.ts', "// test.skip\ntest('x', { skip: !there && 'no tshark' });"]],
);

rule(
  'no name says nothing',
  (files = everything) => tidy.namesWithoutMeaning(files),
  [
    ['src/utils/a.ts', '', 'src/utils/a.ts'],
    ['src/uma/util.ts', '', 'src/uma/util.ts'],
  ],
  [['src/machine/helper/helper.ts', '']],
);

rule(
  'nobody steps around types and linter',
  (files = code.filter(({ path }) => !path.startsWith('test/tidy'))) => tidy.escapes(files),
  [
    ['src/a.ts', 'const a = b as any;', 'as any'],
    ['src/a.ts', 'function f(a: any) {}', ': any'],
    ['src/a.ts', '// @ts-ignore', '@ts-ignore'],
    ['src/a.ts', '// biome-ignore lint/suspicious/noExplicitAny', 'biome-ignore'],
  ],
  [['src/a.ts', "// as any\nconst a = 'as any'; // biome-ignore lint/x/y: the reason"]],
);

rule(
  'nothing speaks of the machine on which it was written',
  (files = everything.filter(({ path }) => !path.startsWith('test/tidy'))) => tidy.foreignToTheReader(files),
  [
    ['docs/a.md', 'see `/work/elsewhere/a.md`', '/work/elsewhere'],
    ['src/a.ts', "import x from '/root/a.js'", '/root/a.js'],
  ],
  [['docs/a.md', 'the network/home/page and https://a.b/work/c']],
);

rule(
  'decisions are numbered',
  (files = pages) => tidy.misnumberedDecisions(files),
  [
    ['docs/decisions/1-x.md', '# x', 'not named'],
    ['docs/decisions/0001-x.md', 'x', 'does not begin with a title'],
  ],
  [['docs/decisions/README.md', 'x']],
);

test('two decisions of one number are found', () => {
  const two = ['a', 'b'].map((name) => ({ path: `docs/decisions/0007-${name}.md`, text: '# x' }));
  assert.deepEqual(tidy.misnumberedDecisions(two), [
    'docs/decisions/0007-b.md: number of docs/decisions/0007-a.md',
  ]);
});

rule(
  'no link is dead',
  (files = pages) => tidy.deadLinks(files, (path) => existsSync(join(repository, path))),
  [['docs/a.md', 'see [b](../src/nothing.md#part)', 'docs/a.md: no src/nothing.md']],
  [['docs/a.md', '[a](https://a.b/c) [b](#part) [c](../package.json)\n```\n[d](nothing)\n```\n']],
);

rule(
  'pages name functions that exist',
  (files = pages.filter(({ path }) => !path.startsWith('bench/'))) => tidy.namesGone(files, code),
  [['docs/a.md', `first \`zone.${'neverWas'}There(1)\``, `no ${'neverWas'}There in the sources`]],
  [['docs/a.md', '`buildIfNeeded(root)` and `worker.postMessage()` and `strlen()`']],
);
