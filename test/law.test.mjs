import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { breaches, importsOf, ranks } from './law.mjs';
import { readSources, repository } from './source.mjs';

const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
// An optional peer is asked for at run time, and done without where it is not installed.
const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

test('every import of src/ keeps the law', () => {
  const files = readSources(['.ts'], ['src']);
  assert(files.length > 30, 'the sources were found');
  const found = breaches(files, dependencies);
  if (found.length > 0) assert.fail(`${found.length} breaches\n${found.join('\n')}`);
});

test('src/README.md gives every folder the rank that the law has', () => {
  const text = readFileSync(join(repository, 'src/README.md'), 'utf8');
  const stated = new Map();
  for (const [, rank, names] of text.matchAll(/^\|\s*(\d)\s*\|([^|]*)\|/gm)) {
    for (const [, name] of names.matchAll(/`(?:src\/)?(\w+)\/?`/g)) stated.set(name, Number(rank));
  }
  for (const { path } of readSources(['.ts'], ['src'])) {
    const folder = path.split('/').length > 2 ? path.split('/')[1] : null;
    if (folder !== null)
      assert.equal(stated.get(folder), ranks[folder], `rank of ${folder} in src/README.md`);
  }
});

describe('a breach is found:', () => {
  const planted = [
    ['a higher rank', 'src/uma/a.ts', "import { x } from '../mbuf/index.js';", 'rank 4 imports rank 5'],
    ['a folder of the same rank', 'src/ring/a.ts', "import '../mbuf/index.js';", 'rank 5 imports rank 5'],
    ['the composition root', 'src/stat/a.ts', "export * from '../index.js';", 'rank 6 imports rank 6.5'],
    ['a type only', 'src/phys/a.ts', "import type { X } from '../uma/index.js';", 'rank 3 imports rank 4'],
    ['over several lines', 'src/phys/a.ts', "import {\n  x,\n} from\n  '../uma/index.js';", 'rank 3 imports'],
    ['a dynamic import', 'src/phys/a.ts', "await import('../uma/index.js');", 'rank 3 imports rank 4'],
    ["a worker's URL", 'src/phys/a.ts', "new URL('../cli/w.js', import.meta.url)", 'rank 3 imports rank 7'],
    ['past index', 'src/uma/a.ts', "import { x } from '../phys/pages.js';", 'not through index'],
    ['an index further down', 'src/uma/a.ts', "import '../machine/helper/index.js';", 'not through index'],
    ['Node in the core', 'src/ring/a.ts', "import fs from 'node:fs';", 'the core imports Node'],
    ['Node in the composition root', 'src/memory.ts', "import 'node:fs';", 'the core imports Node'],
    ['a package in the core', 'src/uma/a.ts', "import x from 'left';", 'no run-time dependency'],
    ['a package not declared', 'src/cli/a.ts', "import x from 'left/right';", 'not among the dependencies'],
    ['a folder without a rank', 'src/news/a.ts', 'export const x = 1;', 'has no rank'],
    ['an import of such a folder', 'src/cli/a.ts', "import '../news/index.js';", 'without a rank'],
    ['out of src', 'src/cli/a.ts', "import '../../scripts/run.mjs';", 'reaches out of src'],
    ['Atomics', 'src/ring/a.ts', 'const x = Atomics.load(words, 1);', 'only src/machine touches'],
    ['a new buffer', 'src/phys/a.ts', 'const x = new SharedArrayBuffer(8);', 'only src/machine touches'],
  ];
  for (const [name, path, text, expected] of planted) {
    test(name, () => {
      const found = breaches([{ path, text }], ['right']);
      assert.equal(found.length, 1, found.join('\n'));
      assert(found[0].includes(expected), found[0]);
    });
  }
});

test('what the law allows is not called a breach', () => {
  const allowed = [
    ['src/uma/a.ts', "import { x } from '../phys/index.js';\nimport { y } from './b.js';"],
    ['src/machine/a.ts', "import { x } from './helper/index.js';\nAtomics.load(words, 1);"],
    ['src/machine/helper/a.ts', "import { x } from '../layout.js';\nimport '../../check/index.js';"],
    ['src/index.ts', "export * from './uma/index.js';\nexport { x } from './memory.js';"],
    ['src/cli/a.ts', "import fs from 'node:fs';\nimport '../index.js';\nimport x from 'right/sub';"],
    [
      'src/uma/a.test.ts',
      "import test from 'node:test';\nimport '../index.js';\nimport fc from 'fast-check';",
    ],
    ['src/uma/a.test.ts', "readFileSync(new URL('../../docs/errors.md', import.meta.url))"],
    ['src/uma/a.ts', "// import '../cli/index.js';\n/* Atomics.load */ const text = 'Atomics.load';"],
    ['src/uma/a.ts', "const pattern = /import '..\\/cli/;\nconst important = from('../cli/index.js');"],
  ].map(([path, text]) => ({ path, text }));
  assert.deepEqual(breaches(allowed, ['right']), []);
});

test('every form of import is read', () => {
  const text = "import a, { b as c } from 'one';\nimport 'two';\nexport { d } from 'three';\nimport('four');";
  assert.deepEqual(
    importsOf(text).map(({ specifier, line }) => `${specifier} ${line}`),
    ['one 1', 'two 2', 'three 3', 'four 4'],
  );
});
