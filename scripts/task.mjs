// The npm scripts: node -r ./scripts/node-version.cjs scripts/task.mjs NAME [arguments].

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, say } from './failure.mjs';
import { exitOnSignals, runNode } from './run.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const tasks = {
  start: async (args) => {
    await build();
    return run('dist/cli/main.js', ['replay', 'samples/office.pcap', ...args]);
  },
  test: async (args) => {
    await build();
    const { runTests } = await import('./tests.mjs');
    return runTests(root, args);
  },
  // The models against plain references: ten times as many calls as in a test, and others each time.
  models: async (args) => {
    await build();
    process.env.MBUMA_TEST_RUNS ??= '10';
    process.env.MBUMA_TEST_SEED ??= String(Date.now() % 2 ** 31);
    say(`MBUMA_TEST_RUNS=${process.env.MBUMA_TEST_RUNS} MBUMA_TEST_SEED=${process.env.MBUMA_TEST_SEED}`);
    const { runTests } = await import('./tests.mjs');
    return runTests(root, ['model.test', '--test-timeout=3600000', ...args]);
  },
  build: async () => {
    if (!(await build())) say('dist/ is up to date');
    return 0;
  },
  check: async () => {
    await build();
    const { runChecks } = await import('./check.mjs');
    return runChecks(root);
  },
  fix: async () => {
    await build();
    return run('node_modules/@biomejs/biome/bin/biome', ['check', '--write', '.']);
  },
  bench: async (args) => {
    await build();
    return run('bench/run.mjs', args);
  },
  proof: async (args) => {
    await build();
    return run('proof/run.mjs', args);
  },
  matrix: async (args) => {
    await build();
    const { runMatrix } = await import('./matrix.mjs');
    return runMatrix(root, args);
  },
  browser: async (args) => {
    await build();
    const { runBrowser } = await import('./browser.mjs');
    return runBrowser(root, args);
  },
  docs: async () => {
    await build();
    const { makeDocs } = await import('./docs.mjs');
    return makeDocs(root);
  },
};

async function build() {
  const { buildIfNeeded } = await import('./build.mjs');
  return buildIfNeeded(root);
}

function run(file, args) {
  return runNode(root, file, args);
}

exitOnSignals();
const [name, ...args] = process.argv.slice(2);
try {
  if (!Object.hasOwn(tasks, name ?? ''))
    throw new Failure(`no task ${name}; there are ${Object.keys(tasks).join(', ')}`, 2);
  process.exitCode = await tasks[name](args);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say(error.message);
  process.exitCode = error.status;
}
