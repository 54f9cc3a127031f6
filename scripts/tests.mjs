// All tests, or those whose path contains one of the words asked for, by Node's own runner.

import { Failure } from './failure.mjs';
import { listFiles } from './files.mjs';
import { runProgram } from './run.mjs';

// No test takes a minute; one that hangs must not hang the whole run.
const timeoutMs = 300_000;

/** The test files: compiled ones beside their subject, and those of the whole repository. */
export function listTests(root, words = []) {
  const compiled = listFiles(root, 'dist').filter((path) => path.endsWith('.test.js'));
  const repository = ['test', 'bench', 'proof']
    .flatMap((folder) => listFiles(root, folder))
    .filter(isPlainTest);
  const all = [...repository, ...compiled];
  return words.length === 0 ? all : all.filter((path) => words.some((word) => path.includes(word)));
}

function isPlainTest(path) {
  return path.endsWith('.test.mjs') && !path.includes('node_modules/');
}

/**
 * Runs the tests under `node`. Of `args`, words choose files by their path (`npm test -- uma`), and what
 * begins with a dash goes to Node's runner (`--test-name-pattern=free`).
 */
export async function runTests(root, args, node = process.execPath) {
  const words = args.filter((arg) => !arg.startsWith('-'));
  const options = args.filter((arg) => arg.startsWith('-'));
  const files = listTests(root, words);
  if (files.length === 0) throw new Failure(`no test file's path contains ${words.join(' or ') || '.test.'}`);
  const usual = ['--test', '--test-reporter=spec', `--test-timeout=${timeoutMs}`];
  return runProgram(node, [...usual, ...options, ...files], { cwd: root });
}
