// The compiler reviews those who use us: what may be nothing cannot be used untested.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repository } from './source.mjs';

const FILE = join(repository, 'test/types/untested.ts');
const compiler = join(repository, 'node_modules/typescript/bin/tsc');

/** Numbers of the lines that the compiler refuses. */
function refusedBy(...options) {
  const project = join(repository, 'test/types');
  const { stdout, stderr, error } = spawnSync(
    process.execPath,
    [compiler, '--project', project, '--pretty', 'false', ...options],
    { encoding: 'utf8' },
  );
  assert.equal(error, undefined);
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
