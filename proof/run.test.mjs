// The command: its options, its status, and what it keeps.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./run.mjs', import.meta.url));
const run = (...args) =>
  spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', timeout: 60_000 });

test('wrong arguments are told in one line', () => {
  const wrong = [
    ['--level', 'best'],
    ['--only', 'flips,flops'],
    ['--only', ''],
    ['--seed', '1.5'],
    ['--seed', ''],
    ['--state', ''],
    ['--nothing'],
    ['flips'],
  ];
  for (const args of wrong) {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^proof: [^\n]+\n$/);
  }
});

test('--help tells the rows', () => {
  const { status, stdout } = run('--help');
  assert.equal(status, 0);
  assert.match(stdout, /flips, hostile, taint/);
});

test('Ctrl-C ends all of it, and --state keeps how far it was', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'proof-'));
  try {
    const child = spawn(process.execPath, [
      program,
      '--level',
      'nightly',
      '--only',
      'taint',
      '--state',
      folder,
    ]);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    // Twice: a terminal's Ctrl-C reaches a group, and some pass it on.
    setTimeout(() => child.kill('SIGINT') && child.kill('SIGINT'), 3000);
    const status = await new Promise((resolve) => child.on('exit', resolve));
    assert.equal(status, 130);
    assert.match(output, /taint +BROKEN OFF/);
    const { level, seed, state } = JSON.parse(readFileSync(join(folder, 'taint.json'), 'utf8'));
    assert.deepEqual([level, seed], ['nightly', 1]);
    assert.ok(state.next > 0);
    const other = run('--level', 'nightly', '--only', 'taint', '--state', folder, '--seed', '2');
    assert.equal(other.status, 2);
    assert.match(other.stderr, /holds a run of --level nightly --seed 1/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
