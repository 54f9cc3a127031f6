// The tools that build and test need (devDependencies), installed when they are not all there.

import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure, say } from './failure.mjs';
import { readJsonOrNull } from './files.mjs';
import { runProgram } from './run.mjs';

/**
 * Why node_modules does not hold what package-lock.json asks for, in words; null when it does. Compares with
 * npm's own record of what it installed, which npm writes last: an interrupted install has none.
 */
export function whyInstall(root) {
  const wanted = readJsonOrNull(join(root, 'package-lock.json'))?.packages;
  if (wanted === undefined) throw new Failure('package-lock.json is missing or broken; get it back from git');
  const installed = readJsonOrNull(join(root, 'node_modules/.package-lock.json'))?.packages;
  if (installed === undefined) return 'first run';
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || !isForThisPlatform(entry)) continue;
    const found = installed[path];
    if (found === undefined || found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${path.replace(/^.*node_modules\//, '')} has changed`;
    }
    if (!existsSync(join(root, path, 'package.json'))) return `${path} is gone`;
  }
  return null;
}

// Two more tries within 6 seconds. npm's own waits would keep somebody without a network waiting for a
// minute.
const shortRetries = ['--fetch-retry-mintimeout=2000', '--fetch-retry-factor=2'];

/** Installs with `npm ci` if whyInstall gives a reason. The caller holds the lock. */
export async function installIfNeeded(root, what = 'the build tools') {
  const reason = whyInstall(root);
  if (reason === null) return false;
  say(`installing ${what} (${reason})`);
  // --ignore-scripts: no tool of ours needs an install script, so none gets to run.
  const args = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  await runNpm(root, [...args, '--prefer-offline', '--fetch-retries=2', ...shortRetries]);
  const stillMissing = whyInstall(root);
  if (stillMissing !== null) throw new Failure(`npm ci ran, and still ${stillMissing}`);
  return true;
}

/**
 * Runs npm quietly; when it fails, a Failure of one line if the reason is a known one, else with npm's own
 * words.
 */
export async function runNpm(root, args) {
  const env = { ...process.env, npm_config_loglevel: 'error', npm_config_progress: 'false' };
  const cache = writableCache(root);
  if (cache !== null) env.npm_config_cache = cache;
  const npm = process.env.npm_execpath;
  // Under `npm start` and the like npm says where it lies; else it is a command (on Windows npm.cmd, which
  // needs a shell).
  const run =
    npm?.endsWith('.js') === true
      ? runProgram(process.execPath, [npm, ...args], { cwd: root, env, capture: true })
      : runProgram('npm', args, { cwd: root, env, capture: true });
  const { status, output } = await run;
  if (status === 0) return output;
  const code =
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|EHOSTUNREACH)\b/;
  const offline = code.exec(output);
  if (offline !== null) {
    throw new Failure(
      `cannot reach the npm registry (${offline[1]}); the first run needs it, later ones do not`,
    );
  }
  if (/npm ci. can only install packages when/.test(output)) {
    throw new Failure(
      'package.json and package-lock.json disagree; run `npm install` to bring them together',
    );
  }
  throw new Failure(`npm ${args[0]} failed:\n${output.trim()}`);
}

// Optional packages that are for another system, or for another C library, are rightly absent.
function isForThisPlatform(entry) {
  if (entry.optional !== true) return true;
  return entry.libc === undefined && allows(entry.os, process.platform) && allows(entry.cpu, process.arch);
}

function allows(list, value) {
  return (
    list === undefined ||
    list.includes(value) ||
    (list[0]?.startsWith('!') === true && !list.includes(`!${value}`))
  );
}

/** A cache folder in .build when npm's own (in the home folder) cannot be written; null when it can. */
function writableCache(root) {
  const usual = process.env.npm_config_cache;
  if (usual === undefined) return null;
  let folder = usual;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
    return null;
  } catch {
    return join(root, '.build/npm-cache');
  }
}
