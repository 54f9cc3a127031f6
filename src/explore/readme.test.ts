import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** The first block of code of the page, and what its comments say that it prints. */
function readExample(): { code: string; prints: string[] } {
  const page = readFileSync(new URL('../../src/explore/README.md', import.meta.url), 'utf8');
  const code = /^```js\n([^`]*(?:`[^`\n]*`[^`]*)*?)^```/m.exec(page)?.[1] ?? '';
  const prints = [...code.matchAll(/^(?:console\.log.*; )?\/\/ (?! ?Two)(.*)$/gm)].map(
    (match) => match[1] as string,
  );
  return { code, prints };
}

test('the example of the page runs and prints what it says', async () => {
  const { code, prints } = readExample();
  const build = new URL('../explore.js', import.meta.url).href;
  const lines: string[] = [];
  const text = code.replace("'mbuma/explore'", `'${build}'`).replaceAll('console.log', 'globalThis.told');
  const world = globalThis as { told?: unknown };
  world.told = (...values: unknown[]) => lines.push(...values.map(String).join(' ').split('\n'));
  try {
    await import(`data:text/javascript,${encodeURIComponent(text)}`);
  } finally {
    delete world.told;
  }
  assert.deepEqual(
    lines.map((line) => line.trim()),
    prints.map((line) => line.trim()),
  );
});
