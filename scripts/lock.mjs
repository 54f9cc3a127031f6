// One builder at a time: a lock file that outlives nobody.
//
// The file names its holder's process and is touched every second. It is stale when that process is gone, or
// when nothing has touched it for 20 seconds (the process number may belong to somebody else by now). A stale
// lock is taken away by renaming it, which only one waiter can do; who finds that the file it renamed was a
// fresh one puts it back. Even if two builders did run at once (three processes in the same microseconds),
// the build stays right: it writes to a folder of its own and renames that.

import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { say } from './failure.mjs';
import { readTextOrNull } from './files.mjs';

const heartbeatMs = 1000;
const staleAfterMs = 20_000;
const retryMs = 50;

/** Runs `work` while holding the lock at `path`; waits for as long as another living process holds it. */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  const token = `${process.pid} ${Date.now()}\n`;
  let told = false;
  while (!tryTake(path, token)) {
    if (removeIfStale(path)) continue;
    if (!told) say(`waiting for another build (process ${holderOf(readTextOrNull(path))})`);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  const heartbeat = setInterval(() => touch(path), heartbeatMs);
  heartbeat.unref();
  const release = () => {
    if (readTextOrNull(path) === token) rmSync(path, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    process.off('exit', release);
    release();
  }
}

// The lock appears with its text in it (link, not create and write): no one ever reads an empty lock.
function tryTake(path, token) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, token);
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Whether the lock was stale, or gone already: then it may be tried for again. */
function removeIfStale(path) {
  const seen = readTextOrNull(path);
  if (seen === null) return true;
  if (!isStale(path, seen)) return false;
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return true;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== seen) {
    try {
      linkSync(aside, path);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
  rmSync(aside, { force: true });
  return true;
}

function isStale(path, text) {
  const holder = holderOf(text);
  if (!isAlive(holder)) return true;
  try {
    return Date.now() - statSync(path).mtimeMs > staleAfterMs;
  } catch {
    return false;
  }
}

function holderOf(text) {
  return Number.parseInt(text ?? '', 10);
}

function isAlive(processId) {
  if (!(processId > 0)) return false;
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Gone: the holder finds out when it releases.
  }
}
