// The rules, as users have them: by the name of the package, with the configuration of README.md.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ESLint } from 'eslint';
import { blocksOf } from './readme.mjs';
import { repository } from './source.mjs';

const folder = join(repository, `.build/eslint-${process.pid}`);

/** Rules that `text` breaks, with the configuration that a page shows. */
async function brokenBy(text, page) {
  const blocks = blocksOf(readFileSync(join(repository, page), 'utf8'));
  const [example] = blocks.filter((block) => block.text.includes("from 'mbuma/eslint'"));
  assert.ok(example, `${page} shows a configuration`);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(join(folder, 'eslint.config.js'), example.text);
    const [result] = await new ESLint({ cwd: folder }).lintText(text);
    return result.messages.map(({ ruleId, line }) => `${ruleId} ${line}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const page of ['README.md', 'src/eslint/README.md']) {
  test(`the configuration of ${page} finds what is thrown away or not tested, and nothing else`, async () => {
    const text = [
      'const a = zone.tryAlloc();',
      'ring.tryPut(a);',
      'if (!ring.tryPut(a)) zone.free(a);',
      'words[a >> 2] = 1;',
      'const b = zone.tryAlloc();',
      'if (b !== 0) words[b >> 2] = 1;',
    ];
    const broken = await brokenBy(text.join('\n'), page);
    assert.deepEqual(broken, ['mbuma/use-try-result 2', 'mbuma/test-try-result 4']);
  });
}
