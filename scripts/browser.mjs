// The core in a real browser: the pages of test/browser, in the Chromium of this machine. Nothing is
// downloaded.

import { existsSync } from 'node:fs';
import { Failure } from './failure.mjs';
import { listFiles } from './files.mjs';
import { runProgram } from './run.mjs';

const usualPaths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const timeoutMs = 120_000;

/** Where Chromium lies: what the variable CHROMIUM says, or a usual place. */
export function chromiumPath() {
  const path = process.env.CHROMIUM ?? usualPaths.find((usual) => existsSync(usual));
  if (path === undefined || !existsSync(path)) {
    throw new Failure(
      `${path ?? 'Chromium'} is not there; on Debian: apt install chromium. Elsewhere set CHROMIUM to its path`,
    );
  }
  return path;
}

/** Runs the browser's tests by Node's own runner; what begins with a dash in `args` goes to it. */
export function runBrowser(root, args) {
  chromiumPath();
  const files = listFiles(root, 'test/browser').filter((path) => path.endsWith('.test-browser.mjs'));
  const usual = ['--test', '--test-reporter=spec', `--test-timeout=${timeoutMs}`];
  return runProgram(process.execPath, [...usual, ...args, ...files], { cwd: root });
}
