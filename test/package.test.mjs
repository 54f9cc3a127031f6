import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runNpm } from '../scripts/install.mjs';
import { repository } from './source.mjs';

const needed = [
  'LICENSE',
  'README.md',
  'package.json',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/cli/main.js',
  'dist/eslint/index.js',
  'dist/eslint/index.d.ts',
  'dist/wasm.js',
  'dist/wasm.d.ts',
  'include/mbuma-malloc.h',
];
const unwanted = /\.test[.-]|\/testing\/|\.wat$|\.map$|\.tmp$/;

/** What is wrong with a package of these files, one line each. */
function offences(paths) {
  const missing = needed.filter((path) => !paths.includes(path)).map((path) => `${path} is missing`);
  const foreign = paths.filter((path) => !needed.includes(path) && !path.startsWith('dist/'));
  const useless = paths.filter((path) => unwanted.test(path));
  return [...missing, ...[...foreign, ...useless].map((path) => `${path} does not belong in it`)];
}

test('the package holds the build and no tests', async () => {
  const output = await runNpm(repository, ['pack', '--dry-run', '--ignore-scripts', '--json']);
  const paths = [...output.matchAll(/"path":\s*"([^"]+)"/g)].map(([, path]) => path);
  assert.deepEqual(offences(paths), []);
});

test('a file too few or too many is found', () => {
  assert.deepEqual(offences(needed), []);
  assert.deepEqual(offences(needed.slice(1)), ['LICENSE is missing']);
  for (const path of [
    'dist/uma/zone.test.js',
    'dist/uma/zone.test-kit.d.ts',
    'dist/cli/testing/x.js',
    'src/a.ts',
  ]) {
    assert.deepEqual(offences([...needed, path]), [`${path} does not belong in it`]);
  }
});

test('the command can be executed', () => {
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  const command = readFileSync(join(repository, manifest.bin.mbuma), 'utf8');
  assert(command.startsWith('#!/usr/bin/env node\n'));
});
