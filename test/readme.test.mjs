import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandsOf, examplesOf, linesOf } from './readme.mjs';
import { repository } from './source.mjs';

const read = (path) => readFileSync(join(repository, path), 'utf8');

/**
 * Compiles `text` as strictly as the project itself and runs it as a program that has mbuma installed (a
 * folder inside the package may import the package by its name). Answers { errors, status, output }.
 */
function runExample(text) {
  const folder = join(repository, `.build/example-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'example.ts'), text);
    const settings = {
      extends: '../../tsconfig.json',
      compilerOptions: { rootDir: '.', outDir: 'out', declaration: false, isolatedDeclarations: false },
      files: ['example.ts'],
      include: [],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const compiled = run(['node_modules/typescript/bin/tsc', '-p', folder]);
    const errors = compiled.stdout + compiled.stderr;
    if (compiled.status !== 0) return { errors, status: null, output: '' };
    const ran = run([join(folder, 'out/example.js')]);
    return { errors, status: ran.status, output: ran.stdout + ran.stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(args) {
  return spawnSync(process.execPath, args, { cwd: repository, encoding: 'utf8', timeout: 60_000 });
}

test('the examples of README.md compile and run', () => {
  const examples = examplesOf(read('README.md'));
  assert(examples.length > 1, 'README.md has blocks of code that import mbuma');
  for (const { text } of examples) {
    const { errors, status, output } = runExample(text);
    assert.equal(errors, '');
    assert.equal(status, 0, output);
  }
});

test('the example of README.md about memory that is short finds what it says it finds', () => {
  const example = examplesOf(read('README.md')).find(({ text }) => text.includes('failpoints'));
  const forgetful = example.text.replace(/^.*forget this line.*$/m, '');
  assert.notEqual(forgetful, example.text);
  assert.match(runExample(forgetful).output, /a point is lost when ring\.put fails/);
});

test('an example with a wrong type, or one that fails, is found', () => {
  assert.match(
    runExample("import { nothingLikeIt } from 'mbuma';\nnothingLikeIt();\n").errors,
    /nothingLikeIt/,
  );
  const failing = runExample(
    "import * as mbuma from 'mbuma';\nif ('createMemory' in mbuma) throw new Error('no');\n",
  );
  assert.equal(failing.errors, '');
  assert.equal(failing.status, 1, failing.output);
});

test('the commands of README.md are those that CI runs first', () => {
  const commands = commandsOf(read('README.md'));
  assert.deepEqual([...commands].sort(), ['npm start', 'npm test']);
  const called = linesOf(read('.ci/run')).filter((line) => line.startsWith('npm '));
  assert.deepEqual(called.slice(0, 2).sort(), ['npm start', 'npm test']);
});

test('the examples and the commands are taken from a page, and nothing else', () => {
  const page = [
    '```sh\nnpm install mbuma # for users\n```',
    '```ts\nconst a = 1;\n```',
    "```ts\nimport { createMemory } from 'mbuma';\n```",
    "```ts\nimport { attachMemory } from 'mbuma';\n```",
    '```sh\ngit clone x\nnpm start   # the job\nnpm run bench\n```',
  ].join('\n\n');
  assert.deepEqual(
    examplesOf(page).map(({ text }) => /\w+Memory/.exec(text)[0]),
    ['createMemory', 'attachMemory'],
  );
  assert.deepEqual(examplesOf('no code'), []);
  assert.deepEqual(commandsOf(page), ['npm start', 'npm run bench']);
  assert.deepEqual(commandsOf('no code'), []);
});
