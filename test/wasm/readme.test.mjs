// The section of README.md about WebAssembly, done as a user would: files, commands, program.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { blocksOf } from '../readme.mjs';
import { repository } from '../source.mjs';
import { whyNoClang } from './build.mjs';

const why = whyNoClang();

function sectionOf(page, title) {
  const [, after] = page.split(`\n## ${title}\n`);
  return after.split('\n## ')[0];
}

test('the example of README.md is built and runs in two threads', { skip: why !== '' && why }, () => {
  const section = sectionOf(readFileSync(join(repository, 'README.md'), 'utf8'), 'WebAssembly');
  const folder = mkdtempSync(join(tmpdir(), 'mbuma-readme-'));
  try {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(repository, join(folder, 'node_modules/mbuma'));
    const commands = [];
    for (const { language, text } of blocksOf(section)) {
      const name = /^\/\/ (\w+\.\w+)$/m.exec(text)?.[1];
      if (name !== undefined) writeFileSync(join(folder, name), text);
      if (language === 'sh') commands.push(text);
    }
    assert.equal(commands.length, 1);
    execFileSync('sh', ['-e', '-c', commands[0]], { cwd: folder, stdio: 'pipe' });
    const { status, stdout, stderr } = spawnSync(process.execPath, ['app.mjs'], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'HELLO\nHELLO\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
