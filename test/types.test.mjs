// The compiler reviews those who use us: what may be nothing cannot be used untested.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repository } from './source.mjs';

const FILE = join(repository, 'test/types/untested.ts');
const compiler = join(repository, 'node_modules/typescript/bin/tsc');

/** What the compiler says of a project. */
function compile(project, ...options) {
  const { stdout, stderr, error } = spawnSync(
    process.execPath,
    [compiler, '--project', join(repository, project), '--pretty', 'false', ...options],
    { encoding: 'utf8' },
  );
  assert.equal(error, undefined);
  return { stdout, stderr };
}

/** Numbers of the lines that the compiler refuses. */
function refusedBy(...options) {
  const { stdout, stderr } = compile('test/types', ...options);
  const lines = [...stdout.matchAll(/untested\.ts\((\d+),\d+\): error TS\d+/g)].map(([, line]) =>
    Number(line),
  );
  assert.ok(lines.length > 0 || stdout === '', `${stdout}${stderr}`);
  return [...new Set(lines)].sort((one, other) => one - other);
}

const marked = readFileSync(FILE, 'utf8')
  .split('\n')
  .flatMap((line, at) => (line.endsWith('// refused') ? [at + 1] : []));

describe('what may be nothing', () => {
  test('cannot be used untested, of any allocator', () => {
    assert.ok(marked.length > 10);
    assert.deepEqual(refusedBy(), marked);
  });

  test('could be, without strict: so the marks are judged by the types', () => {
    assert.notDeepEqual(
      refusedBy('--strict', 'false', '--strictNullChecks', 'false', '--exactOptionalPropertyTypes', 'false'),
      marked,
    );
  });
});

test('a memory and its imports go into a module of WebAssembly, where the types of that are known', () => {
  assert.equal(compile('test/types/dom').stdout, '');
  // Without them the name is not known: so the types are judged by.
  assert.match(compile('test/types/dom', '--lib', 'es2022,es2024.sharedmemory').stdout, /'WebAssembly'/);
});
