// Files: listed, hashed, and written so that nobody ever sees half of one.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Paths of all files under `folder`, relative to `root`, with forward slashes, sorted. None when it is
 * missing.
 */
export function listFiles(root, folder) {
  const absolute = join(root, folder);
  if (!existsSync(absolute)) return [];
  const found = [];
  for (const entry of readdirSync(absolute, { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listFiles(root, path));
    else found.push(path);
  }
  return found.sort();
}

/** The contents' hash, or null when there is no such file. */
export function hashFile(path) {
  const contents = readOrNull(path);
  return contents === null ? null : createHash('sha1').update(contents).digest('base64');
}

/** `path` to hash, for every one of `paths` under `root`. */
export function hashFiles(root, paths) {
  return Object.fromEntries(paths.map((path) => [path, hashFile(join(root, path))]));
}

/** Writes `text` to `path` by way of a temporary name. Does nothing when the file already holds just that. */
export function writeFileAtomically(path, text) {
  if (readTextOrNull(path) === text) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The file's text, or null when there is no such file. */
export function readTextOrNull(path) {
  return readOrNull(path)?.toString('utf8') ?? null;
}

/** The file's JSON value, or null when there is no such file or it is no JSON (half written, say). */
export function readJsonOrNull(path) {
  try {
    return JSON.parse(readTextOrNull(path) ?? 'null');
  } catch {
    return null;
  }
}

function readOrNull(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  }
}
