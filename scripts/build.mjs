// src/ to dist/: the helper module first, then TypeScript; nothing at all when dist/ is what src/ would give.
//
//   1 hash every input and every output, compare with .build/build.json: the same, then done (some 50 ms)
//   2 take the lock; look again (another terminal may have built meanwhile)
//   3 install the tools if needed, assemble the helper, compile into .build/out-<process>
//   4 rename that to dist/, whole: files of deleted sources vanish with the old folder
//   5 write .build/build.json
//
// Interrupted anywhere, the hashes do not agree and the next call builds again.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, say } from './failure.mjs';
import { hashFiles, listFiles, readJsonOrNull, writeFileAtomically } from './files.mjs';
import { generateHelper, helperOutput } from './helper.mjs';
import { installIfNeeded, whyInstall } from './install.mjs';
import { withLock } from './lock.mjs';
import { runNode } from './run.mjs';

const stampFile = '.build/build.json';
const lockFile = '.build/lock';
const inputsBesideSrc = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'scripts/build.mjs',
  'scripts/helper.mjs',
];

/**
 * Makes node_modules and dist/ of the work tree at `root` what they should be. Answers whether it had to
 * build.
 */
export async function buildIfNeeded(root) {
  if (whyInstall(root) === null && whyBuild(root) === null) return false;
  return withLock(join(root, lockFile), async () => {
    await installIfNeeded(root);
    const reason = whyBuild(root);
    if (reason === null) return false;
    say(`building (${reason})`);
    await build(root);
    return true;
  });
}

/** Why dist/ is not what src/ would give, in words; null when it is. */
export function whyBuild(root) {
  const stamp = readJsonOrNull(join(root, stampFile));
  if (stamp === null) return 'first build';
  const changed =
    firstDifference(stamp.inputs, hashInputs(root)) ??
    firstDifference(stamp.outputs, hashOutputs(root, 'dist'));
  return changed === null ? null : `${changed} has changed`;
}

async function build(root) {
  const out = `.build/out-${process.pid}`;
  removeLeftovers(root);
  const inputs = hashInputs(root);
  await generateHelper(root);
  try {
    const args = ['-p', '.', '--outDir', out, '--noEmitOnError'];
    const status = await runNode(root, 'node_modules/typescript/bin/tsc', args);
    if (status !== 0)
      throw new Failure('the build failed: the errors above are TypeScript’s; dist/ is as it was');
    const outputs = hashOutputs(root, out);
    const old = `.build/old-${process.pid}`;
    if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), join(root, old));
    renameSync(join(root, out), join(root, 'dist'));
    writeFileAtomically(join(root, stampFile), JSON.stringify({ inputs, outputs }));
  } finally {
    removeLeftovers(root);
  }
}

function hashInputs(root) {
  const sources = listFiles(root, 'src').filter(
    (path) => /\.(ts|wat)$/.test(path) && !path.endsWith('.generated.ts'),
  );
  return hashFiles(root, [...inputsBesideSrc, ...sources]);
}

/**
 * Hashes of what is in `folder`, under the names that it has or will have in dist/, and of the generated
 * source.
 */
function hashOutputs(root, folder) {
  const hashes = hashFiles(root, listFiles(root, folder));
  const named = Object.entries(hashes).map(([path, hash]) => [path.replace(folder, 'dist'), hash]);
  return { ...Object.fromEntries(named), ...hashFiles(root, [helperOutput]) };
}

/** A name that stands in only one of the two, or with another hash; null when there is none. */
function firstDifference(before, now) {
  for (const path of Object.keys({ ...before, ...now })) {
    if (before?.[path] !== now[path]) return path;
  }
  return null;
}

// Folders of builders that were killed. The lock is ours, so nobody wants them any more; but a compiler whose
// builder was killed may still be writing to its own for a moment, hence the retries.
const leftover = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };

function removeLeftovers(root) {
  for (const name of readdirSync(join(root, '.build'))) {
    if (/^(out|old)-\d+$/.test(name)) rmSync(join(root, '.build', name), leftover);
  }
}
