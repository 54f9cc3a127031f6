// Compiles the native peers into .build/bench, each only when its source is newer. What cannot be built is
// said with the reason and left out.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('./native/', import.meta.url));
const BINARIES = fileURLToPath(new URL('../.build/bench/', import.meta.url));

const COMPILER = process.env.CC ?? 'cc';
const FLAGS = ['-O2', '-std=gnu11', '-Wall', '-Wno-unused', '-fno-builtin-malloc', '-fno-builtin-free'];

/** Any header may have changed what any program does, so the newest file of the folder counts. */
function isFresh(binary) {
  if (!existsSync(binary)) return false;
  const built = statSync(binary).mtimeMs;
  return readdirSync(SOURCES).every((name) => statSync(join(SOURCES, name)).mtimeMs < built);
}

function run(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) return { reason: `${command}: ${error.code === 'ENOENT' ? 'not installed' : error.message}` };
  if (status !== 0) return { reason: `${command}: ${stderr.trim().split('\n')[0]}` };
  return { words: stdout.trim().split(/\s+/).filter(Boolean) };
}

/** Gives `{ binary }` or `{ reason }`. */
function compile(name, flags, libraries) {
  const binary = join(BINARIES, name);
  if (isFresh(binary)) return { binary };
  mkdirSync(BINARIES, { recursive: true });
  const source = join(SOURCES, `${name}.c`);
  const { reason } = run(COMPILER, [...FLAGS, ...flags, '-o', binary, source, ...libraries]);
  return reason === undefined ? { binary } : { reason };
}

export const buildDriver = () => compile('driver', ['-pthread'], []);
export const buildMagazine = () => compile('magazine', [], []);

export function buildDpdk() {
  const flags = run('pkg-config', ['--cflags', 'libdpdk']);
  if (flags.reason) return flags;
  const libraries = run('pkg-config', ['--libs', 'libdpdk']);
  if (libraries.reason) return libraries;
  return compile('dpdk', flags.words, libraries.words);
}

/** Where the loader finds a shared library, by its file name. */
export function findLibrary(fileName) {
  const found = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  for (const line of (found.stdout ?? '').split('\n')) {
    const [name, path] = line.trim().split(/ \(.*\) => /);
    if (name === fileName && path) return { path };
  }
  return { reason: `${fileName} is not installed` };
}
