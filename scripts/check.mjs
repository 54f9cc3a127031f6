// Everything that can be said about the code without running it: lint, format, types, and the package as npm
// would ship it.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { say } from './failure.mjs';
import { runNpm } from './install.mjs';
import { runNode } from './run.mjs';

const tarballFolder = '.build/package';

/** Runs every check, also after one has failed; answers 0 when all passed. */
export async function runChecks(root) {
  const tarball = await pack(root);
  const checks = [
    ['lint and format', 'node_modules/@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']],
    ['types', 'node_modules/typescript/bin/tsc', ['-p', '.', '--noEmit']],
    ['publint', 'node_modules/publint/src/cli.js', ['run', tarball, '--strict']],
    [
      'attw',
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      [
        tarball,
        '--profile',
        'esm-only',
        '--no-definitely-typed',
        '--exclude-entrypoints',
        './wasm/mbuma-malloc.h',
      ],
    ],
  ];
  const failed = [];
  for (const [name, file, args] of checks) {
    const { status, output } = await runNode(root, file, args, { capture: true });
    if (status !== 0) process.stdout.write(output);
    say(`${name}: ${status === 0 ? 'passed' : 'FAILED'}`);
    if (status !== 0) failed.push(name);
  }
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

/** Packs the package as `npm publish` would; answers the tarball's path. */
async function pack(root) {
  rmSync(join(root, tarballFolder), { recursive: true, force: true });
  mkdirSync(join(root, tarballFolder), { recursive: true });
  const output = await runNpm(root, [
    'pack',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    tarballFolder,
  ]);
  const name = /"filename":\s*"([^"]+)"/.exec(output)[1];
  return `${tarballFolder}/${name.replace(/^@/, '').replace('/', '-')}`;
}
