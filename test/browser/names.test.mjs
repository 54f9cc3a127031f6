// The core names nothing that a browser lacks. It is compiled with the language's own names and those of
// platform.d.ts, and no others; so this test needs no browser.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ranks } from '../law.mjs';
import { blank, isTestFile, lineAt, readSources, repository } from '../source.mjs';

function compile(project) {
  const compiler = join(repository, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [compiler, '-p', project], { cwd: repository, encoding: 'utf8' });
}

test('the core compiles without the names of Node and of the DOM', () => {
  const { status, stdout } = compile('test/browser');
  assert.equal(status, 0, stdout);
});

const foreign = [
  "import 'node:fs';",
  'export const a: unknown = process;',
  "export const b: unknown = Buffer.from('');",
  'setImmediate(() => {});',
  'export const c: unknown = new TextDecoder();',
  'export const d: unknown = new TextEncoder();',
  'crypto.getRandomValues(new Uint8Array(1));',
  'export const e: unknown = document;',
  'export const f: unknown = WebAssembly;',
  'setTimeout(() => {}, 1).unref();',
  "export const g: unknown = require('fs');",
];

test('a core that used one of them would not', () => {
  const folder = join(repository, `.build/names-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'planted.ts'), `${foreign.join('\n')}\n`);
    const settings = {
      extends: '../../test/browser/tsconfig.json',
      files: ['planted.ts', '../../test/browser/platform.d.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const { stdout } = compile(folder);
    const found = new Set([...stdout.matchAll(/planted\.ts\((\d+),/g)].map(([, line]) => Number(line)));
    assert.deepEqual(
      [...found],
      foreign.map((_, index) => index + 1),
      stdout,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// What compiles all the same: a name looked up in globalThis. Two files may: one for WebAssembly, one for
// what platforms say of the end of threads.
const lookup = /\bglobalThis\b|\b(?:eval|Function)\s*\(/g;
const mayLookUp = ['src/machine/helper/webassembly.ts', 'src/platform.ts'];

/** Every place in the core that looks a name up at run time. */
function lookups(files) {
  return files
    .filter(({ path }) => isCore(path) && !isTestFile(path) && !mayLookUp.includes(path))
    .flatMap(({ path, text }) => {
      const code = blank(text, { strings: true });
      return [...code.matchAll(lookup)].map((match) => `${path}:${lineAt(code, match.index)}: ${match[0]}`);
    });
}

function isCore(path) {
  const [, folder, ...below] = path.split('/');
  return below.length === 0 || (ranks[folder] ?? 0) <= ranks.stat;
}

test('the core looks up no name at run time', () => {
  const files = readSources(['.ts'], ['src']);
  assert(files.filter(({ path }) => isCore(path)).length > 30, 'the sources were found');
  assert.deepEqual(lookups(files), []);
});

test('such a look-up is found', () => {
  for (const [path, text] of [
    ['src/uma/a.ts', 'const a = (globalThis as { process?: object }).process;'],
    ['src/memory.ts', "const a = eval('process');"],
    ['src/stat/a.ts', "new Function('return process');"],
  ]) {
    assert.equal(lookups([{ path, text }]).length, 1, text);
  }
  const allowed = [
    ['src/cli/main.ts', 'globalThis'],
    ['src/uma/a.test.ts', 'globalThis'],
    ['src/uma/a.ts', '// globalThis'],
  ];
  assert.deepEqual(lookups(allowed.map(([path, text]) => ({ path, text }))), []);
});
